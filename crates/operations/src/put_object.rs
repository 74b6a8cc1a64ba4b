use envelope::PartEntry;
use kms::Requester;
use model::{ETag, PartNumber, VersionId};
use policy::Action;
use storage::Batch;

use crate::authorize::Granted;
use crate::body::RequestBody;
use crate::buckets::Bucket;
use crate::checksum::{Digests, StoredChecksum};
use crate::conditions::{WriteConditions, WriteUnmet};
use crate::encryption::{EncryptionMode, WriteEncryption, mode_of, new_object};
use crate::error::{CustomerKeysBlocked, Fault, NoSuchBucket, NoSuchKey, PreconditionFailed};
use crate::objects::{ATTEMPTS, Current, Objects, ReplaceError, contention, identity};
use crate::records::{BodyPlace, CannedAcl, ObjectMetadata, ObjectRecord, StoredETag, sole, tables};
use crate::seal_body::{SealPlan, SealedBody, SealedPlace, seal_body};
use model::ObjectKey;

pub use crate::seal_body::WriteBodyError;

/// An object to put in one piece.
pub struct PutObject {
    /// Headers and user metadata; checksums and MD5 are filled in here.
    pub metadata: ObjectMetadata,
    /// Its canned ACL.
    pub acl: CannedAcl,
    /// Whose key seals it.
    pub encryption: WriteEncryption,
    /// Conditions on the object that it replaces.
    pub conditions: WriteConditions,
    /// Its bytes.
    pub body: RequestBody,
}

/// What a put tells.
#[derive(Debug, Clone)]
pub struct PutObjectOutput {
    /// The new tag.
    pub etag: ETag,
    /// When it was written.
    pub last_modified: model::Timestamp,
    /// The checksum that was verified or computed.
    pub checksum: Option<StoredChecksum>,
    /// Who holds its key.
    pub encryption: EncryptionMode,
    /// Its size in bytes.
    pub size: u64,
}

