use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;

use crate::checksum::Claims;
use crate::get_object::ReadError;

/// Why the rest of a request body did not come, or must not be trusted. Nothing is stored then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It ended before its declared length, or the connection broke.
    #[error("You did not provide the number of bytes specified by the Content-Length HTTP header")]
    Incomplete,
    /// It does not have the SHA-256 that `x-amz-content-sha256` declares.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    ContentSha256Mismatch,
    /// A chunk's signature is wrong.
    #[error("The request signature we calculated does not match the signature you provided.")]
    SignatureMismatch,
    /// Its framing (aws-chunked) is broken.
    #[error("The request body is not framed as declared")]
    Malformed,
    /// The source of a copy could not be read to its end.
    #[error("the source could not be read")]
    Source,
}

/// A body on its way to a client. An error means: cut the connection, never end it cleanly.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, ReadError>> + Send>>;

/// A body on its way from a client, with what the client claims of it.
pub struct RequestBody {
    /// The plaintext, in pieces of any size.
    pub stream: Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>,
    /// Its declared length in bytes, if any.
    pub length: Option<u64>,
    /// Digests to check before anything is committed.
    pub claims: Claims,
}
