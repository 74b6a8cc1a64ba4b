use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use envelope::AuditChain;
use kms::{AuditTrail, AuditUnavailable, KeyChange, KeyUse};
use model::Timestamp;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{mpsc, oneshot};

use crate::entry::{self, Head};
use crate::files::{AuditFiles, AuditLogError};
use crate::writer::Writer;

/// Tells the time of entries.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What happens while the disk does not take the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenUnwritable {
    /// Server-held keys are used all the same. The uses are counted, and the count is written down as soon as it can be.
    GoOn,
    /// Server-held keys are not used.
    Refuse,
}

/// An audit log that is written. When the last of its clones goes, it waits until everything is written.
#[derive(Clone)]
pub struct AuditLog {
    writer: Arc<WriterThread>,
    state: Arc<State>,
    when_unwritable: WhenUnwritable,
    clock: Clock,
}

struct WriterThread {
    /// Closed before the thread is waited for: it ends when nobody is left to tell it anything.
    queue: Option<mpsc::Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.queue = None;
        // A panic of the writer has been reported by itself.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What the writer and those who write share.
#[derive(Default)]
pub(crate) struct State {
    /// The disk does not take lines at present.
    pub(crate) unwritable: AtomicBool,
    /// Uses that went on without a line.
    pub(crate) lost: AtomicU64,
}

pub(crate) enum Message {
    /// The fields of an entry.
    Told(String),
    /// Write and sync everything before this, and stop.
    Close(oneshot::Sender<Head>),
}

impl AuditLog {
    /// Goes on with the log in a directory, or begins one, and starts its writer.
    ///
    /// # Errors
    /// [`AuditLogError`] when the directory or its last file cannot be opened.
    pub fn open(
        files: AuditFiles,
        chain: AuditChain,
        when_unwritable: WhenUnwritable,
        clock: Clock,
    ) -> Result<Self, AuditLogError> {
        let state = Arc::<State>::default();
        let (queue, messages) = mpsc::channel(QUEUE_LEN);
        let directory = files.directory.clone();
        let writer = Writer::open(files, chain, state.clone(), clock.clone())?;
        let thread = std::thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || writer.run(messages))
            .map_err(crate::files::at(&directory))?;
        let writer = Arc::new(WriterThread { queue: Some(queue), thread: Some(thread) });
        Ok(Self { writer, state, when_unwritable, clock })
    }

    /// Whether the disk does not take lines at present.
    #[must_use]
    pub fn is_unwritable(&self) -> bool {
        self.state.unwritable.load(Ordering::Acquire)
    }

    /// Writes and syncs what was told so far, and takes nothing more. Returns the head, or `None` if there is something
    /// that the disk does not take.
    pub async fn close(&self) -> Option<Head> {
        let (closed, head) = oneshot::channel();
        self.writer.queue.as_ref()?.send(Message::Close(closed)).await.ok()?;
        head.await.ok()
    }
}

#[async_trait]
impl AuditTrail for AuditLog {
    async fn record(&self, key_use: KeyUse<'_>) -> Result<(), AuditUnavailable> {
        self.tell(|at| entry::of_use(&key_use, at)).await
    }

    async fn record_change(&self, change: KeyChange<'_>) -> Result<(), AuditUnavailable> {
        self.tell(|at| entry::of_change(&change, at)).await
    }
}

impl AuditLog {
    async fn tell(&self, fields: impl FnOnce(Timestamp) -> String + Send) -> Result<(), AuditUnavailable> {
        if self.is_unwritable() {
            return self.go_on();
        }
        let queue = self.writer.queue.as_ref().ok_or(AuditUnavailable)?;
        let message = Message::Told(fields((self.clock)()));
        match self.when_unwritable {
            WhenUnwritable::Refuse => queue.send(message).await.map_err(|_| AuditUnavailable),
            // A disk that neither takes a line nor fails would hold everybody up.
            WhenUnwritable::GoOn => match queue.send_timeout(message, PATIENCE).await {
                Ok(()) => Ok(()),
                Err(SendTimeoutError::Timeout(_)) => self.go_on(),
                Err(SendTimeoutError::Closed(_)) => Err(AuditUnavailable),
            },
        }
    }

    fn go_on(&self) -> Result<(), AuditUnavailable> {
        match self.when_unwritable {
            WhenUnwritable::Refuse => Err(AuditUnavailable),
            WhenUnwritable::GoOn => {
                self.state.lost.fetch_add(1, Ordering::AcqRel);
                Ok(())
            }
        }
    }
}

/// How long a use waits for a place in the queue, where it may go on without a line.
const PATIENCE: Duration = Duration::from_secs(5);

/// Entries that wait for the writer, some hundred bytes each; whoever comes then waits.
const QUEUE_LEN: usize = 8192;
