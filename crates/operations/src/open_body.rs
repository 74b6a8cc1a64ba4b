//! The one way out: sealed bytes become a plaintext stream, chunk by chunk, each verified before it leaves.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use envelope::{CHUNK_LEN, PartEntry, PartOpener, TAG_LEN, UnlockedObject};
use futures::stream;
use model::{BlobId, ByteRange};
use storage::{BlobReader, Blobs};

use crate::body::BodyStream;
use crate::error::{Fault, StoredDataDamaged};
use crate::get_object::ReadError;

/// Chunks that are read and opened at a time.
const CHUNKS_PER_READ: u64 = 4;

/// Where the sealed bytes of one part are.
pub(crate) enum PartSource {
    Inline(Bytes),
    Blob(BlobId),
}

/// What is wanted of one part of an object.
pub(crate) struct SealedSpan {
    pub(crate) entry: PartEntry,
    pub(crate) source: PartSource,
    /// Plaintext positions within the part; the empty range of an empty part is read too.
    pub(crate) wanted: ByteRange,
}

/// Opens the bytes that `spans` make up, one after the other.
///
/// The first piece is read and verified before this returns, so that damage there is an error and not a broken
/// connection. Only the first blob is opened now: while its reader lives, no blob that was linked then goes away (see
/// [`Blobs::open`]), so a long object needs two open files at a time. Whoever calls looks again whether the record that
/// names the other blobs still stands.
pub(crate) async fn open_body(
    blobs: &Arc<dyn Blobs>,
    unlocked: &Arc<UnlockedObject>,
    spans: Vec<SealedSpan>,
) -> Result<BodyStream, ReadError> {
    let spans = spans.into_iter().rev().map(Span::from).collect();
    let mut cursor =
        Cursor { blobs: blobs.clone(), unlocked: unlocked.clone(), anchor: None, spans, ready: Vec::new() };
    cursor.fill().await?;
    Ok(Box::pin(stream::unfold(cursor, |mut cursor| async move {
        let item = cursor.next().await.transpose()?;
        if item.is_err() {
            cursor.spans.clear();
            cursor.ready.clear();
        }
        Some((item, cursor))
    })))
}

enum OpenSource {
    Inline(Bytes),
    Closed(BlobId),
    Open(Arc<dyn BlobReader>),
}

/// What is still to be read of one part.
struct Span {
    entry: PartEntry,
    /// Made when it is the part's turn: an object of 10,000 parts holds one part's key at a time.
    opener: Option<PartOpener>,
    source: OpenSource,
    /// Plaintext positions within the part.
    left: ByteRange,
}

struct Cursor {
    blobs: Arc<dyn Blobs>,
    unlocked: Arc<UnlockedObject>,
    /// The reader of the first blob, kept to the end: it holds on to the other blobs of the object.
    anchor: Option<Arc<dyn BlobReader>>,
    /// In reverse order: the current part is the last one.
    spans: Vec<Span>,
    /// Opened pieces that have not left yet, in reverse order.
    ready: Vec<Bytes>,
}

impl Cursor {
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        if self.ready.is_empty() {
            self.fill().await?;
        }
        Ok(self.ready.pop())
    }

    /// Opens the next few chunks, until there is a piece to give or nothing is left.
    async fn fill(&mut self) -> Result<(), ReadError> {
        while let Some(span) = self.spans.last_mut() {
            if let OpenSource::Closed(id) = span.source {
                let opened = self.blobs.open_for(id, span.sealed_span()).await;
                let reader: Arc<dyn BlobReader> = Arc::from(opened.map_err(Fault::from)?);
                self.anchor.get_or_insert_with(|| reader.clone());
                span.source = OpenSource::Open(reader);
            }
            self.ready = span.open_some(&self.unlocked).await?;
            self.ready.reverse();
            if span.left.is_empty() {
                self.spans.pop();
            }
            if !self.ready.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

impl From<SealedSpan> for Span {
    fn from(SealedSpan { entry, source, wanted }: SealedSpan) -> Self {
        let source = match source {
            PartSource::Inline(bytes) => OpenSource::Inline(bytes),
            PartSource::Blob(id) => OpenSource::Closed(id),
        };
        Self { entry, opener: None, source, left: wanted }
    }
}

impl Span {
    /// Where the chunks are that hold what is left, in sealed bytes.
    fn sealed_span(&self) -> Range<u64> {
        let stride = (CHUNK_LEN + TAG_LEN) as u64;
        let first = self.left.start / CHUNK_LEN as u64;
        let end = self.left.end.div_ceil(CHUNK_LEN as u64).max(first + 1);
        first * stride..(end * stride).min(envelope::sealed_len(self.entry.length))
    }

    /// Reads and opens up to [`CHUNKS_PER_READ`] chunks. An empty part is read too: its one empty chunk must verify.
    async fn open_some(&mut self, unlocked: &UnlockedObject) -> Result<Vec<Bytes>, ReadError> {
        let first = self.left.start / CHUNK_LEN as u64;
        let wanted = self.left.end.div_ceil(CHUNK_LEN as u64).max(first + 1);
        let end = wanted.min(first + CHUNKS_PER_READ);
        let stride = (CHUNK_LEN + TAG_LEN) as u64;
        let sealed_end = (end * stride).min(envelope::sealed_len(self.entry.length));
        let length = usize::try_from(sealed_end - first * stride).expect("a few chunks fit in memory");
        let mut sealed = self.read(first * stride, length).await?;
        let mut pieces = Vec::with_capacity(CHUNKS_PER_READ as usize);
        for index in first..end {
            let index32 = u32::try_from(index).map_err(|_| Fault::from(StoredDataDamaged("the length of a part")))?;
            let mut chunk = sealed.split_to(sealed.len().min(CHUNK_LEN + TAG_LEN));
            let opener = self.opener.get_or_insert_with(|| unlocked.part_opener(&self.entry));
            let plain_len = opener.open_chunk(index32, &mut chunk).map_err(Fault::from)?.len();
            chunk.truncate(plain_len);
            let chunk_start = index * CHUNK_LEN as u64;
            let from = clip(self.left.start, chunk_start, plain_len);
            let to = clip(self.left.end, chunk_start, plain_len);
            if from < to {
                pieces.push(chunk.freeze().slice(from..to));
            }
        }
        self.left.start = (end * CHUNK_LEN as u64).min(self.left.end);
        Ok(pieces)
    }

    async fn read(&self, offset: u64, length: usize) -> Result<BytesMut, ReadError> {
        let bytes = match &self.source {
            OpenSource::Open(reader) => reader.read(offset, length).await.map_err(Fault::from)?,
            OpenSource::Closed(id) => return Err(Fault::from(storage::Error::NoSuchBlob(*id)).into()),
            OpenSource::Inline(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(length);
                if end > bytes.len() {
                    return Err(Fault::from(StoredDataDamaged("an inline body ends early")).into());
                }
                bytes.slice(start..end)
            }
        };
        // Chunks are opened in place: free when the backend hands over bytes that nobody shares.
        Ok(bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..])))
    }
}

/// A position in the part as one in the chunk that begins at `chunk_start`.
fn clip(position: u64, chunk_start: u64, chunk_len: usize) -> usize {
    usize::try_from(position.saturating_sub(chunk_start)).unwrap_or(usize::MAX).min(chunk_len)
}
