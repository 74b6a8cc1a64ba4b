use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use s3s::{Body, StdError};

/// A hold on a request body that somebody else reads.
///
/// An HTTP/1 client that is still sending when the connection closes often never reads the answer that came before.
/// So what is left of a refused body is read and thrown away, within bounds.
#[derive(Clone)]
pub(crate) struct Tap(Arc<Mutex<Tapped>>);

struct Tapped {
    body: Body,
    was_read: bool,
}

impl Tap {
    /// The hold, and the body to pass on.
    pub(crate) fn new(body: Body) -> (Self, Body) {
        let tap = Self(Arc::new(Mutex::new(Tapped { body, was_read: false })));
        let passed_on = Body::http_body(tap.clone());
        (tap, passed_on)
    }

    /// Throws away the rest. `announced`: the client asked with `Expect` before it sends, so a body that nobody has
    /// read yet will not come, and reading it would call for it.
    pub(crate) async fn drain(mut self, announced: bool) {
        let (was_read, size) = {
            let tapped = self.lock();
            (tapped.was_read, tapped.body.size_hint().lower())
        };
        if size > DRAIN_LEN_MAX || (announced && !was_read) {
            return;
        }
        let drained = async {
            let mut left = DRAIN_LEN_MAX;
            while let Some(Ok(frame)) = http_body_util::BodyExt::frame(&mut self).await {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        // Whoever is slower gets the answer with the end of the connection.
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, drained).await;
    }

    fn lock(&self) -> MutexGuard<'_, Tapped> {
        // A body that panicked is not read again: its connection is gone.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http_body::Body for Tap {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let mut tapped = self.lock();
        tapped.was_read = true;
        Pin::new(&mut tapped.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}

/// More than the parts that clients upload by default.
const DRAIN_LEN_MAX: u64 = 16 << 20;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
