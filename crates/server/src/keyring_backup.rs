//! A backup of the keyring, and its way back.
//!
//! A backup holds everything that opens every object elsewhere, but for customer keys and keys of a foreign KMS: all keys
//! of the keyring, sealed under a root key that was made for this backup alone, and that root key. The caller seals both
//! under a passphrase. So no bare key but that one ever leaves the server, and the machine's own root key never does.
//!
//! ```text
//! canopic-keyring-backup-v1␊
//! canopic-root-key-v1:BASE64␊
//! a keyring file, to the end
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use envelope::{OpenKeyringError, RootKey, RootKeyTextError};
use kms::{LocalKeyring, NoAudit};
use operations::{HeldBy, KeyCensus};
use zeroize::Zeroizing;

use crate::config::{Config, KmsService, RootKeySource, Store};
use crate::data_dir::{DataDir, DataDirError};
use crate::installation::{self, InstallationError};
use crate::keyring_record;
use crate::secret_file::{self, SecretFileError};
use crate::server_keys::ServerKeys;
use crate::shared_installation::{self, SharedInstallationError};
use crate::store::{Backend, Purpose, StoreError};

/// The root key of one backup.
pub struct BackupKey(RootKey);

/// What is no backup of a keyring.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It does not begin like one.
    #[error("this is no backup of a keyring, or one of a later version")]
    UnknownFormat,
    /// Its root key cannot be read.
    #[error("the backup's root key: {0}")]
    RootKey(#[from] RootKeyTextError),
    /// Its keyring cannot be opened.
    #[error("the backup's keyring cannot be opened: {0}")]
    Keyring(#[from] OpenKeyringError),
}

/// Why a keyring is not restored. Nothing was changed then, but for a root key file that may have been made.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// See [`BackupError`].
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The data directory is no good, or in use.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The root key or the keyring that is there cannot be read.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// There is another keyring.
    #[error(
        "{} holds other keys than the backup and is left as it is. If the backup is the right one, move the file away \
         (do not delete it) and restore again.",
        .0.display()
    )]
    Differs(PathBuf),
    /// There is another keyring, in a store that gateways share.
    #[error("the store on the cluster has a keyring with other keys than the backup; it is left as it is")]
    DiffersOnCluster,
    /// The store cannot be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store was written with other keys.
    #[error("the backup does not belong to the store {place}: {reason}")]
    OtherStore {
        /// Where the store is, for people.
        place: String,
        /// What the store says.
        reason: String,
    },
    /// The store needs keys that the backup does not have.
    #[error(
        "objects {place} need keys that came after this backup, and would not open: {}. Look for a newer backup; one \
         that is restored later cannot be put over this one.",
        keys.join(", ")
    )]
    Lacks {
        /// Where they are, for people.
        place: String,
        /// Each of the keys, with how much it holds, for people.
        keys: Vec<String>,
    },
    /// Some records cannot be read, so nobody knows which keys they need.
    #[error("{0} records of the store cannot be read, so nobody knows which keys they need")]
    Unreadable(u64),
}

/// What becomes of a backup that lacks keys which objects in the store need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// It is refused.
    Refuse,
    /// It is restored all the same: what it has opens, the rest does not.
    Restore,
}

/// How a restore ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// The keyring file was made.
    Made {
        /// The root key that seals it was made too, because there was none.
        with_root_key: bool,
    },
    /// The keyring that is there has exactly these keys.
    AlreadyThere,
}

impl BackupKey {
    /// A fresh one.
    #[must_use]
    pub fn generate() -> Self {
        Self(RootKey::generate())
    }

    /// The text of its root key file, to ask a server for a copy of the keyring with.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        self.0.to_file_text()
    }

    /// The backup of a keyring that was sealed under this key, to be sealed under a passphrase. What does not open is no
    /// backup, so it is opened once.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn backup(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        LocalKeyring::open(&self.0, sealed)?;
        let text = self.to_text();
        let mut backup = Zeroizing::new(Vec::with_capacity(HEAD.len() + text.len() + sealed.len()));
        backup.extend_from_slice(HEAD);
        backup.extend_from_slice(text.as_bytes());
        backup.extend_from_slice(sealed);
        Ok(backup)
    }
}

/// The keyring of a backup, for reading.
fn open_backup(backup: &[u8]) -> Result<LocalKeyring, BackupError> {
    let rest = backup.strip_prefix(HEAD).ok_or(BackupError::UnknownFormat)?;
    let end = rest.iter().take(ROOT_KEY_LINE_MAX).position(|byte| *byte == b'\n').ok_or(BackupError::UnknownFormat)?;
    let (line, sealed) = (&rest[..end], &rest[end + 1..]);
    let line = std::str::from_utf8(line).map_err(|_| BackupError::UnknownFormat)?;
    Ok(LocalKeyring::open(&RootKey::from_file_text(line)?, sealed)?)
}

