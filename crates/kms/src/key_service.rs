use async_trait::async_trait;
use envelope::{KeyEncryptionKey, KeyId};
use model::{KmsKeyId, Timestamp};

use crate::KeyServiceError;

/// A KMS: keeps named keys to itself, and seals key-encryption keys with them.
///
/// `context` is bound to what is sealed: opening it with another one fails. A provider whose protocol has no place for
/// it may leave it out, because the envelope binds every wrap to its object as well; it says so in its docs.
#[async_trait]
pub trait KeyService: Send + Sync {
    /// Creates a key.
    ///
    /// # Errors
    /// [`KeyServiceError::AlreadyExists`], and what keeps the provider from answering.
    async fn create(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError>;

    /// What is known of a key.
    ///
    /// # Errors
    /// [`KeyServiceError::NotFound`], and what keeps the provider from answering.
    async fn describe(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError>;

    /// All keys, by id.
    ///
    /// # Errors
    /// What keeps the provider from answering.
    async fn list(&self) -> Result<Vec<KmsKey>, KeyServiceError>;

    /// Lets a key be used again; cancels a deletion.
    ///
    /// # Errors
    /// [`KeyServiceError::NotFound`], and what keeps the provider from answering.
    async fn enable(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError>;

    /// Forbids every use of a key until it is enabled.
    ///
    /// # Errors
    /// [`KeyServiceError::NotFound`], and what keeps the provider from answering.
    async fn disable(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError>;

    /// Lets a key be destroyed at a time, and forbids every use of it until then.
    ///
    /// # Errors
    /// [`KeyServiceError::NotFound`], and what keeps the provider from answering.
    async fn schedule_deletion(&self, id: &KmsKeyId, at: Timestamp) -> Result<KmsKey, KeyServiceError>;

    /// Gives a key a new version, which seals from now on. Older versions still open what they sealed.
    ///
    /// # Errors
    /// [`KeyServiceError::NotFound`], and what keeps the provider from answering.
    async fn rotate(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError>;

    /// Seals a key-encryption key with the current version of an enabled key. The result is at most
    /// [`SEALED_LEN_MAX`] bytes.
    ///
    /// # Errors
    /// [`KeyServiceError`]: the key is not there, disabled or pending deletion; or the provider does not answer.
    async fn wrap(&self, id: &KmsKeyId, key: &KeyEncryptionKey, context: &[u8]) -> Result<Vec<u8>, KeyServiceError>;

    /// Opens what [`Self::wrap`] made: the key-encryption key named `inner`.
    ///
    /// # Errors
    /// As [`Self::wrap`]; [`KeyServiceError::Damaged`] when it was changed or sealed for another context;
    /// [`KeyServiceError::UnknownKey`] when it names a version that is not there, where the provider can tell.
    async fn unwrap(
        &self,
        id: &KmsKeyId,
        inner: KeyId,
        sealed: &[u8],
        context: &[u8],
    ) -> Result<KeyEncryptionKey, KeyServiceError>;

    /// Whether the current version of the key made this; what an older one made is worth wrapping anew. A provider that
    /// cannot tell says no.
    ///
    /// # Errors
    /// [`KeyServiceError::NotFound`], [`KeyServiceError::Damaged`], and what keeps the provider from answering.
    async fn is_current(&self, id: &KmsKeyId, sealed: &[u8]) -> Result<bool, KeyServiceError> {
        let _ = (id, sealed);
        Ok(false)
    }

    /// What [`Self::is_current`] goes by: it says the same of all that a key sealed for which this is the same. Nothing is
    /// asked of the provider.
    fn sealer<'a>(&self, sealed: &'a [u8]) -> &'a [u8] {
        sealed
    }
}

/// The most bytes of a sealed key-encryption key: it is kept in the record of each object.
pub const SEALED_LEN_MAX: usize = 4096;

/// What is known of a KMS key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey {
    /// Its name.
    pub id: KmsKeyId,
    /// Whether it may be used.
    pub state: KmsKeyState,
    /// When it was created, where the provider tells.
    pub created: Option<Timestamp>,
    /// How many versions it has had; at least 1.
    pub versions: u32,
}

/// Whether a KMS key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KmsKeyState {
    /// It seals and opens.
    Enabled,
    /// It does neither until it is enabled.
    Disabled,
    /// It does neither, and is destroyed at this time.
    PendingDeletion(Timestamp),
}
