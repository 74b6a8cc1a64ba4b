//! The body of a request: bytes in memory, sent in slices so that one can see how far it is.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// Somebody who watches a transfer.
pub trait Progress: Send + Sync {
    /// So many bytes of objects will move, beside those that were told before.
    fn expect(&self, bytes: u64);
    /// So many more bytes of objects have moved.
    fn moved(&self, bytes: u64);
    /// So many of them have to move again.
    fn taken_back(&self, bytes: u64);
}

/// Nobody who watches.
pub struct Unwatched;

impl Progress for Unwatched {
    fn expect(&self, _: u64) {}
    fn moved(&self, _: u64) {}
    fn taken_back(&self, _: u64) {}
}

/// Counts what one attempt has sent.
#[derive(Default)]
pub(crate) struct Meter {
    sent: AtomicU64,
    watcher: Option<Arc<dyn Progress>>,
}

impl Meter {
    pub(crate) fn new(watcher: Option<Arc<dyn Progress>>) -> Arc<Self> {
        Arc::new(Self { sent: AtomicU64::new(0), watcher })
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The attempt failed: what it sent has to be sent again.
    pub(crate) fn take_back(&self) {
        if let Some(watcher) = &self.watcher {
            watcher.taken_back(self.sent());
        }
    }

    fn count(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
        if let Some(watcher) = &self.watcher {
            watcher.moved(bytes);
        }
    }
}

/// Bytes on their way out.
pub(crate) struct UploadBody {
    left: Bytes,
    meter: Arc<Meter>,
}

impl UploadBody {
    pub(crate) fn new(bytes: Bytes, meter: Arc<Meter>) -> Self {
        Self { left: bytes, meter }
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.left.len().min(SLICE);
        let slice = self.left.split_to(length);
        self.meter.count(length as u64);
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

const SLICE: usize = 64 << 10;
