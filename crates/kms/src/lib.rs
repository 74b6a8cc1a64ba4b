//! Who keeps the keys of the server: the port [`KeyService`] to a KMS, [`LocalKeyring`], which keeps keys in a sealed
//! file, and [`DataKeys`], through which operations have data keys wrapped and unwrapped.
//!
//! Why this shape: an object of SSE-S3 is wrapped by the keyring, without any I/O. An object of SSE-KMS is wrapped by a
//! key-encryption key that was made here and that the KMS seals ([`KmsEnvelope`] stands beside the wrap), so that a KMS
//! is asked once for many objects and never sees a data key. [`AuditTrail`] hears of every use of a server-held key.
//!
//! Deliberately absent: files, sockets and clocks of its own. The server reads and writes the keyring file and the
//! audit log; the providers that speak to a KMS over the network are crates of their own.

pub mod conformance;

mod audit_trail;
mod cached_kms;
mod clock;
mod data_keys;
mod error;
mod key_service;
mod keyring_file;
mod local;

pub use audit_trail::{
    AuditTrail, AuditUnavailable, KeyChange, KeyChangeOperation, KeyName, KeyOperation, KeyUse, NoAudit, Requester,
};
pub use cached_kms::{CacheLimits, CacheStats, CachedKms};
pub use clock::Clock;
pub use data_keys::{DataKeys, KmsEnvelope, KmsWrapRequest, ServerHolder, StoredWrap};
pub use envelope::OpenKeyringError;
pub use error::KeyServiceError;
pub use key_service::{KeyService, KmsKey, KmsKeyState, SEALED_LEN_MAX};
pub use keyring_file::{KeyringFile, KeyringFileError, MemoryKeyringFile};
pub use local::{Keeper, KeyringVersion, LocalKeyring, PruneError};
