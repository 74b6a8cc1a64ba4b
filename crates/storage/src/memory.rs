//! The reference implementation: all in memory, obviously right, never fast.
//!
//! One map under one lock, so that every answer is what a reader of the traits expects and the real backends can be
//! compared with it. Nothing is durable, and nothing ever waits.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use model::BlobId;

use crate::blobs::{BlobReader, BlobWriter, Blobs};
use crate::error::{
    CommitError, ConflictedPrecondition, Error, NoSuchPlacement, RetireError, ScopeNotEmpty, ScopeRetired,
};
use crate::inventory::{Held, HeldKind, Inventory};
use crate::leases::Leases;
use crate::metadata::{Batch, Beside, Entry, Metadata, Partition, Precondition, RecordKey, Scan, Scope, Start, Table};

/// All ports in memory. Clones share one content, and are one process to leases.
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    process: u32,
    placements: Option<Arc<[String]>>,
}

#[derive(Default)]
struct State {
    /// Ordered as scans are: table, scope, partition name, suffix.
    records: BTreeMap<(Table, Scope, Vec<u8>, Vec<u8>), Bytes>,
    retired: HashSet<Scope>,
    blobs: HashMap<BlobId, StoredBlob>,
    blobs_created: u128,
    /// While it is not zero, unlinked blobs stay: see [`Blobs::open`].
    readers: usize,
    /// By name: which process has it, and until when.
    leases: HashMap<String, (u32, Instant)>,
    processes: u32,
}

struct StoredBlob {
    bytes: Bytes,
    owners: u32,
    was_linked: bool,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same content as another process sees it.
    #[must_use]
    pub fn another_process(&self) -> Self {
        let mut state = self.lock();
        state.processes += 1;
        Self { process: state.processes, ..self.clone() }
    }

    /// An empty store that knows these placements and no others, for tests of what happens to the others.
    #[must_use]
    pub fn with_placements(names: &[&str]) -> Self {
        Self { placements: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..Self::default() }
    }

    /// How many finished blobs are held, garbage included.
    #[must_use]
    pub fn blob_count(&self) -> usize {
        self.lock().blobs.len()
    }

    /// How many blobs some record names.
    #[must_use]
    pub fn linked_blob_count(&self) -> usize {
        self.lock().blobs.values().filter(|blob| blob.owners > 0).count()
    }

