//! The heart: keys, and everything that is sealed or authenticated with them. Every byte is drawn in docs/format.md.
//!
//! - [`DataKey`] seals one object version. It is stored wrapped ([`WrappedDataKey`]) under a [`CustomerKey`] or a
//!   [`KeyEncryptionKey`], bound to an [`ObjectIdentity`]. A commitment tells a wrong key from a damaged wrap.
//! - [`LockedObject`] becomes [`UnlockedObject`] by a key. Only the latter seals and opens: parts chunk by chunk
//!   ([`PartSealer`], [`PartOpener`]), metadata, and the proof of a part list ([`Manifest`]).
//! - [`StoreKey`] authenticates every record for its place ([`RecordAuthenticator`]) and seals what the server itself
//!   has to read ([`SecretSealer`], [`DigestSealer`]). [`RootKey`] seals the file that holds the server's keys.
//!
//! Why this shape: each thing that is sealed has a key of its own, derived with a fresh salt, so that no nonce is ever
//! met twice and no counter has to be stored. Salts are never chosen by a caller. Plaintext is handed out only after
//! its tag has been verified.
//!
//! Deliberately absent: I/O, clocks, async, and any way to get the bytes of a key out, but for the root key's file text.

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

mod audit;
mod digest;
mod error;
mod key_wrap;
mod keyring;
mod keys;
mod layout;
mod manifest;
mod object;
mod part;
mod primitives;
mod random;
mod record;
mod root_key_text;
mod secret;
mod wrap;

pub use audit::{AuditChain, AuditTag};
pub use digest::DigestSealer;
pub use error::{Damaged, WrongKey};
pub use keyring::{
    KEY_VERSIONS_MAX, KEYRING_FILE_LEN_MAX, KeyVersion, KeyVersions, KeyringFull, KeyringKeys, NAMED_KEYS_MAX,
    NamedKey, NamedKeyState, OpenKeyringError, RootKeyId,
};
pub use keys::{CustomerKey, DataKey, KeyEncryptionKey, KeyId, RootKey, StoreKey};
pub use layout::{CHUNK_LEN, PART_LEN_MAX, SEALED_CHUNK_LEN, SealedRange, TAG_LEN, sealed_len, sealed_range};
pub use manifest::{InvalidPartList, Manifest, ManifestTag};
pub use object::{LockedObject, METADATA_OVERHEAD, UnlockedObject};
pub use part::{PartEntry, PartOpener, PartSealer, SealError};
pub use random::random_bytes;
pub use record::{RECORD_TAG_LEN, RecordAuthenticator, RecordPlace};
pub use root_key_text::RootKeyTextError;
pub use secret::SecretSealer;
pub use wrap::{ContextDigest, KeyHolder, ObjectIdentity, UnwrapError, WrappedDataKey};

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod vectors;
