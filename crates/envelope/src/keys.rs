//! The keys. None can be cloned, printed or serialized; each lies in its own heap cell, so that moving it leaves no
//! copy behind, and the cell is wiped on drop.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::random::{random_bytes, random_secret};

/// 32 secret bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct KeyBytes(Box<[u8; 32]>);

impl KeyBytes {
    pub(crate) fn copy_of(bytes: &[u8; 32]) -> Self {
        let mut cell = Box::new([0; 32]);
        cell.copy_from_slice(bytes);
        Self(cell)
    }

    pub(crate) fn random() -> Self {
        Self::copy_of(&random_secret())
    }

    pub(crate) const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The key that a client sends with its request (SSE-C). Never stored.
pub struct CustomerKey(pub(crate) KeyBytes);

impl CustomerKey {
    /// Takes the 32 bytes that the client sent.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the caller's copy is wiped here")]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(KeyBytes::copy_of(&bytes))
    }
}

/// Seals everything of one object version. It exists wrapped, or for as long as a request needs it.
pub struct DataKey(pub(crate) KeyBytes);

impl DataKey {
    /// A fresh random key.
    #[must_use]
    pub fn generate() -> Self {
        Self(KeyBytes::random())
    }
}

/// Names a key-encryption key. It says nothing of the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// Wraps sixteen random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A key of the server's keyring; wraps the data keys of objects that came without a customer key.
pub struct KeyEncryptionKey {
    pub(crate) id: KeyId,
    pub(crate) bytes: KeyBytes,
}

impl KeyEncryptionKey {
    /// Takes a key and its name.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the caller's copy is wiped here")]
    pub fn new(id: KeyId, bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { id, bytes: KeyBytes::copy_of(&bytes) }
    }

    /// A fresh random key with a fresh random name.
    #[must_use]
    pub fn generate() -> Self {
        Self { id: KeyId::from_bytes(random_bytes()), bytes: KeyBytes::random() }
    }

    /// The key's name.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The bare key, for a key service outside of this process to seal; there is no other use for it.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        self.bytes.expose()
    }
}

/// The server's own key: authenticates every record, seals the small secrets that the server itself must read.
pub struct StoreKey(pub(crate) KeyBytes);

impl StoreKey {
    /// Takes a key.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the caller's copy is wiped here")]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(KeyBytes::copy_of(&bytes))
    }

    /// A fresh random key.
    #[must_use]
    pub fn generate() -> Self {
        Self(KeyBytes::random())
    }
}

/// Seals the keyring file. It lies in a file of its own, outside the data directory.
pub struct RootKey(pub(crate) KeyBytes);

impl RootKey {
    /// Takes a key.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the caller's copy is wiped here")]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(KeyBytes::copy_of(&bytes))
    }

    /// A fresh random key.
    #[must_use]
    pub fn generate() -> Self {
        Self(KeyBytes::random())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Display};

    use super::*;
    use crate::{
        DigestSealer, KeyVersion, KeyVersions, KeyringKeys, NamedKey, PartOpener, PartSealer, RecordAuthenticator,
        SecretSealer, UnlockedObject,
    };

    /// Compiles only for types that lack the trait: for others, two implementations fit and none can be inferred.
    macro_rules! lacks {
        ($trait:path: $($type:ty),+) => {$({
            trait Ambiguous<A> {
                fn item() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct HasIt;
            impl<T: ?Sized + $trait> Ambiguous<HasIt> for T {}
            <$type as Ambiguous<_>>::item();
        })+};
    }

    macro_rules! lacks_all {
        ($($type:ty),+ $(,)?) => {
            lacks!(Clone: $($type),+);
            lacks!(Debug: $($type),+);
            lacks!(Display: $($type),+);
        };
    }

    #[test]
    fn keys_and_what_holds_them_can_be_neither_cloned_nor_printed() {
        lacks_all!(KeyBytes, CustomerKey, DataKey, KeyEncryptionKey, StoreKey, RootKey, KeyringKeys, UnlockedObject);
        lacks_all!(KeyVersion, KeyVersions, NamedKey);
        lacks_all!(PartSealer, PartOpener, RecordAuthenticator, SecretSealer, DigestSealer);
    }

    #[test]
    fn what_a_request_carries_goes_between_threads() {
        const fn goes<T: Send + Sync>() {}
        goes::<(CustomerKey, DataKey, UnlockedObject, PartSealer, PartOpener, RecordAuthenticator, DigestSealer)>();
    }

    #[test]
    fn keys_are_wiped_on_drop() {
        const fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<KeyBytes>();
        let mut bytes = KeyBytes::copy_of(&[7; 32]);
        bytes.zeroize();
        assert_eq!(bytes.expose(), &[0; 32]);
    }

    #[test]
    fn generated_keys_differ() {
        assert_ne!(DataKey::generate().0.expose(), DataKey::generate().0.expose());
        assert_ne!(KeyEncryptionKey::generate().id(), KeyEncryptionKey::generate().id());
    }
}
