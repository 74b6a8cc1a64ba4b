use envelope::{CustomerKey, UnlockedObject};
use model::{ETag, ObjectKey, PartNumber, RangeSpec, Timestamp, UploadId};
use policy::Action;
use storage::{Batch, Partition};

use crate::authorize::Granted;
use crate::body::RequestBody;
use crate::buckets::Bucket;
use crate::checksum::{ChecksumAlgorithm, ChecksumSource, ClaimedChecksum, StoredChecksum};
use crate::copy_object::{CopySource, copied_body, read_len};
use crate::encryption::{EncryptionMode, UnlockError, mode_of};
use crate::error::{
    CustomerKeyNotApplicable, CustomerKeyRequired, CustomerKeysBlocked, EntityTooLarge, Fault, NoSuchBucket,
    NoSuchUpload, RangeUnsatisfiable, WrongCustomerKey,
};
use crate::get_object::ReadError;
use crate::objects::{ATTEMPTS, ReplaceError, commit, contention};
use crate::records::{PartChecksum, PartRecord, StoredETag, UploadRecord, as_read};
use crate::seal_body::{SealPlan, SealedPlace, WriteBodyError, seal_body};
use crate::uploads::{CurrentUpload, Uploads};

/// A part to upload.
pub struct UploadPart {
    /// Which upload.
    pub upload: UploadId,
    /// Which part; one of the same number is replaced.
    pub number: PartNumber,
    /// The customer key, which must be the one that the upload was begun with.
    pub customer_key: Option<CustomerKey>,
    /// Its bytes.
    pub body: RequestBody,
}

/// A part to copy from an object.
pub struct UploadPartCopy {
    /// Which upload.
    pub upload: UploadId,
    /// Which part; one of the same number is replaced.
    pub number: PartNumber,
    /// The customer key of the upload.
    pub customer_key: Option<CustomerKey>,
}

/// What the upload of a part tells.
#[derive(Debug, Clone)]
pub struct UploadPartOutput {
    /// The tag to complete with.
    pub etag: ETag,
    /// When it was written.
    pub last_modified: Timestamp,
    /// The checksum that was verified or computed.
    pub checksum: Option<StoredChecksum>,
    /// Who holds the key of the upload.
    pub encryption: EncryptionMode,
}

/// The part comes with another checksum than its upload was begun with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
    expected.name().to_ascii_lowercase(),
    actual.name().to_ascii_lowercase()
)]
pub struct OtherChecksum {
    /// The upload's.
    pub expected: ChecksumAlgorithm,
    /// The part's.
    pub actual: ChecksumAlgorithm,
}

