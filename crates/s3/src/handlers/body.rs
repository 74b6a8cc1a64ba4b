//! Request bodies, with their claims; response bodies.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use http::HeaderMap;
use operations::{BodyStream, ChecksumAlgorithm, ChecksumSource, ClaimedChecksum, Claims, RequestBody};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders};
use sync_wrapper::SyncStream;

use crate::body::fault_of;
use crate::exchange::Exchange;

/// The body of a put or of a part.
pub(super) fn request_body(
    exchange: &Arc<Exchange>,
    headers: &HeaderMap,
    body: Option<StreamingBlob>,
    trailers: Option<TrailingHeaders>,
) -> S3Result<RequestBody> {
    let trailers = Trailers { exchange: exchange.clone(), s3s: trailers };
    let claims = Claims { content_md5: content_md5(headers)?, checksum: claimed_checksum(headers, trailers)? };
    let watched = exchange.clone();
    let stream: Pin<Box<dyn futures::Stream<Item = _> + Send>> = match body {
        None => Box::pin(futures::stream::empty()),
        Some(body) => Box::pin(body.map(move |piece| piece.map_err(|error| fault_of(&watched, &error)))),
    };
    Ok(RequestBody { stream, length: exchange.body_length(), claims })
}

/// What comes behind a body: found by our own decoder, or by that of s3s.
struct Trailers {
    exchange: Arc<Exchange>,
    s3s: Option<TrailingHeaders>,
}

impl Trailers {
    fn value(&self, algorithm: ChecksumAlgorithm) -> Option<Vec<u8>> {
        let read = |headers: &HeaderMap| {
            let value = headers.get(header_name(algorithm))?;
            decode_checksum(algorithm, value.as_bytes())
        };
        match self.exchange.trailers() {
            Some(headers) => read(headers),
            None => self.s3s.as_ref()?.read(read)?,
        }
    }
}

fn content_md5(headers: &HeaderMap) -> S3Result<Option<[u8; 16]>> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let digest = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    digest
        .map(Some)
        .ok_or_else(|| S3Error::with_message(S3ErrorCode::InvalidDigest, "The Content-MD5 you specified was invalid."))
}

/// At most one checksum, in a header or announced as a trailer (AWS: "Checking object integrity in Amazon S3").
fn claimed_checksum(headers: &HeaderMap, trailers: Trailers) -> S3Result<Option<ClaimedChecksum>> {
    let mut claimed = None;
    for algorithm in ChecksumAlgorithm::ALL {
        let Some(value) = headers.get(header_name(algorithm)) else { continue };
        let value = decode_checksum(algorithm, value.as_bytes()).ok_or_else(|| {
            let name = header_name(algorithm);
            S3Error::with_message(S3ErrorCode::InvalidRequest, format!("Value for {name} header is invalid."))
        })?;
        if claimed.replace(ClaimedChecksum { algorithm, source: ChecksumSource::Header(value) }).is_some() {
            return Err(too_many());
        }
    }
    if let Some(algorithm) = announced_trailer(headers)? {
        let source = ChecksumSource::Trailer(Box::new(move || trailers.value(algorithm)));
        if claimed.replace(ClaimedChecksum { algorithm, source }).is_some() {
            return Err(too_many());
        }
    }
    let named = headers.get("x-amz-sdk-checksum-algorithm").and_then(|value| value.to_str().ok());
    if let (None, Some(named)) = (&claimed, named) {
        let algorithm = checksum_algorithm(named)?;
        claimed = Some(ClaimedChecksum { algorithm, source: ChecksumSource::Computed });
    }
    Ok(claimed)
}

fn too_many() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::InvalidRequest,
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    )
}

pub(super) fn checksum_algorithm(name: &str) -> S3Result<ChecksumAlgorithm> {
    ChecksumAlgorithm::from_name(name).ok_or_else(|| {
        S3Error::with_message(S3ErrorCode::InvalidRequest, "Checksum algorithm provided is unsupported.")
    })
}

fn announced_trailer(headers: &HeaderMap) -> S3Result<Option<ChecksumAlgorithm>> {
    let Some(value) = headers.get("x-amz-trailer") else { return Ok(None) };
    let name = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    match ChecksumAlgorithm::ALL.into_iter().find(|algorithm| header_name(*algorithm) == name) {
        Some(algorithm) => Ok(Some(algorithm)),
        None => Err(S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            "The value specified in the x-amz-trailer header is not supported",
        )),
    }
}

pub(super) fn decode_checksum(algorithm: ChecksumAlgorithm, value: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(value).ok().filter(|bytes| bytes.len() == algorithm.value_len())
}

const fn header_name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "x-amz-checksum-crc32",
        ChecksumAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        ChecksumAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        ChecksumAlgorithm::Sha1 => "x-amz-checksum-sha1",
        ChecksumAlgorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

/// An object's bytes for s3s. An error in the stream makes hyper cut the connection (HTTP/2: reset the stream), so a
/// damaged object never looks complete.
pub(super) fn response_body(body: BodyStream, length: u64) -> StreamingBlob {
    let logged = body.map(|piece| {
        piece.inspect_err(|error| {
            tracing::error!(target: "canopic::fault", %error, "an object turned out damaged while it was sent");
        })
    });
    StreamingBlob::new(Sized { stream: SyncStream::new(logged), left: length })
}

/// A stream that knows how much is left, so that s3s needs no chunked encoding.
struct Sized<S> {
    stream: SyncStream<S>,
    left: u64,
}

impl<S, E> futures::Stream for Sized<S>
where
    S: futures::Stream<Item = Result<bytes::Bytes, E>> + Unpin,
    E: StdError + Send + Sync + 'static,
{
    type Item = Result<bytes::Bytes, s3s::StdError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let piece = std::task::ready!(std::pin::Pin::new(&mut self.stream).poll_next(cx));
        if let Some(Ok(bytes)) = &piece {
            self.left = self.left.saturating_sub(bytes.len() as u64);
        }
        std::task::Poll::Ready(piece.map(|piece| piece.map_err(Into::into)))
    }
}

impl<S, E> s3s::stream::ByteStream for Sized<S>
where
    S: futures::Stream<Item = Result<bytes::Bytes, E>> + Unpin,
    E: StdError + Send + Sync + 'static,
{
    fn remaining_length(&self) -> s3s::stream::RemainingLength {
        s3s::stream::RemainingLength::new_exact(usize::try_from(self.left).unwrap_or(usize::MAX))
    }
}