    /// How many records there are, in all tables and scopes.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.lock().records.len()
    }

    /// Every blob and record value, for tests that look for plaintext in what a backend holds.
    #[must_use]
    pub fn stored_bytes(&self) -> Vec<Bytes> {
        let state = self.lock();
        state.records.values().cloned().chain(state.blobs.values().map(|blob| blob.bytes.clone())).collect()
    }

    /// Replaces the bytes of a blob, for tests of damage. Readers that are open keep the old ones.
    ///
    /// Returns whether the blob exists.
    pub fn overwrite_blob(&self, id: BlobId, bytes: Bytes) -> bool {
        self.lock().blobs.get_mut(&id).map(|blob| blob.bytes = bytes).is_some()
    }

    /// Forgets every finished blob that no record names, linked before or not, and says how many those were.
    ///
    /// A blob that was finished and is about to be linked would go too: call it when nothing is under way.
    pub fn collect_garbage(&self) -> usize {
        let mut state = self.lock();
        let before = state.blobs.len();
        state.blobs.retain(|_, blob| blob.owners > 0);
        before - state.blobs.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under the lock leaves the state half changed, so a panic elsewhere does not make it wrong.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(partition: &Partition, key: &RecordKey) -> (Table, Scope, Vec<u8>, Vec<u8>) {
    (key.table, partition.scope, partition.name.clone(), key.suffix.clone())
}

impl State {
    fn check(&self, partition: &Partition, batch: &Batch) -> Result<(), CommitError> {
        let adds = !batch.put.is_empty() || !batch.link.is_empty();
        if adds && self.retired.contains(&partition.scope) {
            return Err(ScopeRetired.into());
        }
        for precondition in &batch.preconditions {
            let holds = match precondition {
                Precondition::Absent(key) => !self.records.contains_key(&address(partition, key)),
                Precondition::Unchanged(key, value) => self.records.get(&address(partition, key)) == Some(value),
            };
            if !holds {
                return Err(ConflictedPrecondition.into());
            }
        }
        for id in &batch.link {
            let linkable = self.blobs.get(id).is_some_and(|blob| blob.owners > 0 || !blob.was_linked);
            if !linkable {
                return Err(Error::NoSuchBlob(*id).into());
            }
        }
        Ok(())
    }

    fn apply(&mut self, partition: &Partition, batch: Batch) {
        for key in &batch.delete {
            self.records.remove(&address(partition, key));
        }
        for (key, value) in batch.put {
            self.records.insert(address(partition, &key), value);
        }
        for id in &batch.link {
            if let Some(blob) = self.blobs.get_mut(id) {
                blob.owners += 1;
                blob.was_linked = true;
            }
        }
        for id in &batch.unlink {
            if let Some(blob) = self.blobs.get_mut(id) {
                blob.owners = blob.owners.saturating_sub(1);
            }
        }
        self.drop_unlinked();
    }

    fn drop_unlinked(&mut self) {
        if self.readers == 0 {
            self.blobs.retain(|_, blob| blob.owners > 0 || !blob.was_linked);
        }
    }
}

#[async_trait]
impl Metadata for MemoryStore {
    async fn get(&self, partition: &Partition, key: &RecordKey) -> Result<Option<Bytes>, Error> {
        Ok(self.lock().records.get(&address(partition, key)).cloned())
    }

    async fn get_with(
        &self,
        partition: &Partition,
        key: &RecordKey,
        beside: Table,
    ) -> Result<(Option<Bytes>, Option<Beside>), Error> {
        let state = self.lock();
        let from = (beside, partition.scope, partition.name.clone(), Vec::new());
        let first = state.records.range(from..).next().filter(|((table, scope, name, _), _)| {
            (table, scope, name) == (&beside, &partition.scope, &partition.name)
        });
        let beside = first.map(|((.., suffix), value)| Beside { suffix: suffix.clone(), value: value.clone() });
        Ok((state.records.get(&address(partition, key)).cloned(), beside))
    }

    async fn commit(&self, partition: &Partition, batch: Batch) -> Result<(), CommitError> {
        let mut state = self.lock();
        state.check(partition, &batch)?;
        state.apply(partition, batch);
        Ok(())
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, Error> {
        let from = match scan.start {
            Start::AtPartition(name) => (name, Vec::new()),
            // The smallest name behind `name` is `name` with a zero byte at its end, the smallest suffix likewise.
            Start::AfterPartition(mut name) => {
                name.push(0);
                (name, Vec::new())
            }
            Start::AfterRecord(name, mut suffix) => {
                suffix.push(0);
                (name, suffix)
            }
        };
        let state = self.lock();
        let found = state
            .records
            .range((scan.table, scan.scope, from.0, from.1)..)
            .take_while(|((table, scope, name, _), _)| {
                *table == scan.table && *scope == scan.scope && scan.end.as_ref().is_none_or(|end| name < end)
            })
            .take(scan.limit)
            .map(|((_, _, name, suffix), value)| Entry {
                partition: name.clone(),
                suffix: suffix.clone(),
                value: value.clone(),
            })
            .collect();
        Ok(found)
    }

    async fn retire(&self, scope: Scope, tables: &[Table]) -> Result<(), RetireError> {
        let mut state = self.lock();
        let holds_records = tables.iter().any(|table| {
            let first = state.records.range((*table, scope, Vec::new(), Vec::new())..).next();
            first.is_some_and(|((found_table, found_scope, ..), _)| found_table == table && *found_scope == scope)
        });
        if holds_records {
            return Err(ScopeNotEmpty.into());
        }
        state.retired.insert(scope);
        Ok(())
    }

    fn scope_at(&self, placement: Option<&str>, random: [u8; 16]) -> Result<[u8; 16], NoSuchPlacement> {
        let is_known = match (&self.placements, placement) {
            (Some(names), Some(name)) => names.iter().any(|known| known == name),
            _ => true,
        };
        if is_known { Ok(random) } else { Err(NoSuchPlacement) }
    }

    fn inline_len_max(&self) -> usize {
        4096
    }
}

#[async_trait]
impl Leases for MemoryStore {
    async fn hold(&self, name: &str, time: Duration) -> Result<bool, Error> {
        let (mut state, now) = (self.lock(), Instant::now());
        let is_free = state.leases.get(name).is_none_or(|(process, until)| *process == self.process || *until <= now);
        if is_free {
            state.leases.insert(name.to_owned(), (self.process, now + time));
        }
        Ok(is_free)
    }

    async fn release(&self, name: &str) -> Result<(), Error> {
        let mut state = self.lock();
        if state.leases.get(name).is_some_and(|(process, _)| *process == self.process) {
            state.leases.remove(name);
        }
        Ok(())
    }
}

#[async_trait]
impl Blobs for MemoryStore {
    async fn create(&self, _partition: &Partition) -> Result<Box<dyn BlobWriter>, Error> {
        let mut state = self.lock();
        state.blobs_created += 1;
        let id = BlobId::from_bytes(state.blobs_created.to_be_bytes());
        Ok(Box::new(MemoryWriter { id, bytes: BytesMut::new(), store: self.clone() }))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, Error> {
        let mut state = self.lock();
        let bytes = state.blobs.get(&id).ok_or(Error::NoSuchBlob(id))?.bytes.clone();
        state.readers += 1;
        Ok(Box::new(MemoryReader { id, bytes, store: self.clone() }))
    }
}

#[async_trait]
impl Inventory for MemoryStore {
    async fn held(&self, after: Option<&str>, limit: usize) -> Result<Vec<Held>, Error> {
        let state = self.lock();
        let mut held: Vec<Held> = state.blobs.iter().map(|(id, blob)| blob.held(*id)).collect();
        held.retain(|held| after.is_none_or(|after| held.name.as_str() > after));
        held.sort_by(|one, other| one.name.cmp(&other.name));
        held.truncate(limit);
        Ok(held)
    }
}

impl StoredBlob {
    fn held(&self, id: BlobId) -> Held {
        let kind = match (self.owners, self.was_linked) {
            (1.., _) => HeldKind::Linked(id),
            (0, true) => HeldKind::Garbage(id),
            (0, false) => HeldKind::Unlinked(id),
        };
        Held { name: id.to_string(), length: self.bytes.len() as u64, kind }
    }
}

struct MemoryWriter {
    id: BlobId,
    bytes: BytesMut,
    store: MemoryStore,
}

#[async_trait]
impl BlobWriter for MemoryWriter {
    fn id(&self) -> BlobId {
        self.id
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<BlobId, Error> {
        let blob = StoredBlob { bytes: self.bytes.freeze(), owners: 0, was_linked: false };
        self.store.lock().blobs.insert(self.id, blob);
        Ok(self.id)
    }
}

struct MemoryReader {
    id: BlobId,
    bytes: Bytes,
    store: MemoryStore,
}

#[async_trait]
impl BlobReader for MemoryReader {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        let start = usize::try_from(offset).map_err(|_| Error::BlobTooShort(self.id))?;
        let end = start.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(Error::BlobTooShort(self.id))?;
        Ok(self.bytes.slice(start..end))
    }
}

impl Drop for MemoryReader {
    fn drop(&mut self) {
        let mut state = self.store.lock();
        state.readers -= 1;
        state.drop_unlinked();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_is_one_processs_until_it_is_given_back_or_ends() {
        let one = MemoryStore::new();
        let other = one.another_process();
        let long = Duration::from_secs(600);
        assert!(one.hold("work", long).await.unwrap() && one.hold("work", long).await.unwrap());
        assert!(!other.hold("work", long).await.unwrap() && other.hold("other work", long).await.unwrap());
        other.release("work").await.unwrap();
        assert!(!other.hold("work", long).await.unwrap());
        one.release("work").await.unwrap();
        assert!(other.hold("work", Duration::ZERO).await.unwrap());
        assert!(one.hold("work", long).await.unwrap());
    }
}
