//! Blobs on their way: being written, or finished and not yet linked.
//!
//! A file is registered here before it is created and until it is linked or deleted, so that the collector can tell
//! a blob in flight from one that a crash left behind.
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::BlobId;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Writing,
    Finished {
        since: Instant,
    },
    /// Named by a batch that is being committed.
    Linking,
    /// Handed to the collector.
    Doomed,
}

/// All blobs in flight.
#[derive(Default)]
pub(crate) struct Pending {
    stages: Mutex<HashMap<BlobId, Stage>>,
}

impl Pending {
    /// A writer is about to create the file.
    pub(crate) fn begin(&self, id: BlobId) {
        self.lock().insert(id, Stage::Writing);
    }

    /// The bytes are durable.
    pub(crate) fn finish(&self, id: BlobId) {
        self.lock().insert(id, Stage::Finished { since: Instant::now() });
    }

    /// Takes a finished blob for a batch; `false` when there is none.
    pub(crate) fn claim(&self, id: BlobId) -> bool {
        match self.lock().get_mut(&id) {
            Some(stage @ Stage::Finished { .. }) => {
                *stage = Stage::Linking;
                true
            }
            _ => false,
        }
    }

    /// Gives a claimed blob back: the batch was not committed, or nobody knows; another one may still link it.
    pub(crate) fn release(&self, id: BlobId) {
        self.finish(id);
    }

    /// The blob is linked or deleted.
    pub(crate) fn forget(&self, id: BlobId) {
        self.lock().remove(&id);
    }

    /// Whether the blob is in flight.
    pub(crate) fn contains(&self, id: BlobId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Whether the blob has no bytes to read: not finished, or given up.
    pub(crate) fn is_unreadable(&self, id: BlobId) -> bool {
        matches!(self.lock().get(&id), Some(Stage::Writing | Stage::Doomed))
    }

    /// A writer was given up.
    pub(crate) fn doom(&self, id: BlobId) {
        self.lock().insert(id, Stage::Doomed);
    }

    /// Whether the blob's writer is still at work.
    pub(crate) fn is_being_written(&self, id: BlobId) -> bool {
        matches!(self.lock().get(&id), Some(Stage::Writing))
    }

    /// Blobs that were finished, or given back, `age_max` ago or earlier, and when that was.
    pub(crate) fn expired(&self, age_max: Duration) -> Vec<(BlobId, Instant)> {
        let expired = |(id, stage): (&BlobId, &Stage)| match stage {
            Stage::Finished { since } if since.elapsed() >= age_max => Some((*id, *since)),
            _ => None,
        };
        self.lock().iter().filter_map(expired).collect()
    }

    /// Dooms a blob that nobody claimed since `since`: from now on nobody can, and the caller deletes it. `false` when
    /// somebody did.
    pub(crate) fn doom_unclaimed(&self, id: BlobId, since: Instant) -> bool {
        match self.lock().get_mut(&id) {
            Some(stage) if *stage == (Stage::Finished { since }) => {
                *stage = Stage::Doomed;
                true
            }
            _ => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BlobId, Stage>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: BlobId = BlobId::from_bytes([1; 16]);

    #[test]
    fn only_a_finished_blob_can_be_claimed_and_only_once() {
        let pending = Pending::default();
        assert!(!pending.claim(ID));
        pending.begin(ID);
        assert!(!pending.claim(ID));
        pending.finish(ID);
        assert!(pending.claim(ID));
        assert!(!pending.claim(ID));
        pending.release(ID);
        assert!(pending.claim(ID));
    }

    #[test]
    fn a_blob_that_is_being_linked_does_not_expire() {
        let pending = Pending::default();
        pending.finish(ID);
        assert!(pending.expired(Duration::from_secs(3600)).is_empty());
        assert!(pending.claim(ID));
        assert!(pending.expired(Duration::ZERO).is_empty());
        pending.release(ID);
        let [(id, since)] = pending.expired(Duration::ZERO)[..] else { panic!("it expired") };
        assert!(pending.doom_unclaimed(id, since));
        assert!(!pending.claim(ID));
        assert!(pending.contains(ID));
    }

    #[test]
    fn a_blob_that_was_claimed_after_it_expired_is_not_doomed() {
        let pending = Pending::default();
        pending.finish(ID);
        let [(id, since)] = pending.expired(Duration::ZERO)[..] else { panic!("it expired") };
        assert!(pending.claim(ID));
        assert!(!pending.doom_unclaimed(id, since));
        std::thread::sleep(Duration::from_millis(1));
        pending.release(ID);
        assert!(!pending.doom_unclaimed(id, since), "it waits anew");
    }
}
