//! The facts that several operations can report: a struct each, without a word of HTTP.

use model::{BucketName, ETag, ObjectKey, Timestamp};

/// The bucket does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The specified bucket does not exist")]
pub struct NoSuchBucket(pub BucketName);

/// The object does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The specified key does not exist.")]
pub struct NoSuchKey(pub ObjectKey);

/// The upload does not exist: never begun, aborted or completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted \
     or completed."
)]
pub struct NoSuchUpload;

/// The object was readable by everyone when the request was judged, and is no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Access Denied")]
pub struct NotPublic;

/// The object is sealed under a customer key, and none came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object needs a customer key")]
pub struct CustomerKeyRequired;

/// A customer key came for an object that is not sealed under one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object is not sealed under a customer key")]
pub struct CustomerKeyNotApplicable;

/// The customer key is not the one that sealed the object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the customer key is not the one of the object")]
pub struct WrongCustomerKey;

/// The bucket lets nobody write with a customer key (`BlockedEncryptionTypes`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Access Denied. The bucket blocks server-side encryption with customer-provided keys (SSE-C). Its owner can change \
     that with PutBucketEncryption."
)]
pub struct CustomerKeysBlocked;

/// A condition of the request does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the condition {condition} does not hold")]
pub struct PreconditionFailed {
    /// The header that named it, such as `If-Match`.
    pub condition: &'static str,
}

/// The client's copy is still good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object was not modified")]
pub struct NotModified {
    /// Its tag.
    pub etag: ETag,
    /// When it was written.
    pub last_modified: Timestamp,
}

/// The range lies behind the end of the object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the range is not satisfiable in {size} bytes")]
pub struct RangeUnsatisfiable {
    /// The size of the object in bytes.
    pub size: u64,
}

/// The object has no part of that number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object has no such part")]
pub struct NoSuchPart {
    /// How many parts it has.
    pub parts: u32,
}

/// Stored bytes do not authenticate or do not fit together. The client is not at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored data is damaged: {0}")]
pub struct StoredDataDamaged(pub &'static str);

/// The body is larger than an object or part may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Your proposed upload exceeds the maximum allowed size")]
pub struct EntityTooLarge;

/// The body does not have the MD5 that the client declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The Content-MD5 you specified did not match what we received.")]
pub struct BadContentMd5;

/// The body does not have the checksum that the client declared, or a declared trailer did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The {0} you specified did not match the calculated checksum.")]
pub struct BadChecksum(pub &'static str);

/// The permit does not cover the operation: a wiring mistake, answered with a refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the permit does not cover this operation")]
pub struct NotCovered;

/// Too many commits came first: the client should slow down and try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record changed too often while the request ran")]
pub struct TooMuchContention;

/// What can go wrong on our side, in every operation.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
    /// See [`StoredDataDamaged`].
    #[error(transparent)]
    Damaged(#[from] StoredDataDamaged),
    /// The key service failed.
    #[error(transparent)]
    KeyService(#[from] kms::KeyServiceError),
    /// See [`TooMuchContention`].
    #[error(transparent)]
    Contention(#[from] TooMuchContention),
    /// See [`NotCovered`].
    #[error(transparent)]
    NotCovered(#[from] NotCovered),
}

impl From<envelope::Damaged> for Fault {
    fn from(_: envelope::Damaged) -> Self {
        Self::Damaged(StoredDataDamaged("it does not authenticate"))
    }
}

impl From<model::codec::Malformed> for Fault {
    fn from(_: model::codec::Malformed) -> Self {
        Self::Damaged(StoredDataDamaged("its layout is not the one it names"))
    }
}
