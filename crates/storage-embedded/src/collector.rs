//! The collector thread: deletes files that no record names.
//!
//! Three kinds reach it: files of writers that were given up, blobs that a batch unlinked, and finished blobs that
//! nobody linked in time. At the start it also looks for what a crash left behind: rows of garbage whose files are
//! still there, and files without a row.
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use model::BlobId;
use tokio::sync::{mpsc, oneshot};

use crate::blobs::generation::{Generation, is_over};
use crate::blobs::{BlobFiles, remove};
use crate::committer::{Queued, Task};
use crate::engine::{Engine, EngineError};
use crate::keys;

/// What the collector is asked to do.
pub(crate) enum Errand {
    /// Delete the file of a writer that was given up.
    Discard(BlobId),
    /// Delete blobs that a committed batch unlinked, when no reader can want them any more.
    Garbage(Vec<BlobId>),
    /// Look for garbage in the engine: a batch that made some may have been committed without anybody knowing.
    FindGarbage,
    /// A reader is gone: garbage may be free.
    Look,
    /// Do all that can be done now, then answer.
    Finish(oneshot::Sender<()>),
    /// End the thread.
    Stop,
}

/// The state of the thread.
pub(crate) struct Collector {
    pub(crate) files: Arc<BlobFiles>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) unlinked_age_max: Duration,
    /// Without it nothing is deleted.
    pub(crate) collects: bool,
    /// Weak, so that the committer ends when the store is dropped.
    pub(crate) committer: mpsc::WeakSender<Queued>,
    /// Garbage in the order in which it came, each part behind the generation of readers that may still open it.
    pub(crate) waiting: VecDeque<(Arc<Generation>, Vec<BlobId>)>,
    /// The engine may name garbage that is not waiting here.
    pub(crate) find_garbage: bool,
}

impl Collector {
    /// Works until it is told to stop.
    pub(crate) fn run(mut self, errands: &Receiver<Errand>) {
        if !self.collects {
            return rest(errands);
        }
        self.find_garbage();
        self.sweep_orphans();
        self.delete_garbage();
        let mut ticked = Instant::now();
        loop {
            // Errands must not put it off: under load there is always one.
            if ticked.elapsed() >= TICK {
                self.tick();
                ticked = Instant::now();
            }
            match errands.recv_timeout(TICK.saturating_sub(ticked.elapsed())) {
                Ok(Errand::Discard(id)) => self.delete_pending(id),
                Ok(Errand::Garbage(ids)) => {
                    self.waiting.push_back((self.files.generations.close(), ids));
                    self.delete_garbage();
                }
                Ok(Errand::FindGarbage) => self.find_garbage = true,
                Ok(Errand::Look) => self.delete_garbage(),
                Ok(Errand::Finish(answer)) => {
                    self.tick();
                    // The asker may have gone away.
                    let _ = answer.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Errand::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tick(&mut self) {
        for (id, since) in self.files.pending.expired(self.unlinked_age_max) {
            self.delete_expired(id, since);
        }
        if self.find_garbage {
            self.find_garbage();
        }
        self.delete_garbage();
        if self.engine.wants_care() {
            self.send(Task::Care);
        }
    }

    /// Deletes a blob that nobody linked in time. A batch whose outcome nobody knew may have linked it after all, so the
    /// engine is asked, and before the blob is doomed: one that a record names can be read all the time.
    fn delete_expired(&self, id: BlobId, since: Instant) {
        match self.engine.get(&keys::blob(id)) {
            Ok(None) if self.files.pending.doom_unclaimed(id, since) => self.delete_pending(id),
            Ok(Some(_)) => self.files.pending.forget(id),
            // Claimed just now, or the engine cannot tell: it is asked again with the next tick.
            Ok(None) | Err(_) => {}
        }
    }

    fn delete_pending(&self, id: BlobId) {
        match remove(&self.files.dir, id) {
            Ok(()) => self.files.pending.forget(id),
            // It stays registered, so nothing can link it; the sweep of the next start finds it.
            Err(error) => tracing::warn!(blob = %id, %error, "the file of a given up blob cannot be deleted"),
        }
    }

    /// Deletes the garbage that no reader can want any more, in the order in which it came.
    fn delete_garbage(&mut self) {
        while let Some((generation, _)) = self.waiting.front() {
            if !is_over(generation) {
                break;
            }
            let Some((_, ids)) = self.waiting.pop_front() else { break };
            let (deleted, kept): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| {
                let outcome = remove(&self.files.dir, *id);
                outcome.inspect_err(|error| tracing::warn!(blob = %id, %error, "garbage cannot be deleted")).is_ok()
            });
            for ids in deleted.chunks(FORGET_AT_ONCE) {
                self.send(Task::Forget(ids.to_vec()));
            }
            // What could not be deleted keeps its row and is tried again at the next start.
            drop(kept);
        }
        self.files.set_garbage_waits(!self.waiting.is_empty());
    }

    fn send(&self, task: Task) {
        if let Some(committer) = self.committer.upgrade() {
            // Fails only when the store closes; rows that stay are taken up at the next start.
            let _ = committer.blocking_send(Queued { task, room: None });
        }
    }

    /// Takes up garbage that the last process did not get to, or that a batch of unknown outcome made.
    fn find_garbage(&mut self) {
        let (from, to) = keys::garbage_range();
        let mut ids = Vec::new();
        let scanned = self.engine.scan(&from, &to, |key, _| {
            ids.extend(keys::parse_blob(key));
            Ok(true)
        });
        if let Err(error) = &scanned {
            tracing::warn!(%error, "garbage cannot be looked for");
        }
        // Only an engine that is closed has more to say a little later.
        self.find_garbage = matches!(scanned, Err(EngineError::Unavailable(_)));
        if !ids.is_empty() {
            tracing::info!(blobs = ids.len(), "deleting garbage that was left behind");
            // Some may be waiting already: deleting it a second time does nothing.
            self.waiting.push_back((self.files.generations.close(), ids));
        }
    }

    /// Deletes files without a row: a crash came between their creation and the batch that would have linked them.
    fn sweep_orphans(&self) {
        let mut found = 0;
        for shard in 0..=u8::MAX {
            let Ok(entries) = std::fs::read_dir(self.files.dir.shard(shard)) else { continue };
            for entry in entries.flatten() {
                let id = entry.file_name().to_str().and_then(|name| BlobId::parse(name).ok());
                let Some(id) = id.filter(|id| self.is_orphan(*id)) else { continue };
                if remove(&self.files.dir, id).is_ok() {
                    found += 1;
                }
            }
        }
        if found > 0 {
            tracing::info!(blobs = found, "deleted blobs that a crash left without a record");
        }
    }

    /// In this order: a blob leaves the pending ones only after its row is durable. Doubt means no.
    fn is_orphan(&self, id: BlobId) -> bool {
        let missing = |key: &[u8]| matches!(self.engine.get(key), Ok(None));
        !self.files.pending.contains(id) && missing(&keys::blob(id)) && missing(&keys::garbage(id))
    }
}

/// Lets everything stay where it is.
fn rest(errands: &Receiver<Errand>) {
    for errand in errands {
        match errand {
            // The asker may have gone away.
            Errand::Finish(answer) => drop(answer.send(())),
            Errand::Stop => return,
            Errand::Discard(_) | Errand::Garbage(_) | Errand::FindGarbage | Errand::Look => {}
        }
    }
}

/// How often it looks around without being asked.
const TICK: Duration = Duration::from_secs(1);
const FORGET_AT_ONCE: usize = 1024;

#[cfg(test)]
mod tests;
