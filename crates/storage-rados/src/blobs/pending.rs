//! Blobs of this gateway on their way: being written, or finished and not yet linked.
//!
//! Only in memory: what a killed gateway knew here, its intents still say, and the collector acts on those.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::BlobId;
use tokio::time::Instant;

use super::marks::Intent;

enum Stage {
    /// Being written, or given up and about to go.
    Unreadable,
    Finished {
        intent: Intent,
        since: Instant,
    },
}

/// All blobs in flight.
pub(crate) struct Pending {
    stages: Mutex<Stages>,
    /// How long a finished one is remembered.
    age_max: Duration,
}

#[derive(Default)]
struct Stages {
    by_id: HashMap<BlobId, Stage>,
    /// At how many old ones are looked for.
    prune_at: usize,
}

impl Pending {
    pub(crate) fn new(age_max: Duration) -> Self {
        Self { stages: Mutex::default(), age_max }
    }

    /// A writer begins.
    pub(crate) fn begin(&self, id: BlobId) {
        let mut stages = self.lock();
        stages.by_id.insert(id, Stage::Unreadable);
        if stages.by_id.len() > stages.prune_at {
            // Those that nobody linked; the collector takes their intents at the same age.
            let is_old =
                |stage: &mut Stage| matches!(stage, Stage::Finished { since, .. } if since.elapsed() > self.age_max);
            stages.by_id.retain(|_, stage| !is_old(stage));
            stages.prune_at = (2 * stages.by_id.len()).max(PRUNE_AT_LEAST);
        }
    }

    /// The bytes are durable.
    pub(crate) fn finish(&self, id: BlobId, intent: Intent) {
        self.lock().by_id.insert(id, Stage::Finished { intent, since: Instant::now() });
    }

    /// What a commit demands that links a finished blob for the first time.
    pub(crate) fn intent(&self, id: BlobId) -> Option<Intent> {
        match self.lock().by_id.get(&id)? {
            Stage::Finished { intent, .. } => Some(intent.clone()),
            Stage::Unreadable => None,
        }
    }

    /// Whether this gateway is still writing the blob, or gave it up.
    pub(crate) fn is_unreadable(&self, id: BlobId) -> bool {
        matches!(self.lock().by_id.get(&id), Some(Stage::Unreadable))
    }

    /// The intent of a finished blob turned out to be gone.
    pub(crate) fn forget_finished(&self, id: BlobId) {
        let mut stages = self.lock();
        if matches!(stages.by_id.get(&id), Some(Stage::Finished { .. })) {
            stages.by_id.remove(&id);
        }
    }

    /// The blob is linked or gone.
    pub(crate) fn forget(&self, id: BlobId) {
        self.lock().by_id.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Stages> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const PRUNE_AT_LEAST: usize = 1000;

#[cfg(test)]
mod tests {
    use storage::{Partition, Scope};

    use super::*;

    fn id(number: u32) -> BlobId {
        BlobId::from_bytes(u128::from(number).to_be_bytes())
    }

    #[test]
    fn only_a_finished_blob_has_an_intent_to_demand() {
        let pending = Pending::new(Duration::from_secs(60));
        let intent = Intent::now(&Partition::new(Scope::SYSTEM, *b"name"), id(1), 7);
        assert_eq!(pending.intent(id(1)), None);
        pending.begin(id(1));
        assert!(pending.is_unreadable(id(1)));
        assert_eq!(pending.intent(id(1)), None);
        pending.finish(id(1), intent.clone());
        assert!(!pending.is_unreadable(id(1)));
        assert_eq!(pending.intent(id(1)), Some(intent));
        pending.forget(id(1));
        assert_eq!(pending.intent(id(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn blobs_that_nobody_links_are_forgotten_in_time() {
        let pending = Pending::new(Duration::from_secs(60));
        let partition = Partition::new(Scope::SYSTEM, *b"name");
        for number in 0..10_000 {
            pending.begin(id(number));
            pending.finish(id(number), Intent::now(&partition, id(number), 7));
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert!(pending.lock().by_id.len() < 3000);
        assert!(pending.intent(id(9_500)).is_some(), "it is young");
    }
}
