//! All that happens on one endpoint: prepare, rounds, clean up.

use crate::args::{MAX_COUNT, Operation};
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::error::{BenchError, Failure};
use crate::pattern::Pattern;
use crate::phase::{Limits, Phase, Step};
use crate::plan::Plan;
use crate::process::{Usage, Watch};
use crate::progress::Progress;
use crate::requests::Requests;
use crate::tally::Tally;
use crate::worker::Worker;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// An endpoint with its workers.
pub(crate) struct Session {
    endpoint: Arc<Endpoint>,
    plan: Arc<Plan>,
    workers: Vec<Worker>,
    progress: Progress,
}

/// What one round measured.
pub(crate) struct Round {
    pub tally: Tally,
    /// From the first operation's begin to the last one's end.
    pub elapsed: Duration,
    pub server: Option<Usage>,
    pub client: Option<Usage>,
}

impl Session {
    pub(crate) fn new(endpoint: Endpoint, plan: Arc<Plan>, pattern: Pattern, progress: Progress) -> Self {
        let endpoint = Arc::new(endpoint);
        let worker = |number| {
            let client = Client::new(endpoint.clone(), plan.clone());
            Worker::new(number, Requests::new(client, plan.clone(), pattern.clone()), plan.clone())
        };
        let workers = (0..plan.concurrency).map(worker).collect();
        Self { endpoint, plan, workers, progress }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Makes the bucket and the objects that are read.
    pub(crate) async fn prepare(&mut self) -> Result<(), BenchError> {
        let region = self.endpoint.credentials.region.clone();
        let first = self.workers.first_mut().ok_or(BenchError::WorkerLost)?;
        let bucket = first.requests().ensure_bucket(&region).await;
        bucket.map_err(|failure| self.broken("making the bucket", failure.to_string()))?;
        if reads(self.plan.operation) {
            self.write_all(READ_FOLDER, self.plan.object_count).await?;
        }
        Ok(())
    }

    /// Connects, warms up, measures, reads back what was written, and deletes it.
    pub(crate) async fn round(&mut self, number: u32) -> Result<Round, BenchError> {
        self.connect().await?;
        self.warm_up(number).await?;
        let folder = self.folder(number);
        let names = match self.plan.operation {
            Operation::Put | Operation::Multipart => self.plan.write_names,
            Operation::Delete => self.plan.count,
            _ => self.plan.object_count,
        };
        if self.plan.operation == Operation::Delete {
            self.write_all(&folder, self.plan.count).await?;
        }
        let limits = Limits { count: self.plan.count, duration: self.plan.duration, max_errors: self.plan.max_errors };
        let mut server = Watch::begin(&self.endpoint.processes)?;
        let mut client = Watch::own()?;
        // The phase's clock starts here, behind the reading of counters, which takes its time too.
        let phase = Arc::new(Phase::new(step_of(self.plan.operation), folder.as_str(), names, limits));
        let mut tally = self.run(&phase, &format!("round {number}"), server.as_mut()).await?;
        let elapsed = phase.elapsed();
        let server = server.as_mut().map(Watch::usage).transpose()?;
        let client = client.as_mut().map(Watch::usage).transpose()?;
        let written = phase.claimed().min(names);
        if self.plan.verify && writes(self.plan.operation) {
            let read_back = Phase::new(Step::ReadBack, folder.as_str(), names, everything(written));
            tally.merge_errors(&self.run(&Arc::new(read_back), "reading back", None).await?);
        }
        if writes(self.plan.operation) || (self.plan.operation == Operation::Delete && written < names) {
            self.delete_all(&folder, names.min(phase.claimed().max(written))).await?;
        }
        Ok(Round { tally, elapsed, server, client })
    }

    /// Deletes what [`Session::prepare`] wrote, and what workers wrote for themselves.
    pub(crate) async fn clean_up(&mut self) -> Result<(), BenchError> {
        if reads(self.plan.operation) {
            self.delete_all(READ_FOLDER, self.plan.object_count).await?;
        }
        if self.plan.operation == Operation::Mixed && !self.plan.keep {
            let phase = Phase::new(Step::DeleteOwn, "", 1, everything(u64::MAX));
            self.run(&Arc::new(phase), "cleaning up", None).await?;
        }
        Ok(())
    }

    /// Opens every connection, so that a round measures requests and not handshakes.
    async fn connect(&mut self) -> Result<(), BenchError> {
        let mut opening = JoinSet::new();
        for mut worker in self.workers.drain(..) {
            opening.spawn(async move {
                let result = worker.requests().connect().await;
                (worker, result)
            });
        }
        let mut failed: Option<Failure> = None;
        while let Some(joined) = opening.join_next().await {
            let (worker, result) = joined.map_err(|_| BenchError::WorkerLost)?;
            self.workers.push(worker);
            failed = failed.or(result.err());
        }
        failed.map_or(Ok(()), |failure| Err(self.broken("connecting", failure.to_string())))
    }

    async fn warm_up(&mut self, number: u32) -> Result<(), BenchError> {
        let operation = self.plan.operation;
        if self.plan.warmup.is_zero() || operation == Operation::Delete {
            return Ok(());
        }
        let folder = if writes(operation) { format!("warm-up-{number}") } else { READ_FOLDER.to_owned() };
        let names = if writes(operation) { self.plan.write_names } else { self.plan.object_count };
        let limits = Limits { count: MAX_COUNT, duration: self.plan.warmup, max_errors: self.plan.max_errors };
        let phase = Arc::new(Phase::new(step_of(operation), folder.as_str(), names, limits));
        self.run(&phase, "warming up", None).await?;
        if writes(operation) {
            self.delete_all(&folder, phase.claimed().min(names)).await?;
        }
        Ok(())
    }

    async fn write_all(&mut self, folder: &str, count: u64) -> Result<(), BenchError> {
        let limits = Limits { max_errors: 1, ..everything(count) };
        let step = if self.plan.in_parts { Step::Multipart } else { Step::Put };
        let phase = Arc::new(Phase::new(step, folder, count, limits));
        let tally = self.run(&phase, "preparing", None).await?;
        match tally.errors().first_key_value() {
            Some((failure, _)) => Err(self.broken("writing the objects", failure.clone())),
            None if phase.finished() < count => {
                Err(self.broken("writing the objects", format!("{} of {count} in an hour", phase.finished())))
            }
            None => Ok(()),
        }
    }

    /// Deletes as far as possible: what stays behind does not make the figures wrong.
    async fn delete_all(&mut self, folder: &str, count: u64) -> Result<(), BenchError> {
        if !self.plan.keep && count > 0 {
            let phase = Phase::new(Step::Delete, folder, count, everything(count));
            self.run(&Arc::new(phase), "cleaning up", None).await?;
        }
        Ok(())
    }

    /// Runs a phase on all workers, meanwhile showing the progress and sampling the server's memory.
    async fn run(
        &mut self,
        phase: &Arc<Phase>,
        title: &str,
        mut server: Option<&mut Watch>,
    ) -> Result<Tally, BenchError> {
        let mut running = JoinSet::new();
        for worker in self.workers.drain(..) {
            running.spawn(worker.run(phase.clone()));
        }
        self.progress.begin(&self.endpoint.url, title);
        let mut tally = Tally::default();
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                joined = running.join_next() => {
                    let Some(joined) = joined else { break };
                    let (worker, counted) = joined.map_err(|_| BenchError::WorkerLost)?;
                    self.workers.push(worker);
                    tally.merge(&counted);
                }
                _ = tick.tick() => {
                    self.progress.show(phase);
                    if let Some(server) = server.as_deref_mut() {
                        server.sample()?;
                    }
                }
            }
        }
        self.progress.end();
        Ok(tally)
    }

    /// What a round writes to or reads from.
    fn folder(&self, number: u32) -> String {
        if reads(self.plan.operation) { READ_FOLDER.to_owned() } else { format!("round-{number}") }
    }

    fn broken(&self, step: &'static str, failure: String) -> BenchError {
        BenchError::Preparation { endpoint: self.endpoint.url.clone(), step, failure }
    }
}

fn step_of(operation: Operation) -> Step {
    match operation {
        Operation::Put => Step::Put,
        Operation::Get => Step::Get,
        Operation::Range => Step::Range,
        Operation::Head => Step::Head,
        Operation::Rekey => Step::Rekey,
        Operation::List => Step::List,
        Operation::Delete => Step::Delete,
        Operation::Mixed => Step::Mixed,
        Operation::Multipart => Step::Multipart,
    }
}

/// Whether the objects exist before the first round.
fn reads(operation: Operation) -> bool {
    match operation {
        Operation::Get | Operation::Range | Operation::Head | Operation::Rekey | Operation::List | Operation::Mixed => {
            true
        }
        Operation::Put | Operation::Multipart | Operation::Delete => false,
    }
}

/// Whether a round leaves objects in a folder of its own.
fn writes(operation: Operation) -> bool {
    matches!(operation, Operation::Put | Operation::Multipart)
}

/// Limits of a phase that shall be finished rather than measured.
fn everything(count: u64) -> Limits {
    Limits { count, duration: Duration::from_secs(3600), max_errors: 10 }
}

const READ_FOLDER: &str = "read";
const TICK: Duration = Duration::from_millis(100);
