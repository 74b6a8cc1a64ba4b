//! Writes of one blob that are on their way, several at once.
//!
//! Where order matters a write waits for the one before it: the first write of a blob creates its first stripe, and some
//! pools take the bytes of a stripe only in their order. Nothing else is ordered.

use std::sync::Arc;
use std::time::Duration;

use model::BlobId;
use storage::Error;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::layout::Layout;
use crate::error::too_late;
use crate::names;
use crate::rados::{Rados, RadosError, WriteStep};

/// See the module.
pub(super) struct Flights {
    rados: Arc<dyn Rados>,
    layout: Layout,
    id: BlobId,
    deadline: Duration,
    tasks: JoinSet<Result<(), Failed>>,
    /// The first write of the first stripe.
    first: Option<Landing>,
    /// The last write of the last stripe that was written to.
    last: Option<(u64, Landing)>,
    /// How many stripes there may be.
    stripes: u64,
    /// Whether a write failed: then the blob has a hole.
    has_failed: bool,
    /// Whether a write may still happen although it failed.
    is_unsure: bool,
}

/// Turns true when a write has happened, and closes when it has failed.
type Landing = watch::Receiver<bool>;

struct Failed {
    error: Error,
    is_unsure: bool,
}

impl Flights {
    pub(super) fn new(rados: Arc<dyn Rados>, layout: Layout, id: BlobId, deadline: Duration) -> Self {
        let tasks = JoinSet::new();
        let (first, last, stripes) = (None, None, 0);
        Self { rados, layout, id, deadline, tasks, first, last, stripes, has_failed: false, is_unsure: false }
    }

    /// How many stripes may exist.
    pub(super) const fn stripes(&self) -> u64 {
        self.stripes
    }

    /// Sends a write of one stripe; its permit is given back when it is over.
    pub(super) fn send(&mut self, stripe: u64, steps: Vec<WriteStep>, permit: Option<OwnedSemaphorePermit>) {
        let behind = match &self.last {
            Some((last, landing)) if *last == stripe && self.layout.in_order => Some(landing.clone()),
            _ if stripe == 0 => self.first.clone(),
            _ => None,
        };
        let (landed, landing) = watch::channel(false);
        self.first.get_or_insert_with(|| landing.clone());
        self.last = Some((stripe, landing));
        self.stripes = self.stripes.max(stripe + 1);
        let flight = Flight {
            rados: Arc::clone(&self.rados),
            layout: self.layout,
            object: names::stripe_object(self.id, stripe),
            steps,
            deadline: self.deadline,
        };
        self.tasks.spawn(async move {
            let outcome = flight.fly(behind).await;
            if outcome.is_ok() {
                landed.send_replace(true);
            }
            drop(permit);
            outcome
        });
    }

    /// Waits until at most `count` writes are on their way.
    ///
    /// # Errors
    /// When a write failed, now or before.
    pub(super) async fn wait_for(&mut self, count: usize) -> Result<(), Error> {
        while self.tasks.len() > count
            && let Some(outcome) = self.tasks.join_next().await
        {
            let failed = match outcome {
                Ok(Ok(())) => continue,
                Ok(Err(failed)) => failed,
                Err(error) => {
                    Failed { error: Error::Unavailable(format!("a write of a blob: {error}")), is_unsure: true }
                }
            };
            self.has_failed = true;
            self.is_unsure |= failed.is_unsure;
            return Err(failed.error);
        }
        if self.has_failed { Err(Error::Unavailable("an earlier write of the blob failed".into())) } else { Ok(()) }
    }

    /// Waits until nothing is on its way. Whether that is sure.
    pub(super) async fn settle(&mut self) -> bool {
        while !self.tasks.is_empty() {
            // Why it failed was told before, or matters to nobody.
            let _ = self.wait_for(0).await;
        }
        !self.is_unsure
    }
}

struct Flight {
    rados: Arc<dyn Rados>,
    layout: Layout,
    object: String,
    steps: Vec<WriteStep>,
    deadline: Duration,
}

impl Flight {
    async fn fly(self, behind: Option<Landing>) -> Result<(), Failed> {
        if let Some(mut behind) = behind
            && behind.wait_for(|landed| *landed).await.is_err()
        {
            return Err(sure(Error::Unavailable("an earlier write of the blob failed".into())));
        }
        let (until, mut wait) = (Instant::now() + self.deadline, FULL_WAIT);
        loop {
            match self.rados.write(self.layout.place.pool, &self.object, self.steps.clone()).await {
                Ok(()) => return Ok(()),
                // Somebody may make room.
                Err(RadosError::Full) if Instant::now() + wait < until => {
                    sleep(wait).await;
                    wait = (2 * wait).min(FULL_WAIT_MAX);
                }
                Err(RadosError::Full) => return Err(sure(too_late("the data pool was full"))),
                Err(error @ (RadosError::TimedOut | RadosError::Other(_))) => {
                    return Err(Failed { error: error.into(), is_unsure: true });
                }
                Err(error) => return Err(sure(error.into())),
            }
        }
    }
}

const fn sure(error: Error) -> Failed {
    Failed { error, is_unsure: false }
}

const FULL_WAIT: Duration = Duration::from_millis(50);
const FULL_WAIT_MAX: Duration = Duration::from_secs(1);
