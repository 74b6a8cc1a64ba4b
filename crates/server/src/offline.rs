//! The admin API on a data directory without a server.

use std::sync::Arc;

use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use model::Principal;
use storage_rados::SessionEnd;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::admin::{AdminApi, Door};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::installation::InstallationError;
use crate::key_changes::KeyChanges;
use crate::key_work::KeyWork;
use crate::kms_provider::KmsError;
use crate::server_keys::ServerKeys;
use crate::site::{Site, SiteError};
use crate::store::StoreError;

/// A data directory that is open for admin calls; no server can use it meanwhile. A store on a Ceph cluster may be in use by
/// gateways elsewhere, which learn of what is done.
pub struct Offline {
    api: AdminApi,
    root: Principal,
    // What goes through the store ends with this value.
    _background: JoinSet<()>,
    // Dropped after what uses the store.
    _session_end: Option<SessionEnd>,
    _data_dir: DataDir,
}

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// It is no installation, its keys are missing, or a server is running on it.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] audit_log::AuditLogError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The KMS.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// The store fails later.
    #[error("the store cannot be read: {0}")]
    Records(String),
}

impl From<SiteError> for OfflineError {
    fn from(error: SiteError) -> Self {
        match error {
            SiteError::Installation(error) => error.into(),
            SiteError::Store(error) => error.into(),
        }
    }
}

impl Offline {
    /// Opens the data directory of an installation that exists.
    ///
    /// # Errors
    /// [`OfflineError`] says what is missing, or that a server is running.
    pub async fn open(config: &Config) -> Result<Self, OfflineError> {
        // Where something fails below, they are dropped in the opposite order.
        let Site { data_dir, session_end, backend, keyring } = Site::open(config).await?;
        let (keys, _) = ServerKeys::new(keyring, &config.kms)?;
        let audit = crate::audit::open(&config.audit, &keys.keyring.store_key())?;
        let operations = backend.operations(&keys, Arc::new(audit.clone()));
        let changes = KeyChanges::new(Arc::new(audit));
        let root = operations.users.root().await.map_err(|error| OfflineError::Records(error.to_string()))?;
        let keyring = Arc::clone(&keys.keyring);
        let key_work = KeyWork::new(operations.rewrapper, keyring, changes.clone(), backend.leases);
        let mut background = JoinSet::new();
        background.spawn(key_work.clone().run_what_is_begun(root.clone()));
        let api = AdminApi::new(operations.users, keys, key_work, changes);
        Ok(Self { api, root, _background: background, _session_end: session_end, _data_dir: data_dir })
    }

    /// Answers a call as the administrator: status and JSON.
    pub async fn call(&self, path: &str, body: &[u8]) -> (StatusCode, Zeroizing<Vec<u8>>) {
        let response = self.api.answer((Door::Machine, &self.root), &Method::POST, path, body).await;
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body in memory cannot fail").to_bytes();
        (status, Zeroizing::new(body.to_vec()))
    }
}
