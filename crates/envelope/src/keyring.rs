//! The keyring file: every key that the server holds, sealed under its root key. The keys are encoded and decoded here,
//! so that their bytes never leave this crate.

use std::sync::Arc;

use model::codec::{Decoder, Encoder};
use zeroize::Zeroizing;

use crate::keys::{KeyBytes, KeyEncryptionKey, KeyId, RootKey, StoreKey};
use crate::primitives::{GcmKey, ONLY_NONCE, committed_key, same, sha256};
use crate::random::random_bytes;
use crate::{Damaged, TAG_LEN, WrongKey};

/// What a keyring file holds.
pub struct KeyringKeys {
    /// The server's own key, which several parts of the server hold at once.
    pub store_key: Arc<StoreKey>,
    /// Wraps new data keys.
    pub current: KeyEncryptionKey,
    /// Wrapped older data keys and still unwraps them.
    pub retired: Vec<KeyEncryptionKey>,
}

/// Why a keyring file does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenKeyringError {
    /// The file is whole, but another root key sealed it.
    #[error("another root key sealed the keyring")]
    WrongRootKey(#[from] WrongKey),
    /// The file is cut or changed.
    #[error("the keyring file is damaged")]
    Damaged(#[from] Damaged),
    /// The file's first byte names a format that this version does not know.
    #[error("the keyring file has an unknown format ({0})")]
    UnknownFormat(u8),
}

impl KeyringKeys {
    /// Fresh keys: a store key and one key-encryption key.
    #[must_use]
    pub fn generate() -> Self {
        Self { store_key: Arc::new(StoreKey::generate()), current: KeyEncryptionKey::generate(), retired: Vec::new() }
    }

    /// The key-encryption key of this name.
    #[must_use]
    pub fn find(&self, id: KeyId) -> Option<&KeyEncryptionKey> {
        self.all().find(|key| key.id() == id)
    }

    fn all(&self) -> impl Iterator<Item = &KeyEncryptionKey> {
        std::iter::once(&self.current).chain(&self.retired)
    }

    /// Reserved in full, tag included: a buffer that grew would leave keys behind.
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(32 + (1 + self.retired.len()) * 48 + TAG_LEN));
        bytes.extend_from_slice(self.store_key.0.expose());
        for key in self.all() {
            bytes.extend_from_slice(key.id().as_bytes());
            bytes.extend_from_slice(key.bytes.expose());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let (store_key, keys) = bytes.split_first_chunk().ok_or(Damaged)?;
        let (keys, []) = keys.as_chunks() else {
            return Err(Damaged);
        };
        let (current, retired) = keys.split_first().ok_or(Damaged)?;
        Ok(Self {
            store_key: Arc::new(StoreKey(KeyBytes::copy_of(store_key))),
            current: key_encryption_key(current),
            retired: retired.iter().map(key_encryption_key).collect(),
        })
    }
}

fn key_encryption_key(bytes: &[u8; 48]) -> KeyEncryptionKey {
    let (id, key) = bytes.split_first_chunk().expect("16 of 48 bytes");
    let key = key.try_into().expect("the other 32 of 48 bytes");
    KeyEncryptionKey { id: KeyId::from_bytes(*id), bytes: KeyBytes::copy_of(key) }
}

impl RootKey {
    /// Seals a keyring under a fresh salt. Layout: docs/format.md, "Keyring file".
    #[must_use]
    pub fn seal_keyring(&self, keys: &KeyringKeys) -> Vec<u8> {
        self.seal_keyring_salted(random_bytes(), keys)
    }

    pub(crate) fn seal_keyring_salted(&self, salt: [u8; 32], keys: &KeyringKeys) -> Vec<u8> {
        let (sealing_key, commitment) = self.keyring_key(&salt);
        let mut encoder = Encoder::new(FORMAT);
        encoder.raw(&salt).raw(&commitment);
        let mut file = encoder.finish();
        let mut sealed = keys.encode();
        sealing_key.seal(ONLY_NONCE, &file, &mut *sealed);
        file.extend_from_slice(&sealed);
        let checksum = sha256(&file);
        file.extend_from_slice(&checksum);
        file
    }

    /// Opens what [`Self::seal_keyring`] made.
    ///
    /// # Errors
    /// [`OpenKeyringError`]: the checksum tells an accident apart from another root key, the commitment tells another
    /// root key apart from an attack.
    pub fn open_keyring(&self, file: &[u8]) -> Result<KeyringKeys, OpenKeyringError> {
        match file.first() {
            None => return Err(Damaged.into()),
            Some(&FORMAT) => {}
            Some(&format) => return Err(OpenKeyringError::UnknownFormat(format)),
        }
        let (whole, checksum) = file.split_last_chunk().ok_or(Damaged)?;
        if sha256(whole) != *checksum {
            return Err(Damaged.into());
        }
        let (header, sealed) = whole.split_at_checked(HEADER_LEN).ok_or(Damaged)?;
        let mut decoder = Decoder::new(header, FORMAT).map_err(Damaged::from)?;
        let salt = decoder.array().map_err(Damaged::from)?;
        let stored = decoder.array().map_err(Damaged::from)?;
        let (sealing_key, commitment) = self.keyring_key(&salt);
        if !same(&commitment, &stored) {
            return Err(WrongKey.into());
        }
        let mut buffer = Zeroizing::new(sealed.to_vec());
        Ok(KeyringKeys::decode(sealing_key.open(ONLY_NONCE, header, &mut buffer)?)?)
    }

    fn keyring_key(&self, salt: &[u8; 32]) -> (GcmKey, [u8; 32]) {
        committed_key(self.0.expose(), salt, &[b"canopic/v1/keyring"])
    }
}

const FORMAT: u8 = 1;
const HEADER_LEN: usize = 1 + 32 + 32;

#[cfg(test)]
mod tests;
