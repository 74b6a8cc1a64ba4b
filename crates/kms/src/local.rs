use std::sync::Arc;

use envelope::{
    Damaged, DataKey, KeyHolder, KeyringKeys, ObjectIdentity, OpenKeyringError, RootKey, StoreKey, WrappedDataKey,
};

use crate::KeyServiceError;

/// A keyring in the server's memory, at rest in a file that the root key seals.
pub struct LocalKeyring {
    keys: KeyringKeys,
}

impl LocalKeyring {
    /// Fresh keys, and the sealed file to keep: without it everything stored under them is lost.
    #[must_use]
    pub fn create(root_key: &RootKey) -> (Self, Vec<u8>) {
        let keys = KeyringKeys::generate();
        let sealed_file = root_key.seal_keyring(&keys);
        (Self { keys }, sealed_file)
    }

    /// Opens a sealed file.
    ///
    /// # Errors
    /// [`OpenKeyringError`]; a file under another root key is told apart from a damaged one.
    pub fn open(root_key: &RootKey, sealed_file: &[u8]) -> Result<Self, OpenKeyringError> {
        Ok(Self { keys: root_key.open_keyring(sealed_file)? })
    }

    /// The key that authenticates records and seals the server's own secrets.
    #[must_use]
    pub fn store_key(&self) -> Arc<StoreKey> {
        Arc::clone(&self.keys.store_key)
    }

    /// Wraps a data key for an object, with the key that is current.
    #[must_use]
    pub fn wrap(&self, data_key: &DataKey, identity: &ObjectIdentity<'_>) -> WrappedDataKey {
        self.keys.current.wrap(data_key, identity)
    }

    /// Unwraps what [`Self::wrap`] made, with the key that it names, current or not.
    ///
    /// # Errors
    /// [`KeyServiceError::UnknownKey`], [`KeyServiceError::Damaged`].
    pub fn unwrap(&self, wrapped: &WrappedDataKey, identity: &ObjectIdentity<'_>) -> Result<DataKey, KeyServiceError> {
        let KeyHolder::Keyring(id) = wrapped.holder() else {
            return Err(Damaged.into());
        };
        let key = self.keys.find(id).ok_or(KeyServiceError::UnknownKey(id))?;
        // The wrap names this very key, so one that does not commit to it was changed.
        Ok(key.unwrap(wrapped, identity).map_err(|_| Damaged)?)
    }
}

#[cfg(test)]
mod tests;
