//! The data directory: where its parts lie, and the lock that keeps a second process out.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::secret_file::{self, SecretFileError};

/// Names of the parts, which a half-finished first run may have left.
const PARTS: [&str; 10] =
    ["lock", "tls", "keyring", ".keyring.new", "store", "audit", "admin.sock", GATEWAY, ".gateway.new", "lost+found"];

/// A file that says that the store is elsewhere.
const GATEWAY: &str = "gateway";
const ABOUT_GATEWAY: &str = "The store of this data directory is on a Ceph cluster: store = \"rados\".\n";

/// A data directory that this process alone may use until the value is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Another process has it.
    #[error("the data directory {} is in use by another process: a server is running on it", .0.display())]
    InUse(PathBuf),
    /// Some other directory.
    #[error("{} is not empty and no data directory ({} lies in it): choose another one", path.display(), stranger)]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// One thing that does not belong.
        stranger: String,
    },
    /// Its store is elsewhere.
    #[error(
        "{} is the data directory of a gateway whose store is on a Ceph cluster: set store = \"rados\" and the pools, as \
         for that gateway, or choose another directory",
        .0.display()
    )]
    OfGateway(PathBuf),
    /// Nothing there.
    #[error("there is no data directory at {}: `canopic serve` creates one", .0.display())]
    Missing(PathBuf),
}

impl DataDir {
    /// Opens the directory, creating it with mode 0700 if there is none, and locks it.
    ///
    /// # Errors
    /// [`DataDirError`] when it is in use, holds something else, its store is elsewhere, or the system refuses.
    pub(crate) fn open_or_create(path: &Path) -> Result<Self, DataDirError> {
        refuse_gateway(path)?;
        Self::made(path)
    }

    /// The same for a gateway whose store is elsewhere. The directory is marked: a server that was not told of that store
    /// would begin with an empty one in it, and go on with the gateway's audit log by another key.
    ///
    /// # Errors
    /// [`DataDirError`] when it is in use, holds something else, or the system refuses.
    pub(crate) fn open_or_create_for_gateway(path: &Path) -> Result<Self, DataDirError> {
        let data_dir = Self::made(path)?;
        if data_dir.keyring().exists() || data_dir.store().exists() {
            return Ok(data_dir);
        }
        match secret_file::create(&path.join(GATEWAY), ABOUT_GATEWAY.as_bytes()) {
            Err(SecretFileError { path, source }) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(DataDirError::Io { path, source })
            }
            _ => Ok(data_dir),
        }
    }

    fn made(path: &Path) -> Result<Self, DataDirError> {
        let io = |source| DataDirError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        // The directory entry of a new data directory must outlive a crash like everything in it.
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(io)?;
        if !path.join("keyring").exists() {
            refuse_strangers(path)?;
        }
        if std::fs::metadata(path).map_err(io)?.mode() & 0o077 != 0 {
            std::fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io)?;
        }
        Self::locked(path)
    }

    /// Opens the directory of an installation that exists, and locks it.
    ///
    /// # Errors
    /// [`DataDirError`] when there is none, it is in use, its store is elsewhere, or the system refuses.
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        refuse_gateway(path)?;
        if !path.join("keyring").exists() {
            return Err(DataDirError::Missing(path.to_owned()));
        }
        Self::locked(path)
    }

    /// Opens a directory that holds a store, whatever else of an installation is lost, and locks it.
    ///
    /// # Errors
    /// [`DataDirError`] when there is none, it is in use, its store is elsewhere, or the system refuses.
    pub(crate) fn open_store(path: &Path) -> Result<Self, DataDirError> {
        refuse_gateway(path)?;
        if !path.join("store").is_dir() {
            return Err(DataDirError::Missing(path.to_owned()));
        }
        Self::locked(path)
    }

    fn locked(path: &Path) -> Result<Self, DataDirError> {
        let lock = path.join("lock");
        let io = |source| DataDirError::Io { path: lock.clone(), source };
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock).map_err(io)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(DataDirError::InUse(path.to_owned())),
            Err(error) => Err(io(error.into())),
        }
    }

    /// The directory.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The sealed keyring.
    #[must_use]
    pub(crate) fn keyring(&self) -> PathBuf {
        Self::keyring_in(&self.path)
    }

    /// The sealed keyring of a directory that is not ours to lock.
    #[must_use]
    pub(crate) fn keyring_in(path: &Path) -> PathBuf {
        path.join("keyring")
    }

    /// The embedded store.
    #[must_use]
    pub(crate) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Certificates and their private keys.
    #[must_use]
    pub(crate) fn tls(&self) -> PathBuf {
        self.path.join("tls")
    }

    /// The socket of the admin API.
    #[must_use]
    pub(crate) fn admin_socket(&self) -> PathBuf {
        admin_socket(&self.path)
    }
}

/// The socket of the admin API in a data directory, for those who do not own the directory.
#[must_use]
pub fn admin_socket(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.sock")
}

fn refuse_gateway(path: &Path) -> Result<(), DataDirError> {
    if path.join(GATEWAY).exists() { Err(DataDirError::OfGateway(path.to_owned())) } else { Ok(()) }
}

fn refuse_strangers(path: &Path) -> Result<(), DataDirError> {
    let io = |source| DataDirError::Io { path: path.to_owned(), source };
    for entry in std::fs::read_dir(path).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        if !PARTS.iter().any(|part| name == *part) {
            return Err(DataDirError::Foreign { path: path.to_owned(), stranger: name.to_string_lossy().into_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_is_private_and_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/data");
        let open = DataDir::open_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert!(matches!(DataDir::open_or_create(&path), Err(DataDirError::InUse(_))));
        drop(open);
        assert!(DataDir::open_or_create(&path).is_ok());
    }

    #[test]
    fn a_directory_with_other_things_in_it_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::File::create(dir.path().join("letter.txt")).unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let error = DataDir::open_or_create(dir.path()).unwrap_err();
        assert!(error.to_string().contains("letter.txt"), "{error}");
        assert_eq!(std::fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_directory_of_a_gateway_is_for_no_server_with_a_store_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        for _ in 0..2 {
            DataDir::open_or_create_for_gateway(&path).unwrap();
        }
        for refused in [DataDir::open_or_create(&path), DataDir::open(&path), DataDir::open_store(&path)] {
            assert!(matches!(refused, Err(DataDirError::OfGateway(_))), "{refused:?}");
        }
    }

    #[test]
    fn a_directory_with_data_is_never_marked_as_a_gateways() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::File::create(dir.path().join("keyring")).unwrap();
        DataDir::open_or_create_for_gateway(dir.path()).unwrap();
        assert!(DataDir::open(dir.path()).is_ok());
    }

    #[test]
    fn only_an_installation_can_be_opened_without_creating_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(DataDir::open(dir.path()), Err(DataDirError::Missing(_))));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
