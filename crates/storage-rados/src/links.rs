//! Commits: the records of a batch and who owns its blobs change in one operation.
//!
//! A blob of this gateway that was finished and never linked has an intent; the commit demands it and makes an owner of it.
//! All other blobs have a number of owners, which the commit demands as it was read. A blob that is unlinked has one owner
//! nearly always, so that this is demanded without reading.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use model::BlobId;
use storage::{Batch, CommitError, ConflictedPrecondition, Error, Partition, Precondition, ScopeRetired};

use crate::blobs::BlobStore;
use crate::blobs::marks::{Garbage, Intent, owners_key, owners_value, parse_owners};
use crate::change::{Change, ChangeError};
use crate::index::Index;
use crate::names;

/// See the module.
pub(crate) struct Links {
    index: Arc<Index>,
    blobs: Arc<BlobStore>,
}

/// What a batch does to one blob.
#[derive(Clone, Copy, Default)]
struct Wish {
    link: u32,
    unlink: u32,
}

/// What the commit takes a blob to be.
#[derive(Clone)]
enum Taken {
    /// Finished here and never linked.
    Fresh(Intent),
    /// Linked by so many; none is for a blob that a record names by mistake.
    Owned(u32),
}

impl Links {
    pub(crate) fn new(index: Arc<Index>, blobs: Arc<BlobStore>) -> Self {
        Self { index, blobs }
    }

    /// See [`storage::Metadata::commit`].
    ///
    /// # Errors
    /// See [`CommitError`].
    pub(crate) async fn commit(&self, partition: &Partition, batch: &Batch) -> Result<(), CommitError> {
        let wishes = wishes(batch);
        if wishes.is_empty() {
            return self.index.change(partition, records(partition, batch)).await.map_err(refused);
        }
        let mut taken = self.guess(partition, batch, &wishes).await?;
        for _ in 0..ATTEMPTS {
            let (change, demands) = with_blobs(partition, batch, &wishes, &taken);
            let broken = match self.index.change(partition, change).await {
                Ok(()) => {
                    self.settle(&taken);
                    return Ok(());
                }
                Err(ChangeError::Conflict(places)) => places,
                Err(error) => return Err(refused(error)),
            };
            if broken.iter().any(|place| *place < batch.preconditions.len()) {
                return Err(ConflictedPrecondition.into());
            }
            let ids = broken.iter().filter_map(|place| demands.get(place - batch.preconditions.len())).copied();
            let found = self.look(partition, batch, &wishes, ids.collect()).await?;
            taken.extend(found);
        }
        Err(Error::Unavailable("a blob is linked and unlinked by many at once".into()).into())
    }

    /// What each blob probably is.
    async fn guess(
        &self,
        partition: &Partition,
        batch: &Batch,
        wishes: &BTreeMap<BlobId, Wish>,
    ) -> Result<HashMap<BlobId, Taken>, CommitError> {
        let mut taken = HashMap::new();
        let mut unknown = Vec::new();
        for (id, wish) in wishes {
            if let Some(intent) = self.blobs.pending().intent(*id).filter(|_| wish.link > 0) {
                taken.insert(*id, Taken::Fresh(intent));
            } else if wish.link > 0 {
                unknown.push(*id);
            } else {
                taken.insert(*id, Taken::Owned(1));
            }
        }
        if !unknown.is_empty() {
            taken.extend(self.look(partition, batch, wishes, unknown).await?);
        }
        Ok(taken)
    }

