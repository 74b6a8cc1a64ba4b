//! The sealed keyring as a record in the store, where gateways that share the store share it.
//!
//! It is replaced on the condition that it is what this process read or wrote last: so of two gateways that change it at
//! once, one is told to look again. It is read by a scan, because that is always answered by the store itself: a single
//! record of the server's own may be answered from memory, and by a version that was made a moment ago another gateway may
//! have wrapped already.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use kms::{KeyringFile, KeyringFileError};
use operations::records::keyring_place;
use storage::{Batch, CommitError, Metadata, Precondition, Scan, Start};
use tokio::runtime::Handle;

/// The record, as this process knows it.
pub(crate) struct KeyringRecord {
    metadata: Arc<dyn Metadata>,
    /// Those who change the keyring wait on threads of their own.
    runtime: Handle,
    /// What was read or written last.
    base: Mutex<Bytes>,
}

/// Reads the record.
///
/// # Errors
/// When the store fails.
pub(crate) async fn read(metadata: &dyn Metadata) -> Result<Option<Bytes>, storage::Error> {
    let (partition, record_key) = keyring_place();
    let start = Start::AtPartition(partition.name.clone());
    let scan = Scan { scope: partition.scope, table: record_key.table, start, end: None, limit: 1 };
    let found = metadata.scan(scan).await?.into_iter().next();
    let found = found.filter(|entry| entry.partition == partition.name && entry.suffix == record_key.suffix);
    Ok(found.map(|entry| entry.value))
}

/// Makes the record; `false` when there is one.
///
/// # Errors
/// When the store fails; the record may have been made then.
pub(crate) async fn create(metadata: &dyn Metadata, sealed: Vec<u8>) -> Result<bool, storage::Error> {
    let (_, record_key) = keyring_place();
    put(metadata, Precondition::Absent(record_key), Bytes::from(sealed)).await
}

async fn put(metadata: &dyn Metadata, condition: Precondition, sealed: Bytes) -> Result<bool, storage::Error> {
    let (partition, record_key) = keyring_place();
    let batch = Batch { preconditions: vec![condition], put: vec![(record_key, sealed)], ..Batch::default() };
    match metadata.commit(&partition, batch).await {
        Ok(()) => Ok(true),
        Err(CommitError::Conflict(_)) => Ok(false),
        Err(CommitError::Retired(error)) => Err(storage::Error::Damaged(error.to_string())),
        Err(CommitError::Store(error)) => Err(error),
    }
}

impl KeyringRecord {
    /// The record that `base` was read from. To be made within the runtime that the store runs on.
    pub(crate) fn new(metadata: Arc<dyn Metadata>, base: Bytes) -> Self {
        Self { metadata, runtime: Handle::current(), base: Mutex::new(base) }
    }

    fn base(&self) -> MutexGuard<'_, Bytes> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To be used on threads that may block: changes of a keyring are made there.
impl KeyringFile for KeyringRecord {
    fn replace(&self, sealed: &[u8]) -> Result<(), KeyringFileError> {
        let (base, sealed) = (self.base().clone(), Bytes::copy_from_slice(sealed));
        let (_, record_key) = keyring_place();
        let put = put(&*self.metadata, Precondition::Unchanged(record_key, base), sealed.clone());
        match self.runtime.block_on(put) {
            Ok(true) => {
                *self.base() = sealed;
                Ok(())
            }
            Ok(false) => Err(KeyringFileError::Overtaken),
            // It may have happened all the same.
            Err(error) => match self.runtime.block_on(read(&*self.metadata)) {
                Ok(Some(found)) if found == sealed => {
                    *self.base() = sealed;
                    Ok(())
                }
                _ => Err(KeyringFileError::Unwritable(error.to_string())),
            },
        }
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn latest(&self) -> Result<Option<Vec<u8>>, KeyringFileError> {
        let unreadable = |text: String| KeyringFileError::Unreadable(text);
        let found = self.runtime.block_on(read(&*self.metadata)).map_err(|error| unreadable(error.to_string()))?;
        let found = found.ok_or_else(|| unreadable("it is not in the store any more".to_owned()))?;
        Ok(if found == *self.base() { None } else { Some(found.to_vec()) })
    }

    fn take(&self, sealed: &[u8]) {
        *self.base() = Bytes::copy_from_slice(sealed);
    }
}
