//! The keyring file on the disk.

use std::path::PathBuf;

use kms::{KeyringFile, KeyringFileError};

use crate::secret_file;

/// The file `keyring` of a data directory that this process has locked.
///
/// No earlier state is kept beside it: replacing is atomic, and a key that was destroyed must not lie in another file.
pub(crate) struct DiskKeyringFile {
    path: PathBuf,
}

impl DiskKeyringFile {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl KeyringFile for DiskKeyringFile {
    fn replace(&self, sealed: &[u8]) -> Result<(), KeyringFileError> {
        secret_file::replace(&self.path, sealed).map_err(|error| KeyringFileError::Unwritable(error.to_string()))
    }
}
