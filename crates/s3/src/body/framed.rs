use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use operations::BodyError;
use s3s::{Body, StdError};

use super::budget::{Budget, Held};
use crate::aws_chunked::{Decoder, Malformed, Piece};
use crate::exchange::Exchange;
use crate::limits::SIGNED_CHUNK_LEN_MAX;

/// What leaves a [`Framed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The plaintext.
    Decode,
    /// The plaintext in small chunks, with the trailers.
    Reframe,
    /// What came, to the byte.
    Watch,
}

/// An aws-chunked body whose framing is checked: it must be complete and have the declared length.
pub(super) struct Framed {
    inner: Body,
    mode: Mode,
    budget: Arc<Budget>,
    exchange: Arc<Exchange>,
    /// What `s3s` holds of a signed chunk.
    held: Option<Held>,
    /// `None` once the body has ended or failed.
    decoder: Option<Decoder>,
    /// Plaintext bytes that are still to come.
    left: u64,
    ready: VecDeque<Bytes>,
}

impl Framed {
    /// `length`: of the plaintext, as declared, in bytes.
    pub(super) fn new(inner: Body, mode: Mode, length: u64, budget: Arc<Budget>, exchange: Arc<Exchange>) -> Self {
        let decoder = Some(Decoder::default());
        Self { inner, mode, budget, exchange, held: None, decoder, left: length, ready: VecDeque::new() }
    }

    fn take(&mut self, decoder: &mut Decoder, mut input: Bytes) -> Result<(), BodyError> {
        if self.mode == Mode::Watch {
            self.ready.push_back(input.clone());
        }
        while let Some(piece) = decoder.next(&mut input)? {
            match piece {
                Piece::Chunk(size) if size > self.left => return Err(BodyError::Incomplete),
                Piece::Chunk(size) if self.mode == Mode::Watch && size > SIGNED_CHUNK_LEN_MAX => {
                    return Err(BodyError::Malformed);
                }
                Piece::Chunk(size) => self.hold(size)?,
                Piece::Data(data) => {
                    // A chunk never has more than is left, so neither has its data.
                    self.left -= data.len() as u64;
                    self.give(data);
                }
            }
        }
        Ok(())
    }

    /// Exchanges the share of the last chunk for that of the one that begins.
    fn hold(&mut self, size: u64) -> Result<(), BodyError> {
        self.held = None;
        if self.mode == Mode::Watch {
            let held = self.budget.hold(size, self.exchange.principal()).map_err(|refusal| {
                self.exchange.set_body_refusal(refusal);
                BodyError::Incomplete
            })?;
            self.held = Some(held);
        }
        Ok(())
    }

    fn give(&mut self, data: Bytes) {
        match self.mode {
            Mode::Watch => {}
            Mode::Decode => self.ready.push_back(data),
            Mode::Reframe => {
                self.ready.push_back(format!("{:x}\r\n", data.len()).into());
                self.ready.push_back(data);
                self.ready.push_back(Bytes::from_static(b"\r\n"));
            }
        }
    }

    fn finish(&mut self, decoder: Decoder) -> Result<(), BodyError> {
        let trailers = decoder.finish()?;
        if self.left != 0 {
            return Err(BodyError::Incomplete);
        }
        if self.mode == Mode::Reframe {
            self.ready.push_back(last_chunk(&trailers));
        }
        self.exchange.set_trailers(trailers);
        Ok(())
    }

    fn fail(&mut self, fault: BodyError) -> StdError {
        self.decoder = None;
        self.held = None;
        self.ready.clear();
        self.exchange.set_body_fault(fault.clone());
        Box::new(fault)
    }
}

impl From<Malformed> for BodyError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

fn last_chunk(trailers: &HeaderMap) -> Bytes {
    let mut text = b"0\r\n".to_vec();
    for (name, value) in trailers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.push(b':');
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text.into()
}

impl http_body::Body for Framed {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let Some(mut decoder) = self.decoder.take() else { return Poll::Ready(None) };
            let step = match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Pending => {
                    self.decoder = Some(decoder);
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.take(&mut decoder, data).map(|()| Some(decoder)),
                    // Trailers of HTTP itself mean nothing here.
                    Err(_) => Ok(Some(decoder)),
                },
                Poll::Ready(Some(Err(_))) => Err(BodyError::Incomplete),
                Poll::Ready(None) => self.finish(decoder).map(|()| None),
            };
            match step {
                Ok(decoder) => self.decoder = decoder,
                Err(fault) => return Poll::Ready(Some(Err(self.fail(fault)))),
            }
        }
    }
}
