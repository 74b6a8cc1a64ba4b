//! What a bucket says of the encryption of its objects (AWS: `PutBucketEncryption`): the mode of those whose request names
//! none, and whether customer keys may be used.

use envelope::ContextDigest;
use kms::KmsWrapRequest;
use model::{EncryptionContext, KmsKeyId};
use policy::Action;

use crate::authorize::Granted;
use crate::buckets::{Bucket, Buckets, ChangeBucketError};
use crate::encryption::{EncryptionMode, WriteEncryption};
use crate::error::{CustomerKeysBlocked, Fault, NotCovered};

/// The configuration of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BucketEncryption {
    /// The mode of objects whose request names none.
    pub default: DefaultEncryption,
    /// `BucketKeyEnabled`, as it was put; it counts for SSE-KMS.
    pub bucket_key: bool,
    /// `BlockedEncryptionTypes`.
    pub blocked: BlockedEncryption,
}

/// A mode that a bucket can have for its objects. Customer keys cannot be a default: they come with each request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DefaultEncryption {
    /// SSE-S3.
    #[default]
    Server,
    /// SSE-KMS with this key, or with the default one.
    Kms(Option<KmsKeyId>),
}

/// What a bucket says of modes that are not to be used in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BlockedEncryption {
    /// Nothing: all may be used.
    #[default]
    Unsaid,
    /// That none is blocked.
    Nothing,
    /// No object may be written with a customer key. Those that are there can be read.
    CustomerKeys,
}

impl BucketEncryption {
    /// What it means for an object whose request names no mode, and perhaps whether it wants a bucket key.
    pub(crate) fn default_write(&self, bucket_key: Option<bool>) -> WriteEncryption {
        match &self.default {
            DefaultEncryption::Server => WriteEncryption::Server,
            DefaultEncryption::Kms(kms_key) => WriteEncryption::Kms(KmsWrapRequest {
                kms_key: kms_key.clone(),
                context: ContextDigest::of(&EncryptionContext::default()),
                bucket_key: bucket_key.unwrap_or(self.bucket_key),
            }),
        }
    }
}

impl Bucket {
    /// Whether objects and parts of this mode may be written. Those that are there can be read whatever it says.
    pub(crate) fn takes(&self, mode: &EncryptionMode) -> Result<(), CustomerKeysBlocked> {
        let blocked = self.encryption.as_ref().map(|encryption| encryption.blocked);
        match (mode, blocked) {
            (EncryptionMode::Customer, Some(BlockedEncryption::CustomerKeys)) => Err(CustomerKeysBlocked),
            _ => Ok(()),
        }
    }
}

impl Buckets {
    /// The configuration of the bucket; `None` when there is none.
    ///
    /// # Errors
    /// [`NotCovered`] when the grant is for something else.
    pub fn encryption<'a>(&self, granted: &'a Granted) -> Result<Option<&'a BucketEncryption>, NotCovered> {
        Ok(granted.bucket(Action::GetEncryptionConfiguration)?.encryption.as_ref())
    }

    /// Sets the configuration of the bucket. It counts for what is written from then on.
    ///
    /// # Errors
    /// [`ChangeBucketError`] when the bucket could not be changed.
    pub async fn put_encryption(
        &self,
        granted: &Granted,
        encryption: BucketEncryption,
    ) -> Result<(), ChangeBucketError> {
        let bucket = granted.bucket(Action::PutEncryptionConfiguration).map_err(Fault::from)?;
        self.change(bucket, |record| record.encryption = Some(encryption.clone())).await
    }

    /// Removes the configuration of the bucket, with what it blocks; there need not be one.
    ///
    /// # Errors
    /// [`ChangeBucketError`] when the bucket could not be changed.
    pub async fn delete_encryption(&self, granted: &Granted) -> Result<(), ChangeBucketError> {
        let bucket = granted.bucket(Action::PutEncryptionConfiguration).map_err(Fault::from)?;
        self.change(bucket, |record| record.encryption = None).await
    }
}
