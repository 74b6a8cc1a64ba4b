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
use tokio::sync::oneshot;

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

    fn read_now(&self) -> Result<Option<Bytes>, storage::Error> {
        let metadata = self.metadata.clone();
        self.wait_for(async move { read(&*metadata).await })
    }

    /// Waits on a thread that may block. The work itself is done on the runtime, so that both end when that does, whether
    /// the store answers or not.
    fn wait_for<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, storage::Error>> + Send + 'static,
    ) -> Result<T, storage::Error> {
        let (tell, told) = oneshot::channel();
        self.runtime.spawn(async move { tell.send(work.await) });
        told.blocking_recv().unwrap_or_else(|_| Err(storage::Error::Unavailable("the process ends".into())))
    }
}

/// To be used on threads that may block: changes of a keyring are made there.
impl KeyringFile for KeyringRecord {
    fn replace(&self, sealed: &[u8]) -> Result<(), KeyringFileError> {
        let (base, sealed) = (self.base().clone(), Bytes::copy_from_slice(sealed));
        let (_, record_key) = keyring_place();
        let (metadata, new) = (self.metadata.clone(), sealed.clone());
        let put = async move { put(&*metadata, Precondition::Unchanged(record_key, base), new).await };
        match self.wait_for(put) {
            Ok(true) => {
                *self.base() = sealed;
                Ok(())
            }
            Ok(false) => Err(KeyringFileError::Overtaken),
            // It may have happened all the same.
            Err(error) => match self.read_now() {
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
        let found = self.read_now().map_err(|error| unreadable(error.to_string()))?;
        let found = found.ok_or_else(|| unreadable("it is not in the store any more".to_owned()))?;
        Ok(if found == *self.base() { None } else { Some(found.to_vec()) })
    }

    fn take(&self, sealed: &[u8]) {
        *self.base() = Bytes::copy_from_slice(sealed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use storage::memory::MemoryStore;

    use super::*;

    #[test]
    fn a_store_that_does_not_answer_is_waited_for_no_longer_than_the_runtime_lasts() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let record = runtime.block_on(async { KeyringRecord::new(Arc::new(MemoryStore::new()), Bytes::new()) });
        let silence = async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(())
        };
        let waiting = std::thread::spawn(move || record.wait_for(silence));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        runtime.shutdown_background();
        assert!(matches!(waiting.join().unwrap(), Err(storage::Error::Unavailable(_))));
    }
}
