//! Work on keys that goes through the whole store: counting which keys are needed, wrapping data keys anew, and taking
//! away versions that nothing needs any more. One at a time, in a task of the server's; calls begin it and look at it.
//!
//! Of several gateways that share a store one does a rewrap, and another goes on with it when that one dies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use envelope::KeyId;
use kms::{KeyChangeOperation, KeyName, KeyServiceError, LocalKeyring, PruneError};
use model::Principal;
use operations::{Fault, HeldBy, KeyCensus, Rewrap, Rewrapper, Step};
use storage::Leases;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::key_changes::KeyChanges;
use crate::lease::{self, LEASE_TIME};

/// How often the store or a KMS may fail in a row before the work ends.
const FAILURES_MAX: u32 = 10;
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(3);
/// How often it is looked for a rewrap that nobody goes on with.
const TAKE_UP_EVERY: Duration = Duration::from_secs(30);
/// How often a gateway looks how far another one is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The lease for rewraps.
const REWRAP: &str = "rewrap";
/// Records that are wrapped anew between two looks at the rate and at whether to stop.
const REWRAPS_OF_STEP: u32 = 64;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Counts which keys are needed.
    Census,
    /// Wraps data keys anew: at most so many a second.
    Rewrap(Option<u32>),
    /// Takes away the versions of the keyring's key that no record needs.
    Prune,
}

/// What is known of the work that was begun last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) work: Option<Work>,
    pub(crate) is_running: bool,
    /// Whether it still counts what there is to do.
    pub(crate) is_counting: bool,
    pub(crate) looked_at: u64,
    pub(crate) total: Option<u64>,
    pub(crate) rewrapped: u64,
    pub(crate) failed: u64,
    pub(crate) census: Option<KeyCensus>,
    pub(crate) pruned: Vec<KeyId>,
    pub(crate) error: Option<String>,
}

/// Other work is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("other work on keys is going on: wait for it, or stop it")]
pub(crate) struct Busy;

/// Begins work, looks at it and stops it.
#[derive(Clone)]
pub(crate) struct KeyWork {
    shared: Arc<Shared>,
}

struct Shared {
    rewrapper: Rewrapper,
    keyring: Arc<LocalKeyring>,
    changes: KeyChanges,
    leases: Arc<dyn Leases>,
    state: Mutex<State>,
    begun: Notify,
}

#[derive(Default)]
struct State {
    progress: Progress,
    is_to_stop: bool,
}

