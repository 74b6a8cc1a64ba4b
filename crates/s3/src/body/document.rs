use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use operations::BodyError;
use s3s::{Body, StdError};
use tokio::time::Sleep;

use super::budget::Budget;
use super::claims::Claims;
use super::document_kind::DocumentKind;
use crate::error;
use crate::exchange::Exchange;
use crate::refusal::Refusal;

/// A document on its way: it comes out in one piece, once all of it is here and is what it claims to be.
///
/// `s3s` reads a document after it has checked the signature, and whoever has proven nothing is anonymous; so a share
/// of the budget is taken with the first read. The exchange holds it until the request is answered, for what is
/// parsed from the document lives as long.
pub(super) struct Document {
    inner: Body,
    expected: Expected,
    time_max: Duration,
    budget: Arc<Budget>,
    exchange: Arc<Exchange>,
    state: State,
}

/// What a document must be.
pub(super) struct Expected {
    pub(super) kind: DocumentKind,
    /// In bytes.
    pub(super) length: u64,
    pub(super) claims: Claims,
}

enum State {
    Unread,
    Reading(Reading),
    Ended,
}

struct Reading {
    bytes: Vec<u8>,
    deadline: Pin<Box<Sleep>>,
}

impl Document {
    pub(super) fn new(
        inner: Body,
        expected: Expected,
        time_max: Duration,
        budget: Arc<Budget>,
        exchange: Arc<Exchange>,
    ) -> Self {
        Self { inner, expected, time_max, budget, exchange, state: State::Unread }
    }

    fn begin(&self) -> Result<Reading, Refusal> {
        let length = self.expected.length;
        self.exchange.hold(self.budget.hold(length, self.exchange.principal())?);
        let capacity = usize::try_from(length).unwrap_or_default();
        Ok(Reading { bytes: Vec::with_capacity(capacity), deadline: Box::pin(tokio::time::sleep(self.time_max)) })
    }

    /// Reads on to the end of the body.
    fn read(&mut self, reading: &mut Reading, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        loop {
            if reading.deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(error::too_slow()));
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                None => return Poll::Ready(self.check(&reading.bytes)),
                Some(Err(_)) => {
                    let fault = self.exchange.body_fault().unwrap_or(&BodyError::Incomplete);
                    return Poll::Ready(Err(error::of_body(fault)));
                }
                Some(Ok(frame)) => {
                    // Trailers of HTTP itself mean nothing here.
                    let Ok(data) = frame.into_data() else { continue };
                    if (reading.bytes.len() + data.len()) as u64 > self.expected.length {
                        return Poll::Ready(Err(error::of_body(&BodyError::Incomplete)));
                    }
                    reading.bytes.extend_from_slice(&data);
                }
            }
        }
    }

    fn check(&self, document: &[u8]) -> Result<(), Refusal> {
        if document.len() as u64 != self.expected.length {
            return Err(error::of_body(&BodyError::Incomplete));
        }
        self.expected.claims.check(document, self.exchange.trailers())?;
        self.expected.kind.check_entries(document)
    }

    fn fail(&self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        self.exchange.set_body_refusal(refusal);
        Poll::Ready(Some(Err("the document was refused".into())))
    }
}

impl http_body::Body for Document {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut reading = match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return Poll::Ready(None),
            State::Reading(reading) => reading,
            State::Unread => match self.begin() {
                Ok(reading) => reading,
                Err(refusal) => return self.fail(refusal),
            },
        };
        match self.read(&mut reading, cx) {
            Poll::Pending => {
                self.state = State::Reading(reading);
                Poll::Pending
            }
            Poll::Ready(Err(refusal)) => self.fail(refusal),
            Poll::Ready(Ok(())) if reading.bytes.is_empty() => Poll::Ready(None),
            Poll::Ready(Ok(())) => Poll::Ready(Some(Ok(Frame::data(reading.bytes.into())))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::connection::Connection;
    use crate::content_sha256::ContentSha256;

    fn document(pieces: &[&'static str], more: bool, length: u64, budget: &Arc<Budget>) -> (Document, Arc<Exchange>) {
        let frames: Vec<_> =
            pieces.iter().map(|piece| Ok::<_, StdError>(Frame::data(Bytes::from_static(piece.as_bytes())))).collect();
        let frames = futures::stream::iter(frames);
        let inner = if more {
            Body::http_body(http_body_util::StreamBody::new(frames.chain(futures::stream::pending())))
        } else {
            Body::http_body(http_body_util::StreamBody::new(frames))
        };
        let exchange = Exchange::new(Connection { secure: true, tls: None, peer: ([127, 0, 0, 1], 1).into() });
        let kind = DocumentKind::Policy;
        let claims = Claims::of(kind, ContentSha256::Unsigned, &http::HeaderMap::new()).unwrap();
        let expected = Expected { kind, length, claims };
        let time_max = Duration::from_millis(20);
        (Document::new(inner, expected, time_max, budget.clone(), exchange.clone()), exchange)
    }

    #[tokio::test]
    async fn a_document_comes_out_whole_and_holds_its_share_until_the_answer() {
        let budget = Arc::new(Budget::new(10, 10));
        let (mut whole, exchange) = document(&["hel", "lo"], false, 5, &budget);
        assert_eq!(whole.frame().await.unwrap().unwrap().into_data().unwrap(), "hello");
        assert!(whole.frame().await.is_none());
        drop(whole);
        let (mut second, second_exchange) = document(&["second"], false, 6, &budget);
        assert!(second.frame().await.unwrap().is_err());
        assert_eq!(second_exchange.body_refusal().unwrap().code, "SlowDown");
        exchange.let_go();
        assert!(budget.hold(10, None).is_ok());
    }

    #[tokio::test]
    async fn a_document_that_does_not_end_in_time_is_cut_off() {
        let budget = Arc::new(Budget::new(10, 10));
        let (mut slow, exchange) = document(&["hel"], true, 5, &budget);
        assert!(slow.frame().await.unwrap().is_err());
        assert_eq!(exchange.body_refusal().unwrap().code, "RequestTimeout");
    }

    #[tokio::test]
    async fn a_document_has_its_declared_length() {
        let budget = Arc::new(Budget::new(10, 10));
        for length in [4, 6] {
            let (mut other, exchange) = document(&["hel", "lo"], false, length, &budget);
            assert!(other.frame().await.unwrap().is_err());
            assert_eq!(exchange.body_refusal().unwrap().code, "IncompleteBody");
        }
    }
}
