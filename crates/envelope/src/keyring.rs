//! The server's keys, as its keyring file holds them: the store key, the versions of the keyring's own key, and the
//! named keys of the local KMS.
//!
//! A [`KeyringKeys`] never changes. A change makes another one that shares the keys that stayed, so that readers never
//! wait and a change that could not be written down leaves nothing to undo. The bytes of keys never leave this crate:
//! they are encoded in `keyring/content.rs` and sealed in `keyring/file.rs`.

mod content;
mod file;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{KmsKeyId, Timestamp};
use subtle::ConstantTimeEq;

use crate::keys::{KeyEncryptionKey, KeyId, StoreKey};

pub use file::{OpenKeyringError, RootKeyId};

/// Bytes of the largest keyring file.
pub const KEYRING_FILE_LEN_MAX: usize = 8 * 1024 * 1024;
/// The most versions that a key has at once.
pub const KEY_VERSIONS_MAX: usize = 1_000;
/// The most named keys of a keyring.
pub const NAMED_KEYS_MAX: usize = 10_000;

/// What a keyring file holds.
pub struct KeyringKeys {
    /// The server's own key, which several parts of the server hold at once.
    pub store_key: Arc<StoreKey>,
    versions: KeyVersions,
    named: BTreeMap<KmsKeyId, Arc<NamedKey>>,
}

/// A version of a key of the keyring.
pub struct KeyVersion {
    /// The key.
    pub key: KeyEncryptionKey,
    /// When it was made; a keyring of format 1 does not tell.
    pub created: Option<Timestamp>,
}

/// The versions of a key: one that is current, and older ones that still open.
pub struct KeyVersions {
    /// Never empty; the first is current.
    list: Vec<Arc<KeyVersion>>,
}

/// A named key of the local KMS.
pub struct NamedKey {
    /// Whether it may be used.
    pub state: NamedKeyState,
    /// When it was made.
    pub created: Timestamp,
    /// Its keys.
    pub versions: KeyVersions,
}

/// Whether a named key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedKeyState {
    /// It may.
    Enabled,
    /// Not until it is enabled.
    Disabled,
    /// Not until it is enabled; at this time its keys are destroyed.
    PendingDeletion(Timestamp),
}

/// The keyring has as many keys, or a key as many versions, as there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keyring is full: it holds {NAMED_KEYS_MAX} named keys of {KEY_VERSIONS_MAX} versions, 8 MiB in all")]
pub struct KeyringFull;

impl KeyVersion {
    /// A fresh key.
    #[must_use]
    pub fn generate(created: Option<Timestamp>) -> Self {
        Self { key: KeyEncryptionKey::generate(), created }
    }
}

impl KeyVersions {
    /// The first version of a key.
    #[must_use]
    pub fn first(version: KeyVersion) -> Self {
        Self { list: vec![Arc::new(version)] }
    }

    /// The version that seals.
    ///
    /// # Panics
    /// Never: there is always one.
    #[must_use]
    pub fn current(&self) -> &KeyVersion {
        self.list.first().expect("a key has a version")
    }

    /// All of them, the current one first, then from the youngest to the oldest.
    pub fn iter(&self) -> impl Iterator<Item = &KeyVersion> {
        self.list.iter().map(Arc::as_ref)
    }

    /// The version of this name.
    #[must_use]
    pub fn find(&self, id: KeyId) -> Option<&KeyEncryptionKey> {
        self.iter().map(|version| &version.key).find(|key| key.id() == id)
    }

    /// The same with another current version; the keys are shared.
    ///
    /// # Errors
    /// [`KeyringFull`] beyond [`KEY_VERSIONS_MAX`].
    pub fn rotated(&self, version: KeyVersion) -> Result<Self, KeyringFull> {
        if self.list.len() >= KEY_VERSIONS_MAX {
            return Err(KeyringFull);
        }
        Ok(Self { list: std::iter::once(Arc::new(version)).chain(self.list.iter().cloned()).collect() })
    }

