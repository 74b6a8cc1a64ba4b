//! The one way in: a plaintext stream becomes sealed bytes, in one pass, in bounded memory.

use bytes::{Bytes, BytesMut};
use envelope::{CHUNK_LEN, PartEntry, PartSealer, TAG_LEN};
use futures::StreamExt;
use model::BlobId;
use storage::{BlobWriter, Blobs, Partition};

use crate::body::{BodyError, RequestBody};
use crate::checksum::{BadDigest, Digests, Witness};
use crate::error::{BadChecksum, BadContentMd5, EntityTooLarge, Fault, StoredDataDamaged};

/// The largest body of one part, 5 GiB (AWS: "Amazon S3 multipart upload limits").
const PART_LEN_MAX: u64 = 5 << 30;

/// Sealed chunks that are gathered before they go to the blob: enough to make a write worth its while, little enough
/// for hundreds of uploads at once.
const CHUNKS_PER_APPEND: usize = 2;

/// A body that has been sealed; nothing names it yet.
pub(crate) struct SealedBody {
    pub(crate) entry: PartEntry,
    pub(crate) place: SealedPlace,
    pub(crate) digests: Digests,
}

/// Where the sealed bytes went.
pub(crate) enum SealedPlace {
    Inline(Bytes),
    Blob(BlobId),
}

/// Why a body was not taken. Nothing is stored then.
#[derive(Debug, thiserror::Error)]
pub enum WriteBodyError {
    /// The body did not come whole.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// See [`EntityTooLarge`].
    #[error(transparent)]
    TooLarge(#[from] EntityTooLarge),
    /// See [`BadContentMd5`].
    #[error(transparent)]
    ContentMd5(#[from] BadContentMd5),
    /// See [`BadChecksum`].
    #[error(transparent)]
    Checksum(#[from] BadChecksum),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<BadDigest> for WriteBodyError {
    fn from(error: BadDigest) -> Self {
        match error {
            BadDigest::Md5(error) => error.into(),
            BadDigest::Checksum(error) => error.into(),
        }
    }
}

/// How a body is to be stored.
pub(crate) struct SealPlan<'a> {
    pub(crate) blobs: &'a dyn Blobs,
    /// The partition whose batch will link the blob.
    pub(crate) partition: &'a Partition,
    /// Bodies up to this many bytes stay in memory and go into a record; zero for always a blob.
    pub(crate) inline_len_max: usize,
    /// Compute the MD5 even if none is claimed.
    pub(crate) want_md5: bool,
}

/// Seals a whole body. When it returns, the claims hold and the blob, if any, is durable.
pub(crate) async fn seal_body(
    plan: &SealPlan<'_>,
    sealer: PartSealer,
    body: RequestBody,
) -> Result<SealedBody, WriteBodyError> {
    if body.length.is_some_and(|length| length > PART_LEN_MAX) {
        return Err(EntityTooLarge.into());
    }
    let mut stream = body.stream;
    let mut intake = Intake::new(plan, sealer, Witness::new(body.claims, plan.want_md5), body.length);
    while let Some(piece) = stream.next().await {
        intake.take(piece?).await?;
    }
    intake.finish().await
}

/// Takes pieces of any size and seals a chunk as soon as it is known not to be the last one.
struct Intake<'a> {
    plan: &'a SealPlan<'a>,
    sealer: PartSealer,
    witness: Witness,
    /// The length that the client declared.
    declared: Option<u64>,
    received: u64,
    /// Sealed chunks that wait for company.
    sealed: BytesMut,
    /// The chunk that is being filled. It shares its memory with `sealed`, so that appending it back is free.
    chunk: BytesMut,
    writer: Option<Box<dyn BlobWriter>>,
}

impl<'a> Intake<'a> {
    fn new(plan: &'a SealPlan<'a>, sealer: PartSealer, witness: Witness, length: Option<u64>) -> Self {
        let mut sealed = BytesMut::with_capacity(buffer_len(length));
        let chunk = sealed.split_off(0);
        Self { plan, sealer, witness, declared: length, received: 0, sealed, chunk, writer: None }
    }

    async fn take(&mut self, mut piece: Bytes) -> Result<(), WriteBodyError> {
        self.received += piece.len() as u64;
        if self.received > PART_LEN_MAX {
            return Err(EntityTooLarge.into());
        }
        if self.declared.is_some_and(|declared| declared < self.received) {
            return Err(BodyError::Incomplete.into());
        }
        self.witness.update(&piece);
        while !piece.is_empty() {
            if self.chunk.len() == CHUNK_LEN {
                self.seal_full_chunk().await?;
            }
            let room = CHUNK_LEN - self.chunk.len();
            self.chunk.extend_from_slice(&piece.split_to(room.min(piece.len())));
        }
        Ok(())
    }

    async fn seal_full_chunk(&mut self) -> Result<(), WriteBodyError> {
        self.sealer.seal_chunk(&mut self.chunk).map_err(|_| EntityTooLarge)?;
        self.sealed.unsplit(std::mem::take(&mut self.chunk));
        let is_inline = self.writer.is_none() && self.sealed.len() <= self.plan.inline_len_max;
        if !is_inline && self.sealed.len() >= CHUNKS_PER_APPEND * (CHUNK_LEN + TAG_LEN) {
            self.append().await?;
            self.sealed.reserve(CHUNKS_PER_APPEND * (CHUNK_LEN + TAG_LEN));
        }
        self.chunk = self.sealed.split_off(self.sealed.len());
        Ok(())
    }

    async fn append(&mut self) -> Result<(), WriteBodyError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            writer => writer.insert(self.plan.blobs.create(self.plan.partition).await.map_err(Fault::from)?),
        };
        Ok(writer.append(self.sealed.split().freeze()).await.map_err(Fault::from)?)
    }

    async fn finish(mut self) -> Result<SealedBody, WriteBodyError> {
        if self.declared.is_some_and(|declared| declared != self.received) {
            return Err(BodyError::Incomplete.into());
        }
        // The claims are checked before anything is made durable.
        let witness = std::mem::replace(&mut self.witness, Witness::new(Default::default(), false));
        let digests = witness.finish()?;
        let mut chunk = std::mem::take(&mut self.chunk);
        let (sealer, received) = (self.sealer, self.received);
        let entry = sealer.finish(&mut chunk).map_err(|_| EntityTooLarge)?;
        if entry.length != received {
            return Err(Fault::from(StoredDataDamaged("a part sealed to another length than it had")).into());
        }
        self.sealed.unsplit(chunk);
        let fits_inline = usize::try_from(received).is_ok_and(|n| n <= self.plan.inline_len_max);
        if self.writer.is_none() && fits_inline {
            return Ok(SealedBody { entry, place: SealedPlace::Inline(self.sealed.freeze()), digests });
        }
        let mut writer = match self.writer {
            Some(writer) => writer,
            None => self.plan.blobs.create(self.plan.partition).await.map_err(Fault::from)?,
        };
        writer.append(self.sealed.freeze()).await.map_err(Fault::from)?;
        let blob = writer.finish().await.map_err(Fault::from)?;
        Ok(SealedBody { entry, place: SealedPlace::Blob(blob), digests })
    }
}

/// A buffer that fits a small body exactly, and a large one's share.
fn buffer_len(length: Option<u64>) -> usize {
    let share = CHUNKS_PER_APPEND * (CHUNK_LEN + TAG_LEN);
    let whole = length.and_then(|length| usize::try_from(envelope::sealed_len(length)).ok());
    whole.map_or(CHUNK_LEN + TAG_LEN, |whole| whole.min(share))
}
