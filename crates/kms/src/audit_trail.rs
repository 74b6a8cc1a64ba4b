use async_trait::async_trait;
use envelope::{KeyId, ObjectIdentity};
use model::{BucketName, KmsKeyId, Principal};

use crate::KeyServiceError;

/// Hears of every use of a server-held key, and of every change of one.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Takes down one use. Returns as soon as the entry is sure to be written in its turn; waits while too many are in
    /// front of it.
    ///
    /// # Errors
    /// [`AuditUnavailable`]: the entry cannot be kept, and the use must not go on.
    async fn record(&self, key_use: KeyUse<'_>) -> Result<(), AuditUnavailable>;

    /// Takes down one change, in the same way.
    ///
    /// # Errors
    /// [`AuditUnavailable`]: the entry cannot be kept.
    async fn record_change(&self, change: KeyChange<'_>) -> Result<(), AuditUnavailable>;
}

/// A change of server-held keys, or their leaving the server.
pub struct KeyChange<'a> {
    /// Who asked for it; `None` for the server itself.
    pub principal: Option<&'a Principal>,
    /// What was done.
    pub operation: KeyChangeOperation,
    /// With which key; `None` for the keyring as a whole.
    pub key: Option<KeyName<'a>>,
    /// What came of it.
    pub outcome: Result<(), &'a KeyServiceError>,
}

/// What can be done to a server-held key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyChangeOperation {
    /// It was made, by an administrator or for the first object that asked for the default one.
    Create,
    /// It may be used again.
    Enable,
    /// It may not be used.
    Disable,
    /// It will be destroyed.
    ScheduleDeletion,
    /// It was destroyed.
    Destroy,
    /// It has a new version.
    Rotate,
    /// Versions that nothing needs were taken away.
    Prune,
    /// All keys left the server, sealed for whoever asked.
    Export,
    /// The keyring was sealed under another root key.
    Reseal,
}

impl KeyChangeOperation {
    /// Its name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::ScheduleDeletion => "schedule-deletion",
            Self::Destroy => "destroy",
            Self::Rotate => "rotate",
            Self::Prune => "prune",
            Self::Export => "export",
            Self::Reseal => "reseal",
        }
    }
}

/// One use of a server-held key.
pub struct KeyUse<'a> {
    /// Who asked for it.
    pub requester: Requester<'a>,
    /// What was done.
    pub operation: KeyOperation,
    /// With which key.
    pub key: KeyName<'a>,
    /// For which object.
    pub object: ObjectIdentity<'a>,
    /// What came of it.
    pub outcome: Result<(), &'a KeyServiceError>,
}

/// Who asks for the use of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requester<'a> {
    /// The principal whose request it is.
    pub principal: &'a Principal,
    /// The name of the object's bucket, which its id does not tell.
    pub bucket: &'a BucketName,
}

/// What a key is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyOperation {
    /// A data key was wrapped: an object was written or changed hands.
    Wrap,
    /// A data key was unwrapped: an object was read.
    Unwrap,
}

/// A server-held key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyName<'a> {
    /// A version of the keyring's key (SSE-S3).
    Keyring(KeyId),
    /// A KMS key (SSE-KMS).
    Kms(&'a KmsKeyId),
}

/// The audit log cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct AuditUnavailable;

/// Takes nothing down: for tests, and for tools that have no audit log.
pub struct NoAudit;

#[async_trait]
impl AuditTrail for NoAudit {
    async fn record(&self, _: KeyUse<'_>) -> Result<(), AuditUnavailable> {
        Ok(())
    }

    async fn record_change(&self, _: KeyChange<'_>) -> Result<(), AuditUnavailable> {
        Ok(())
    }
}