/// Why a part was not stored.
#[derive(Debug, thiserror::Error)]
pub enum UploadPartError {
    /// See [`OtherChecksum`].
    #[error(transparent)]
    OtherChecksum(#[from] OtherChecksum),
    /// See [`NoSuchUpload`].
    #[error(transparent)]
    NoSuchUpload(#[from] NoSuchUpload),
    /// The body was not taken.
    #[error(transparent)]
    Body(#[from] WriteBodyError),
    /// The upload was begun with a customer key, and none came.
    #[error(transparent)]
    KeyRequired(#[from] CustomerKeyRequired),
    /// The upload was begun without a customer key.
    #[error(transparent)]
    KeyNotApplicable(#[from] CustomerKeyNotApplicable),
    /// See [`CustomerKeysBlocked`].
    #[error(transparent)]
    KeysBlocked(#[from] CustomerKeysBlocked),
    /// The upload was begun with another customer key.
    #[error(transparent)]
    WrongKey(#[from] WrongCustomerKey),
    /// The bucket was deleted meanwhile.
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<UnlockError> for UploadPartError {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::KeyRequired(error) => error.into(),
            UnlockError::KeyNotApplicable(error) => error.into(),
            UnlockError::WrongKey(error) => error.into(),
            UnlockError::Fault(error) => error.into(),
        }
    }
}

/// Why a part was not copied.
#[derive(Debug, thiserror::Error)]
pub enum UploadPartCopyError {
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] ReadError),
    /// The part could not be stored.
    #[error(transparent)]
    Part(#[from] UploadPartError),
    /// The range names bytes that the source does not have. A read would give what there is; a part must be what was
    /// asked for.
    #[error(transparent)]
    Range(#[from] RangeUnsatisfiable),
    /// See [`EntityTooLarge`].
    #[error(transparent)]
    TooLarge(#[from] EntityTooLarge),
}

impl Uploads {
    /// Stores a part. When this returns, it is durable.
    ///
    /// # Errors
    /// [`UploadPartError`]; nothing has changed then.
    pub async fn upload_part(&self, granted: &Granted, part: UploadPart) -> Result<UploadPartOutput, UploadPartError> {
        let (bucket, object) = granted.object(Action::PutObject).map_err(Fault::from)?;
        let (current, unlocked) = self.unlock_upload(granted, part.upload, part.customer_key.as_ref()).await?;
        let target = PartTarget { bucket, object, upload: part.upload, number: part.number };
        self.store_part(&target, &current.record, &unlocked, part.body).await
    }

    /// Stores a part whose bytes are a range of an object.
    ///
    /// # Errors
    /// [`UploadPartCopyError`]; nothing has changed then.
    pub async fn upload_part_copy(
        &self,
        granted: &Granted,
        source: CopySource<'_>,
        part: UploadPartCopy,
    ) -> Result<UploadPartOutput, UploadPartCopyError> {
        let (bucket, object) = granted.object(Action::PutObject).map_err(|e| UploadPartError::from(Fault::from(e)))?;
        let (current, unlocked) = self.unlock_upload(granted, part.upload, part.customer_key.as_ref()).await?;
        let read = self.objects.read(source.granted, &source.get).await.map_err(|error| match error {
            ReadError::Range(error) => UploadPartCopyError::Range(error),
            error => error.into(),
        })?;
        if let Some(RangeSpec::Bounded { last, .. }) = source.get.range
            && last >= read.info.size
        {
            return Err(RangeUnsatisfiable { size: read.info.size }.into());
        }
        let length = read_len(&read);
        if length > COPY_LEN_MAX {
            return Err(EntityTooLarge.into());
        }
        let target = PartTarget { bucket, object, upload: part.upload, number: part.number };
        let body = copied_body(read.body, length, current.record.checksum);
        Ok(self.store_part(&target, &current.record, &unlocked, body).await?)
    }

    async fn unlock_upload(
        &self,
        granted: &Granted,
        upload: UploadId,
        customer_key: Option<&CustomerKey>,
    ) -> Result<(CurrentUpload, UnlockedObject), UploadPartError> {
        let (bucket, object) = granted.object(Action::PutObject).map_err(Fault::from)?;
        let current = self.current(&bucket.partition(object), upload).await?.ok_or(NoSuchUpload)?;
        bucket.takes(&mode_of(&current.record.wrap))?;
        let unlocked = self.unlock(bucket, object, &current.record, customer_key, granted.requester(bucket)).await?;
        Ok((current, unlocked))
    }

    async fn store_part(
        &self,
        target: &PartTarget<'_>,
        upload: &UploadRecord,
        unlocked: &UnlockedObject,
        mut body: RequestBody,
    ) -> Result<UploadPartOutput, UploadPartError> {
        let partition = target.bucket.partition(target.object);
        let mode = mode_of(&upload.wrap);
        match (upload.checksum, &body.claims.checksum) {
            (Some(algorithm), None) => {
                body.claims.checksum = Some(ClaimedChecksum { algorithm, source: ChecksumSource::Computed });
            }
            (Some(expected), Some(ClaimedChecksum { algorithm: actual, .. })) if *actual != expected => {
                return Err(OtherChecksum { expected, actual: *actual }.into());
            }
            _ => {}
        }
        let plan =
            SealPlan { blobs: self.blobs(), partition: &partition, inline_len_max: 0, want_md5: mode.has_md5_etag() };
        let sealed = seal_body(&plan, unlocked.part_sealer(target.number), body).await?;
        let blob = match sealed.place {
            SealedPlace::Blob(blob) => blob,
            // An empty part fits inline even where nothing is to be inline.
            SealedPlace::Inline(bytes) => self.write_blob(&partition, bytes).await?,
        };
        let md5 = sealed.digests.md5.filter(|_| mode.has_md5_etag());
        let etag = ETag::of_digest(md5.unwrap_or_else(envelope::random_bytes));
        let stored_etag = StoredETag::of(&mode, &etag, || self.digest_sealer(target.bucket));
        let checksum = sealed.digests.checksum;
        let record = PartRecord {
            entry: sealed.entry,
            blob,
            uploaded: self.clock().now(),
            etag: stored_etag,
            sealed_checksum: checksum
                .as_ref()
                .map_or_else(Vec::new, |c| unlocked.seal_metadata(&PartChecksum::encode(c))),
        };
        let last_modified = record.uploaded;
        self.commit_part(target, &partition, record).await?;
        Ok(UploadPartOutput { etag, last_modified, checksum, encryption: mode })
    }

    async fn write_blob(&self, partition: &Partition, bytes: bytes::Bytes) -> Result<model::BlobId, Fault> {
        let mut writer = self.blobs().create(partition).await?;
        writer.append(bytes).await?;
        Ok(writer.finish().await?)
    }

    /// The commit demands that the upload still stands, so that no part outlives it.
    async fn commit_part(
        &self,
        target: &PartTarget<'_>,
        partition: &Partition,
        record: PartRecord,
    ) -> Result<(), UploadPartError> {
        let part_key = PartRecord::record_key(target.upload, target.number);
        let put = self.records().put(partition, part_key.clone(), record.encode());
        for _ in 0..ATTEMPTS {
            let upload = self.current(partition, target.upload).await?.ok_or(NoSuchUpload)?;
            let replaced = self.records().get(partition, &part_key).await?;
            let unlink = match &replaced {
                None => Vec::new(),
                Some(stored) => vec![PartRecord::decode(stored.payload())?.blob],
            };
            let batch = Batch {
                preconditions: vec![
                    as_read(UploadRecord::record_key(target.upload), Some(&upload.stored)),
                    as_read(part_key.clone(), replaced.as_ref()),
                ],
                put: vec![put.clone()],
                link: vec![record.blob],
                unlink,
                ..Batch::default()
            };
            match commit(self.records(), target.bucket, partition, batch).await {
                Ok(()) => return Ok(()),
                Err(ReplaceError::Conflict) => {}
                Err(ReplaceError::NoSuchBucket(error)) => return Err(error.into()),
                Err(ReplaceError::Fault(error)) => return Err(error.into()),
            }
        }
        Err(contention().into())
    }
}

struct PartTarget<'a> {
    bucket: &'a Bucket,
    object: &'a ObjectKey,
    upload: UploadId,
    number: PartNumber,
}

/// The largest source of a part copy, 5 GiB (AWS: `UploadPartCopy`).
const COPY_LEN_MAX: u64 = 5 << 30;
