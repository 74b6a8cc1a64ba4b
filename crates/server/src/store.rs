//! The one place that names a concrete backend.

use std::sync::Arc;

use kms::{AuditTrail, DataKeys};
use operations::{Operations, Ports};
use storage_embedded::{EmbeddedStore, OpenError};

use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::server_keys::ServerKeys;

/// The store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its records do not make sense, or cannot be read.
    #[error("the store cannot be read: {0}")]
    Records(String),
    /// Opening it was interrupted.
    #[error("opening the store was interrupted")]
    Interrupted,
}

/// Opens the store of a data directory, which may take a while after a crash, and puts the operations on it.
pub(crate) async fn open(
    data_dir: &DataDir,
    keys: &ServerKeys,
    audit: Arc<dyn AuditTrail>,
) -> Result<Operations, StoreError> {
    let path = data_dir.store();
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(path, &storage_embedded::Config::default()));
    let store = Arc::new(opened.await.map_err(|_| StoreError::Interrupted)??);
    let store_key = keys.keyring.store_key();
    Ok(Operations::new(Ports {
        metadata: store.clone(),
        blobs: store,
        keys: DataKeys::new(Arc::clone(&keys.keyring), Some(Arc::clone(&keys.kms)), audit),
        store_key,
        clock: Arc::new(SystemClock),
    }))
}
