//! The one place that names a concrete backend.

use std::sync::Arc;

use kms::{AuditTrail, DataKeys};
use operations::{Operations, Ports};
use storage::{Blobs, Inventory, Leases, Metadata};
use storage_embedded::{EmbeddedStore, OpenError};
use storage_rados::{ConnectError, RadosStore, SessionEnd};

use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::server_keys::ServerKeys;

/// The store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// That of the data directory does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The one on a Ceph cluster cannot be had.
    #[error("store = \"rados\": {0}")]
    Connect(#[from] ConnectError),
    /// Its records do not make sense, or cannot be read.
    #[error("the store cannot be read: {0}")]
    Records(String),
    /// Opening it was interrupted.
    #[error("opening the store was interrupted")]
    Interrupted,
}

/// What the store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be used, and to have its garbage collected.
    Serving,
    /// To be looked at: it stays as it was found.
    Looking,
}

/// An open store, by what can be done with it.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) metadata: Arc<dyn Metadata>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) leases: Arc<dyn Leases>,
    /// Where it can tell what it holds whatever records say.
    pub(crate) inventory: Option<Arc<dyn Inventory>>,
}

impl Backend {
    /// Opens the store of a data directory, which may take a while after a crash.
    pub(crate) async fn embedded(data_dir: &DataDir, purpose: Purpose) -> Result<Self, StoreError> {
        let path = data_dir.store();
        let collects = purpose == Purpose::Serving;
        let config = storage_embedded::Config { collects, ..storage_embedded::Config::default() };
        let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(path, &config));
        let store = Arc::new(opened.await.map_err(|_| StoreError::Interrupted)??);
        Ok(Self { metadata: store.clone(), blobs: store.clone(), leases: store.clone(), inventory: Some(store) })
    }

    /// Connects to the store on a Ceph cluster. Before it comes what is to be dropped after all that uses it: what a pattern
    /// binds first is dropped last, also where something fails later.
    pub(crate) async fn rados(
        config: &storage_rados::Config,
        purpose: Purpose,
    ) -> Result<(SessionEnd, Self), StoreError> {
        let config = storage_rados::Config { collects: purpose == Purpose::Serving, ..config.clone() };
        let (store, session_end) = RadosStore::connect(&config).await?;
        let store = Arc::new(store);
        let backend = Self { metadata: store.clone(), blobs: store.clone(), leases: store, inventory: None };
        Ok((session_end, backend))
    }

    /// Puts the operations on it.
    pub(crate) fn operations(&self, keys: &ServerKeys, audit: Arc<dyn AuditTrail>) -> Operations {
        Operations::new(Ports {
            metadata: self.metadata.clone(),
            blobs: self.blobs.clone(),
            keys: DataKeys::new(Arc::clone(&keys.keyring), Some(Arc::clone(&keys.kms)), audit),
            store_key: keys.keyring.store_key(),
            clock: Arc::new(SystemClock),
        })
    }
}
