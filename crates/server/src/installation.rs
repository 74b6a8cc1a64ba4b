//! The keys of an installation: made once, found again at every start, never replaced.
//!
//! On the first run the root key file is made before the keyring that it seals, and both before anything is stored; so
//! a crash in between leaves nothing that cannot be finished. As soon as there is a keyring or a store, a missing or
//! foreign root key is a reason to stop: a new one would open nothing and hide the loss. A root key that does not come
//! from a file of ours is never made here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use envelope::{RootKey, RootKeyId, RootKeyTextError};
use kms::{Keeper, LocalKeyring, OpenKeyringError};
use zeroize::Zeroizing;

use crate::clock::{self, SystemClock};
use crate::config::RootKeySource;
use crate::data_dir::{DataDir, DataDirError};
use crate::keyring_disk::DiskKeyringFile;
use crate::secret_file::{self, SecretFileError};
use crate::shared_installation::SharedInstallationError;

/// An installation whose keyring is open and whose directory is ours alone.
pub(crate) struct Installation {
    pub(crate) data_dir: DataDir,
    pub(crate) keyring: Arc<LocalKeyring>,
}

/// Why an installation cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// The directory is no good.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// There are data, and the key to them is missing.
    #[error(
        "{} holds data, but {} is missing: {origin} is not there. Put it back, or say where it is (--root-key-file, \
         CANOPIC_ROOT_KEY or a systemd credential); without it nothing in the directory can be opened, and a new one \
         would not help. If it is lost and there is a backup of the keyring, move {} away and use `canopic keyring \
         restore`. To begin anew, choose another data directory.",
        data_dir.display(), named(.id), data_dir.join("keyring").display()
    )]
    RootKeyMissing {
        /// The directory.
        data_dir: PathBuf,
        /// Where the key should be.
        origin: String,
        /// Which one is missing, where the keyring says it.
        id: Option<RootKeyId>,
    },
    /// The text is no root key.
    #[error("{origin}: {source}. It is left as it is; put the right one there.")]
    RootKeyUnusable {
        /// Where it stands.
        origin: String,
        /// What is wrong.
        source: RootKeyTextError,
    },
    /// There are data, and the keyring is missing.
    #[error(
        "{} holds a store, but its keyring is not there. Restore the file `keyring` from a backup of the directory, or \
         with `canopic keyring restore` from a backup of the keyring.",
        .0.display()
    )]
    KeyringMissing(PathBuf),
    /// The root key of another installation, or a damaged keyring.
    #[error("{} cannot be opened with {origin}: {source}. {}", keyring.display(), advice(.source))]
    KeyringUnusable {
        /// The keyring file.
        keyring: PathBuf,
        /// Where the root key comes from.
        origin: String,
        /// What is wrong.
        source: OpenKeyringError,
    },
    /// That of gateways which share a store.
    #[error(transparent)]
    Shared(#[from] SharedInstallationError),
}

impl Installation {
    /// Opens the installation; makes it, or finishes making it, if it holds no data yet.
    ///
    /// # Errors
    /// [`InstallationError`] says what is missing and what to do.
    pub(crate) fn open_or_create(data_dir: &Path, source: &RootKeySource) -> Result<Self, InstallationError> {
        let data_dir = DataDir::open_or_create(data_dir)?;
        let has_store = data_dir.store().exists();
        let sealed = if_there(secret_file::read(&data_dir.keyring()))?;
        let root_key = match (read_root_key(source)?, source) {
            (Some(root_key), _) => root_key,
            (None, RootKeySource::File(path)) if sealed.is_none() && !has_store => create_root_key(path)?,
            (None, _) => return Err(missing(&data_dir, source, sealed.as_ref())),
        };
        let keyring = match sealed {
            Some(sealed) => open_keyring(&data_dir, source, &root_key, &sealed)?,
            None if has_store => return Err(InstallationError::KeyringMissing(data_dir.path().to_owned())),
            None => {
                let (keyring, sealed) = LocalKeyring::create_at(&root_key, clock::now());
                secret_file::create(&data_dir.keyring(), &sealed)?;
                keyring
            }
        };
        Ok(Self::with(data_dir, keyring, root_key))
    }

    /// Opens an installation that exists; makes nothing.
    ///
    /// # Errors
    /// [`InstallationError`] says what is missing and what to do.
    pub(crate) fn open(data_dir: &Path, source: &RootKeySource) -> Result<Self, InstallationError> {
        let data_dir = DataDir::open(data_dir)?;
        let (keyring, root_key) = read_keyring(&data_dir, source)?;
        Ok(Self::with(data_dir, keyring, root_key))
    }

    fn with(data_dir: DataDir, keyring: LocalKeyring, root_key: RootKey) -> Self {
        let file = Arc::new(DiskKeyringFile::new(data_dir.keyring()));
        let keyring = keyring.kept_by(Keeper { root_key, file, clock: Arc::new(SystemClock) });
        Self { data_dir, keyring: Arc::new(keyring) }
    }
}

