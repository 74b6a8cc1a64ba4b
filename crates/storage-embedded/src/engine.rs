//! The ordered key-value engine: four calls, and what their failures mean.
//!
//! Nothing outside this folder knows which engine it is (docs/decisions/0002-engine.md). Besides the calls it adds what
//! the engine lacks: a checksum on every value, panics on damaged pages turned into errors, failed syncs and unreadable
//! pages taken for what they are, and a way to open the engine again after a failed write while reads are answered
//! with [`EngineError::Unavailable`].
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant};

use bytes::Bytes;

mod checksum;
mod file;
mod tree;
mod watched;

#[cfg(test)]
mod tests;

use file::EngineFile;
use tree::Tree;
use watched::Unreadable;

/// One change in a transaction.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// Sets the value of a key.
    Put(Vec<u8>, Bytes),
    /// Removes a key, if it is there.
    Delete(Vec<u8>),
}

/// What the engine can fail with.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum EngineError {
    /// The filesystem has no room.
    #[error("no room on the filesystem")]
    Full,
    /// The engine is closed, being opened again, or the device failed.
    #[error("{0}")]
    Unavailable(String),
    /// Bytes on disk do not make sense.
    #[error("{0}")]
    Damaged(String),
}

impl From<EngineError> for storage::Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Full => Self::Full,
            EngineError::Unavailable(text) => Self::Unavailable(text),
            EngineError::Damaged(text) => Self::Damaged(text),
        }
    }
}

impl From<std::io::Error> for EngineError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Unavailable(format!("the records' file: {error}")),
        }
    }
}

impl From<EngineError> for storage::CommitError {
    fn from(error: EngineError) -> Self {
        Self::Store(error.into())
    }
}

impl From<EngineError> for storage::RetireError {
    fn from(error: EngineError) -> Self {
        Self::Store(error.into())
    }
}

/// The engine, open or waiting to be opened again.
pub(crate) struct Engine {
    /// Opens the file. A closure, so that tests can put a failing device underneath.
    open: Box<dyn Fn() -> Result<Tree, EngineError> + Send + Sync>,
    /// Readers hold it shared for one call; only [`Engine::reopen`] takes it exclusively.
    tree: RwLock<Slot>,
    /// I/O failed, so the engine has to be opened again.
    failed: AtomicBool,
    /// Something was written since the last checkpoint.
    dirty: AtomicBool,
}

struct Slot {
    tree: Option<Tree>,
    /// When opening it again failed last.
    closed_at: Option<Instant>,
}

impl Engine {
    /// Opens or creates the engine's file `path`. After a crash this may take long: see the decision.
    pub(crate) fn open(path: &Path, cache_bytes: usize) -> Result<Self, EngineError> {
        let path = path.to_owned();
        Self::over(Box::new(move || Tree::open(EngineFile::open(&path)?, cache_bytes)))
    }

    fn over(open: Box<dyn Fn() -> Result<Tree, EngineError> + Send + Sync>) -> Result<Self, EngineError> {
        let tree = contained(&open)?;
        Ok(Self {
            open,
            tree: RwLock::new(Slot { tree: Some(tree), closed_at: None }),
            failed: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
        })
    }

