use std::sync::{Mutex, PoisonError};

/// Where a keyring is kept: one small sealed file.
pub trait KeyringFile: Send + Sync {
    /// Puts these bytes in the place of the file's, durably and at once: after a crash the file holds the old bytes or
    /// the new ones. Blocks until they are durable.
    ///
    /// # Errors
    /// [`KeyringFileError`]. The file holds the old bytes or the new ones then; the keyring goes on with its old keys.
    fn replace(&self, sealed: &[u8]) -> Result<(), KeyringFileError>;
}

/// The keyring file cannot be written. The text says why, for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keyring file cannot be written: {0}")]
pub struct KeyringFileError(pub String);

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
            return Err(KeyringFileError("it was told to fail".to_owned()));
        }
        state.0 = sealed.to_vec();
        Ok(())
    }
}
