//! Writes one blob: a bounded buffer in front of a file.
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::BlobId;
use rustix::rand::{GetRandomFlags, getrandom};
use storage::{BlobWriter, Error};
use tokio::task::spawn_blocking;

use super::{BlobFiles, remove, store_error, thread_gone};
use crate::data_dir::shard_of;

/// See [`BlobWriter`]. The file appears with the first full buffer, or at the end: a small blob is created, written
/// and synced in one go on one blocking thread.
pub(crate) struct FileWriter {
    id: BlobId,
    files: Arc<BlobFiles>,
    /// `None` before the first write, and while a write is under way.
    file: Option<File>,
    started: bool,
    buffered: Vec<Bytes>,
    buffered_len: usize,
    finished: bool,
}

impl FileWriter {
    /// Registers a fresh blob.
    pub(crate) fn new(files: Arc<BlobFiles>) -> Result<Self, Error> {
        if !files.dir.has_room() {
            return Err(Error::Full);
        }
        let id = fresh_id()?;
        files.pending.begin(id);
        Ok(Self { id, files, file: None, started: false, buffered: Vec::new(), buffered_len: 0, finished: false })
    }

    /// Writes what is buffered, and makes it durable when it is the `last`.
    async fn flush(&mut self, last: bool) -> Result<(), Error> {
        if !self.files.dir.has_room() {
            return Err(Error::Full);
        }
        let (buffered, file) = (std::mem::take(&mut self.buffered), self.file.take());
        self.buffered_len = 0;
        if file.is_none() && self.started {
            return Err(Error::Unavailable("the blob's writer failed before".into()));
        }
        self.started = true;
        let (files, id) = (Arc::clone(&self.files), self.id);
        let task = move || {
            let written = write(&files, id, file, buffered, last);
            // The writer may be gone since this waits for a thread, and the collector may have looked for the file
            // before it was there.
            if !files.pending.is_being_written(id) {
                let _ = remove(&files.dir, id);
            }
            written
        };
        let file = spawn_blocking(task).await.map_err(|error| thread_gone(&error))?;
        self.file = Some(file.map_err(|error| store_error(&error))?);
        Ok(())
    }
}

fn fresh_id() -> Result<BlobId, Error> {
    let mut bytes = [0; 16];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(16) => Ok(BlobId::from_bytes(bytes)),
        _ => Err(Error::Unavailable("no random bytes".into())),
    }
}

/// Writes to the blob's file, or to a new one, and makes it durable when this is the `last`.
fn write(files: &BlobFiles, id: BlobId, file: Option<File>, buffered: Vec<Bytes>, last: bool) -> io::Result<File> {
    let mut file = match file {
        Some(file) => file,
        None => create(files, id)?,
    };
    for bytes in buffered {
        file.write_all(&bytes)?;
    }
    if last {
        file.sync_data()?;
        // Here and not once for a group of commits: writers sync their folders at the same time, and the filesystem
        // makes one flush of that; the committer would do one after the other.
        files.dir.sync_shard(shard_of(id))?;
    }
    Ok(file)
}

fn create(files: &BlobFiles, id: BlobId) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(files.dir.blob(id))
}

#[async_trait]
impl BlobWriter for FileWriter {
    fn id(&self) -> BlobId {
        self.id
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.buffered_len += bytes.len();
        self.buffered.push(bytes);
        // Many tiny pieces cost more than their bytes, so their number is bounded too.
        if self.buffered_len >= BUFFER_BYTES || self.buffered.len() >= BUFFER_PIECES {
            self.flush(false).await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<BlobId, Error> {
        self.flush(true).await?;
        self.finished = true;
        self.files.pending.finish(self.id);
        Ok(self.id)
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if !self.finished {
            self.files.discard(self.id);
        }
    }
}

/// 256 uploads at once hold 32 MiB here.
const BUFFER_BYTES: usize = 128 << 10;
const BUFFER_PIECES: usize = 256;
