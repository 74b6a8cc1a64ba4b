//! The body of a request: slices of a shared pool, so that a thousand uploads need no memory of their own.

use crate::pattern::Cursor;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// So many bytes from a cursor, at a bounded speed if asked.
pub(crate) struct RequestBody {
    cursor: Cursor,
    left: u64,
    pace: Option<Pace>,
}

/// Holds a stream of bytes to a speed.
pub(crate) struct Pace {
    bytes_per_second: u64,
    moved: u64,
    begun: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl RequestBody {
    pub(crate) fn empty() -> Self {
        Self::given(Bytes::new())
    }

    pub(crate) fn given(bytes: Bytes) -> Self {
        let left = bytes.len() as u64;
        Self { cursor: Cursor::over(bytes), left, pace: None }
    }

    pub(crate) fn generated(cursor: Cursor, length: u64, bytes_per_second: Option<u64>) -> Self {
        Self { cursor, left: length, pace: bytes_per_second.map(Pace::new) }
    }

    /// Bytes not yet sent.
    pub(crate) fn len(&self) -> u64 {
        self.left
    }

    /// The digest of what is not yet sent, in hexadecimal.
    pub(crate) fn sha256_hex(&self) -> String {
        let (mut cursor, mut left) = (self.cursor.clone(), self.left);
        let mut hash = Sha256::new();
        while left > 0 {
            let bytes = cursor.take(at_most(left, FRAME));
            left -= bytes.len() as u64;
            hash.update(&bytes);
        }
        hex::encode(hash.finalize())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut most = FRAME;
        if let Some(pace) = &mut self.pace {
            ready!(pace.poll_ready(context));
            most = pace.step();
        }
        let length = at_most(self.left, most);
        let bytes = self.cursor.take(length);
        self.left -= bytes.len() as u64;
        if let Some(pace) = &mut self.pace {
            pace.moved(bytes.len());
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Pace {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        let begun = Instant::now();
        Self { bytes_per_second, moved: 0, begun, sleep: Box::pin(tokio::time::sleep_until(begun)) }
    }

    /// Notes that bytes have moved; the next wait ends when they may have.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.moved += bytes as u64;
        let due = Duration::from_secs_f64(self.moved as f64 / self.bytes_per_second as f64);
        self.sleep.as_mut().reset(self.begun + due.min(LONGEST_WAIT));
    }

    /// Waits until what has moved may have.
    pub(crate) async fn wait(&mut self) {
        self.sleep.as_mut().await;
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(context)
    }

    /// A tenth of a second's worth, so that slow is a trickle and not bursts.
    fn step(&self) -> usize {
        at_most(self.bytes_per_second.div_ceil(10), FRAME)
    }
}

fn at_most(bytes: u64, most: usize) -> usize {
    usize::try_from(bytes).unwrap_or(most).min(most)
}

/// Longer than any request may take, shorter than what a clock can add.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
const FRAME: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_body_is_the_bytes_of_its_object() {
        let pattern = Pattern::generate();
        let body = RequestBody::generated(pattern.at("a", 5), 3_000_000, None);
        let digest = body.sha256_hex();
        let sent = body.collect().await.unwrap().to_bytes();
        assert_eq!(sent.len(), 3_000_000);
        assert_eq!(digest, hex::encode(Sha256::digest(&sent)));
        assert_eq!(pattern.at("a", 5).compare(&sent), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_paced_body_takes_its_time() {
        let begun = Instant::now();
        let body = RequestBody::generated(Pattern::generate().at("a", 0), 100_000, Some(10_000));
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 100_000);
        let taken = begun.elapsed();
        assert!(taken >= Duration::from_millis(9_800) && taken <= Duration::from_millis(10_100), "{taken:?}");
    }

    #[tokio::test]
    async fn an_empty_body_ends_at_once() {
        assert!(RequestBody::empty().is_end_stream());
        assert!(RequestBody::empty().frame().await.is_none());
    }
}
