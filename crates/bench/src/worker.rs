//! A worker: one connection, one request at a time, phase after phase.

use crate::args::Operation;
use crate::error::Failure;
use crate::pattern::SplitMix;
use crate::phase::{Phase, Step};
use crate::plan::Plan;
use crate::requests::{Listing, Requests};
use crate::tally::Tally;
use std::sync::Arc;
use tokio::time::Instant;

/// A worker; its connection outlives phases.
pub(crate) struct Worker {
    number: usize,
    requests: Requests,
    plan: Arc<Plan>,
    random: SplitMix,
    listing: Listing,
    own: OwnObjects,
}

/// Objects of the mixed load that this worker alone writes and deletes, so that no worker deletes what another one
/// is reading.
#[derive(Default)]
struct OwnObjects {
    alive: Vec<u64>,
    next: u64,
}

impl Worker {
    pub(crate) fn new(number: usize, requests: Requests, plan: Arc<Plan>) -> Self {
        // Each worker makes its own choices, the same in every run and on every endpoint.
        let random = SplitMix::new(number as u64);
        Self { number, requests, plan, random, listing: Listing::default(), own: OwnObjects::default() }
    }

    pub(crate) fn requests(&mut self) -> &mut Requests {
        &mut self.requests
    }

    /// Works until the phase is over; what is under way then is finished and counted.
    pub(crate) async fn run(mut self, phase: Arc<Phase>) -> (Self, Tally) {
        let mut tally = Tally::default();
        self.listing = Listing::default();
        while let Some(index) = phase.claim() {
            let begun = Instant::now();
            let Some((operation, result)) = self.step(&phase, index).await else { break };
            phase.finish(result.is_ok());
            match result {
                Ok(bytes) => tally.succeeded(operation, begun.elapsed(), bytes),
                Err(failure) => tally.failed(operation, &failure),
            }
        }
        (self, tally)
    }

    /// One operation; nothing when the worker has no more to do in this phase.
    async fn step(&mut self, phase: &Phase, index: u64) -> Option<(Operation, Result<u64, Failure>)> {
        let folder = phase.folder.as_str();
        let in_turn = || self.plan.object_key(folder, index % phase.names);
        let (operation, result) = match phase.step {
            Step::Put => (Operation::Put, self.requests.put(&in_turn()).await),
            Step::Multipart => (Operation::Multipart, self.requests.multipart(&in_turn()).await),
            Step::Delete => (Operation::Delete, self.requests.delete(&in_turn()).await),
            // Read back in turn when every object is to be seen once, at random otherwise.
            Step::ReadBack => (Operation::Get, self.requests.get(&in_turn()).await),
            Step::Get => (Operation::Get, self.get_any(phase).await),
            Step::Head => (Operation::Head, self.head_any(phase).await),
            Step::Rekey => {
                let object_key = self.any(phase);
                (Operation::Rekey, self.requests.rekey(&object_key).await)
            }
            Step::Range => {
                let object_key = self.any(phase);
                let offset = self.random.below(self.plan.size - self.plan.range_size + 1);
                (Operation::Range, self.requests.range(&object_key, offset).await)
            }
            Step::List => (Operation::List, self.requests.list(&mut self.listing, folder, phase.names).await),
            Step::Mixed => self.mixed(phase).await,
            Step::DeleteOwn => {
                let index = self.own.alive.pop()?;
                let object_key = self.own_key(index);
                (Operation::Delete, self.requests.delete(&object_key).await)
            }
        };
        Some((operation, result))
    }

    async fn mixed(&mut self, phase: &Phase) -> (Operation, Result<u64, Failure>) {
        match self.random.below(100) {
            0..45 => (Operation::Get, self.get_any(phase).await),
            45..75 => (Operation::Head, self.head_any(phase).await),
            choice => match self.own.alive.pop() {
                Some(index) if choice >= 90 => {
                    let object_key = self.own_key(index);
                    (Operation::Delete, self.requests.delete(&object_key).await)
                }
                // A put, or a delete of a worker that has nothing to delete yet.
                other => {
                    self.own.alive.extend(other);
                    (Operation::Put, self.put_own().await)
                }
            },
        }
    }

    async fn put_own(&mut self) -> Result<u64, Failure> {
        let index = self.own.next;
        self.own.next += 1;
        // Noted before it is known to exist: after a timeout it may, and deleting what is not there does no harm.
        self.own.alive.push(index);
        let object_key = self.own_key(index);
        self.requests.put(&object_key).await
    }

    async fn get_any(&mut self, phase: &Phase) -> Result<u64, Failure> {
        let object_key = self.any(phase);
        self.requests.get(&object_key).await
    }

    async fn head_any(&mut self, phase: &Phase) -> Result<u64, Failure> {
        let object_key = self.any(phase);
        self.requests.head(&object_key).await
    }

    fn any(&mut self, phase: &Phase) -> String {
        self.plan.object_key(&phase.folder, self.random.below(phase.names))
    }

    fn own_key(&self, index: u64) -> String {
        self.plan.object_key(&format!("worker-{}", self.number), index)
    }
}
