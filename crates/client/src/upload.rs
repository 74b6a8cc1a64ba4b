//! From a file or a stream to an object: in one request when it is small, else in parts, several at a time.
//!
//! Memory: one buffer for each part in flight, over all uploads of one [`Uploader`].
//!
//! Crash: the id of an upload in parts and every part that the server has taken stand in a journal on this machine
//! (`upload/journal.rs`). The same command goes on with it when neither file nor target nor encryption has changed: a
//! part counts as done when the journal, the server's list and the bytes of the file today agree on it. Uploads that
//! others began at the same name are never touched.

mod journal;
mod source_file;

use crate::body::Progress;
use crate::checksum::Checksum;
use crate::client::Client;
use crate::error::ClientError;
use crate::multipart::{PARTS_MAX, Part, Upload};
use crate::put_object::NewObject;
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use journal::{Begun, Journal};
use source_file::SourceFile;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Semaphore;

/// Uploads files, within one bound of memory.
pub struct Uploader {
    client: Client,
    options: UploadOptions,
    /// A permit for each part that lies in memory.
    room: Semaphore,
}

/// How files are uploaded.
pub struct UploadOptions {
    /// Bytes of a part, and the largest object that is sent in one request. At least 5 MiB (AWS: "upload limits").
    pub part_size: u64,
    /// Parts in memory at a time, at least 1.
    pub parts_in_flight: usize,
    /// What the server is to check; none for servers that know no checksums.
    pub checksum: Option<Checksum>,
    /// Where journals are kept; without it nothing is resumed.
    pub journals: Option<PathBuf>,
}

/// What an upload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Bytes of the object.
    pub size: u64,
    /// With its quotation marks.
    pub etag: String,
    /// Bytes that an earlier run had uploaded already.
    pub resumed: u64,
}

impl Uploader {
    /// An uploader over the connections of `client`.
    #[must_use]
    pub fn new(client: Client, options: UploadOptions) -> Self {
        let room = Semaphore::new(options.parts_in_flight.max(1));
        Self { client, options, room }
    }

    /// Uploads a file.
    ///
    /// # Errors
    /// [`ClientError`]. When the way broke, what was uploaded stays for the next run; when the server refused, it is
    /// thrown away.
    pub async fn upload_file(
        &self,
        path: &Path,
        object: &NewObject,
        progress: &Arc<dyn Progress>,
    ) -> Result<Uploaded, ClientError> {
        let file = SourceFile::open(path)?;
        progress.expect(file.size());
        if file.size() > self.part_size() {
            return self.upload_in_parts(&file, object, progress).await;
        }
        let _permit = self.permit().await;
        let body = file.read(0, file.size()).await?;
        file.check_unchanged()?;
        let etag = self.client.put_object(object, body, self.options.checksum, progress.clone()).await?;
        Ok(Uploaded { size: file.size(), etag, resumed: 0 })
    }

    /// Uploads what a stream gives; it cannot be read twice, so nothing is resumed.
    ///
    /// # Errors
    /// [`ClientError`]; an upload in parts is thrown away.
    pub async fn upload_stream(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        object: &NewObject,
        progress: &Arc<dyn Progress>,
    ) -> Result<Uploaded, ClientError> {
        let first = self.read_part(stream).await?;
        progress.expect(first.len() as u64);
        if (first.len() as u64) < self.part_size() {
            let size = first.len() as u64;
            let etag = self.client.put_object(object, first, self.options.checksum, progress.clone()).await?;
            return Ok(Uploaded { size, etag, resumed: 0 });
        }
        let id = self.client.create_multipart_upload(object, self.options.checksum).await?;
        let upload = self.upload_of(object, &id);
        let sent = self.send_stream(stream, first, &upload, progress).await;
        let done = match sent {
            Ok(parts) => self.complete(&upload, &parts).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            // The first error is the one to tell.
            let _ = self.client.abort_multipart_upload(&object.address, &id).await;
        }
        done
    }

