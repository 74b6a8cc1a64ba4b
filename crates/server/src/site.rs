//! An installation together with its store, opened in the order that each kind of store needs: in a data directory the
//! keyring comes first, and with gateways that share a store it is a record of that.

use std::sync::Arc;

use kms::LocalKeyring;
use storage_rados::SessionEnd;

use crate::config::{Config, Store};
use crate::data_dir::{DataDir, DataDirError};
use crate::installation::{self, Installation, InstallationError};
use crate::shared_installation;
use crate::store::{Backend, Purpose, StoreError};

/// Everything that lasts.
pub(crate) struct Site {
    pub(crate) keyring: Arc<LocalKeyring>,
    pub(crate) backend: Backend,
    // Dropped after what uses the store.
    pub(crate) session_end: Option<SessionEnd>,
    // Dropped last: with it goes the lock.
    pub(crate) data_dir: DataDir,
}

/// Why it does not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SiteError {
    #[error(transparent)]
    Installation(#[from] InstallationError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DataDirError> for SiteError {
    fn from(error: DataDirError) -> Self {
        Self::Installation(error.into())
    }
}

impl Site {
    /// Opens the site; makes it, or finishes making it, if it holds no data yet.
    ///
    /// # Errors
    /// [`SiteError`] says what is missing and what to do.
    pub(crate) async fn open_or_create(config: &Config) -> Result<Self, SiteError> {
        match &config.store {
            Store::Embedded => {
                let Installation { data_dir, keyring } =
                    Installation::open_or_create(&config.data_dir, &config.root_key)?;
                let backend = Backend::embedded(&data_dir, Purpose::Serving).await?;
                Ok(Self { keyring, backend, session_end: None, data_dir })
            }
            Store::Rados(rados) => {
                let data_dir = DataDir::open_or_create_for_gateway(&config.data_dir)?;
                let (session_end, backend) = Backend::rados(rados, Purpose::Serving).await?;
                let keyring =
                    shared_installation::open_or_create(&data_dir, &config.root_key, &backend.metadata).await?;
                Ok(Self { keyring: Arc::new(keyring), backend, session_end: Some(session_end), data_dir })
            }
        }
    }

    /// Opens a site that exists; makes nothing, but for a data directory where the store is elsewhere.
    ///
    /// # Errors
    /// [`SiteError`] says what is missing and what to do.
    pub(crate) async fn open(config: &Config) -> Result<Self, SiteError> {
        match &config.store {
            Store::Embedded => {
                let Installation { data_dir, keyring } = Installation::open(&config.data_dir, &config.root_key)?;
                let backend = Backend::embedded(&data_dir, Purpose::Serving).await?;
                Ok(Self { keyring, backend, session_end: None, data_dir })
            }
            Store::Rados(rados) => {
                let data_dir = DataDir::open_or_create_for_gateway(&config.data_dir)?;
                let (session_end, backend) = Backend::rados(rados, Purpose::Looking).await?;
                let keyring = Arc::new(shared_installation::open(&config.root_key, &backend.metadata).await?);
                Ok(Self { keyring, backend, session_end: Some(session_end), data_dir })
            }
        }
    }
}

/// A store that is looked at.
pub(crate) struct Sight {
    pub(crate) backend: Backend,
    /// As far as it can be read.
    pub(crate) keyring: Result<Arc<LocalKeyring>, InstallationError>,
    // Dropped after what uses the store.
    pub(crate) session_end: Option<SessionEnd>,
    // Dropped last: with it goes the lock.
    pub(crate) data_dir: DataDir,
}

/// Opens the store for looking at it, and the keyring for reading as far as that is possible. The lock is on the data
/// directory: where that has no store, other gateways may be running.
///
/// # Errors
/// [`SiteError`] when the store cannot be had.
pub(crate) async fn look_at(config: &Config) -> Result<Sight, SiteError> {
    match &config.store {
        Store::Embedded => {
            let data_dir = DataDir::open_store(&config.data_dir)?;
            let keyring = installation::keyring_of(&data_dir, &config.root_key).map(Arc::new);
            let backend = Backend::embedded(&data_dir, Purpose::Looking).await?;
            Ok(Sight { backend, keyring, session_end: None, data_dir })
        }
        Store::Rados(rados) => {
            let data_dir = DataDir::open_or_create_for_gateway(&config.data_dir)?;
            let (session_end, backend) = Backend::rados(rados, Purpose::Looking).await?;
            let keyring = shared_installation::open(&config.root_key, &backend.metadata).await.map(Arc::new);
            Ok(Sight { backend, keyring, session_end: Some(session_end), data_dir })
        }
    }
}

/// Opens the keyring of an installation that a server may be using, for reading. Before it comes what is to be dropped after
/// it.
///
/// # Errors
/// [`SiteError`] says what is missing and what to do.
pub(crate) async fn keyring_in_use(config: &Config) -> Result<(Option<SessionEnd>, LocalKeyring), SiteError> {
    match &config.store {
        Store::Embedded => Ok((None, installation::keyring_in_use(&config.data_dir, &config.root_key)?)),
        Store::Rados(rados) => {
            let (session_end, backend) = Backend::rados(rados, Purpose::Looking).await?;
            let keyring = shared_installation::open(&config.root_key, &backend.metadata).await?;
            Ok((Some(session_end), keyring))
        }
    }
}
