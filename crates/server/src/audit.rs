//! The audit log of a server, and its check without one.

use std::path::Path;
use std::sync::Arc;

use audit_log::{AuditFiles, AuditLog, AuditLogError, Head, Report, WhenUnwritable};
use envelope::StoreKey;

use crate::clock;
use crate::config::{self, Audit, Config};
use crate::installation::{InstallationError, keyring_in_use};

/// Opens the audit log that the configuration names, and goes on with it.
pub(crate) fn open(audit: &Audit, store_key: &StoreKey) -> Result<AuditLog, AuditLogError> {
    let files = AuditFiles {
        directory: audit.directory.clone(),
        file_len_max: u64::from(audit.file_mib) << 20,
        files_max: usize::try_from(audit.files).unwrap_or(usize::MAX),
    };
    let when_unwritable = match audit.when_unwritable {
        config::WhenUnwritable::GoOn => WhenUnwritable::GoOn,
        config::WhenUnwritable::Refuse => WhenUnwritable::Refuse,
    };
    AuditLog::open(files, store_key.audit_chain(), when_unwritable, Arc::new(clock::now))
}

/// Why an audit log could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyAuditError {
    /// The keyring does not open.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] AuditLogError),
}

/// Checks the audit log; a server may be running. With an expected head, that one must be found.
///
/// # Errors
/// [`VerifyAuditError`] when it could not be checked at all; what is wrong with the log stands in the report.
pub fn verify(config: &Config, expected: Option<Head>) -> Result<Report, VerifyAuditError> {
    let keyring = keyring_in_use(&config.data_dir, &config.root_key)?;
    let directory: &Path = &config.audit.directory;
    Ok(audit_log::verify(directory, &keyring.store_key().audit_chain(), expected)?)
}