    /// The value of `key` as of the last transaction.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.with_tree(|tree| tree.get(key))
    }

    /// Calls `visit` with keys and values of `from..to` in order until it answers `false`. All are of one instant.
    pub(crate) fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> Result<bool, EngineError>,
    ) -> Result<(), EngineError> {
        self.with_tree(|tree| tree.scan(from, to, visit))
    }

    /// Whether `from..to` holds nothing.
    pub(crate) fn is_empty(&self, from: &[u8], to: &[u8]) -> Result<bool, EngineError> {
        let mut empty = true;
        self.scan(from, to, |_, _| {
            empty = false;
            Ok(false)
        })?;
        Ok(empty)
    }

    /// Makes all changes in one durable transaction. After an error the outcome is unknown.
    pub(crate) fn apply(&self, writes: &[Write]) -> Result<(), EngineError> {
        self.dirty.store(true, Ordering::Relaxed);
        self.with_tree(|tree| tree.apply(writes))
    }

    /// Like [`Engine::apply`]; after a failed write it opens the engine again and looks what became of it. When that
    /// fails too, or when the changes are there but the device refused to sync them, the outcome is unknown, and the
    /// error is [`EngineError::Unavailable`].
    pub(crate) fn apply_surely(&self, writes: &[Write]) -> Result<(), EngineError> {
        let Err(error) = self.apply(writes) else { return Ok(()) };
        tracing::error!(%error, "a transaction failed");
        if !self.failed.load(Ordering::Relaxed) {
            return Err(error);
        }
        let synced = !self.sync_failed();
        let unknown = |error: EngineError| EngineError::Unavailable(error.to_string());
        self.reopen().map_err(unknown)?;
        // The transaction is atomic, so all of it is there or nothing.
        match self.holds(writes).map_err(unknown)? {
            // Opening it again made whatever else is there durable, so what is missing now stays missing.
            false => Err(error),
            true if synced => Ok(()),
            // What is read may be memory that the device never took: nobody may rely on it.
            true => Err(EngineError::Unavailable("the device did not sync a transaction".into())),
        }
    }

    /// Whether a sync failed since the engine was opened.
    fn sync_failed(&self) -> bool {
        let slot = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        slot.tree.as_ref().is_some_and(Tree::sync_failed)
    }

    /// Opens the engine again if a write or read of its file failed.
    pub(crate) fn recover_if_failed(&self) {
        if self.failed.load(Ordering::Relaxed) {
            // Why it failed is in the log; whoever asks for something now hears that it is closed.
            let _ = self.reopen();
        }
    }

    /// Whether [`Engine::care`] has something to do.
    pub(crate) fn wants_care(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.dirty.load(Ordering::Relaxed)
    }

    /// In a quiet moment: spares the next start the check of the whole file, should the process be killed.
    pub(crate) fn care(&self) {
        if self.dirty.swap(false, Ordering::Relaxed)
            && let Err(error) = self.with_tree(Tree::checkpoint)
        {
            tracing::warn!(%error, "no checkpoint of the records");
        }
    }

    /// Closes the engine and opens it again, which is the only cure after failed I/O. After a failure it is not tried
    /// again for a second.
    fn reopen(&self) -> Result<(), EngineError> {
        let mut slot = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        if slot.closed_at.is_some_and(|at| at.elapsed() < REOPEN_PAUSE) {
            return Err(EngineError::Unavailable("closed after a failure".into()));
        }
        let old = slot.tree.take();
        // A panic while the old tree is dropped must not keep the new one from being opened.
        let _ = contained(|| {
            drop(old);
            Ok(())
        });
        match contained(&self.open) {
            Ok(tree) => {
                *slot = Slot { tree: Some(tree), closed_at: None };
                self.failed.store(false, Ordering::Relaxed);
                tracing::info!("the records were opened again");
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the records cannot be opened again");
                slot.closed_at = Some(Instant::now());
                Err(error)
            }
        }
    }

    /// Closes the engine as a device does that fails for good; it is opened again by [`Engine::recover_if_failed`], once
    /// somebody asked in vain.
    #[cfg(test)]
    pub(crate) fn close(&self) {
        self.tree.write().unwrap_or_else(PoisonError::into_inner).tree = None;
    }

    fn holds(&self, writes: &[Write]) -> Result<bool, EngineError> {
        for write in writes {
            let holds = match write {
                Write::Put(key, value) => self.get(key)?.as_ref() == Some(value),
                Write::Delete(key) => self.get(key)?.is_none(),
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn with_tree<T>(&self, call: impl FnOnce(&Tree) -> Result<T, EngineError>) -> Result<T, EngineError> {
        let slot = match self.tree.try_read() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Opening again can take long, and an asynchronous reader must not wait for it.
            Err(TryLockError::WouldBlock) => return Err(EngineError::Unavailable("being opened again".into())),
        };
        let closed = || EngineError::Unavailable("closed after a failure".into());
        let outcome = slot.tree.as_ref().ok_or_else(closed).and_then(|tree| contained(|| call(tree)));
        if matches!(outcome, Err(EngineError::Full | EngineError::Unavailable(_))) {
            // After failed I/O the engine refuses everything until it is opened again.
            self.failed.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

/// Runs an engine call so that a panic inside it becomes an error.
///
/// The engine checks pages only when it repairs itself. Damaged pages can therefore reach its assertions; a server
/// must answer with an error for that one record instead of losing the task, or worse the committer thread.
fn contained<T>(call: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    // Unwind safety: the engine guards its own state with poisoning locks, ours is not touched inside.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        if let Some(Unreadable { offset, error }) = panic.downcast_ref() {
            return Err(EngineError::Damaged(format!("the records' file cannot be read at byte {offset}: {error}")));
        }
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(EngineError::Damaged(format!("the engine panicked: {text}")))
    })
}

/// The pause between two attempts to open a failed engine.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);
