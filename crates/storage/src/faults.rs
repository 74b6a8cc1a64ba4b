//! A store that fails on demand, for tests of everything above a backend.
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use model::BlobId;

use crate::blobs::{BlobReader, BlobWriter, Blobs};
use crate::error::{CommitError, Error, NoSuchPlacement, RetireError};
use crate::metadata::{Batch, Beside, Entry, Metadata, Partition, RecordKey, Scan, Scope, Table};

/// A call of the two traits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// [`Metadata::get`]
    Get,
    /// [`Metadata::commit`]
    Commit,
    /// [`Metadata::scan`]
    Scan,
    /// [`Metadata::retire`]
    Retire,
    /// [`Blobs::create`]
    Create,
    /// [`BlobWriter::append`]
    Append,
    /// [`BlobWriter::finish`]
    Finish,
    /// [`Blobs::open`]
    Open,
    /// [`BlobReader::read`]
    Read,
}

/// How a call fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// [`Error::Full`], nothing done.
    Full,
    /// [`Error::Unavailable`], nothing done.
    Unavailable,
    /// [`Error::Unavailable`] although the call was carried out: the answer got lost.
    LostAnswer,
}

#[derive(Default)]
struct Plan {
    /// Calls that still go through, then how many fail (`u32::MAX`: all) and how.
    by_operation: HashMap<Operation, (u32, u32, Fault)>,
}

/// The switchboard of a [`FaultyStore`]. Clones act on the same store.
#[derive(Clone, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

impl Faults {
    /// Lets `passes` calls through, then fails the next one.
    pub fn fail_once(&self, operation: Operation, passes: u32, fault: Fault) {
        self.lock().by_operation.insert(operation, (passes, 1, fault));
    }

    /// Fails every call from now on.
    pub fn fail_all(&self, operation: Operation, fault: Fault) {
        self.lock().by_operation.insert(operation, (0, u32::MAX, fault));
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.lock().by_operation.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, operation: Operation) -> Option<Fault> {
        let mut plan = self.lock();
        let (passes, failures, fault) = plan.by_operation.get_mut(&operation)?;
        if *passes > 0 {
            *passes -= 1;
            return None;
        }
        match *failures {
            0 => None,
            u32::MAX => Some(*fault),
            _ => {
                *failures -= 1;
                Some(*fault)
            }
        }
    }

    /// Runs `call`, or fails in its place.
    async fn around<T, E: From<Error>>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match self.next(operation) {
            None => call.await,
            Some(Fault::Full) => Err(Error::Full.into()),
            Some(Fault::Unavailable) => Err(injected().into()),
            Some(Fault::LostAnswer) => {
                call.await?;
                Err(injected().into())
            }
        }
    }
}

fn injected() -> Error {
    Error::Unavailable("injected fault".into())
}

/// A backend whose calls fail as its [`Faults`] say.
pub struct FaultyStore<S> {
    inner: S,
    faults: Faults,
}

impl<S> FaultyStore<S> {
    /// Wraps `inner`; nothing fails until `faults` is told so.
    #[must_use]
    pub const fn new(inner: S, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Metadata> Metadata for FaultyStore<S> {
    async fn get(&self, partition: &Partition, key: &RecordKey) -> Result<Option<Bytes>, Error> {
        self.faults.around(Operation::Get, self.inner.get(partition, key)).await
    }

    async fn get_with(
        &self,
        partition: &Partition,
        key: &RecordKey,
        beside: Table,
    ) -> Result<(Option<Bytes>, Option<Beside>), Error> {
        self.faults.around(Operation::Get, self.inner.get_with(partition, key, beside)).await
    }

    async fn commit(&self, partition: &Partition, batch: Batch) -> Result<(), CommitError> {
        self.faults.around(Operation::Commit, self.inner.commit(partition, batch)).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, Error> {
        self.faults.around(Operation::Scan, self.inner.scan(scan)).await
    }

    async fn retire(&self, scope: Scope, tables: &[Table]) -> Result<(), RetireError> {
        self.faults.around(Operation::Retire, self.inner.retire(scope, tables)).await
    }

    fn scope_at(&self, placement: Option<&str>, random: [u8; 16]) -> Result<[u8; 16], NoSuchPlacement> {
        self.inner.scope_at(placement, random)
    }

    fn inline_len_max(&self) -> usize {
        self.inner.inline_len_max()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Blobs> Blobs for FaultyStore<S> {
    async fn create(&self, partition: &Partition) -> Result<Box<dyn BlobWriter>, Error> {
        let inner = self.faults.around(Operation::Create, self.inner.create(partition)).await?;
        Ok(Box::new(FaultyWriter { inner, faults: self.faults.clone() }))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, Error> {
        let inner = self.faults.around(Operation::Open, self.inner.open(id)).await?;
        Ok(Box::new(FaultyReader { inner, faults: self.faults.clone() }))
    }

    async fn open_for(&self, id: BlobId, span: Range<u64>) -> Result<Box<dyn BlobReader>, Error> {
        let inner = self.faults.around(Operation::Open, self.inner.open_for(id, span)).await?;
        Ok(Box::new(FaultyReader { inner, faults: self.faults.clone() }))
    }
}

struct FaultyWriter {
    inner: Box<dyn BlobWriter>,
    faults: Faults,
}

#[async_trait]
impl BlobWriter for FaultyWriter {
    fn id(&self) -> BlobId {
        self.inner.id()
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.faults.around(Operation::Append, self.inner.append(bytes)).await
    }

    async fn finish(self: Box<Self>) -> Result<BlobId, Error> {
        self.faults.around(Operation::Finish, self.inner.finish()).await
    }
}

struct FaultyReader {
    inner: Box<dyn BlobReader>,
    faults: Faults,
}

#[async_trait]
impl BlobReader for FaultyReader {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.faults.around(Operation::Read, self.inner.read(offset, length)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    fn batch(value: &'static str) -> Batch {
        Batch { put: vec![(RecordKey::new(Table(1), "s"), Bytes::from(value))], ..Batch::default() }
    }

    #[tokio::test]
    async fn a_fault_hits_the_call_it_was_planned_for_and_heals() {
        let faults = Faults::default();
        let store = FaultyStore::new(MemoryStore::new(), faults.clone());
        let partition = Partition::new(Scope::SYSTEM, "p");
        let key = RecordKey::new(Table(1), "s");

        faults.fail_once(Operation::Commit, 1, Fault::Full);
        store.commit(&partition, batch("one")).await.unwrap();
        let failed = store.commit(&partition, batch("two")).await;
        assert!(matches!(failed, Err(CommitError::Store(Error::Full))));
        assert_eq!(store.get(&partition, &key).await.unwrap().unwrap(), "one");

        faults.fail_all(Operation::Commit, Fault::LostAnswer);
        let failed = store.commit(&partition, batch("three")).await;
        assert!(matches!(failed, Err(CommitError::Store(Error::Unavailable(_)))));
        assert_eq!(store.get(&partition, &key).await.unwrap().unwrap(), "three");

        faults.heal();
        store.commit(&partition, batch("four")).await.unwrap();
    }
}
