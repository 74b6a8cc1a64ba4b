use model::codec::{Decoder, Encoder};
use model::{BucketId, EncryptionContext, ObjectKey, VersionId};
use zeroize::Zeroizing;

use crate::keys::{CustomerKey, DataKey, KeyBytes, KeyEncryptionKey, KeyId};
use crate::primitives::{GcmKey, ONLY_NONCE, committed_key, length_prefix, same, sha256};
use crate::random::random_bytes;
use crate::{Damaged, WrongKey};

/// What a wrapped data key is bound to: it opens for this version of this object in this life of its bucket only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectIdentity<'a> {
    /// The bucket's id; a bucket made again under its old name has another.
    pub bucket: BucketId,
    /// The object's name.
    pub object: &'a ObjectKey,
    /// The version.
    pub version: VersionId,
}

/// Who can unwrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyHolder {
    /// The customer, with the key that made it.
    Customer,
    /// The server's keyring, with the key of this name.
    Keyring(KeyId),
    /// A KMS, through the key-encryption key of this name, which is kept beside the wrap, sealed by the KMS.
    Kms(KeyId),
}

/// The encryption context of a wrap for a KMS, as a SHA-256: the wrap opens with the same context only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContextDigest([u8; 32]);

impl ContextDigest {
    /// The digest of a context, empty or not.
    #[must_use]
    pub fn of(context: &EncryptionContext) -> Self {
        Self(sha256(&context.canonical_bytes()))
    }

    /// Takes a digest that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Why a data key stays wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// The key is not the one that wrapped, or it wrapped for another object. A changed salt or commitment looks the
    /// same from here: whoever keeps wrapped keys authenticates them under the store key before asking.
    #[error(transparent)]
    WrongKey(#[from] WrongKey),
    /// The key is the right one, but what it wrapped was changed.
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

/// A data key, sealed for its holder. Layout: docs/format.md, "Wrapped data key".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey {
    holder: KeyHolder,
    salt: [u8; 32],
    commitment: [u8; 32],
    sealed: [u8; 48],
}

impl WrappedDataKey {
    /// Bytes of the encoding.
    pub const ENCODED_LEN: usize = HEADER_LEN + 48;

    /// Who can unwrap.
    #[must_use]
    pub const fn holder(&self) -> KeyHolder {
        self.holder
    }

    /// The stored form, [`Self::ENCODED_LEN`] bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = header(self.holder, &self.salt, &self.commitment);
        bytes.extend_from_slice(&self.sealed);
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] for another format, a wrong length, an unknown holder, or a customer's wrap that names a key.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut decoder = Decoder::new(bytes, FORMAT)?;
        let holder = match (decoder.u8()?, decoder.array()?) {
            (HELD_BY_CUSTOMER, NO_KEY_ID) => KeyHolder::Customer,
            (HELD_BY_KEYRING, id) => KeyHolder::Keyring(KeyId::from_bytes(id)),
            (HELD_BY_KMS, id) => KeyHolder::Kms(KeyId::from_bytes(id)),
            _ => return Err(Damaged),
        };
        let wrapped = Self { holder, salt: decoder.array()?, commitment: decoder.array()?, sealed: decoder.array()? };
        decoder.finish()?;
        Ok(wrapped)
    }
}

impl CustomerKey {
    /// Wraps a data key for this object, under a fresh salt.
    #[must_use]
    pub fn wrap(&self, data_key: &DataKey, identity: &ObjectIdentity<'_>) -> WrappedDataKey {
        wrap(&self.0, Binding::plain(KeyHolder::Customer, identity), random_bytes(), data_key)
    }

    /// Opens what [`Self::wrap`] made.
    ///
    /// # Errors
    /// [`UnwrapError::WrongKey`] when another key, or one for another object, wrapped it; [`UnwrapError::Damaged`].
    pub fn unwrap(&self, wrapped: &WrappedDataKey, identity: &ObjectIdentity<'_>) -> Result<DataKey, UnwrapError> {
        unwrap(&self.0, Binding::plain(KeyHolder::Customer, identity), wrapped)
    }
}

impl KeyEncryptionKey {
    /// Wraps a data key for this object, under a fresh salt.
    #[must_use]
    pub fn wrap(&self, data_key: &DataKey, identity: &ObjectIdentity<'_>) -> WrappedDataKey {
        wrap(&self.bytes, Binding::plain(KeyHolder::Keyring(self.id()), identity), random_bytes(), data_key)
    }

    /// Opens what [`Self::wrap`] made.
    ///
    /// # Errors
    /// [`UnwrapError::WrongKey`] when another key, or one for another object, wrapped it; [`UnwrapError::Damaged`].
    pub fn unwrap(&self, wrapped: &WrappedDataKey, identity: &ObjectIdentity<'_>) -> Result<DataKey, UnwrapError> {
        unwrap(&self.bytes, Binding::plain(KeyHolder::Keyring(self.id()), identity), wrapped)
    }

