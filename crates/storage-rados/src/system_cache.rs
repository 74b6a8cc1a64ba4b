//! Records of the system scope, kept for less than a second.
//!
//! Every request needs its bucket and its access key. A commit to the system scope tells all gateways, through a watch on
//! the root object, before it is answered; what was read before an entry was told stale is not kept. Whoever could not be
//! told (its watch is broken, it is being killed) believes nothing that is older than [`BELIEVED_FOR`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::rados::Watcher;

/// See the module.
#[derive(Default)]
pub(crate) struct SystemCache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By partition name, then by omap key.
    partitions: HashMap<Vec<u8>, HashMap<Vec<u8>, Kept>>,
    /// Counts everything that made an entry stale.
    generation: u64,
    /// Whether the watch stands.
    is_watched: bool,
}

struct Kept {
    value: Bytes,
    asked: Instant,
}

/// What a look into the cache gave.
pub(crate) enum Looked {
    /// The record as it was less than a second ago, with nothing told since.
    Found(Bytes),
    /// Ask RADOS, and give the answer to [`SystemCache::keep`] with this.
    Ask(Asking),
}

/// When a question was asked.
pub(crate) struct Asking {
    asked: Instant,
    generation: u64,
}

impl SystemCache {
    /// A record, if it may still be believed.
    pub(crate) fn look(&self, name: &[u8], omap_key: &[u8]) -> Looked {
        let (state, now) = (self.lock(), Instant::now());
        let kept = state.partitions.get(name).and_then(|records| records.get(omap_key));
        match kept {
            Some(kept) if state.is_watched && now.duration_since(kept.asked) < BELIEVED_FOR => {
                Looked::Found(kept.value.clone())
            }
            _ => Looked::Ask(Asking { asked: now, generation: state.generation }),
        }
    }

    /// Keeps an answer, unless something was told since it was asked for. That a record is missing is not kept.
    pub(crate) fn keep(&self, name: &[u8], omap_key: &[u8], asking: &Asking, value: &Bytes) {
        let mut state = self.lock();
        if !state.is_watched || state.generation != asking.generation || value.len() > VALUE_LEN_MAX {
            return;
        }
        if state.partitions.len() >= PARTITIONS_MAX {
            state.partitions.clear();
        }
        let kept = Kept { value: value.clone(), asked: asking.asked };
        state.partitions.entry(name.to_vec()).or_default().insert(omap_key.to_vec(), kept);
    }

    /// Forgets the records of a partition.
    pub(crate) fn forget(&self, name: &[u8]) {
        let mut state = self.lock();
        state.generation += 1;
        state.partitions.remove(name);
    }

    /// The watch stands from now on, or no longer does.
    pub(crate) fn set_watched(&self, is_watched: bool) {
        let mut state = self.lock();
        state.generation += 1;
        state.partitions.clear();
        state.is_watched = is_watched;
    }

    /// Whether the watch stands, as far as anybody told.
    pub(crate) fn is_watched(&self) -> bool {
        self.lock().is_watched
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for SystemCache {
    fn notified(&self, payload: &[u8]) {
        self.forget(payload);
    }

    fn broken(&self) {
        self.set_watched(false);
    }
}

/// How long a record is believed after it was asked for.
pub(crate) const BELIEVED_FOR: Duration = Duration::from_millis(900);
/// More partitions than this are forgotten and asked for anew.
const PARTITIONS_MAX: usize = 10_000;
/// Larger records are asked for each time.
const VALUE_LEN_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(cache: &SystemCache) -> Asking {
        match cache.look(b"name", b"record") {
            Looked::Ask(asking) => asking,
            Looked::Found(value) => panic!("nothing is kept: {value:?}"),
        }
    }

    fn is_kept(cache: &SystemCache) -> bool {
        matches!(cache.look(b"name", b"record"), Looked::Found(_))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_believed_for_less_than_a_second_after_the_question() {
        let cache = SystemCache::default();
        cache.set_watched(true);
        let asked = asking(&cache);
        tokio::time::advance(Duration::from_millis(800)).await;
        cache.keep(b"name", b"record", &asked, &Bytes::from_static(b"1"));
        assert!(is_kept(&cache));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(!is_kept(&cache));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_stale_while_it_was_asked_for_is_not_kept() {
        let cache = SystemCache::default();
        cache.set_watched(true);
        let asked = asking(&cache);
        cache.notified(b"name");
        cache.keep(b"name", b"record", &asked, &Bytes::from_static(b"1"));
        assert!(!is_kept(&cache));
        let asked = asking(&cache);
        cache.keep(b"name", b"record", &asked, &Bytes::from_static(b"1"));
        assert!(is_kept(&cache));
        cache.notified(b"name");
        assert!(!is_kept(&cache));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_while_the_watch_is_broken() {
        let cache = SystemCache::default();
        let asked = asking(&cache);
        cache.keep(b"name", b"record", &asked, &Bytes::from_static(b"1"));
        assert!(!is_kept(&cache));
        cache.set_watched(true);
        let asked = asking(&cache);
        cache.keep(b"name", b"record", &asked, &Bytes::from_static(b"1"));
        cache.broken();
        assert!(!is_kept(&cache));
    }
}
