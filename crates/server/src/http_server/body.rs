//! Bodies on their way through: counted, and never waited for without end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::answer::BoxError;
use super::request_log::RequestLog;

/// The client sent nothing for too long in the middle of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client stopped sending in the middle of the body")]
pub struct Stalled;

/// The body of a request.
pub struct ReceivedBody {
    inner: Incoming,
    received: Arc<AtomicU64>,
    timeout: Duration,
    // Armed only while the client keeps us waiting: most bodies never need a timer.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl ReceivedBody {
    pub(super) fn new(inner: Incoming, received: Arc<AtomicU64>, timeout: Duration) -> Self {
        Self { inner, received, timeout, waiting: None }
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.waiting = None;
                if let Some(Ok(frame)) = &frame {
                    let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                    this.received.fetch_add(length, Ordering::Relaxed);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let timeout = this.timeout;
                let waiting = this.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
                ready!(waiting.as_mut().poll(cx));
                Poll::Ready(Some(Err(Box::new(Stalled))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Whether a connection's client still takes what it asked for, and asks for more.
///
/// HTTP/2 lets a client keep a stream open with a window of zero, and no write to the socket ever blocks then; so the
/// requests themselves tell when it is the client's turn.
#[derive(Debug)]
pub(super) struct Uptake {
    began: Instant,
    moved_ms: AtomicU64,
    active: AtomicUsize,
    waiting_on_client: AtomicUsize,
    customer_keys: AtomicUsize,
}

impl Uptake {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            moved_ms: AtomicU64::new(0),
            active: AtomicUsize::new(0),
            waiting_on_client: AtomicUsize::new(0),
            customer_keys: AtomicUsize::new(0),
        }
    }

    /// A request began that may have brought a customer key.
    pub(super) fn saw_customer_key(&self) {
        self.customer_keys.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests brought one so far; none while a request runs, which may need what was read for it.
    pub(super) fn customer_keys_at_rest(&self) -> Option<usize> {
        (self.active.load(Ordering::Relaxed) == 0).then(|| self.customer_keys.load(Ordering::Relaxed))
    }

    /// Whether answers wait for the client, and it took none of them for this long.
    pub(super) fn is_stuck(&self, timeout: Duration) -> bool {
        self.waiting_on_client.load(Ordering::Relaxed) > 0 && self.is_still(timeout)
    }

    /// Whether there has been no request for this long.
    pub(super) fn is_idle(&self, timeout: Duration) -> bool {
        self.active.load(Ordering::Relaxed) == 0 && self.is_still(timeout)
    }

    fn is_still(&self, timeout: Duration) -> bool {
        let moved = Duration::from_millis(self.moved_ms.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(moved) > timeout
    }

    fn moved(&self) {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.store(now_ms, Ordering::Relaxed);
    }
}

/// One request's part in the [`Uptake`] of its connection, from its beginning to the end of its answer's body.
pub(super) struct Turn {
    uptake: Arc<Uptake>,
    is_clients: bool,
}

impl Turn {
    /// The request begins, and it is the server's turn.
    pub(super) fn begin(uptake: Arc<Uptake>) -> Self {
        uptake.active.fetch_add(1, Ordering::Relaxed);
        uptake.moved();
        Self { uptake, is_clients: false }
    }

    fn set_clients(&mut self, is_clients: bool) {
        self.uptake.moved();
        if is_clients && !self.is_clients {
            self.uptake.waiting_on_client.fetch_add(1, Ordering::Relaxed);
        } else if !is_clients && self.is_clients {
            self.uptake.waiting_on_client.fetch_sub(1, Ordering::Relaxed);
        }
        self.is_clients = is_clients;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.set_clients(false);
        self.uptake.active.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer. Its end is the end of the request, so it carries the line for the log.
pub(super) struct SentBody<B> {
    inner: Pin<Box<B>>,
    log: RequestLog,
    turn: Turn,
}

impl<B> SentBody<B> {
    pub(super) fn new(inner: B, log: RequestLog, turn: Turn) -> Self {
        Self { inner: Box::pin(inner), log, turn }
    }
}

impl<B> Body for SentBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.turn.set_clients(false);
        let frame = ready!(self.inner.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.log.sent(length);
                if self.inner.is_end_stream() {
                    self.log.ended();
                }
                self.turn.set_clients(true);
            }
            Some(Err(_)) => {}
            None => self.log.ended(),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