/// Opens the keyring of a directory that is locked already, for reading; makes nothing.
///
/// # Errors
/// [`InstallationError`] says what is missing and what to do.
pub(crate) fn keyring_of(data_dir: &DataDir, source: &RootKeySource) -> Result<LocalKeyring, InstallationError> {
    read_keyring(data_dir, source).map(|(keyring, _)| keyring)
}

/// Opens the keyring of a directory that a server may be using, for reading.
///
/// # Errors
/// [`InstallationError`] says what is missing and what to do.
pub(crate) fn keyring_in_use(data_dir: &Path, source: &RootKeySource) -> Result<LocalKeyring, InstallationError> {
    let path = DataDir::keyring_in(data_dir);
    let sealed = secret_file::read(&path)?;
    let root_key = read_root_key(source)?.ok_or_else(|| InstallationError::RootKeyMissing {
        data_dir: data_dir.to_owned(),
        origin: source.to_string(),
        id: RootKeyId::of_keyring_file(&sealed),
    })?;
    LocalKeyring::open(&root_key, &sealed).map_err(|error| InstallationError::KeyringUnusable {
        keyring: path,
        origin: source.to_string(),
        source: error,
    })
}

fn read_keyring(data_dir: &DataDir, source: &RootKeySource) -> Result<(LocalKeyring, RootKey), InstallationError> {
    let sealed = secret_file::read(&data_dir.keyring())?;
    let root_key = read_root_key(source)?.ok_or_else(|| missing(data_dir, source, Some(&sealed)))?;
    Ok((open_keyring(data_dir, source, &root_key, &sealed)?, root_key))
}

pub(crate) fn missing(
    data_dir: &DataDir,
    source: &RootKeySource,
    sealed: Option<&Zeroizing<Vec<u8>>>,
) -> InstallationError {
    InstallationError::RootKeyMissing {
        data_dir: data_dir.path().to_owned(),
        origin: source.to_string(),
        id: sealed.and_then(|sealed| RootKeyId::of_keyring_file(sealed)),
    }
}

fn open_keyring(
    data_dir: &DataDir,
    source: &RootKeySource,
    root_key: &RootKey,
    sealed: &[u8],
) -> Result<LocalKeyring, InstallationError> {
    LocalKeyring::open(root_key, sealed).map_err(|error| InstallationError::KeyringUnusable {
        keyring: data_dir.keyring(),
        origin: source.to_string(),
        source: error,
    })
}

/// The root key, or `None` where its file is not there. What else hinders is an error.
///
/// # Errors
/// [`InstallationError`] names the file or variable.
pub(crate) fn read_root_key(source: &RootKeySource) -> Result<Option<RootKey>, InstallationError> {
    let unusable = |error| InstallationError::RootKeyUnusable { origin: source.to_string(), source: error };
    let bytes = match source {
        RootKeySource::Variable(text) => return RootKey::from_file_text(text).map(Some).map_err(unusable),
        RootKeySource::File(path) | RootKeySource::Credential(path) => if_there(secret_file::read(path))?,
    };
    let Some(bytes) = bytes else { return Ok(None) };
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable(RootKeyTextError::UnknownFormat))?;
    RootKey::from_file_text(text).map(Some).map_err(unusable)
}

/// Makes a root key and its file.
///
/// # Errors
/// [`SecretFileError`], also when there is a file of that name.
pub(crate) fn create_root_key(path: &Path) -> Result<RootKey, SecretFileError> {
    let root_key = RootKey::generate();
    secret_file::create(path, root_key.to_file_text().as_bytes())?;
    Ok(root_key)
}

pub(crate) fn if_there<T>(read: Result<T, SecretFileError>) -> Result<Option<T>, SecretFileError> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn named(id: &Option<RootKeyId>) -> String {
    id.map_or_else(|| "its root key".to_owned(), |id| format!("its root key {id}"))
}

