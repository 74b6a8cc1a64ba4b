//! The audit log of a server, and its check without one.

use std::path::Path;
use std::sync::Arc;

use audit_log::{AuditFiles, AuditLog, AuditLogError, Head, Report, WhenUnwritable};
use envelope::StoreKey;

use crate::clock;
use crate::config::{self, Audit, Config};
use crate::installation::InstallationError;
use crate::site::{self, SiteError};
use crate::store::StoreError;

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
    /// The store that holds it cannot be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] AuditLogError),
}

impl From<SiteError> for VerifyAuditError {
    fn from(error: SiteError) -> Self {
        match error {
            SiteError::Installation(error) => error.into(),
            SiteError::Store(error) => error.into(),
        }
    }
}

/// Checks the audit log; a server may be running. With an expected head, that one must be found.
///
/// # Errors
/// [`VerifyAuditError`] when it could not be checked at all; what is wrong with the log stands in the report.
pub async fn verify(config: &Config, expected: Option<Head>) -> Result<Report, VerifyAuditError> {
    let (session_end, keyring) = site::keyring_in_use(config).await?;
    let chain = keyring.store_key().audit_chain();
    drop(keyring);
    drop(session_end);
    let directory: &Path = &config.audit.directory;
    Ok(audit_log::verify(directory, &chain, expected)?)
}
