//! Who keeps the key-encryption keys: the port [`KeyService`], and [`LocalKeyring`], which keeps them in a sealed file.
//!
//! A key service wraps and unwraps data keys; the key-encryption keys never leave it. The local one needs no I/O: its
//! file is bytes in, bytes out, and reading and writing them is the server's part. Deliberately absent: rotation, for
//! which the file format and [`KeyId`] in every wrap leave room.

mod local;

use async_trait::async_trait;
use envelope::{Damaged, DataKey, KeyId, ObjectIdentity, WrappedDataKey};

pub use envelope::OpenKeyringError;
pub use local::LocalKeyring;

/// Wraps and unwraps data keys with keys that it keeps to itself.
#[async_trait]
pub trait KeyService: Send + Sync {
    /// Wraps a data key for an object, with the key that is current.
    ///
    /// # Errors
    /// [`KeyServiceError::Unavailable`].
    async fn wrap(&self, data_key: &DataKey, identity: &ObjectIdentity<'_>) -> Result<WrappedDataKey, KeyServiceError>;

    /// Unwraps what [`Self::wrap`] made, with the key that it names, current or not.
    ///
    /// # Errors
    /// [`KeyServiceError`].
    async fn unwrap(&self, wrapped: &WrappedDataKey, identity: &ObjectIdentity<'_>)
    -> Result<DataKey, KeyServiceError>;
}

/// Why a key service could not serve. None of it is the client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyServiceError {
    /// The wrap names a key that the service does not have.
    #[error("the keyring has no key {0}")]
    UnknownKey(KeyId),
    /// The wrapped key was changed, belongs to another object, or is one that a customer holds.
    #[error("the wrapped data key is damaged")]
    Damaged(#[from] Damaged),
    /// The service does not answer now; asking again may help.
    #[error("the key service is unavailable")]
    Unavailable,
}

impl KeyServiceError {
    /// Whether asking again may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable)
    }
}