/// Why an object was not put. The old one is untouched then.
#[derive(Debug, thiserror::Error)]
pub enum PutObjectError {
    /// The body was not taken.
    #[error(transparent)]
    Body(#[from] WriteBodyError),
    /// See [`PreconditionFailed`].
    #[error(transparent)]
    Precondition(#[from] PreconditionFailed),
    /// See [`CustomerKeysBlocked`].
    #[error(transparent)]
    KeysBlocked(#[from] CustomerKeysBlocked),
    /// `If-Match` without an object.
    #[error(transparent)]
    NoSuchKey(#[from] NoSuchKey),
    /// The bucket was deleted meanwhile.
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<ReplaceError> for PutObjectError {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Conflict => contention().into(),
            ReplaceError::NoSuchBucket(error) => error.into(),
            ReplaceError::Fault(error) => error.into(),
        }
    }
}

/// A version that is complete but for being current.
pub(crate) struct NewVersion {
    pub(crate) record: ObjectRecord,
    pub(crate) inline: Option<bytes::Bytes>,
}

impl Objects {
    /// Stores an object. When this returns, it is durable.
    ///
    /// # Errors
    /// [`PutObjectError`]; nothing has changed then.
    pub async fn put_object(&self, granted: &Granted, put: PutObject) -> Result<PutObjectOutput, PutObjectError> {
        let (bucket, object) = granted.object(Action::PutObject).map_err(Fault::from)?;
        self.check_conditions(bucket, object, &put.conditions).await?;
        self.store(granted.requester(bucket), bucket, object, put).await
    }

    /// The rest of a put, for callers whose target is granted: seal, then make current.
    pub(crate) async fn store(
        &self,
        requester: Requester<'_>,
        bucket: &Bucket,
        object: &ObjectKey,
        put: PutObject,
    ) -> Result<PutObjectOutput, PutObjectError> {
        let partition = bucket.partition(object);
        let version = VersionId::from_bytes(envelope::random_bytes());
        let encryption = put.encryption.in_bucket(bucket)?;
        let identity = identity(bucket, object, version);
        let (wrap, unlocked) = new_object(&self.keys, &encryption, &identity, requester).await.map_err(Fault::from)?;
        let mode = mode_of(&wrap);
        let claimed_md5 = put.body.claims.content_md5;
        let plan = SealPlan {
            blobs: self.blobs.as_ref(),
            partition: &partition,
            inline_len_max: self.records.metadata().inline_len_max(),
            want_md5: mode.has_md5_etag(),
        };
        let sealed = seal_body(&plan, unlocked.part_sealer(PartNumber::ONE), put.body).await?;
        let SealedBody { entry, place, digests: Digests { md5, checksum } } = sealed;
        let etag = single_part_etag(&mode, md5);
        let mut metadata = put.metadata;
        metadata.checksums = checksum.iter().cloned().collect();
        metadata.md5 = claimed_md5.filter(|_| !mode.has_md5_etag());
        let last_modified = self.clock.now();
        let size = entry.length;
        let (body, inline) = place_body(entry, place);
        let record = ObjectRecord {
            version,
            last_modified,
            size,
            acl: put.acl,
            etag: StoredETag::of(&mode, &etag, || self.digest_sealer(bucket)),
            wrap,
            sealed_metadata: unlocked.seal_metadata(&metadata.encode()),
            body,
        };
        self.make_current(bucket, object, &put.conditions, NewVersion { record, inline }).await?;
        Ok(PutObjectOutput { etag, last_modified, checksum, encryption: mode, size })
    }

    async fn check_conditions(
        &self,
        bucket: &Bucket,
        object: &ObjectKey,
        conditions: &WriteConditions,
    ) -> Result<(), PutObjectError> {
        if conditions.is_empty() {
            return Ok(());
        }
        let current = self.current(&bucket.partition(object)).await?;
        self.conditions_hold(bucket, object, current.as_ref(), conditions)
    }

    /// Judges conditions by what was read; the commit then demands that it is still so.
    pub(crate) fn conditions_hold(
        &self,
        bucket: &Bucket,
        object: &ObjectKey,
        current: Option<&Current>,
        conditions: &WriteConditions,
    ) -> Result<(), PutObjectError> {
        if conditions.is_empty() {
            return Ok(());
        }
        let etag = match current {
            None => None,
            Some(current) => Some(self.open_etag(bucket, &current.record)?),
        };
        conditions.check(etag.as_ref()).map_err(|unmet| match unmet {
            WriteUnmet::Failed(error) => error.into(),
            WriteUnmet::Absent => NoSuchKey(object.clone()).into(),
        })
    }

    pub(crate) fn open_etag(&self, bucket: &Bucket, record: &ObjectRecord) -> Result<ETag, Fault> {
        match &record.etag {
            StoredETag::Opaque(etag) => Ok(etag.clone()),
            sealed @ StoredETag::Sealed { .. } => sealed.open(&self.digest_sealer(bucket)),
        }
    }

    /// Replaces whatever is current, even if it is damaged, atomically, and lets go of its bytes.
    pub(crate) async fn make_current(
        &self,
        bucket: &Bucket,
        object: &ObjectKey,
        conditions: &WriteConditions,
        new: NewVersion,
    ) -> Result<(), PutObjectError> {
        let partition = bucket.partition(object);
        let head = sole(tables::OBJECTS);
        let put = self.records.put(&partition, head.clone(), new.record.encode());
        for _ in 0..ATTEMPTS {
            let replaced = self.replaced(&partition).await?;
            if !conditions.is_empty() {
                self.conditions_hold(bucket, object, replaced.judged()?, conditions)?;
            }
            let mut batch =
                Batch { preconditions: vec![replaced.unchanged()], put: vec![put.clone()], ..Batch::default() };
            replaced.remove_body(&self.records, &partition, &mut batch).await?;
            if let Some(inline) = &new.inline {
                batch.put.push((ObjectRecord::inline_key(new.record.version), inline.clone()));
            }
            if let BodyPlace::Blob(_, blob) = &new.record.body {
                batch.link.push(*blob);
            }
            match self.commit(bucket, &partition, batch).await {
                Err(ReplaceError::Conflict) => {}
                outcome => return Ok(outcome?),
            }
        }
        Err(contention().into())
    }
}

fn place_body(entry: PartEntry, place: SealedPlace) -> (BodyPlace, Option<bytes::Bytes>) {
    match place {
        SealedPlace::Inline(bytes) => (BodyPlace::Inline(entry), Some(bytes)),
        SealedPlace::Blob(blob) => (BodyPlace::Blob(entry, blob), None),
    }
}

/// The MD5, or under a customer's key or a KMS a random tag. Its `-1` tells clients that it is no MD5 to compare with: boto 2,
/// aws-cli, s3cmd and rclone all leave such a tag alone.
fn single_part_etag(mode: &EncryptionMode, md5: Option<[u8; 16]>) -> ETag {
    match md5 {
        Some(md5) if mode.has_md5_etag() => ETag::of_digest(md5),
        _ => ETag::with_parts(envelope::random_bytes(), 1),
    }
}