/// Makes the keyring of an installation out of a backup, sealed under this machine's root key: the file in a data
/// directory that no server runs on, or the record in a store that gateways share. A keyring that is there is never
/// replaced. The records of a store that is there are all gone through before, to see which keys they need.
///
/// # Errors
/// [`RestoreError`].
pub async fn restore_keyring(config: &Config, backup: &[u8], lacking: Lacking) -> Result<Restored, RestoreError> {
    let keyring = Arc::new(open_backup(backup)?);
    match &config.store {
        Store::Embedded => {
            let data_dir = DataDir::open_or_create(&config.data_dir)?;
            restore_file(config, &data_dir, keyring, lacking).await
        }
        Store::Rados(rados) => {
            let data_dir = DataDir::open_or_create_for_gateway(&config.data_dir)?;
            shared_installation::refuse_data(&data_dir).map_err(InstallationError::from)?;
            let (_session_end, backend) = Backend::rados(rados, Purpose::Looking).await?;
            restore_record(config, &data_dir, &backend, keyring, lacking).await
        }
    }
}

async fn restore_file(
    config: &Config,
    data_dir: &DataDir,
    keyring: Arc<LocalKeyring>,
    lacking: Lacking,
) -> Result<Restored, RestoreError> {
    if data_dir.keyring().exists() {
        let there = installation::keyring_of(data_dir, &config.root_key)?;
        let same = there.same_as(&keyring);
        return if same { Ok(Restored::AlreadyThere) } else { Err(RestoreError::Differs(data_dir.keyring())) };
    }
    if data_dir.store().exists() {
        let place = format!("in {}", config.data_dir.display());
        let backend = Backend::embedded(data_dir, Purpose::Serving)
            .await
            .map_err(|error| RestoreError::OtherStore { place: place.clone(), reason: error.to_string() })?;
        check_against(&backend, &keyring, config, place, lacking).await?;
    }
    let (root_key, with_root_key) = root_key(config, data_dir)?;
    secret_file::create(&data_dir.keyring(), &keyring.sealed_under(&root_key))?;
    Ok(Restored::Made { with_root_key })
}

async fn restore_record(
    config: &Config,
    data_dir: &DataDir,
    backend: &Backend,
    keyring: Arc<LocalKeyring>,
    lacking: Lacking,
) -> Result<Restored, RestoreError> {
    let unreadable = |error: storage::Error| InstallationError::from(SharedInstallationError::Store(error));
    if keyring_record::read(&*backend.metadata).await.map_err(unreadable)?.is_some() {
        let there = shared_installation::open(&config.root_key, &backend.metadata).await?;
        return if there.same_as(&keyring) { Ok(Restored::AlreadyThere) } else { Err(RestoreError::DiffersOnCluster) };
    }
    if shared_installation::is_in_use(&*backend.metadata).await.map_err(InstallationError::from)? {
        check_against(backend, &keyring, config, "on the cluster".to_owned(), lacking).await?;
    }
    let (root_key, with_root_key) = root_key(config, data_dir)?;
    let sealed = keyring.sealed_under(&root_key);
    if keyring_record::create(&*backend.metadata, sealed).await.map_err(unreadable)? {
        Ok(Restored::Made { with_root_key })
    } else {
        Err(RestoreError::DiffersOnCluster)
    }
}

/// Whether the keyring is the one of a store and has what its objects need.
async fn check_against(
    backend: &Backend,
    keyring: &Arc<LocalKeyring>,
    config: &Config,
    place: String,
    lacking: Lacking,
) -> Result<(), RestoreError> {
    let other = |error: operations::Fault| RestoreError::OtherStore { place: place.clone(), reason: error.to_string() };
    let operations = backend.operations(&ServerKeys::local(keyring.clone()), Arc::new(NoAudit));
    operations.users.root().await.map_err(other)?;
    if lacking == Lacking::Refuse {
        let census = operations.rewrapper.census(&|_| ()).await.map_err(other)?;
        check_that_nothing_lacks(config, &census, place)?;
    }
    Ok(())
}

/// The root key of this machine, and whether it was made because there was none.
fn root_key(config: &Config, data_dir: &DataDir) -> Result<(RootKey, bool), RestoreError> {
    match (installation::read_root_key(&config.root_key)?, &config.root_key) {
        (Some(root_key), _) => Ok((root_key, false)),
        (None, RootKeySource::File(path)) => Ok((installation::create_root_key(path)?, true)),
        (None, source) => Err(installation::missing(data_dir, source, None).into()),
    }
}

/// Whether all keys are there that the keyring is to have.
fn check_that_nothing_lacks(config: &Config, census: &KeyCensus, place: String) -> Result<(), RestoreError> {
    let mut keys = Vec::new();
    for (held_by, count) in census.held_by.iter().filter(|(_, count)| count.missing > 0) {
        let name = match held_by {
            HeldBy::Keyring(id) => format!("version {id}"),
            HeldBy::Kms(id) if matches!(config.kms.service, KmsService::Local) => format!("KMS key {id}"),
            // The keyring is not the one to have it.
            HeldBy::Kms(_) | HeldBy::Customer => continue,
        };
        keys.push(format!("{name} ({} objects and uploads)", count.missing));
    }
    keys.sort();
    if !keys.is_empty() {
        return Err(RestoreError::Lacks { place, keys });
    }
    match census.unreadable {
        0 => Ok(()),
        unreadable => Err(RestoreError::Unreadable(unreadable)),
    }
}

