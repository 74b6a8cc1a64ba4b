use envelope::{Damaged, KeyId};
use model::KmsKeyId;

use crate::audit_trail::AuditUnavailable;

/// Why a key service could not serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyServiceError {
    /// A wrap names a key that the keyring does not have.
    #[error("the keyring has no key {0}")]
    UnknownKey(KeyId),
    /// There is no KMS key of this name. Where a client named it, that is the client's mistake.
    #[error("there is no KMS key {0}")]
    NotFound(KmsKeyId),
    /// There is a KMS key of this name already.
    #[error("there is a KMS key {0} already")]
    AlreadyExists(KmsKeyId),
    /// The KMS key is disabled, and does nothing until it is enabled.
    #[error("the KMS key {0} is disabled")]
    Disabled(KmsKeyId),
    /// The KMS key is to be deleted, and does nothing until the deletion is cancelled.
    #[error("the KMS key {0} is pending deletion")]
    PendingDeletion(KmsKeyId),
    /// The provider does not have this ability, or its administrator keeps it for others.
    #[error("the KMS does not do this: {0}")]
    NotSupported(&'static str),
    /// The provider answered that this server may not use it: its credentials or its policy are wrong.
    #[error("the KMS refuses: {0}")]
    Refused(String),
    /// What was wrapped was changed, or belongs to another object, or to another kind of holder.
    #[error("the wrapped data key is damaged")]
    Damaged(#[from] Damaged),
    /// The provider does not answer now, or not sensibly; asking again may help. The text is for the log.
    #[error("the KMS is unavailable: {0}")]
    Unavailable(String),
    /// See [`AuditUnavailable`].
    #[error(transparent)]
    Audit(#[from] AuditUnavailable),
}

impl KeyServiceError {
    /// Whether asking again may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Audit(_))
    }
}
