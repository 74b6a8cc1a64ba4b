use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use model::BlobId;

use crate::error::Error;
use crate::metadata::Partition;

/// A store of write-once byte strings.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Begins a blob that a batch on `partition` will link.
    ///
    /// # Errors
    /// [`Error::Full`] when there is no room, or when the backend fails.
    async fn create(&self, partition: &Partition) -> Result<Box<dyn BlobWriter>, Error>;

    /// Opens a blob. The reader sees all of its bytes until it is dropped, whatever is unlinked meanwhile.
    ///
    /// While a reader lives, every other blob that was linked when it was opened can be opened too: whoever walks an
    /// object of many blobs opens them one by one and keeps the first reader to the end. A reader that is kept for
    /// long holds back the space of everything that is unlinked after it, so stalled transfers are to be cut.
    ///
    /// # Errors
    /// [`Error::NoSuchBlob`] when it is gone.
    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, Error>;

    /// Opens a blob of which the bytes `span` will be read, in order. A backend far away reads ahead just so far.
    ///
    /// # Errors
    /// As [`Self::open`].
    async fn open_for(&self, id: BlobId, span: Range<u64>) -> Result<Box<dyn BlobReader>, Error> {
        let _ = span;
        self.open(id).await
    }
}

/// The single writer of one blob. Dropped before [`BlobWriter::finish`], it leaves nothing behind.
#[async_trait]
pub trait BlobWriter: Send {
    /// The fresh id of the blob.
    fn id(&self) -> BlobId;

    /// Adds bytes at the end. The backend may buffer a bounded amount, and waits when it cannot keep up.
    ///
    /// # Errors
    /// [`Error::Full`] when there is no room. The writer is of no use after an error.
    async fn append(&mut self, bytes: Bytes) -> Result<(), Error>;

    /// Makes the bytes durable and readable. The blob stays garbage until a batch links it.
    ///
    /// # Errors
    /// When the bytes could not be made durable.
    async fn finish(self: Box<Self>) -> Result<BlobId, Error>;
}

/// Reads one blob.
#[async_trait]
pub trait BlobReader: Send + Sync {
    /// Exactly the bytes `offset..offset + length`.
    ///
    /// # Errors
    /// [`Error::BlobTooShort`] when the blob ends before that.
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, Error>;
}
