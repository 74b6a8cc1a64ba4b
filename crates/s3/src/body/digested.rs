use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use operations::BodyError;
use s3s::{Body, StdError};
use sha2::{Digest as _, Sha256};

use crate::exchange::Exchange;

/// A body whose SHA-256 is checked. With a declared length the last piece leaves only after the digest is known to fit;
/// without one the mismatch stands in place of the end.
pub(super) struct Digested {
    inner: Body,
    /// `None` once it has been compared.
    hasher: Option<Sha256>,
    expected: [u8; 32],
    left: Option<u64>,
    exchange: Arc<Exchange>,
}

impl Digested {
    pub(super) fn new(inner: Body, expected: [u8; 32], length: Option<u64>, exchange: Arc<Exchange>) -> Self {
        Self { inner, hasher: Some(Sha256::new()), expected, left: length, exchange }
    }

    fn take(&mut self, data: &Bytes) -> Result<(), BodyError> {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(data);
        }
        let Some(left) = &mut self.left else { return Ok(()) };
        *left = left.checked_sub(data.len() as u64).ok_or(BodyError::Incomplete)?;
        if *left == 0 { self.compare() } else { Ok(()) }
    }

    fn compare(&mut self) -> Result<(), BodyError> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        if hasher.finalize()[..] == self.expected { Ok(()) } else { Err(BodyError::ContentSha256Mismatch) }
    }

    fn finish(&mut self) -> Result<(), BodyError> {
        if self.left.is_some_and(|left| left > 0) {
            return Err(BodyError::Incomplete);
        }
        self.compare()
    }

    fn fail(&self, fault: BodyError) -> StdError {
        self.exchange.set_body_fault(fault.clone());
        Box::new(fault)
    }
}

impl http_body::Body for Digested {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let checked = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(Ok(()), |data| self.take(data)),
            Some(Err(_)) => Err(BodyError::Incomplete),
            None => self.finish(),
        };
        Poll::Ready(match checked {
            Ok(()) => frame,
            Err(fault) => Some(Err(self.fail(fault))),
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
