//! Blobs: one file each, written once.
//!
//! [`BlobFiles`] is what writers, readers, the committer and the collector share about them: where they are, which
//! are on the way to being linked ([`pending`]), and which readers may still open unlinked ones ([`generation`]).
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use model::BlobId;
use storage::Error;

use crate::collector::Errand;
use crate::data_dir::DataDir;

pub(crate) mod generation;
pub(crate) mod pending;
mod reader;
mod writer;

pub(crate) use reader::FileReader;
pub(crate) use writer::FileWriter;

use generation::Generations;
use pending::Pending;

/// The blob side of one store.
pub(crate) struct BlobFiles {
    pub(crate) dir: Arc<DataDir>,
    pub(crate) pending: Pending,
    pub(crate) generations: Generations,
    /// To the collector.
    pub(crate) errands: Sender<Errand>,
    /// Whether garbage waits for readers, which then tell the collector when they are gone.
    pub(crate) garbage_waits: AtomicBool,
}

impl BlobFiles {
    pub(crate) fn set_garbage_waits(&self, waits: bool) {
        self.garbage_waits.store(waits, Ordering::SeqCst);
    }

    /// A reader that misses a change just now does no harm: the collector also looks around by itself.
    fn garbage_waits(&self) -> bool {
        self.garbage_waits.load(Ordering::SeqCst)
    }

    /// Has the collector delete the file of a writer that was given up.
    fn discard(&self, id: BlobId) {
        self.pending.doom(id);
        if self.errands.send(Errand::Discard(id)).is_err() {
            // The store is closed and its collector gone. A file that stays is found at the next start.
            let _ = remove(&self.dir, id);
            self.pending.forget(id);
        }
    }
}

/// Deletes the file of a blob, if there is one.
pub(crate) fn remove(dir: &DataDir, id: BlobId) -> io::Result<()> {
    match std::fs::remove_file(dir.blob(id)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn store_error(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full,
        _ => Error::Unavailable(format!("a blob's file: {error}")),
    }
}

fn thread_gone(error: &tokio::task::JoinError) -> Error {
    Error::Unavailable(format!("a blob's file: {error}"))
}
