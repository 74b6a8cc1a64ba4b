//! Reads one blob: from the page cache at once, from the disk on a blocking thread.
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::BlobId;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::ReadWriteFlags;
use storage::{BlobReader, Error};
use tokio::task::spawn_blocking;

use super::generation::Generation;
use super::{BlobFiles, store_error, thread_gone};
use crate::collector::Errand;

/// See [`BlobReader`]. The open file keeps the bytes after the blob is deleted.
pub(crate) struct FileReader {
    id: BlobId,
    file: Arc<File>,
    /// `None` only while it is dropped.
    generation: Option<Arc<Generation>>,
    files: Arc<BlobFiles>,
}

impl FileReader {
    /// Opens the blob's file. `Ok(None)` when there is none.
    pub(crate) async fn open(files: Arc<BlobFiles>, id: BlobId) -> Result<Option<Self>, Error> {
        if files.pending.is_unreadable(id) {
            return Ok(None);
        }
        // Joined first: what is unlinked from here on stays.
        let generation = Some(files.generations.join());
        let path = files.dir.blob(id);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        // When the kernel knows the path, opening does not wait and needs no other thread.
        let known = rustix::fs::openat2(CWD, &path, flags, Mode::empty(), ResolveFlags::CACHED);
        let opened = match known {
            Ok(file) => Ok(File::from(file)),
            Err(_) => spawn_blocking(move || File::open(path)).await.map_err(|error| thread_gone(&error))?,
        };
        match opened {
            Ok(file) => Ok(Some(Self { id, file: Arc::new(file), generation, files })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(store_error(&error)),
        }
    }
}

#[async_trait]
impl BlobReader for FileReader {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        // Asked before anything is allocated: a length from a damaged record is not believed.
        let blob_len = self.file.metadata().map_err(|error| store_error(&error))?.len();
        if offset.checked_add(length as u64).is_none_or(|end| end > blob_len) {
            return Err(Error::BlobTooShort(self.id));
        }
        let mut bytes = vec![0; length];
        let cached = read_cached(&self.file, offset, &mut bytes);
        if cached < length {
            let file = Arc::clone(&self.file);
            let read = move || file.read_exact_at(&mut bytes[cached..], offset + cached as u64).map(|()| bytes);
            let outcome = spawn_blocking(read).await.map_err(|error| thread_gone(&error))?;
            bytes = outcome.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Error::BlobTooShort(self.id),
                _ => store_error(&error),
            })?;
        }
        Ok(bytes.into())
    }
}

impl Drop for FileReader {
    fn drop(&mut self) {
        self.generation = None;
        if self.files.garbage_waits() {
            let _ = self.files.errands.send(Errand::Look);
        }
    }
}

/// Reads as far as the page cache reaches. Fewer bytes than asked for say nothing about the reason.
fn read_cached(file: &File, offset: u64, bytes: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut [IoSliceMut::new(&mut bytes[filled..])];
        match rustix::io::preadv2(file, rest, offset + filled as u64, ReadWriteFlags::NOWAIT) {
            Ok(count) if count > 0 => filled += count,
            _ => break,
        }
    }
    filled
}