    async fn send_stream(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        first: Bytes,
        upload: &Upload<'_>,
        progress: &Arc<dyn Progress>,
    ) -> Result<Vec<Part>, ClientError> {
        let mut parts = Vec::new();
        let mut next = first;
        while !next.is_empty() {
            if parts.len() == PARTS_MAX {
                return Err(ClientError::TooManyParts(PathBuf::from("-")));
            }
            let number = u16::try_from(parts.len() + 1).expect("at most 10,000 parts");
            let sending = self.client.upload_part(upload, number, next, progress.clone());
            // While one part is on its way, the next one is read.
            let (sent, read) = tokio::join!(sending, self.read_part(stream));
            parts.push(sent?);
            next = read?;
            progress.expect(next.len() as u64);
        }
        Ok(parts)
    }

    async fn read_part(&self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Bytes, ClientError> {
        // The room of a whole part at once: one that grew would take up to twice that.
        let mut part = Vec::with_capacity(usize::try_from(self.part_size()).unwrap_or(usize::MAX));
        stream.take(self.part_size()).read_to_end(&mut part).await.map_err(ClientError::file("-"))?;
        Ok(part.into())
    }

    async fn upload_in_parts(
        &self,
        file: &SourceFile,
        object: &NewObject,
        progress: &Arc<dyn Progress>,
    ) -> Result<Uploaded, ClientError> {
        let part_size = part_size_for(file.size(), self.part_size());
        let begun = Begun::new(file, self.client.endpoint().url(), object, part_size, self.options.checksum);
        let mut journal = Journal::open(self.options.journals.as_deref(), &begun)?;
        let found = self.find_parts(&mut journal, file, object, progress).await?;
        let (id, done) = match found {
            Some((id, done)) => (id, done),
            None => match self.client.create_multipart_upload(object, self.options.checksum).await {
                Ok(id) => {
                    if let Err(error) = journal.begin(&begun, &id) {
                        // Nobody would know of it. The first error is the one to tell.
                        let _ = self.client.abort_multipart_upload(&object.address, &id).await;
                        return Err(error);
                    }
                    (id, BTreeMap::new())
                }
                Err(error) => {
                    // Nothing was begun. The first error is the one to tell.
                    let _ = journal.remove();
                    return Err(error);
                }
            },
        };
        let resumed = done.values().map(|part| part.size).sum();
        let upload = self.upload_of(object, &id);
        let outcome = self.finish_upload(file, part_size, &upload, done, &mut journal, progress).await;
        match outcome {
            Ok(uploaded) => {
                // The object is whole. A journal that stays names an upload that is gone: the next run begins anew.
                let _ = journal.remove();
                if resumed > 0
                    && let Some(key) = object.encryption.customer_key()
                {
                    // Some of the parts were sealed by an earlier run. A server that did not compare the keys would
                    // have made an object that its owner cannot open.
                    self.client.head_object(&object.address, Some(key)).await?;
                }
                Ok(Uploaded { resumed, ..uploaded })
            }
            Err(error) if may_go_on(&error) && journal.is_kept() => Err(error),
            Err(error) => {
                // The first error is the one to tell.
                let _ = self.client.abort_multipart_upload(&object.address, &id).await;
                let _ = journal.remove();
                Err(error)
            }
        }
    }

    /// The upload that an earlier run of the same command left, and its parts that are still good. What is not usable any
    /// more is thrown away.
    async fn find_parts(
        &self,
        journal: &mut Journal,
        file: &SourceFile,
        object: &NewObject,
        progress: &Arc<dyn Progress>,
    ) -> Result<Option<(String, BTreeMap<u16, Part>)>, ClientError> {
        let Some(left) = journal.take_left() else { return Ok(None) };
        let upload = self.upload_of(object, &left.id);
        let listed = if left.same { self.client.list_parts(&upload).await } else { Ok(Vec::new()) };
        let listed = match listed {
            Ok(listed) if left.same => listed,
            Err(error) if may_go_on(&error) => return Err(error),
            // Another key, another file, or an upload that is gone: begin anew.
            Ok(_) | Err(_) => {
                let _ = self.client.abort_multipart_upload(&object.address, &left.id).await;
                return Ok(None);
            }
        };
        let mut good = BTreeMap::new();
        for part in left.parts {
            let is_listed =
                |each: &&Part| each.number == part.number && each.etag == part.etag && each.size == part.size;
            let Some(listed) = listed.iter().find(is_listed) else { continue };
            let told = listed.checksum.is_none() || listed.checksum == part.checksum;
            if told && self.is_still_so(file, left.part_size, &part).await? {
                progress.moved(part.size);
                good.insert(part.number, part);
            }
        }
        Ok(Some((left.id, good)))
    }

    /// Whether the file still has the bytes of a part that was uploaded.
    async fn is_still_so(&self, file: &SourceFile, part_size: u64, part: &Part) -> Result<bool, ClientError> {
        let Some((checksum, known)) = self.options.checksum.zip(part.checksum.as_ref()) else { return Ok(false) };
        let offset = u64::from(part.number - 1) * part_size;
        if offset + part.size > file.size() {
            return Ok(false);
        }
        let _permit = self.permit().await;
        let bytes = file.read(offset, part.size).await?;
        Ok(checksum.of(&bytes) == *known)
    }

    async fn finish_upload(
        &self,
        file: &SourceFile,
        part_size: u64,
        upload: &Upload<'_>,
        mut done: BTreeMap<u16, Part>,
        journal: &mut Journal,
        progress: &Arc<dyn Progress>,
    ) -> Result<Uploaded, ClientError> {
        let count =
            u16::try_from(file.size().div_ceil(part_size)).ok().filter(|count| usize::from(*count) <= PARTS_MAX);
        let count = count.ok_or_else(|| ClientError::TooManyParts(file.path().to_owned()))?;
        let missing: Vec<u16> = (1..=count).filter(|number| !done.contains_key(number)).collect();
        let send = async |number: u16| {
            let offset = u64::from(number - 1) * part_size;
            let _permit = self.permit().await;
            let bytes = file.read(offset, part_size.min(file.size() - offset)).await?;
            self.client.upload_part(upload, number, bytes, progress.clone()).await
        };
        let mut sent = stream::iter(missing).map(send).buffer_unordered(self.options.parts_in_flight.max(1));
        while let Some(part) = sent.try_next().await? {
            journal.add(&part)?;
            done.insert(part.number, part);
        }
        drop(sent);
        file.check_unchanged()?;
        let parts: Vec<Part> = done.into_values().collect();
        self.complete(upload, &parts).await
    }

    async fn complete(&self, upload: &Upload<'_>, parts: &[Part]) -> Result<Uploaded, ClientError> {
        let sums = parts.iter().filter_map(|part| Some((part.checksum.as_deref()?, part.size)));
        let whole = upload.checksum.and_then(|checksum| checksum.of_parts(sums));
        let etag = self.client.complete_multipart_upload(upload, parts, whole.as_deref()).await?;
        Ok(Uploaded { size: parts.iter().map(|part| part.size).sum(), etag, resumed: 0 })
    }

    fn upload_of<'a>(&self, object: &'a NewObject, id: &'a str) -> Upload<'a> {
        let key = object.encryption.customer_key().map(Arc::as_ref);
        Upload { address: &object.address, id, key, checksum: self.options.checksum }
    }

    async fn permit(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.room.acquire().await.expect("the semaphore is never closed")
    }

    fn part_size(&self) -> u64 {
        self.options.part_size.max(PART_SIZE_MIN)
    }
}

/// Whether the same upload may succeed later.
fn may_go_on(error: &ClientError) -> bool {
    matches!(error, ClientError::Unavailable { .. } | ClientError::File { .. })
        || matches!(error, ClientError::Refused { refusal, .. } if refusal.status >= 500)
}

/// Parts of the size that was asked for, or as much larger as 10,000 of them need, in whole MiB.
fn part_size_for(size: u64, asked: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    asked.max(size.div_ceil(PARTS_MAX as u64).div_ceil(MIB) * MIB)
}

/// AWS: "Amazon S3 multipart upload limits".
const PART_SIZE_MIN: u64 = 5 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_with_the_file() {
        const MIB: u64 = 1 << 20;
        assert_eq!(part_size_for(17 * MIB, 16 * MIB), 16 * MIB);
        assert_eq!(part_size_for(160_000 * MIB, 16 * MIB), 16 * MIB);
        let tebibyte = 1 << 40;
        let part_size = part_size_for(tebibyte, 16 * MIB);
        assert_eq!(part_size, 105 * MIB);
        assert!(tebibyte.div_ceil(part_size) <= 10_000);
    }
}
