//! A [`KeyService`](kms::KeyService) on the Transit engine of HashiCorp Vault (1.13 or later) or OpenBao, over HTTPS.
//!
//! Why this shape: Transit keeps the KMS keys and their versions, and seals with AES-256-GCM. What it is given to seal is
//! bound, as associated data, to the name of the key-encryption key and to the context. A sealed key is Transit's own text
//! (`vault:v1:…`), so that an operator can open it with the command line of Vault and nothing of ours.
//!
//! One file per concern: where the server is and who we are ([`VaultSettings`]), HTTP exchanges (`exchange`), tokens
//! (`session`), retries within a deadline (`client`), names (`key_name`), what is said (`wire`), and the service itself
//! ([`VaultTransit`]).
//!
//! Deliberately absent: plain HTTP, reading certificates (the server hands over its TLS configuration), following
//! redirects, deletion (an administrator of Vault deletes), and any cache: `kms` has one for all providers.

mod client;
mod exchange;
mod key_name;
mod secret;
mod session;
mod settings;
mod transit;
mod wire;

pub use secret::Secret;
pub use settings::{InvalidVaultSetting, MountPath, Namespace, SignIn, VaultAddress, VaultSettings};
pub use transit::VaultTransit;
