//! The keys of an installation: made once, found again at every start, never replaced.
//!
//! On the first run the root key file is made before the keyring that it seals, and both before anything is stored; so
//! a crash in between leaves nothing that cannot be finished. As soon as there is a keyring or a store, a missing or
//! foreign root key is a reason to stop: a new one would open nothing and hide the loss.

use std::io;
use std::path::{Path, PathBuf};

use envelope::RootKey;
use kms::{LocalKeyring, OpenKeyringError};

use crate::data_dir::{DataDir, DataDirError};
use crate::secret_file::{self, SecretFileError};

/// An installation whose keyring is open and whose directory is ours alone.
pub(crate) struct Installation {
    pub(crate) data_dir: DataDir,
    pub(crate) keyring: LocalKeyring,
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
        "{} holds data, but its root key {} is not there. Put the root key file back (or say where it is with \
         --root-key-file); without it nothing in the directory can be opened, and a new one would not help. To begin \
         anew, choose another data directory.",
        data_dir.display(), root_key_file.display()
    )]
    RootKeyMissing {
        /// The directory.
        data_dir: PathBuf,
        /// Where the key should be.
        root_key_file: PathBuf,
    },
    /// The file is no root key.
    #[error("{}: {source}. It is left as it is; put the right file there.", path.display())]
    RootKeyUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: envelope::RootKeyTextError,
    },
    /// There are data, and the keyring is missing.
    #[error("{} holds a store, but its keyring is not there. Restore the file `keyring` from a backup of the directory.", .0.display())]
    KeyringMissing(PathBuf),
    /// The root key of another installation, or a damaged keyring.
    #[error("{} cannot be opened with {}: {source}", keyring.display(), root_key_file.display())]
    KeyringUnusable {
        /// The keyring file.
        keyring: PathBuf,
        /// The root key file.
        root_key_file: PathBuf,
        /// What is wrong.
        source: OpenKeyringError,
    },
}

impl Installation {
    /// Opens the installation; makes it, or finishes making it, if it holds no data yet.
    ///
    /// # Errors
    /// [`InstallationError`] says what is missing and what to do.
    pub(crate) fn open_or_create(data_dir: &Path, root_key_file: &Path) -> Result<Self, InstallationError> {
        let data_dir = DataDir::open_or_create(data_dir)?;
        let has_store = data_dir.store().exists();
        let sealed = if_there(secret_file::read(&data_dir.keyring()))?;
        let root_key = match read_root_key(root_key_file)? {
            Some(root_key) => root_key,
            None if sealed.is_some() || has_store => return Err(missing(&data_dir, root_key_file)),
            None => create_root_key(root_key_file)?,
        };
        let keyring = match sealed {
            Some(sealed) => open_keyring(&data_dir, root_key_file, &root_key, &sealed)?,
            None if has_store => return Err(InstallationError::KeyringMissing(data_dir.path().to_owned())),
            None => {
                let (keyring, sealed) = LocalKeyring::create(&root_key);
                secret_file::create(&data_dir.keyring(), &sealed)?;
                keyring
            }
        };
        Ok(Self { data_dir, keyring })
    }

    /// Opens an installation that exists; makes nothing.
    ///
    /// # Errors
    /// [`InstallationError`] says what is missing and what to do.
    pub(crate) fn open(data_dir: &Path, root_key_file: &Path) -> Result<Self, InstallationError> {
        let data_dir = DataDir::open(data_dir)?;
        let keyring = keyring_of(&data_dir, root_key_file)?;
        Ok(Self { data_dir, keyring })
    }
}

/// Opens the keyring of a directory that is locked already; makes nothing.
///
/// # Errors
/// [`InstallationError`] says what is missing and what to do.
pub(crate) fn keyring_of(data_dir: &DataDir, root_key_file: &Path) -> Result<LocalKeyring, InstallationError> {
    let sealed = secret_file::read(&data_dir.keyring())?;
    let root_key = read_root_key(root_key_file)?.ok_or_else(|| missing(data_dir, root_key_file))?;
    open_keyring(data_dir, root_key_file, &root_key, &sealed)
}

fn missing(data_dir: &DataDir, root_key_file: &Path) -> InstallationError {
    InstallationError::RootKeyMissing { data_dir: data_dir.path().to_owned(), root_key_file: root_key_file.to_owned() }
}

fn open_keyring(
    data_dir: &DataDir,
    root_key_file: &Path,
    root_key: &RootKey,
    sealed: &[u8],
) -> Result<LocalKeyring, InstallationError> {
    LocalKeyring::open(root_key, sealed).map_err(|source| InstallationError::KeyringUnusable {
        keyring: data_dir.keyring(),
        root_key_file: root_key_file.to_owned(),
        source,
    })
}

fn read_root_key(path: &Path) -> Result<Option<RootKey>, InstallationError> {
    let Some(bytes) = if_there(secret_file::read(path))? else { return Ok(None) };
    let unusable = |source| InstallationError::RootKeyUnusable { path: path.to_owned(), source };
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable(envelope::RootKeyTextError::UnknownFormat))?;
    RootKey::from_file_text(text).map(Some).map_err(unusable)
}

fn create_root_key(path: &Path) -> Result<RootKey, InstallationError> {
    let root_key = RootKey::generate();
    secret_file::create(path, root_key.to_file_text().as_bytes())?;
    Ok(root_key)
}

fn if_there<T>(read: Result<T, SecretFileError>) -> Result<Option<T>, SecretFileError> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
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
            Installation::open_or_create(&self.data, &self.root_key).map(drop)
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
        Installation::open(&place.data, &place.root_key).map(drop).unwrap();
    }

    #[test]
    fn data_without_their_root_key_are_refused_and_get_no_new_one() {
        let place = place();
        place.start().unwrap();
        std::fs::remove_file(&place.root_key).unwrap();
        assert!(matches!(place.start(), Err(InstallationError::RootKeyMissing { .. })));
        assert!(!place.root_key.exists());
        assert!(Installation::open(&place.data, &place.root_key).is_err());
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
        assert!(matches!(place.start(), Err(InstallationError::KeyringUnusable { .. })));
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
}
