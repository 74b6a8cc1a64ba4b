//! A [`KeyService`](kms::KeyService) on a KMIP server (protocol 1.4), over TLS with a client certificate.
//!
//! Why this shape: the server keeps AES-256 keys and seals with AES-GCM; the name of the key-encryption key and the context
//! are bound to what it seals. KMIP 1.4 is the first version with room for both tag and bound data; what an older one
//! offers (CBC, or handing the key out) would give up the binding or the point of a KMS, so it is not used. Each version of
//! a KMS key is an object of its own: KMIP's states go one way only, so whether a key is disabled stands in an attribute
//! that applications may write, and every gateway obeys it. `docs/decisions/0007-kms-providers.md` has the reasons.
//!
//! One file per concern: the encoding (`ttlv`), what may be asked and answered (`message`), connections (`exchange`),
//! retries within a deadline (`client`), the objects behind a KMS key (`versions`), the bytes that stand in records
//! (`sealed`), and the service itself ([`KmipKeys`]).
//!
//! Deliberately absent: reading certificates (the server hands over its TLS configuration), destroying anything on the
//! KMIP server, and any cache of unwrapped keys: `kms` has one for all providers.

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

mod client;
mod exchange;
mod keys;
mod message;
mod sealed;
mod settings;
mod ttlv;
mod versions;

pub use keys::KmipKeys;
pub use settings::{InvalidKmipSetting, KeyPrefix, KmipAddress, KmipSettings};