    /// Wraps a data key for this object and this encryption context, for a KMS that keeps this key-encryption key.
    #[must_use]
    pub fn wrap_for_kms(
        &self,
        data_key: &DataKey,
        identity: &ObjectIdentity<'_>,
        context: ContextDigest,
    ) -> WrappedDataKey {
        let binding = Binding { holder: KeyHolder::Kms(self.id()), identity, context: Some(context) };
        wrap(&self.bytes, binding, random_bytes(), data_key)
    }

    /// Opens what [`Self::wrap_for_kms`] made.
    ///
    /// # Errors
    /// [`UnwrapError::WrongKey`] when another key, or one for another object or context, wrapped it;
    /// [`UnwrapError::Damaged`].
    pub fn unwrap_for_kms(
        &self,
        wrapped: &WrappedDataKey,
        identity: &ObjectIdentity<'_>,
        context: ContextDigest,
    ) -> Result<DataKey, UnwrapError> {
        unwrap(&self.bytes, Binding { holder: KeyHolder::Kms(self.id()), identity, context: Some(context) }, wrapped)
    }
}

/// What a wrap is good for.
#[derive(Clone, Copy)]
pub(crate) struct Binding<'a> {
    pub(crate) holder: KeyHolder,
    pub(crate) identity: &'a ObjectIdentity<'a>,
    /// There is one for a KMS and for nobody else.
    pub(crate) context: Option<ContextDigest>,
}

impl<'a> Binding<'a> {
    pub(crate) const fn plain(holder: KeyHolder, identity: &'a ObjectIdentity<'a>) -> Self {
        Self { holder, identity, context: None }
    }
}

pub(crate) fn wrap(key: &KeyBytes, binding: Binding<'_>, salt: [u8; 32], data_key: &DataKey) -> WrappedDataKey {
    let holder = binding.holder;
    let (wrapping_key, commitment) = wrapping_key(key, binding, &salt);
    // The buffer is sealed in place: the bare key lies in it only until then.
    let mut sealed = Zeroizing::new(Vec::with_capacity(48));
    sealed.extend_from_slice(data_key.0.expose());
    wrapping_key.seal(ONLY_NONCE, &header(holder, &salt, &commitment), &mut *sealed);
    let sealed = sealed.as_slice().try_into().expect("32 bytes and a tag of 16");
    WrappedDataKey { holder, salt, commitment, sealed }
}

fn unwrap(key: &KeyBytes, binding: Binding<'_>, wrapped: &WrappedDataKey) -> Result<DataKey, UnwrapError> {
    let holder = binding.holder;
    if wrapped.holder != holder {
        return Err(WrongKey.into());
    }
    let (wrapping_key, commitment) = wrapping_key(key, binding, &wrapped.salt);
    if !same(&commitment, &wrapped.commitment) {
        return Err(WrongKey.into());
    }
    let mut buffer = Zeroizing::new(wrapped.sealed);
    let header = header(holder, &wrapped.salt, &wrapped.commitment);
    let opened = wrapping_key.open(ONLY_NONCE, &header, buffer.as_mut())?;
    Ok(DataKey(KeyBytes::copy_of((&*opened).try_into().expect("48 bytes without the tag are 32"))))
}

/// The key that seals one data key, and the commitment to the key it comes from. The identity is in the derivation, so
/// that a wrap moved to another object does not even commit.
fn wrapping_key(key: &KeyBytes, binding: Binding<'_>, salt: &[u8; 32]) -> (GcmKey, [u8; 32]) {
    let mode: &[u8] = match binding.holder {
        KeyHolder::Customer => b"customer",
        KeyHolder::Keyring(_) => b"keyring",
        KeyHolder::Kms(_) => b"kms",
    };
    let identity = binding.identity;
    let (bucket, object, version) =
        (identity.bucket.as_bytes(), identity.object.as_bytes(), identity.version.as_bytes());
    let mut info = Vec::with_capacity(192 + object.len());
    info.extend_from_slice(b"canopic/v1/wrap");
    let fields = [mode, bucket, object, version].into_iter();
    for field in fields.chain(binding.context.as_ref().map(|context| context.as_bytes().as_slice())) {
        info.extend_from_slice(&length_prefix(field));
        info.extend_from_slice(field);
    }
    committed_key(key.expose(), salt, &[&info])
}

/// Everything before the sealed data key; also its associated data.
fn header(holder: KeyHolder, salt: &[u8; 32], commitment: &[u8; 32]) -> Vec<u8> {
    let (kind, id) = match &holder {
        KeyHolder::Customer => (HELD_BY_CUSTOMER, &NO_KEY_ID),
        KeyHolder::Keyring(id) => (HELD_BY_KEYRING, id.as_bytes()),
        KeyHolder::Kms(id) => (HELD_BY_KMS, id.as_bytes()),
    };
    let mut encoder = Encoder::new(FORMAT);
    encoder.u8(kind).raw(id).raw(salt).raw(commitment);
    encoder.finish()
}

const FORMAT: u8 = 1;
const HELD_BY_CUSTOMER: u8 = 1;
const HELD_BY_KEYRING: u8 = 2;
const HELD_BY_KMS: u8 = 3;
const NO_KEY_ID: [u8; 16] = [0; 16];
const HEADER_LEN: usize = 1 + 1 + 16 + 32 + 32;

#[cfg(test)]
mod tests;
