//! The thread that writes. What it has formatted stays in memory until the disk has taken it: the chain goes through
//! these very bytes.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use envelope::AuditChain;
use tokio::sync::mpsc;

use crate::entry::{self, Head};
use crate::files::{AuditFiles, AuditLogError};
use crate::log::{Clock, Message, State};

pub(crate) struct Writer {
    files: AuditFiles,
    chain: AuditChain,
    state: Arc<State>,
    clock: Clock,
    head: Head,
    file: File,
    file_len: u64,
    next_file: u64,
    /// Lines that the file does not have yet.
    lines: Vec<u8>,
    /// The file has lines that are not synced.
    unsynced: bool,
    /// The file may have a piece of a line behind its length.
    torn: bool,
}

impl Writer {
    pub(crate) fn open(
        files: AuditFiles,
        chain: AuditChain,
        state: Arc<State>,
        clock: Clock,
    ) -> Result<Self, AuditLogError> {
        let end = files.find_end()?;
        let (head, mut lines, mut next_file) = (end.head, Vec::new(), end.next);
        let mut head = head;
        let (file, file_len) = match end.open {
            Some((_, file, len)) => (file, len),
            None => {
                let file = files.create(next_file)?;
                next_file += 1;
                entry::append(&mut lines, &chain, &mut head, &entry::of_file(&end.head, clock()));
                (file, 0)
            }
        };
        if end.torn > 0 {
            entry::append(&mut lines, &chain, &mut head, &entry::of_torn(end.torn, clock()));
        }
        Ok(Self { files, chain, state, clock, head, file, file_len, next_file, lines, unsynced: false, torn: false })
    }

    /// Writes until it is told to stop or nobody is left to tell it anything.
    pub(crate) fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let Ok(runtime) = runtime else {
            tracing::error!(target: "canopic::audit", "the audit log has no timer, and is not written");
            return;
        };
        let mut synced_at = Instant::now();
        loop {
            let mut batch = Vec::new();
            let taken = runtime.block_on(async {
                tokio::time::timeout(SYNC_EVERY, messages.recv_many(&mut batch, BATCH_LEN_MAX)).await
            });
            let (nobody_left, is_full) = (taken == Ok(0), taken == Ok(BATCH_LEN_MAX));
            let mut closing = None;
            for message in batch {
                match message {
                    Message::Told(fields) => self.append(&fields),
                    Message::Close(closed) => closing = Some(closed),
                }
            }
            let sync = closing.is_some() || nobody_left || synced_at.elapsed() >= SYNC_EVERY;
            if sync {
                synced_at = Instant::now();
            }
            let written = self.write(sync);
            if let Some(closed) = closing {
                if written {
                    let _ = closed.send(self.head);
                }
                return;
            }
            if nobody_left {
                return;
            }
            // While the writer sleeps, who tells it something only puts it into the queue and wakes nobody.
            if !is_full {
                std::thread::sleep(GATHERING);
            }
        }
    }

    fn append(&mut self, fields: &str) {
        entry::append(&mut self.lines, &self.chain, &mut self.head, fields);
    }

    /// Brings the lines to the file. What fails is tried again with the next lines, or in a second.
    fn write(&mut self, sync: bool) -> bool {
        let outcome = self.try_write(sync);
        let failed = outcome.is_err();
        if self.state.unwritable.swap(failed, Ordering::AcqRel) != failed {
            match outcome {
                Err(error) => tracing::error!(target: "canopic::audit", %error, "the audit log cannot be written"),
                Ok(()) => self.tell_of_lost(),
            }
        }
        !failed
    }

    fn try_write(&mut self, sync: bool) -> Result<(), AuditLogError> {
        if self.file_len >= self.files.file_len_max {
            self.rotate()?;
        }
        self.put_lines().map_err(crate::files::at(&self.files.directory))?;
        if sync && self.unsynced {
            self.file.sync_data().map_err(crate::files::at(&self.files.directory))?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// All lines or none: what a full disk took of them is cut off before anything else is written.
    fn put_lines(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        if self.torn {
            self.file.set_len(self.file_len)?;
        }
        self.torn = true;
        self.file.write_all(&self.lines)?;
        self.torn = false;
        self.file_len += self.lines.len() as u64;
        self.lines.clear();
        self.unsynced = true;
        Ok(())
    }

    /// The lines that wait were chained before the new file was thought of, so they go to the old one.
    fn rotate(&mut self) -> Result<(), AuditLogError> {
        self.put_lines().and_then(|()| self.file.sync_all()).map_err(crate::files::at(&self.files.directory))?;
        let previous = self.head;
        self.file = self.files.create(self.next_file)?;
        (self.file_len, self.unsynced, self.torn) = (0, false, false);
        self.next_file += 1;
        let fields = entry::of_file(&previous, (self.clock)());
        self.append(&fields);
        self.files.prune()
    }

    fn tell_of_lost(&mut self) {
        let lost = self.state.lost.swap(0, Ordering::AcqRel);
        tracing::warn!(target: "canopic::audit", lost, "the audit log is written again");
        if lost > 0 {
            let fields = entry::of_lost(lost, (self.clock)());
            self.append(&fields);
        }
    }
}

/// How long a line may wait to be synced.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How long lines gather before they are formatted. A wake-up for each would cost more than all the rest of it.
const GATHERING: Duration = Duration::from_millis(20);

/// Lines that are formatted before they are written.
const BATCH_LEN_MAX: usize = 512;