/// Reads the root key file at `path`, or makes it with a fresh root key if there is none: its text, and whether it was
/// made. The file is private and durable.
///
/// # Errors
/// [`InstallationError`] names the file.
pub fn root_key_text(path: &Path) -> Result<(Zeroizing<String>, bool), InstallationError> {
    match installation::read_root_key(&RootKeySource::File(path.to_owned()))? {
        Some(root_key) => Ok((root_key.to_file_text(), false)),
        None => Ok((installation::create_root_key(path)?.to_file_text(), true)),
    }
}

const HEAD: &[u8] = b"canopic-keyring-backup-v1\n";
/// Room for a line of a root key file, which has 69 bytes.
const ROOT_KEY_LINE_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn config(dir: &Path) -> Config {
        let data_dir = dir.join("data");
        Config::load(crate::config::Layer { data_dir: Some(data_dir), ..crate::config::Layer::default() }, None, |_| {
            None
        })
        .unwrap()
    }

    fn backup_of(keyring: &LocalKeyring) -> Zeroizing<Vec<u8>> {
        let backup_key = BackupKey::generate();
        backup_key.backup(&keyring.sealed_under(&backup_key.0)).unwrap()
    }

    fn keyring() -> LocalKeyring {
        LocalKeyring::create(&RootKey::generate()).0
    }

    #[tokio::test]
    async fn a_keyring_comes_back_on_another_machine_under_its_own_root_key() {
        let dir = tempfile::tempdir().unwrap();
        let (config, keyring) = (config(dir.path()), keyring());
        let backup = backup_of(&keyring);
        assert_eq!(
            restore_keyring(&config, &backup, Lacking::Refuse).await.unwrap(),
            Restored::Made { with_root_key: true }
        );
        let found = installation::Installation::open(&config.data_dir, &config.root_key).unwrap();
        assert!(found.keyring.same_as(&keyring));
        assert_ne!(found.keyring.root_key_id(), keyring.root_key_id());
        drop(found);
        assert_eq!(restore_keyring(&config, &backup, Lacking::Refuse).await.unwrap(), Restored::AlreadyThere);
    }

    #[tokio::test]
    async fn a_keyring_that_differs_or_does_not_open_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        restore_keyring(&config, &backup_of(&keyring()), Lacking::Refuse).await.unwrap();
        let file = config.data_dir.join("keyring");
        let before = std::fs::read(&file).unwrap();
        let other = backup_of(&keyring());
        assert!(matches!(restore_keyring(&config, &other, Lacking::Refuse).await, Err(RestoreError::Differs(_))));
        std::fs::remove_file(config.root_key.file().unwrap()).unwrap();
        assert!(matches!(restore_keyring(&config, &other, Lacking::Refuse).await, Err(RestoreError::Installation(_))));
        assert_eq!(std::fs::read(&file).unwrap(), before);
        assert!(!config.root_key.file().unwrap().exists());
    }

    #[tokio::test]
    async fn a_backup_of_another_installation_is_not_put_beside_a_store() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let keyring = keyring();
        restore_keyring(&config, &backup_of(&keyring), Lacking::Refuse).await.unwrap();
        let made = installation::Installation::open(&config.data_dir, &config.root_key).unwrap();
        let backend = Backend::embedded(&made.data_dir, Purpose::Serving).await.unwrap();
        let operations = backend.operations(&ServerKeys::local(made.keyring.clone()), Arc::new(NoAudit));
        operations.users.root().await.unwrap();
        drop((operations, backend, made));

        std::fs::remove_file(config.data_dir.join("keyring")).unwrap();
        let error = restore_keyring(&config, &backup_of(&self::keyring()), Lacking::Refuse).await.unwrap_err();
        assert!(matches!(error, RestoreError::OtherStore { .. }), "{error}");
        assert!(!config.data_dir.join("keyring").exists());
        assert_eq!(
            restore_keyring(&config, &backup_of(&keyring), Lacking::Refuse).await.unwrap(),
            Restored::Made { with_root_key: false }
        );
    }

    #[test]
    fn what_is_no_backup_is_not_opened() {
        let keyring = keyring();
        let backup = backup_of(&keyring);
        assert!(open_backup(&backup).unwrap().same_as(&keyring));
        for length in 0..backup.len() {
            assert!(open_backup(&backup[..length]).is_err(), "{length} bytes");
        }
        for at in 0..backup.len() {
            let mut changed = backup.to_vec();
            changed[at] ^= 1;
            assert!(open_backup(&changed).is_err(), "byte {at}");
        }
        let (one, other) = (BackupKey::generate(), BackupKey::generate());
        assert!(one.backup(&keyring.sealed_under(&other.0)).is_err());
    }

    #[test]
    fn a_root_key_file_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        let (text, made) = root_key_text(&path).unwrap();
        assert!(made);
        assert_eq!(root_key_text(&path).unwrap(), (text, false));
    }
}
