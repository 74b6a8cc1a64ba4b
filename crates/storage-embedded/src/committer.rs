//! The committer thread: the only one that writes records.
//!
//! It takes all that is queued, checks each batch against the state and the batches before it, and writes the good
//! ones in one transaction with one sync: the more writers wait, the more share it. Preconditions need no locks, for
//! there is one writer; readers never wait for it.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use model::BlobId;
use storage::{Batch, CommitError, Partition, RetireError, Scope, ScopeNotEmpty, Table};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::blobs::BlobFiles;
use crate::collector::Errand;
use crate::company::Company;
use crate::engine::{Engine, EngineError, Write};
use crate::group::Group;
use crate::keys;

/// A task and the room that it takes in the queue.
pub(crate) struct Queued {
    pub(crate) task: Task,
    /// Given back when the task is done.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

impl Queued {
    /// Whether somebody waits for the answer who may then come back with the next batch.
    fn has_writer(&self) -> bool {
        matches!(self.task, Task::Commit(..))
    }
}

/// What the committer can be asked for.
pub(crate) enum Task {
    /// Commit a batch.
    Commit(Partition, Batch, oneshot::Sender<Result<(), CommitError>>),
    /// Retire a scope that holds no record in these tables.
    Retire(Scope, Vec<Table>, oneshot::Sender<Result<(), RetireError>>),
    /// Delete the rows of garbage whose files are gone.
    Forget(Vec<BlobId>),
    /// Nothing else is to be done: open the engine again if it failed, and make its next start quick.
    Care,
}

/// The state of the thread.
pub(crate) struct Committer {
    pub(crate) engine: Arc<Engine>,
    pub(crate) files: Arc<BlobFiles>,
}

pub(crate) type Answer = (oneshot::Sender<Result<(), CommitError>>, Result<(), CommitError>);

impl Committer {
    /// Works until every sender is gone and the queue is empty.
    pub(crate) fn run(&self, mut queue: mpsc::Receiver<Queued>) {
        let mut company = Company::default();
        while let Some(first) = queue.blocking_recv() {
            company.wait(|| queue.len() + 1);
            let mut tasks = vec![first];
            while tasks.len() < GROUP_MAX
                && let Ok(next) = queue.try_recv()
            {
                tasks.push(next);
            }
            let (writers, began) = (tasks.iter().filter(|queued| queued.has_writer()).count(), Instant::now());
            // A panic would be a mistake of ours; the askers then get an answer, and the thread goes on.
            if catch_unwind(AssertUnwindSafe(|| self.process(tasks))).is_err() {
                tracing::error!("a group of commits was given up after a panic");
            }
            // More than a group holds cannot arrive.
            company.learn((writers + queue.len()).min(GROUP_MAX), began.elapsed());
        }
    }

    fn process(&self, tasks: Vec<Queued>) {
        let mut tasks = tasks.into_iter().peekable();
        self.engine.recover_if_failed();
        while tasks.peek().is_some() {
            let mut group = Group::new(&self.engine, &self.files.pending, self.files.dir.has_room());
            let mut answers: Vec<Answer> = Vec::new();
            let mut rooms = Vec::new();
            let mut retire = None;
            let mut care = false;
            for Queued { task, room } in tasks.by_ref() {
                rooms.push(room);
                match task {
                    // Nobody waits for it any more, and nothing was done yet.
                    Task::Commit(_, _, answer) if answer.is_closed() => {}
                    Task::Commit(partition, batch, answer) => answers.push((answer, group.add(&partition, batch))),
                    Task::Forget(garbage) => group.forget(&garbage),
                    Task::Care => care = true,
                    Task::Retire(scope, tables, answer) => {
                        // It looks at what the engine holds, so the batches before it are written first.
                        retire = Some((scope, tables, answer));
                        break;
                    }
                }
            }
            if care && answers.is_empty() {
                self.engine.care();
            }
            self.write(group, answers);
            if let Some((scope, tables, answer)) = retire {
                let _ = answer.send(self.retire(scope, &tables));
            }
        }
    }

    pub(crate) fn write(&self, group: Group<'_>, answers: Vec<Answer>) {
        let outcome = group.finish();
        let written = self.apply(&outcome.writes);
        for id in &outcome.linked {
            if written.is_ok() { self.files.pending.forget(*id) } else { self.files.pending.release(*id) }
        }
        if !outcome.garbage.is_empty() {
            // An error may leave the outcome unknown: then only the engine can tell whether this is garbage.
            let errand = if written.is_ok() { Errand::Garbage(outcome.garbage) } else { Errand::FindGarbage };
            // Fails only when the store closes; the rows are taken up at the next start.
            let _ = self.files.errands.send(errand);
        }
        for (answer, checked) in answers {
            // A batch that failed its own check stays failed, whatever became of the others.
            let result = checked.and_then(|()| written.clone().map_err(CommitError::from));
            let _ = answer.send(result);
        }
    }

    fn apply(&self, writes: &[Write]) -> Result<(), EngineError> {
        if writes.is_empty() { Ok(()) } else { self.engine.apply_surely(writes) }
    }

    fn retire(&self, scope: Scope, tables: &[Table]) -> Result<(), RetireError> {
        for table in tables {
            let (from, to) = keys::scope_range(*table, scope);
            if !self.engine.is_empty(&from, &to)? {
                return Err(ScopeNotEmpty.into());
            }
        }
        let retired = keys::retired(scope);
        if self.engine.get(&retired)?.is_none() {
            self.apply(&[Write::Put(retired, Bytes::new())])?;
        }
        Ok(())
    }
}

/// The most tasks in one transaction.
const GROUP_MAX: usize = 256;
