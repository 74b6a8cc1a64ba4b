//! The server: configuration, first run, TLS, listeners and the admin API, wired to the S3 gateway and a store.
//!
//! Only this crate names concrete backends. What a request means is `s3`'s part, what an operation does is
//! `operations`'. [`serve`] runs a whole server until a signal ends it, [`start`] one that its caller ends, and
//! [`Offline`] opens a data directory that no server uses.

pub mod config;
pub mod hardening;
pub mod http_server;
pub mod logging;
pub mod tls;

mod admin;
mod audit;
mod clock;
mod data_dir;
mod gateway;
mod health;
mod installation;
mod key_changes;
mod key_work;
mod keyring_backup;
mod keyring_disk;
mod keyring_record;
mod kms_provider;
mod lease;
mod offline;
mod offline_store;
mod root_pair;
mod secret_file;
mod serve;
mod server_keys;
mod shared_installation;
mod site;
mod start;
mod store;
mod verify_at_rest;
mod welcome;

pub use admin::{AdminSocketError, ShortPath};
pub use audit::{VerifyAuditError, verify as verify_audit};
pub use audit_log::{AuditLogError, Head as AuditHead, Problem as AuditProblem, Report as AuditReport};
pub use data_dir::{DataDirError, admin_socket};
pub use gateway::GatewayError;
pub use installation::InstallationError;
pub use keyring_backup::{BackupError, BackupKey, Lacking, RestoreError, Restored, restore_keyring, root_key_text};
pub use kms_provider::KmsError;
pub use offline::{Offline, OfflineError};
pub use offline_store::{OfflineExportError, OfflineStore, OfflineStoreError};
pub use operations::{ExportDamage, Finding, HeldBy, ObjectVerdict, Proof, SealedExport, VerifySink, VerifySummary};
pub use root_pair::RootPairError;
pub use secret_file::SecretFileError;
pub use serve::{Ended, ServeError, serve};
pub use shared_installation::SharedInstallationError;
pub use start::{Running, StartError, start};
pub use store::StoreError;
pub use verify_at_rest::{ByteRate, OfflineVerifier, OfflineVerifyError};
