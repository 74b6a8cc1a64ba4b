//! The keys of gateways that share a store: made once by the first that starts, found by all others.
//!
//! The root key is the same on all machines and in none of them made twice: the operator carries it. The keyring that it
//! seals is a record of the store. As in a data directory, whoever finds a keyring or a used store and has not the right
//! root key stops, and makes no new one.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use envelope::{OpenKeyringError, RootKey, RootKeyId};
use kms::{Keeper, LocalKeyring};
use operations::records::installation_place;
use storage::Metadata;

use crate::clock::{self, SystemClock};
use crate::config::RootKeySource;
use crate::data_dir::DataDir;
use crate::installation::{InstallationError, create_root_key, read_root_key};
use crate::keyring_record::{self, KeyringRecord};

/// Why the keys of a shared store cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SharedInstallationError {
    /// The store fails.
    #[error("the store cannot be read: {0}")]
    Store(#[from] storage::Error),
    /// There are data, and the key to them is not here.
    #[error(
        "the store is in use, and {} is not here: {origin} is not there. Bring it from another gateway, all have the \
         same; a new one would open nothing.",
        id.map_or_else(|| "its root key".to_owned(), |id| format!("its root key {id}"))
    )]
    RootKeyMissing {
        /// Where the key should be.
        origin: String,
        /// Which one is missing, where the keyring says it.
        id: Option<RootKeyId>,
    },
    /// There are data, and the keyring is missing.
    #[error(
        "the store holds records, but its keyring is not there. Restore it with `canopic keyring restore` from a backup \
         of the keyring."
    )]
    KeyringMissing,
    /// The root key of another installation, or a damaged keyring.
    #[error("the keyring in the store cannot be opened with {origin}: {source}. {}", advice(.source))]
    KeyringUnusable {
        /// Where the root key comes from.
        origin: String,
        /// What is wrong.
        source: OpenKeyringError,
    },
    /// Nobody served this store yet.
    #[error("there is no installation in the store: `canopic serve` makes one")]
    Missing,
    /// It is the directory of a server that keeps its data in it.
    #[error(
        "{} holds a store or keyring of its own, which store = \"rados\" would not see: choose another data directory \
         for this gateway, or take store = \"rados\" away",
        .0.display()
    )]
    NotOfAGateway(PathBuf),
}

/// Opens the keyring of the store; makes it, or finishes making it, if the store holds no data yet.
///
/// # Errors
/// [`InstallationError`] says what is missing and what to do.
pub(crate) async fn open_or_create(
    data_dir: &DataDir,
    source: &RootKeySource,
    metadata: &Arc<dyn Metadata>,
) -> Result<LocalKeyring, InstallationError> {
    refuse_data(data_dir)?;
    // In this order: a gateway that starts for the first time meanwhile makes the keyring before it uses the store.
    let is_in_use = is_in_use(&**metadata).await?;
    let sealed = keyring_record::read(&**metadata).await.map_err(SharedInstallationError::Store)?;
    if sealed.is_none() && is_in_use {
        return Err(SharedInstallationError::KeyringMissing.into());
    }
    let root_key = match (read_root_key(source)?, source) {
        (Some(root_key), _) => root_key,
        (None, RootKeySource::File(path)) if sealed.is_none() => match create_root_key(path) {
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                // Another gateway of this machine, which starts too.
                read_root_key(source)?.ok_or_else(|| missing(source, None))?
            }
            created => created?,
        },
        (None, _) => return Err(missing(source, sealed.as_ref()).into()),
    };
    let sealed = match sealed {
        Some(sealed) => sealed,
        None => make(&root_key, &**metadata).await?,
    };
    kept(root_key, sealed, source, metadata)
}

/// Opens the keyring of the store; makes nothing.
///
/// # Errors
/// [`InstallationError`] says what is missing and what to do.
pub(crate) async fn open(
    source: &RootKeySource,
    metadata: &Arc<dyn Metadata>,
) -> Result<LocalKeyring, InstallationError> {
    let sealed = keyring_record::read(&**metadata).await.map_err(SharedInstallationError::Store)?;
    let sealed = sealed.ok_or(SharedInstallationError::Missing)?;
    let root_key = read_root_key(source)?.ok_or_else(|| missing(source, Some(&sealed)))?;
    kept(root_key, sealed, source, metadata)
}

/// Whether anybody ever served this store.
///
/// # Errors
/// When the store fails.
pub(crate) async fn is_in_use(metadata: &dyn Metadata) -> Result<bool, SharedInstallationError> {
    let (partition, record_key) = installation_place();
    Ok(metadata.get(&partition, &record_key).await?.is_some())
}

/// A data directory of a gateway holds neither keyring nor store.
///
/// # Errors
/// [`SharedInstallationError::NotOfAGateway`].
pub(crate) fn refuse_data(data_dir: &DataDir) -> Result<(), SharedInstallationError> {
    if data_dir.keyring().exists() || data_dir.store().exists() {
        return Err(SharedInstallationError::NotOfAGateway(data_dir.path().to_owned()));
    }
    Ok(())
}

/// The keyring that stands in the store afterwards: a fresh one, or that of a gateway which was faster.
async fn make(root_key: &RootKey, metadata: &dyn Metadata) -> Result<Bytes, SharedInstallationError> {
    let (_, sealed) = LocalKeyring::create_at(root_key, clock::now());
    if keyring_record::create(metadata, sealed.clone()).await? {
        return Ok(Bytes::from(sealed));
    }
    keyring_record::read(metadata).await?.ok_or(SharedInstallationError::KeyringMissing)
}

fn kept(
    root_key: RootKey,
    sealed: Bytes,
    source: &RootKeySource,
    metadata: &Arc<dyn Metadata>,
) -> Result<LocalKeyring, InstallationError> {
    let unusable = |error| SharedInstallationError::KeyringUnusable { origin: source.to_string(), source: error };
    let keyring = LocalKeyring::open(&root_key, &sealed).map_err(unusable)?;
    let file = Arc::new(KeyringRecord::new(metadata.clone(), sealed));
    Ok(keyring.kept_by(Keeper { root_key, file, clock: Arc::new(SystemClock) }))
}

fn missing(source: &RootKeySource, sealed: Option<&Bytes>) -> SharedInstallationError {
    let id = sealed.and_then(|sealed| RootKeyId::of_keyring_file(sealed));
    SharedInstallationError::RootKeyMissing { origin: source.to_string(), id }
}

const fn advice(error: &OpenKeyringError) -> &'static str {
    match error {
        OpenKeyringError::WrongRootKey { .. } => {
            "Nothing was changed. The gateway that started first made the keyring: bring its root key here, in the place \
             of this one, which opens nothing in this store."
        }
        OpenKeyringError::Damaged(_) => "Nothing was changed. Restore the keyring from a backup of it.",
        OpenKeyringError::UnknownFormat(_) => "Nothing was changed. A later version wrote it.",
    }
}

#[cfg(test)]
mod tests;
