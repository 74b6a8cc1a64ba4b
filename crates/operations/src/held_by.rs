use envelope::{KeyHolder, KeyId};
use kms::StoredWrap;
use model::KmsKeyId;

/// Whose key opens an object, for those who look after the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HeldBy {
    /// The customer's (SSE-C). Which one, only the customer knows.
    Customer,
    /// The key of this name in the keyring (SSE-S3).
    Keyring(KeyId),
    /// A key of a KMS (SSE-KMS).
    Kms(KmsKeyId),
}

impl HeldBy {
    pub(crate) fn of(wrap: &StoredWrap) -> Self {
        match (wrap.wrapped.holder(), &wrap.kms) {
            (KeyHolder::Customer, _) => Self::Customer,
            (KeyHolder::Kms(_), Some(kms)) => Self::Kms(kms.kms_key.clone()),
            // The codec of records lets no wrap for a KMS pass without its other half.
            (KeyHolder::Keyring(id) | KeyHolder::Kms(id), _) => Self::Keyring(id),
        }
    }
}
