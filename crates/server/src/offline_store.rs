//! The store of a data directory without a server, for the commands that look at what is stored.
//!
//! Nothing is collected and nothing is made: a store that is looked at stays as it was found.

use std::sync::Arc;

use envelope::StoreKey;
use kms::LocalKeyring;
use model::{BucketName, ObjectKey};
use operations::{ExportError, SealedExport, SealedExporter};
use storage_rados::SessionEnd;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::installation::InstallationError;
use crate::site::{self, Sight, SiteError};
use crate::store::{Backend, StoreError};

/// A store, with its keys as far as they are at hand.
pub struct OfflineStore {
    backend: Backend,
    keyring: Result<Arc<LocalKeyring>, InstallationError>,
    // Dropped after what uses the store.
    _session_end: Option<SessionEnd>,
    // Dropped last: with it goes the lock.
    _data_dir: DataDir,
}

/// Why a store cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum OfflineStoreError {
    /// There is none, or a server is running on it.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// It does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SiteError> for OfflineStoreError {
    fn from(error: SiteError) -> Self {
        match error {
            SiteError::Installation(error) => error.into(),
            SiteError::Store(error) => error.into(),
        }
    }
}

/// Why an object is not exported.
#[derive(Debug, thiserror::Error)]
pub enum OfflineExportError {
    /// No bucket has such a name.
    #[error("{0:?} is no name that a bucket can have")]
    BucketName(String),
    /// No object has such a name.
    #[error("this is no name that an object can have: it has 1 to 1,024 bytes")]
    ObjectKey,
    /// See [`ExportError`].
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl OfflineStore {
    /// Opens the store of a data directory. Keys that are missing are no error: see [`Self::keys_missing`].
    ///
    /// # Errors
    /// [`OfflineStoreError`] says what is missing, or that a server is running.
    pub async fn open(config: &Config) -> Result<Self, OfflineStoreError> {
        let Sight { backend, keyring, session_end, data_dir } = site::look_at(config).await?;
        Ok(Self { backend, keyring, _session_end: session_end, _data_dir: data_dir })
    }

    /// Why the server's keys are not at hand, if they are not.
    #[must_use]
    pub fn keys_missing(&self) -> Option<&InstallationError> {
        self.keyring.as_ref().err()
    }

    /// The server's keys, or why they are not at hand.
    pub(crate) fn keyring(&self) -> Result<Arc<LocalKeyring>, &InstallationError> {
        self.keyring.as_ref().map(Arc::clone)
    }

    /// What is stored.
    pub(crate) const fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Finds an object for export. With the server's keys at hand its records are authenticated.
    ///
    /// # Errors
    /// [`OfflineExportError`]. Damage of the object is no error: see [`SealedExport::damage`].
    pub async fn export(&self, bucket: &str, object: &str) -> Result<SealedExport, OfflineExportError> {
        let bucket = BucketName::parse(bucket).map_err(|_| OfflineExportError::BucketName(bucket.to_owned()))?;
        let object = ObjectKey::parse(object).map_err(|_| OfflineExportError::ObjectKey)?;
        let store_key: Option<Arc<StoreKey>> = self.keyring.as_ref().ok().map(|keyring| keyring.store_key());
        let exporter =
            SealedExporter::new(self.backend.metadata.clone(), self.backend.blobs.clone(), store_key.as_deref());
        Ok(exporter.prepare(&bucket, &object).await?)
    }
}
