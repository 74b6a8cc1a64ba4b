//! Watches of objects.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Shared, State};
use crate::rados::{PoolId, Watch, Watcher};

#[derive(Default)]
pub(super) struct Watches {
    last: u64,
    by_id: BTreeMap<u64, Watching>,
}

struct Watching {
    pool: PoolId,
    object: String,
    gateway: u64,
    watcher: Arc<dyn Watcher>,
    ear: Ear,
}

/// Whether a watcher answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ear {
    Open,
    /// It hears nothing, and RADOS does not know.
    Deaf,
    /// Its process died; RADOS believes in it until then.
    Dead(Instant),
}

/// Something that a watcher is to be told.
pub(super) enum Event {
    Notified(Arc<dyn Watcher>, Bytes),
    Broken(Arc<dyn Watcher>),
}

impl Event {
    pub(super) fn tell(self) {
        match self {
            Self::Notified(watcher, payload) => watcher.notified(&payload),
            Self::Broken(watcher) => watcher.broken(),
        }
    }
}

impl State {
    /// Tells all watchers of an object. Whether one of them will not answer.
    pub(super) fn notify(&mut self, pool: PoolId, object: &str, payload: &Bytes) -> bool {
        self.watches.forget_the_dead();
        let mut unanswered = false;
        for watching in self.watches.by_id.values() {
            if (watching.pool, watching.object.as_str()) != (pool, object) {
                continue;
            }
            match watching.ear {
                Ear::Open => self.events.push(Event::Notified(Arc::clone(&watching.watcher), payload.clone())),
                Ear::Deaf | Ear::Dead(_) => unanswered = true,
            }
        }
        unanswered
    }

    /// Ends watches and tells their watchers.
    pub(super) fn break_watches(&mut self, of: impl Fn(PoolId, &str, u64) -> bool) {
        let broken =
            self.watches.by_id.extract_if(.., |_, watching| of(watching.pool, &watching.object, watching.gateway));
        let living = broken.filter(|(_, watching)| !matches!(watching.ear, Ear::Dead(_)));
        self.events.extend(living.map(|(_, watching)| Event::Broken(watching.watcher)));
    }
}

impl Watches {
    pub(super) fn add(&mut self, pool: PoolId, object: &str, gateway: u64, watcher: Arc<dyn Watcher>) -> u64 {
        self.last += 1;
        let watching = Watching { pool, object: object.to_owned(), gateway, watcher, ear: Ear::Open };
        self.by_id.insert(self.last, watching);
        self.last
    }

    /// Lets the watches of a gateway hear nothing, or hear again.
    pub(super) fn set_deaf(&mut self, gateway: u64, deaf: bool) {
        for watching in self.by_id.values_mut().filter(|watching| watching.gateway == gateway) {
            watching.ear = if deaf { Ear::Deaf } else { Ear::Open };
        }
    }

    /// The process of the watches is gone; RADOS finds out when it has heard nothing for a while.
    pub(super) fn die(&mut self, gateway: u64) {
        let until = Instant::now() + WATCH_TIMEOUT;
        for watching in self.by_id.values_mut().filter(|watching| watching.gateway == gateway) {
            watching.ear = Ear::Dead(until);
        }
    }

    fn forget_the_dead(&mut self) {
        let now = Instant::now();
        self.by_id.retain(|_, watching| !matches!(watching.ear, Ear::Dead(until) if until <= now));
    }
}

/// Ends the watch when it is dropped.
pub(super) struct Handle {
    pub(super) shared: Weak<Shared>,
    pub(super) id: u64,
}

impl Watch for Handle {
    fn is_sound(&self) -> bool {
        self.shared.upgrade().is_some_and(|shared| {
            shared.lock().watches.by_id.get(&self.id).is_some_and(|watching| !matches!(watching.ear, Ear::Dead(_)))
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut state = shared.lock();
        // A process that is dead ends nothing.
        let ended = state.watches.by_id.get(&self.id).is_some_and(|watching| !matches!(watching.ear, Ear::Dead(_)));
        let watching = if ended { state.watches.by_id.remove(&self.id) } else { None };
        drop(state);
        // The watcher may hold what locks the state.
        drop(watching);
    }
}

/// How long RADOS believes in a watcher that says nothing.
const WATCH_TIMEOUT: Duration = Duration::from_secs(30);
