//! One process that is connected to the model of a cluster.

use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::faults::Faults;
use super::object::{self, Locker};
use super::watches::Handle;
use super::{Fault, Kind, Operation, PoolKind, Shared, State, place};
use crate::rados::{PoolId, Rados, RadosError, ReadAnswer, ReadStep, Watch, Watcher, WriteStep};

/// See the module.
pub(crate) struct Gateway {
    shared: Arc<Shared>,
    id: u64,
    faults: Mutex<Faults>,
}

/// How one operation fared on its way.
struct Request<'a> {
    kind: Kind,
    pool: PoolId,
    object: &'a str,
    steps: &'a [WriteStep],
}

impl Gateway {
    pub(super) fn new(shared: Arc<Shared>, id: u64) -> Self {
        Self { shared, id, faults: Mutex::default() }
    }

    /// Lets the operation that comes after `later` others have this fault.
    pub(crate) fn plan(&self, later: u64, fault: Fault) {
        let mut faults = self.faults();
        let number = faults.operations() + later;
        faults.plan(number, fault);
    }

    /// Asks `hook` about every operation for which nothing is planned.
    pub(crate) fn set_hook(&self, hook: impl FnMut(&Operation<'_>) -> Fault + Send + 'static) {
        self.faults().set_hook(Box::new(hook));
    }

    /// From now on nothing goes wrong. It does not wake the dead.
    pub(crate) fn clear_faults(&self) {
        self.faults().clear();
    }

    /// How many operations were sent.
    pub(crate) fn operations(&self) -> u64 {
        self.faults().operations()
    }

    /// How many of a kind.
    pub(crate) fn count(&self, kind: Kind) -> u64 {
        self.faults().count(kind)
    }

    /// Kills the process: whatever it asks from now on fails, what is on its way may still happen, and RADOS believes in
    /// its watches and locks for a while.
    pub(crate) fn kill(&self) {
        self.faults().die();
        self.shared.apply(|state| state.watches.die(self.id));
    }

    /// Whether it was killed.
    pub(crate) fn is_dead(&self) -> bool {
        self.faults().is_dead()
    }

    /// Ends all watches of this process and tells them so.
    pub(crate) fn break_watches(&self) {
        self.shared.apply(|state| state.break_watches(|_, _, gateway| gateway == self.id));
    }

    /// Lets the present watches of this process hear nothing, without anybody knowing, or hear again.
    pub(crate) fn set_deaf(&self, deaf: bool) {
        self.shared.apply(|state| state.watches.set_deaf(self.id, deaf));
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an operation and waits for its answer.
    async fn send<T: Send + 'static>(
        &self,
        request: Request<'_>,
        effect: impl FnOnce(&mut State) -> Result<T, RadosError> + Send + 'static,
    ) -> Result<T, RadosError> {
        if request.object.contains('\0') {
            return Err(RadosError::Other(EINVAL));
        }
        let fault = self.faults().next(request.kind, request.pool, request.object, request.steps);
        self.dawdle().await;
        let answer = match fault {
            Fault::None => self.shared.apply(effect),
            Fault::Fail(error) => Err(error),
            Fault::Lose => self.shared.apply(effect).and(Err(RadosError::TimedOut)),
            Fault::Late(gate) => {
                let shared = Arc::clone(&self.shared);
                gate.pass(move || drop(shared.apply(effect)));
                Err(RadosError::TimedOut)
            }
            Fault::Hold(gate) => {
                let shared = Arc::clone(&self.shared);
                let (answer, answered) = oneshot::channel();
                gate.pass(move || drop(answer.send(shared.apply(effect))));
                answered.await.unwrap_or(Err(RadosError::TimedOut))
            }
            Fault::Die => {
                self.kill();
                Err(DEAD)
            }
            Fault::DieAfter => {
                let _ = self.shared.apply(effect);
                self.kill();
                Err(DEAD)
            }
        };
        self.dawdle().await;
        if self.is_dead() { Err(DEAD) } else { answer }
    }

    async fn dawdle(&self) {
        let times = self.shared.lock().chance(4);
        for _ in 0..times {
            yield_now().await;
        }
    }
}

#[async_trait]
impl Rados for Gateway {
    async fn write(&self, pool: PoolId, object: &str, steps: Vec<WriteStep>) -> Result<(), RadosError> {
        let (name, seconds) = (object.to_owned(), self.shared.seconds());
        let sent = steps.clone();
        let request = Request { kind: Kind::Write, pool, object, steps: &sent };
        self.send(request, move |state| state.write(pool, &name, &steps, seconds)).await
    }

    async fn read(&self, pool: PoolId, object: &str, steps: Vec<ReadStep>) -> Result<Vec<ReadAnswer>, RadosError> {
        let name = object.to_owned();
        let request = Request { kind: Kind::Read, pool, object, steps: &[] };
        self.send(request, move |state| {
            let pool = state.pool(pool)?;
            object::read(pool.kind, pool.objects.get(&place(&name)), &steps)
        })
        .await
    }

