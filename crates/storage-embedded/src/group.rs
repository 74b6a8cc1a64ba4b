//! One group of batches, checked one after the other and written in one transaction.
//!
//! A batch sees the engine's state and the changes of the batches before it. What does not hold is left out whole.
use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use model::BlobId;
use storage::{Batch, CommitError, ConflictedPrecondition, Error, Partition, Precondition, ScopeRetired};

use crate::blobs::pending::Pending;
use crate::engine::{Engine, EngineError, Write};
use crate::keys;

/// Changes on the way to the engine; `None` deletes. Ordered, because that is the cheapest order to write them in.
type Changes = BTreeMap<Vec<u8>, Option<Bytes>>;

/// The batches of one transaction.
pub(crate) struct Group<'a> {
    engine: &'a Engine,
    pending: &'a Pending,
    has_room: bool,
    changes: Changes,
    /// Blobs that were in flight until a batch of this group linked them.
    linked: HashSet<BlobId>,
}

impl<'a> Group<'a> {
    /// An empty group. Without room only batches that put and link nothing are taken.
    pub(crate) fn new(engine: &'a Engine, pending: &'a Pending, has_room: bool) -> Self {
        Self { engine, pending, has_room, changes: Changes::new(), linked: HashSet::new() }
    }

    /// Takes a batch in, or says why it cannot be committed.
    pub(crate) fn add(&mut self, partition: &Partition, batch: Batch) -> Result<(), CommitError> {
        let adds = !batch.put.is_empty() || !batch.link.is_empty();
        if adds && self.get(&keys::retired(partition.scope))?.is_some() {
            return Err(ScopeRetired.into());
        }
        for precondition in &batch.preconditions {
            self.check(partition, precondition)?;
        }
        if adds && !self.has_room {
            return Err(Error::Full.into());
        }
        let mut claims = Claims { pending: self.pending, claimed: Vec::new() };
        let owners = self.owners_after(&batch, &mut claims)?;
        self.linked.extend(claims.keep());
        self.change(partition, batch, owners);
        Ok(())
    }

    /// Forgets garbage whose files are deleted.
    pub(crate) fn forget(&mut self, garbage: &[BlobId]) {
        self.changes.extend(garbage.iter().map(|id| (keys::garbage(*id), None)));
    }

    /// The writes of all batches, the blobs that they link for the first time, and those that became garbage.
    pub(crate) fn finish(self) -> Outcome {
        let mut garbage = Vec::new();
        for (key, value) in &self.changes {
            let is_garbage = value.is_some() && keys::is_garbage(key);
            garbage.extend(keys::parse_blob(key).filter(|_| is_garbage));
        }
        let writes = self.changes.into_iter().map(|(key, value)| match value {
            Some(value) => Write::Put(key, value),
            None => Write::Delete(key),
        });
        Outcome { writes: writes.collect(), linked: self.linked.into_iter().collect(), garbage }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.engine.get(key),
        }
    }

    fn check(&self, partition: &Partition, precondition: &Precondition) -> Result<(), CommitError> {
        let holds = match precondition {
            Precondition::Absent(key) => self.get(&keys::record(partition, key))?.is_none(),
            Precondition::Unchanged(key, value) => {
                self.get(&keys::record(partition, key))?.is_some_and(|found| found == value)
            }
        };
        if holds { Ok(()) } else { Err(ConflictedPrecondition.into()) }
    }

    /// How many owners each blob that the batch names has after it.
    fn owners_after(&self, batch: &Batch, claims: &mut Claims<'_>) -> Result<HashMap<BlobId, u32>, CommitError> {
        let mut owners = HashMap::new();
        for id in &batch.link {
            let count = match owners.get(id).copied().map_or_else(|| self.owners(*id), |count| Ok(Some(count)))? {
                Some(count) => count,
                None if claims.claim(*id) => 0,
                None => return Err(Error::NoSuchBlob(*id).into()),
            };
            owners.insert(*id, count.saturating_add(1));
        }
        for id in &batch.unlink {
            match owners.get(id).copied().map_or_else(|| self.owners(*id), |count| Ok(Some(count)))? {
                Some(count) => drop(owners.insert(*id, count.saturating_sub(1))),
                // The record that named it goes all the same: refusing would make it undeletable.
                None => tracing::warn!(blob = %id, "a blob without owners is unlinked"),
            }
        }
        Ok(owners)
    }

    fn owners(&self, id: BlobId) -> Result<Option<u32>, EngineError> {
        let Some(row) = self.get(&keys::blob(id))? else { return Ok(None) };
        let bytes = row.as_ref().try_into().map_err(|_| EngineError::Damaged("an owner count".into()))?;
        Ok(Some(u32::from_le_bytes(bytes)))
    }

    fn change(&mut self, partition: &Partition, batch: Batch, owners: HashMap<BlobId, u32>) {
        for key in &batch.delete {
            self.changes.insert(keys::record(partition, key), None);
        }
        for (key, value) in batch.put {
            self.changes.insert(keys::record(partition, &key), Some(value));
        }
        for (id, count) in owners {
            if count > 0 {
                self.changes.insert(keys::blob(id), Some(Bytes::copy_from_slice(&count.to_le_bytes())));
            } else {
                self.changes.insert(keys::blob(id), None);
                self.changes.insert(keys::garbage(id), Some(Bytes::new()));
            }
        }
    }
}

/// What a group comes to.
pub(crate) struct Outcome {
    pub(crate) writes: Vec<Write>,
    pub(crate) linked: Vec<BlobId>,
    pub(crate) garbage: Vec<BlobId>,
}

/// Blobs taken out of flight for one batch, given back unless the batch is kept.
struct Claims<'a> {
    pending: &'a Pending,
    claimed: Vec<BlobId>,
}

impl Claims<'_> {
    fn claim(&mut self, id: BlobId) -> bool {
        let claimed = self.pending.claim(id);
        if claimed {
            self.claimed.push(id);
        }
        claimed
    }

    fn keep(mut self) -> Vec<BlobId> {
        std::mem::take(&mut self.claimed)
    }
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        for id in &self.claimed {
            self.pending.release(*id);
        }
    }
}
