use model::{UploadId, VersionId};
use policy::Action;
use storage::Batch;

use crate::authorize::Granted;
use crate::checksum::ChecksumAlgorithm;
use crate::encryption::{EncryptionMode, RequestedEncryption, WriteEncryption, mode_of, new_object};
use crate::error::{CustomerKeysBlocked, Fault, NoSuchBucket};
use crate::objects::{ReplaceError, commit, contention, identity};
use crate::records::{CannedAcl, ObjectMetadata, UploadRecord, as_read};
use crate::uploads::Uploads;

/// A multipart upload to begin.
pub struct CreateMultipartUpload {
    /// Headers and user metadata of the object to be.
    pub metadata: ObjectMetadata,
    /// Its canned ACL.
    pub acl: CannedAcl,
    /// Whose key seals it.
    pub encryption: WriteEncryption,
    /// The encryption headers that came, for the policies that judge its parts.
    pub requested: RequestedEncryption,
    /// The checksum that every part is to have.
    pub checksum: Option<ChecksumAlgorithm>,
    /// One checksum over the whole object rather than over the parts' checksums.
    pub full_object_checksum: bool,
}

/// An upload that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedUpload {
    /// Its id.
    pub upload: UploadId,
    /// Who holds its key.
    pub encryption: EncryptionMode,
}

/// Why an upload did not begin.
#[derive(Debug, thiserror::Error)]
pub enum CreateUploadError {
    /// See [`CustomerKeysBlocked`].
    #[error(transparent)]
    KeysBlocked(#[from] CustomerKeysBlocked),
    /// The bucket was deleted meanwhile.
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Uploads {
    /// Begins an upload: the data key of the object to be is made and wrapped now.
    ///
    /// # Errors
    /// [`CreateUploadError`].
    pub async fn create(
        &self,
        granted: &Granted,
        create: CreateMultipartUpload,
    ) -> Result<CreatedUpload, CreateUploadError> {
        let (bucket, object) = granted.object(Action::PutObject).map_err(Fault::from)?;
        let partition = bucket.partition(object);
        let upload = UploadId::from_bytes(envelope::random_bytes());
        // The object tells by it which upload it was, to a completion that is asked for again.
        let version = VersionId::from_bytes(*upload.as_bytes());
        let encryption = create.encryption.in_bucket(bucket)?;
        let identity = identity(bucket, object, version);
        let (wrap, unlocked) =
            new_object(self.keys(), &encryption, &identity, granted.requester(bucket)).await.map_err(Fault::from)?;
        let encryption = mode_of(&wrap);
        let record = UploadRecord {
            version,
            begun: self.clock().now(),
            acl: create.acl,
            requested: create.requested,
            checksum: create.checksum,
            full_object_checksum: create.full_object_checksum,
            wrap,
            sealed_metadata: unlocked.seal_metadata(&create.metadata.encode()),
        };
        let record_key = UploadRecord::record_key(upload);
        let batch = Batch {
            preconditions: vec![as_read(record_key.clone(), None)],
            put: vec![self.records().put(&partition, record_key, record.encode())],
            ..Batch::default()
        };
        match commit(self.records(), bucket, &partition, batch).await {
            Ok(()) => Ok(CreatedUpload { upload, encryption }),
            Err(ReplaceError::Conflict) => Err(contention().into()),
            Err(ReplaceError::NoSuchBucket(error)) => Err(error.into()),
            Err(ReplaceError::Fault(error)) => Err(error.into()),
        }
    }
}
