//! The engine's file, watched for two things that the engine itself makes too little or too much of.
//!
//! **A sync that failed.** The kernel then takes the pages for clean although the device may not have them, so what is
//! read back proves nothing, and neither does the next sync. It is remembered, and `apply_surely` asks.
//!
//! **A page that cannot be read.** Told of an error, the engine would refuse every call from then on, and opening it
//! again after such a failure reads the whole file, that page included: one bad sector would take the store down for
//! good. So the read is left by unwinding: nothing of the engine remembers it, nothing wrong gets into its cache, and
//! the one call that needed the page fails. Whatever unwinds through the engine here could as well be one of its own
//! assertions over a damaged page.
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::StorageBackend;
use rustix::io::Errno;

/// What is known of a file. Shared by the file, which the engine owns, and the tree.
#[derive(Debug, Default)]
pub(super) struct Health {
    sync_failed: AtomicBool,
    /// Set while calls are contained one by one. An open engine must not take a page for damaged that merely was not
    /// read: its repair would go back to an older state.
    in_use: AtomicBool,
}

impl Health {
    /// Whether a sync failed since the file was opened.
    pub(super) fn sync_failed(&self) -> bool {
        self.sync_failed.load(Ordering::Relaxed)
    }

    /// Says that the engine is open, or is about to be closed.
    pub(super) fn set_in_use(&self, in_use: bool) {
        self.in_use.store(in_use, Ordering::Relaxed);
    }
}

/// What a call is left with that needed a page which cannot be read.
pub(super) struct Unreadable {
    pub(super) offset: u64,
    pub(super) error: io::Error,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Watched<F> {
    file: F,
    health: Arc<Health>,
}

impl<F> Watched<F> {
    pub(super) fn new(file: F, health: Arc<Health>) -> Self {
        Self { file, health }
    }
}

impl<F: StorageBackend> StorageBackend for Watched<F> {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.file.read(offset, out) {
            // Other errors are not those of one page.
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                tracing::error!(offset, %error, "a page of the records cannot be read");
                if self.health.in_use.load(Ordering::Relaxed) {
                    resume_unwind(Box::new(Unreadable { offset, error }));
                }
                Err(error)
            }
            outcome => outcome,
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().inspect_err(|error| {
            tracing::error!(%error, "the records' file cannot be synced");
            self.health.sync_failed.store(true, Ordering::Relaxed);
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
