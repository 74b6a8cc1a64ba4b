use std::sync::{Mutex, PoisonError};

/// Where a keyring is kept: one small sealed file. Where several processes keep one, each has a value of this for itself.
pub trait KeyringFile: Send + Sync {
    /// Puts these bytes in the place of the file's, durably and at once: after a crash the file holds the old bytes or
    /// the new ones. Blocks until they are durable.
    ///
    /// # Errors
    /// [`KeyringFileError::Unwritable`]: the file holds the old bytes or the new ones then; the keyring goes on with its
    /// old keys. [`KeyringFileError::Overtaken`] where the file is shared: nothing was written.
    fn replace(&self, sealed: &[u8]) -> Result<(), KeyringFileError>;

    /// Whether other processes replace the file too.
    fn is_shared(&self) -> bool {
        false
    }

    /// What others put there since it was last replaced or taken in here, if anything. Blocks.
    ///
    /// # Errors
    /// [`KeyringFileError::Unreadable`].
    fn latest(&self) -> Result<Option<Vec<u8>>, KeyringFileError> {
        Ok(None)
    }

    /// These bytes, which [`Self::latest`] gave, are taken in: what replaces them next is made out of them.
    fn take(&self, sealed: &[u8]) {
        let _ = sealed;
    }
}

/// Why a keyring file cannot be used. The texts are for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringFileError {
    /// It cannot be written, or nobody knows whether it was.
    #[error("the keyring file cannot be written: {0}")]
    Unwritable(String),
    /// It cannot be read.
    #[error("the keyring file cannot be read: {0}")]
    Unreadable(String),
    /// Another process replaced it first.
    #[error("another process changed the keyring first")]
    Overtaken,
}

/// A keyring file in memory, for tests: it keeps what a disk would, and fails when it is told to.
#[derive(Default)]
pub struct MemoryKeyringFile {
    state: Mutex<(Vec<u8>, bool)>,
}

impl MemoryKeyringFile {
    /// A file with some bytes in it.
    #[must_use]
    pub fn new(sealed: Vec<u8>) -> Self {
        Self { state: Mutex::new((sealed, false)) }
    }

    /// What is in the file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// From now on, whether replacing it fails.
    pub fn set_failing(&self, failing: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = failing;
    }
}

impl KeyringFile for MemoryKeyringFile {
    fn replace(&self, sealed: &[u8]) -> Result<(), KeyringFileError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.1 {
            return Err(KeyringFileError::Unwritable("it was told to fail".to_owned()));
        }
        state.0 = sealed.to_vec();
        Ok(())
    }
}
