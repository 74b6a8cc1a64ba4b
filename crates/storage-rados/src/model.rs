//! RADOS in memory, for tests: the semantics of a cluster, and faults that a cluster would show once in a year.
//!
//! A [`Model`] is the cluster; each [`Gateway`] is one process that is connected to it and can be killed, delayed and lied
//! to. Nothing here depends on time or chance but locks and watches that expire, which follow tokio's clock (so that a test
//! may pause it), and how often an operation yields before and after its effect, which follows a seed. On a runtime with
//! one thread every run of a test is the same.
//!
//! Left out: snapshots, classes other than locks, and that a pool's objects are spread over OSDs.

mod faults;
mod gateway;
mod object;
mod tests;
mod watches;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::time::Instant;

pub(crate) use self::faults::{Fault, Gate, Kind, Operation};
pub(crate) use self::gateway::Gateway;
use self::object::Object;
use self::watches::{Event, Watches};
use crate::rados::{PoolId, RadosError};

/// A cluster. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Model {
    shared: Arc<Shared>,
}

/// What a pool is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PoolKind {
    /// Copies: everything is possible.
    Replicated,
    /// Erasure-coded, without overwrites: no omap, and writes only at the end of an object, at multiples of this.
    ErasureCoded {
        /// In bytes.
        alignment: u64,
    },
}

/// What the gateways share.
struct Shared {
    state: Mutex<State>,
    started: Instant,
}

/// Everything that a cluster remembers.
struct State {
    pools: BTreeMap<PoolId, Pool>,
    watches: Watches,
    /// What watchers have to be told as soon as nobody holds the lock.
    events: Vec<Event>,
    gateways: u64,
    seed: u64,
}

struct Pool {
    name: String,
    kind: PoolKind,
    is_full: bool,
    /// By a hash of their name, as RADOS keeps them, then by name.
    objects: BTreeMap<(u64, String), Object>,
}

impl Model {
    /// A cluster without pools, whose operations yield as `seed` says.
    pub(crate) fn new(seed: u64) -> Self {
        let state = State {
            pools: BTreeMap::new(),
            watches: Watches::default(),
            events: Vec::new(),
            gateways: 0,
            seed: seed ^ 0x9e37_79b9_7f4a_7c15,
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), started: Instant::now() }) }
    }

    /// A cluster with the replicated pools `canopic-data` and `canopic-index`.
    pub(crate) fn with_pools(seed: u64) -> Self {
        let model = Self::new(seed);
        model.create_pool("canopic-data", PoolKind::Replicated);
        model.create_pool("canopic-index", PoolKind::Replicated);
        model
    }

    /// Makes a pool.
    pub(crate) fn create_pool(&self, name: &str, kind: PoolKind) -> PoolId {
        let mut state = self.shared.lock();
        let id = PoolId(u32::try_from(state.pools.len()).expect("tests make few pools") + 1);
        state.pools.insert(id, Pool { name: name.to_owned(), kind, is_full: false, objects: BTreeMap::new() });
        id
    }

    /// Lets a pool be full, or not. As in RADOS, whatever adds neither bytes nor objects goes through all the same; so
    /// do entries of an omap that is there already.
    pub(crate) fn set_full(&self, pool: PoolId, is_full: bool) {
        self.shared.lock().pools.get_mut(&pool).expect("the pool was made").is_full = is_full;
    }

    /// Connects a further process.
    pub(crate) fn gateway(&self) -> Arc<Gateway> {
        let id = {
            let mut state = self.shared.lock();
            state.gateways += 1;
            state.gateways
        };
        Arc::new(Gateway::new(Arc::clone(&self.shared), id))
    }

    /// The names of all objects of a pool, in order.
    pub(crate) fn objects(&self, pool: PoolId) -> Vec<String> {
        let state = self.shared.lock();
        let mut names: Vec<_> = state.pools[&pool].objects.keys().map(|(_, name)| name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// The omap of an object; empty when there is none.
    pub(crate) fn omap(&self, pool: PoolId, object: &str) -> BTreeMap<Vec<u8>, Bytes> {
        let state = self.shared.lock();
        state.pools[&pool].objects.get(&place(object)).map(|object| object.omap.clone()).unwrap_or_default()
    }
}

impl Shared {
    /// Does something to the state at one instant, then tells watchers what follows from it.
    fn apply<T>(&self, effect: impl FnOnce(&mut State) -> T) -> T {
        let (result, events) = {
            let mut state = self.lock();
            let result = effect(&mut state);
            (result, std::mem::take(&mut state.events))
        };
        events.into_iter().for_each(Event::tell);
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // An effect that panics is a mistake of a test, which fails anyway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since 1970, were it a day long ago when the cluster was made.
    fn seconds(&self) -> u64 {
        1_700_000_000 + self.started.elapsed().as_secs()
    }
}

impl State {
    fn pool(&self, pool: PoolId) -> Result<&Pool, RadosError> {
        self.pools.get(&pool).ok_or(RadosError::NotFound)
    }

    fn pool_mut(&mut self, pool: PoolId) -> Result<&mut Pool, RadosError> {
        self.pools.get_mut(&pool).ok_or(RadosError::NotFound)
    }

    /// The next of a row of numbers that the seed decides.
    fn chance(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below
    }
}

/// Where an object stands in its pool.
fn place(object: &str) -> (u64, String) {
    (BuildHasherDefault::<DefaultHasher>::default().hash_one(object), object.to_owned())
}