fn advice(error: &OpenKeyringError) -> &'static str {
    match error {
        OpenKeyringError::WrongRootKey { .. } => {
            "Nothing was changed. Give the right root key (--root-key-file, CANOPIC_ROOT_KEY or a systemd credential)."
        }
        OpenKeyringError::Damaged(_) => {
            "Nothing was changed. Restore the file from a backup of the directory, or move it away and restore the \
             keyring with `canopic keyring restore`."
        }
        OpenKeyringError::UnknownFormat(_) => "Nothing was changed. A later version wrote it.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        _dir: tempfile::TempDir,
        data: PathBuf,
        root_key: PathBuf,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let (data, root_key) = (dir.path().join("data"), dir.path().join("data.root-key"));
        Place { _dir: dir, data, root_key }
    }

    impl Place {
        fn start(&self) -> Result<(), InstallationError> {
            Installation::open_or_create(&self.data, &self.source()).map(drop)
        }

        fn source(&self) -> RootKeySource {
            RootKeySource::File(self.root_key.clone())
        }
    }

    #[test]
    fn a_second_start_uses_the_same_keys() {
        let place = place();
        place.start().unwrap();
        let files = || [std::fs::read(&place.root_key).unwrap(), std::fs::read(place.data.join("keyring")).unwrap()];
        let before = files();
        place.start().unwrap();
        assert_eq!(before, files());
        Installation::open(&place.data, &place.source()).map(drop).unwrap();
    }

    #[test]
    fn data_without_their_root_key_are_refused_and_get_no_new_one() {
        let place = place();
        place.start().unwrap();
        std::fs::remove_file(&place.root_key).unwrap();
        let id = RootKeyId::of_keyring_file(&std::fs::read(place.data.join("keyring")).unwrap()).unwrap();
        let error = place.start().unwrap_err();
        assert!(matches!(error, InstallationError::RootKeyMissing { .. }));
        assert!(error.to_string().contains(&id.to_string()), "{error}");
        assert!(!place.root_key.exists());
        assert!(Installation::open(&place.data, &place.source()).is_err());
    }

    #[test]
    fn a_store_without_its_keyring_is_refused_and_gets_no_new_one() {
        let place = place();
        place.start().unwrap();
        std::fs::create_dir(place.data.join("store")).unwrap();
        std::fs::remove_file(place.data.join("keyring")).unwrap();
        assert!(matches!(place.start(), Err(InstallationError::KeyringMissing(_))));
        std::fs::remove_file(&place.root_key).unwrap();
        assert!(matches!(place.start(), Err(InstallationError::RootKeyMissing { .. })));
    }

    #[test]
    fn the_root_key_of_another_installation_is_refused() {
        let (place, other) = (place(), place());
        place.start().unwrap();
        other.start().unwrap();
        std::fs::copy(&other.root_key, &place.root_key).unwrap();
        let error = place.start().unwrap_err();
        assert!(matches!(error, InstallationError::KeyringUnusable { .. }));
        for place in [&place, &other] {
            let id = RootKeyId::of_keyring_file(&std::fs::read(place.data.join("keyring")).unwrap()).unwrap();
            assert!(error.to_string().contains(&id.to_string()), "{error}");
        }
    }

    #[test]
    fn a_damaged_root_key_file_is_refused_and_left_as_it_is() {
        let place = place();
        std::fs::File::create(&place.root_key).unwrap();
        assert!(matches!(place.start(), Err(InstallationError::RootKeyUnusable { .. })));
        assert_eq!(std::fs::read(&place.root_key).unwrap(), b"");
    }

    #[test]
    fn a_first_run_that_stopped_half_way_is_finished() {
        let place = place();
        // The directory was made, then the root key, then the power failed.
        std::fs::create_dir(&place.data).unwrap();
        create_root_key(&place.root_key).unwrap();
        std::fs::File::create(place.data.join(".keyring.new")).unwrap();
        let root_key = std::fs::read(&place.root_key).unwrap();
        place.start().unwrap();
        assert_eq!(root_key, std::fs::read(&place.root_key).unwrap());
    }

    #[test]
    fn a_root_key_from_a_variable_or_a_credential_opens_what_its_file_did_and_is_never_made() {
        let place = place();
        let missing = place.root_key.with_extension("credential");
        let error = Installation::open_or_create(&place.data, &RootKeySource::Credential(missing)).err();
        assert!(matches!(error, Some(InstallationError::RootKeyMissing { id: None, .. })));

        place.start().unwrap();
        let text = Zeroizing::new(std::fs::read_to_string(&place.root_key).unwrap());
        let credential = RootKeySource::Credential(place.root_key.clone());
        for source in [RootKeySource::Variable(text), credential] {
            Installation::open_or_create(&place.data, &source).map(drop).unwrap();
        }
        let wrong = RootKeySource::Variable(RootKey::generate().to_file_text());
        let error = Installation::open_or_create(&place.data, &wrong).err().unwrap();
        assert!(matches!(error, InstallationError::KeyringUnusable { .. }));
        assert!(error.to_string().contains("the variable CANOPIC_ROOT_KEY"), "{error}");
        let nonsense = RootKeySource::Variable(Zeroizing::new("hush".to_owned()));
        let error = Installation::open(&place.data, &nonsense).err().unwrap();
        assert!(!error.to_string().contains("hush"), "{error}");
    }

    #[tokio::test]
    async fn a_change_of_the_keyring_is_found_at_the_next_start() {
        let place = place();
        let open = || Installation::open_or_create(&place.data, &place.source()).unwrap();
        let rotated = open().keyring.rotate_own().await.unwrap();
        assert_eq!(open().keyring.current(), rotated.id);
        assert!(rotated.created.is_some());
        assert_eq!(std::fs::read_dir(&place.data).unwrap().count(), 2, "the lock and the keyring");
    }
}