    /// What blobs are. One that is to be linked and has no owner cannot be.
    async fn look(
        &self,
        partition: &Partition,
        batch: &Batch,
        wishes: &BTreeMap<BlobId, Wish>,
        ids: Vec<BlobId>,
    ) -> Result<HashMap<BlobId, Taken>, CommitError> {
        let omap_keys = ids.iter().map(|id| owners_key(&partition.name, *id)).collect();
        let entries = self.index.get(partition, omap_keys).await?;
        let mut found = HashMap::new();
        for id in ids {
            let owners = match entries.get(&owners_key(&partition.name, id)) {
                None => 0,
                Some(value) => {
                    parse_owners(value).ok_or_else(|| Error::Damaged("the number of a blob's owners".into()))?
                }
            };
            let is_linked = wishes.get(&id).is_some_and(|wish| wish.link > 0);
            if owners == 0 && is_linked {
                self.blobs.pending().forget_finished(id);
                // A batch that could not be committed anyway is refused for that.
                let checks = Change { set: Vec::new(), remove: Vec::new(), ..records(partition, batch) };
                self.index.change(partition, checks).await.map_err(refused)?;
                return Err(Error::NoSuchBlob(id).into());
            }
            if owners == 0 {
                // The record that named it goes all the same: refusing would make it undeletable.
                tracing::warn!(blob = %id, "a blob without owners is unlinked");
            }
            found.insert(id, Taken::Owned(owners));
        }
        Ok(found)
    }

    /// What was fresh is linked.
    fn settle(&self, taken: &HashMap<BlobId, Taken>) {
        for (id, taken) in taken {
            if matches!(taken, Taken::Fresh(_)) {
                self.blobs.pending().forget(*id);
            }
        }
    }
}

fn wishes(batch: &Batch) -> BTreeMap<BlobId, Wish> {
    let mut wishes = BTreeMap::<_, Wish>::new();
    for id in &batch.link {
        wishes.entry(*id).or_default().link += 1;
    }
    for id in &batch.unlink {
        wishes.entry(*id).or_default().unlink += 1;
    }
    wishes
}

/// The records of a batch in the words of the omap.
fn records(partition: &Partition, batch: &Batch) -> Change {
    let compare = batch.preconditions.iter().map(|precondition| match precondition {
        Precondition::Absent(key) => (names::record(partition, key), Bytes::new()),
        Precondition::Unchanged(key, value) => (names::record(partition, key), names::value(value)),
    });
    let set = batch.put.iter().map(|(key, value)| (names::record(partition, key), names::value(value)));
    let remove = batch.delete.iter().map(|key| names::record(partition, key));
    let puts = !batch.put.is_empty() || !batch.link.is_empty();
    Change { compare: compare.collect(), set: set.collect(), remove: remove.collect(), puts }
}

/// The records and the blobs of a batch, and to which blob each demand behind those of the records belongs.
fn with_blobs(
    partition: &Partition,
    batch: &Batch,
    wishes: &BTreeMap<BlobId, Wish>,
    taken: &HashMap<BlobId, Taken>,
) -> (Change, Vec<BlobId>) {
    let mut change = records(partition, batch);
    let mut demands = Vec::new();
    for (id, wish) in wishes {
        let owners_key = owners_key(&partition.name, *id);
        let before = match taken.get(id) {
            Some(Taken::Fresh(intent)) => {
                change.compare.push(intent.entry());
                change.remove.push(intent.entry().0);
                0
            }
            Some(Taken::Owned(owners)) => {
                let demanded = if *owners == 0 { Bytes::new() } else { owners_value(*owners) };
                change.compare.push((owners_key.clone(), demanded));
                *owners
            }
            None => continue,
        };
        demands.push(*id);
        let linked = before.saturating_add(wish.link);
        let after = linked.saturating_sub(wish.unlink);
        if after > 0 {
            change.set.push((owners_key, owners_value(after)));
        } else if linked > 0 {
            change.remove.push(owners_key);
            change.set.push(Garbage::now(&partition.name, *id).entry());
        }
    }
    (change, demands)
}

fn refused(error: ChangeError) -> CommitError {
    match error {
        ChangeError::Conflict(_) => ConflictedPrecondition.into(),
        ChangeError::Retired => ScopeRetired.into(),
        ChangeError::Store(error) => error.into(),
    }
}

/// How often others may change the owners of a blob meanwhile.
const ATTEMPTS: usize = 64;

#[cfg(test)]
mod tests;