    /// The same without some versions, of which the current one is never taken.
    fn without(&self, ids: &[KeyId]) -> Self {
        let (current, retired) = self.list.split_first().expect("a key has a version");
        let kept = retired.iter().filter(|version| !ids.contains(&version.key.id()));
        Self { list: std::iter::once(current).chain(kept).cloned().collect() }
    }

    /// Another owner of the same keys.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { list: self.list.clone() }
    }
}

impl KeyringKeys {
    /// Fresh keys: a store key and one key-encryption key.
    #[must_use]
    pub fn generate() -> Self {
        Self::generate_at(None)
    }

    /// Fresh keys that say when they were made.
    #[must_use]
    pub fn generate_at(created: Option<Timestamp>) -> Self {
        let versions = KeyVersions::first(KeyVersion::generate(created));
        Self { store_key: Arc::new(StoreKey::generate()), versions, named: BTreeMap::new() }
    }

    /// Keys that exist: the store key, the current version of the keyring's own key, and older ones.
    #[must_use]
    pub fn new(store_key: Arc<StoreKey>, current: KeyVersion, retired: Vec<KeyVersion>) -> Self {
        let list = std::iter::once(current).chain(retired).map(Arc::new).collect();
        Self { store_key, versions: KeyVersions { list }, named: BTreeMap::new() }
    }

    /// The versions of the keyring's own key.
    #[must_use]
    pub const fn versions(&self) -> &KeyVersions {
        &self.versions
    }

    /// The named key.
    #[must_use]
    pub fn named(&self, id: &KmsKeyId) -> Option<&NamedKey> {
        self.named.get(id).map(Arc::as_ref)
    }

    /// All named keys, by name.
    pub fn all_named(&self) -> impl Iterator<Item = (&KmsKeyId, &NamedKey)> {
        self.named.iter().map(|(id, key)| (id, key.as_ref()))
    }

    /// The same with another current version of the keyring's own key.
    ///
    /// # Errors
    /// [`KeyringFull`].
    pub fn rotated(&self, version: KeyVersion) -> Result<Self, KeyringFull> {
        Self { versions: self.versions.rotated(version)?, ..self.share() }.checked()
    }

    /// The same without some versions of the keyring's own key. The current one is never taken.
    #[must_use]
    pub fn without_retired(&self, ids: &[KeyId]) -> Self {
        Self { versions: self.versions.without(ids), ..self.share() }
    }

    /// The same with a named key, in the place of one of that name if there is one.
    ///
    /// # Errors
    /// [`KeyringFull`].
    pub fn with_named(&self, id: KmsKeyId, key: NamedKey) -> Result<Self, KeyringFull> {
        let mut changed = self.share();
        changed.named.insert(id, Arc::new(key));
        changed.checked()
    }

    /// The same without a named key.
    #[must_use]
    pub fn without_named(&self, id: &KmsKeyId) -> Self {
        let mut changed = self.share();
        changed.named.remove(id);
        changed
    }

    /// Whether both hold the same keys, with the same names, states and times. The time it takes says nothing of them.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.encode().as_slice().ct_eq(other.encode().as_slice()).into()
    }

    /// Whether both belong to one installation. The time it takes says nothing of the keys.
    #[must_use]
    pub fn has_store_key_of(&self, other: &Self) -> bool {
        self.store_key.0.expose().ct_eq(other.store_key.0.expose()).into()
    }

    /// Another owner of the same keys: no byte of a key is copied.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { store_key: Arc::clone(&self.store_key), versions: self.versions.share(), named: self.named.clone() }
    }

    fn checked(self) -> Result<Self, KeyringFull> {
        let fits = self.named.len() <= NAMED_KEYS_MAX && file::sealed_len(&self) <= KEYRING_FILE_LEN_MAX;
        fits.then_some(self).ok_or(KeyringFull)
    }
}

#[cfg(test)]
mod tests;