    async fn list(&self, pool: PoolId, after: Option<String>) -> Result<(Vec<String>, Option<String>), RadosError> {
        let start = match after {
            None => Bound::Unbounded,
            Some(token) => {
                let (hash, name) = token.split_once('.').ok_or(RadosError::Other(EINVAL))?;
                let hash = u64::from_str_radix(hash, 16).map_err(|_| RadosError::Other(EINVAL))?;
                Bound::Excluded((hash, name.to_owned()))
            }
        };
        let request = Request { kind: Kind::List, pool, object: "", steps: &[] };
        self.send(request, move |state| {
            let mut objects = state.pool(pool)?.objects.range((start, Bound::Unbounded)).map(|(place, _)| place);
            let page: Vec<_> = objects.by_ref().take(LIST_PAGE).collect();
            let last = page.last().map(|(hash, name)| format!("{hash:x}.{name}"));
            let next = if objects.next().is_some() { last } else { None };
            Ok((page.into_iter().map(|(_, name)| name.clone()).collect(), next))
        })
        .await
    }

    async fn lock(
        &self,
        pool: PoolId,
        object: &str,
        name: &'static str,
        cookie: &str,
        time: Duration,
    ) -> Result<bool, RadosError> {
        let place = place(object);
        let (locker, seconds) = (Locker { gateway: self.id, cookie: cookie.to_owned() }, self.shared.seconds());
        let request = Request { kind: Kind::Lock, pool, object, steps: &[] };
        self.send(request, move |state| {
            let pool = state.pool_mut(pool)?;
            if pool.is_full && !pool.objects.contains_key(&place) {
                return Err(RadosError::Full);
            }
            let object = pool.objects.entry(place).or_default();
            object.modified = seconds;
            let now = Instant::now();
            let is_held = object.locks.get(name).is_some_and(|(holder, until)| *holder != locker && *until > now);
            if !is_held {
                object.locks.insert(name, (locker, now + time));
            }
            Ok(!is_held)
        })
        .await
    }

    async fn unlock(&self, pool: PoolId, object: &str, name: &'static str, cookie: &str) -> Result<(), RadosError> {
        let place = place(object);
        let locker = Locker { gateway: self.id, cookie: cookie.to_owned() };
        let request = Request { kind: Kind::Unlock, pool, object, steps: &[] };
        self.send(request, move |state| {
            if let Some(object) = state.pool_mut(pool)?.objects.get_mut(&place)
                && object.locks.get(name).is_some_and(|(holder, _)| *holder == locker)
            {
                object.locks.remove(name);
            }
            Ok(())
        })
        .await
    }

    async fn watch(&self, pool: PoolId, object: &str, watcher: Arc<dyn Watcher>) -> Result<Box<dyn Watch>, RadosError> {
        let (name, gateway, shared) = (object.to_owned(), self.id, Arc::downgrade(&self.shared));
        let request = Request { kind: Kind::Watch, pool, object, steps: &[] };
        self.send(request, move |state| {
            if !state.pool(pool)?.objects.contains_key(&place(&name)) {
                return Err(RadosError::NotFound);
            }
            let id = state.watches.add(pool, &name, gateway, watcher);
            Ok(Box::new(Handle { shared, id }) as Box<dyn Watch>)
        })
        .await
    }

    async fn notify(&self, pool: PoolId, object: &str, payload: Bytes, time: Duration) -> Result<(), RadosError> {
        let name = object.to_owned();
        let request = Request { kind: Kind::Notify, pool, object, steps: &[] };
        let sent = self.send(request, move |state| {
            if !state.pool(pool)?.objects.contains_key(&place(&name)) {
                return Err(RadosError::NotFound);
            }
            Ok(state.notify(pool, &name, &payload))
        });
        if sent.await? {
            sleep(time).await;
            return Err(RadosError::TimedOut);
        }
        Ok(())
    }

    async fn pool(&self, name: &str) -> Result<PoolId, RadosError> {
        let state = self.shared.lock();
        let found = state.pools.iter().find(|(_, pool)| pool.name == name);
        found.map(|(id, _)| *id).ok_or(RadosError::NotFound)
    }

    async fn alignment(&self, pool: PoolId) -> Result<Option<u64>, RadosError> {
        Ok(match self.shared.lock().pool(pool)?.kind {
            PoolKind::Replicated => None,
            PoolKind::ErasureCoded { alignment } => Some(alignment),
        })
    }
}

impl State {
    fn write(&mut self, pool: PoolId, name: &str, steps: &[WriteStep], seconds: u64) -> Result<(), RadosError> {
        let id = pool;
        let pool = self.pool_mut(pool)?;
        let before = pool.objects.get(&place(name));
        let after = object::write(pool.kind, before, steps, seconds)?;
        let grows =
            after.as_ref().is_some_and(|after| before.is_none_or(|before| after.data.len() > before.data.len()));
        if pool.is_full && grows {
            return Err(RadosError::Full);
        }
        match (pool.objects.entry(place(name)), after) {
            (Entry::Occupied(entry), None) => {
                entry.remove();
                self.break_watches(|pool, object, _| (pool, object) == (id, name));
            }
            (Entry::Vacant(_), None) => {}
            (entry, Some(after)) => {
                entry.insert_entry(after);
            }
        }
        Ok(())
    }
}

/// What a process that is dead would be told.
const DEAD: RadosError = RadosError::Other(108);
const EINVAL: i32 = 22;
/// Names in a page of a listing: few, so that tests turn pages.
const LIST_PAGE: usize = 50;