/// Why work did not come to its end.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("it was stopped")]
    Stopped,
    #[error("another gateway does this, and goes on: stop it there")]
    Elsewhere,
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Prune(#[from] PruneError),
    #[error("{0} records cannot be read, so nobody knows which keys they need; the log names them")]
    Unreadable(u64),
    #[error(transparent)]
    Keys(#[from] KeyServiceError),
    #[error("it broke off, which is a mistake of the server's: {0}")]
    BrokeOff(#[from] tokio::task::JoinError),
}

impl KeyWork {
    pub(crate) fn new(
        rewrapper: Rewrapper,
        keyring: Arc<LocalKeyring>,
        changes: KeyChanges,
        leases: Arc<dyn Leases>,
    ) -> Self {
        let (state, begun) = (Mutex::default(), Notify::new());
        Self { shared: Arc::new(Shared { rewrapper, keyring, changes, leases, state, begun }) }
    }

    /// Begins work, or joins it when the same is going on; a rewrap takes on the new rate then.
    ///
    /// # Errors
    /// [`Busy`].
    pub(crate) fn begin(&self, work: Work) -> Result<Progress, Busy> {
        let mut state = self.shared.lock();
        if state.progress.is_running {
            let joins = match (state.progress.work, work) {
                (Some(Work::Rewrap(_)), Work::Rewrap(_)) => true,
                (going_on, work) => going_on == Some(work),
            };
            if !joins {
                return Err(Busy);
            }
            state.progress.work = Some(work);
            state.is_to_stop = false;
        } else {
            let is_counting = true;
            state.progress = Progress { work: Some(work), is_running: true, is_counting, ..Progress::default() };
            state.is_to_stop = false;
            self.shared.begun.notify_one();
        }
        Ok(state.progress.clone())
    }

    /// What is known of the work that was begun last.
    pub(crate) fn progress(&self) -> Progress {
        self.shared.lock().progress.clone()
    }

    /// Lets the work end soon, where it is. A rewrap that is stopped is forgotten; what it did stays done.
    pub(crate) fn stop(&self) -> Progress {
        let mut state = self.shared.lock();
        state.is_to_stop = true;
        state.progress.clone()
    }

    /// Takes up a rewrap that an earlier run of the server began, or another gateway that died, and does what is begun
    /// here. Never returns.
    pub(crate) async fn run(self, principal: Principal) {
        let first = self.take_up().await;
        let take_up = async {
            let mut looks_again = first;
            while looks_again {
                tokio::time::sleep(TAKE_UP_EVERY).await;
                looks_again = self.take_up().await;
            }
        };
        tokio::join!(self.clone().run_what_is_begun(principal), take_up);
    }

    /// Returns whether to look again later.
    async fn take_up(&self) -> bool {
        let progress = self.progress();
        let failed_here = matches!(progress.work, Some(Work::Rewrap(_))) && progress.error.is_some();
        // What failed here for long is not tried again by itself: the operator asks for it, or the next start does.
        if progress.is_running || failed_here {
            return true;
        }
        match self.orphan().await {
            Ok(None) => {}
            Ok(Some(rewrap)) => {
                tracing::info!(looked_at = rewrap.looked_at(), total = rewrap.total(), "going on with a rewrap");
                // Other work may have been begun meanwhile and comes first.
                let _ = self.begin(Work::Rewrap(rewrap.rate()));
            }
            Err(error) => {
                tracing::error!(%error, "it cannot be read whether a rewrap is under way");
                // What cannot be read does not become readable; a rewrap that somebody begins takes its place.
                return !matches!(error, Fault::Damaged(_));
            }
        }
        true
    }

    /// A rewrap that nobody goes on with; the lease for it is this process's then.
    async fn orphan(&self) -> Result<Option<Rewrap>, Fault> {
        let Some(rewrap) = self.shared.rewrapper.progress().await? else { return Ok(None) };
        Ok(self.shared.leases.hold(REWRAP, LEASE_TIME).await?.then_some(rewrap))
    }

    /// Does what is begun here, in the name of `principal`. Never returns.
    pub(crate) async fn run_what_is_begun(self, principal: Principal) {
        loop {
            self.shared.begun.notified().await;
            let Some(work) = self.progress().work else { continue };
            // In a task of its own, so that a panic is an end like others. It goes with the set when this one does.
            let (shared, principal) = (Arc::clone(&self.shared), principal.clone());
            let mut running = JoinSet::new();
            running.spawn(async move { shared.work(work, &principal).await });
            let done = match running.join_next().await {
                Some(Ok(done)) => done,
                Some(Err(error)) => Err(WorkError::BrokeOff(error)),
                None => Ok(()),
            };
            let mut state = self.shared.lock();
            state.progress.is_running = false;
            state.progress.error = done.err().map(|error| error.to_string());
            match &state.progress.error {
                None => tracing::info!(?work, looked_at = state.progress.looked_at, "work on keys is done"),
                Some(error) => tracing::warn!(?work, error, "work on keys ended before its end"),
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told_to_stop(&self) -> bool {
        self.lock().is_to_stop
    }

    async fn work(&self, work: Work, principal: &Principal) -> Result<(), WorkError> {
        match work {
            Work::Census => self.count().await.map(drop),
            Work::Rewrap(rate) => self.rewrap(rate, principal).await,
            Work::Prune => self.prune(principal).await,
        }
    }

    async fn count(&self) -> Result<KeyCensus, WorkError> {
        let progress = |looked_at| self.lock().progress.looked_at = looked_at;
        self.until_stopped(self.rewrapper.census(&progress)).await
    }

    /// Which keys are needed, without a question to any KMS.
    async fn count_needs(&self) -> Result<KeyCensus, WorkError> {
        let progress = |looked_at| self.lock().progress.looked_at = looked_at;
        self.until_stopped(self.rewrapper.needs(&progress)).await
    }

    async fn until_stopped(
        &self,
        census: impl Future<Output = Result<KeyCensus, Fault>>,
    ) -> Result<KeyCensus, WorkError> {
        let census = tokio::select! {
            census = census => census?,
            () = self.stopped() => return Err(WorkError::Stopped),
        };
        let mut state = self.lock();
        state.progress.is_counting = false;
        state.progress.looked_at = census.total();
        state.progress.total = Some(census.total());
        state.progress.census = Some(census.clone());
        Ok(census)
    }

    async fn stopped(&self) {
        while !self.told_to_stop() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn rewrap(&self, rate: Option<u32>, principal: &Principal) -> Result<(), WorkError> {
        let mut was_elsewhere = false;
        loop {
            if self.leases.hold(REWRAP, LEASE_TIME).await.map_err(Fault::from)? {
                let here = async {
                    match was_elsewhere && self.rewrapper.progress().await?.is_none() {
                        true => Ok(()),
                        false => self.rewrap_here(rate, principal).await,
                    }
                };
                if let Some(done) = lease::keep_during(&*self.leases, REWRAP, here).await {
                    if let Err(error) = self.leases.release(REWRAP).await {
                        tracing::debug!(%error, "the lease of a rewrap ends by itself");
                    }
                    return done;
                }
            }
            if self.told_to_stop() {
                return Err(WorkError::Elsewhere);
            }
            if let Some(rewrap) = self.rewrapper.progress().await? {
                was_elsewhere = true;
                self.show(&rewrap);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn rewrap_here(&self, rate: Option<u32>, principal: &Principal) -> Result<(), WorkError> {
        let mut rewrap = match self.rewrapper.under_way().await {
            Ok(Some(rewrap)) => rewrap,
            Err(error) if !matches!(error, Fault::Damaged(_)) => return Err(error.into()),
            // What was under way cannot be read: from the beginning, then. Nothing is done twice.
            Ok(None) | Err(_) => {
                let census = self.count().await?;
                self.rewrapper.begin(census.total(), rate).await?
            }
        };
        self.show(&rewrap);
        let mut failures = 0;
        loop {
            if self.told_to_stop() {
                self.rewrapper.end().await?;
                return Err(WorkError::Stopped);
            }
            if let Some(Work::Rewrap(rate)) = self.lock().progress.work {
                rewrap.set_rate(rate);
            }
            let (began, rate) = (Instant::now(), rewrap.rate());
            let rewraps_max = rate.unwrap_or(REWRAPS_OF_STEP).min(REWRAPS_OF_STEP);
            match self.rewrapper.step(&mut rewrap, principal, rewraps_max).await {
                Ok(Step::Rewrapped(rewrapped)) => {
                    failures = 0;
                    self.show(&rewrap);
                    if let Some(rate) = rate {
                        let due = began + Duration::from_secs(1) * rewrapped / rate;
                        tokio::time::sleep_until(due).await;
                    }
                }
                Ok(Step::Done) => {
                    self.show(&rewrap);
                    return Ok(());
                }
                Err(error) if failures < FAILURES_MAX => {
                    failures += 1;
                    tracing::warn!(%error, failures, "a rewrap waits, then tries again");
                    tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn show(&self, rewrap: &Rewrap) {
        let mut state = self.lock();
        state.progress.is_counting = false;
        state.progress.looked_at = rewrap.looked_at();
        state.progress.total = Some(rewrap.total());
        state.progress.rewrapped = rewrap.rewrapped();
        state.progress.failed = rewrap.failed();
    }

    /// Which versions an operation under way may still write a wrap by, the keyring knows; it refuses those. All others
    /// are in records or nowhere: uploads are counted before objects, and a record that changes is replaced on the
    /// condition that it is unchanged, so no wrap goes from a record that was not counted yet to one that was.
    async fn prune(&self, principal: &Principal) -> Result<(), WorkError> {
        let census = self.count_needs().await?;
        if census.unreadable > 0 {
            return Err(WorkError::Unreadable(census.unreadable));
        }
        let versions = self.keyring.versions();
        let unneeded = versions.iter().filter(|version| !version.is_current);
        let unneeded =
            unneeded.map(|version| version.id).filter(|id| !census.held_by.contains_key(&HeldBy::Keyring(*id)));
        let unneeded: Vec<_> = unneeded.collect();
        if !unneeded.is_empty() {
            self.keyring.prune(&unneeded).await?;
        }
        let changes = self.changes.by(Some(principal));
        for id in &unneeded {
            changes.told(KeyChangeOperation::Prune, Some(KeyName::Keyring(*id)), Ok(())).await?;
            tracing::warn!(%id, "a version of the keyring's key that no record needs was taken away");
        }
        self.lock().progress.pruned = unneeded;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
