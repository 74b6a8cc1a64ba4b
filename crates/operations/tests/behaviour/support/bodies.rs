//! Request bodies of every kind that a client can send, the broken ones too.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use operations::{BodyError, ChecksumAlgorithm, ChecksumSource, ClaimedChecksum, Claims, RequestBody};

/// One piece, its length declared.
pub(crate) fn body(bytes: &[u8]) -> RequestBody {
    body_in(vec![Bytes::copy_from_slice(bytes)], Some(bytes.len() as u64))
}

/// These pieces, whatever length is declared.
pub(crate) fn body_in(pieces: Vec<Bytes>, length: Option<u64>) -> RequestBody {
    RequestBody { stream: Box::pin(stream::iter(pieces.into_iter().map(Ok))), length, claims: Claims::default() }
}

/// These bytes, then a broken connection.
pub(crate) fn broken_body(bytes: &[u8]) -> RequestBody {
    let pieces = vec![Ok(Bytes::copy_from_slice(bytes)), Err(BodyError::Incomplete)];
    RequestBody { stream: Box::pin(stream::iter(pieces)), length: None, claims: Claims::default() }
}

/// These bytes, then silence for good.
pub(crate) fn endless_body(bytes: &[u8]) -> RequestBody {
    let first = stream::iter(vec![Ok(Bytes::copy_from_slice(bytes))]);
    RequestBody { stream: Box::pin(first.chain(stream::pending())), length: None, claims: Claims::default() }
}

pub(crate) fn with_md5(mut body: RequestBody, md5: [u8; 16]) -> RequestBody {
    body.claims.content_md5 = Some(md5);
    body
}

pub(crate) fn with_checksum(
    mut body: RequestBody,
    algorithm: ChecksumAlgorithm,
    source: ChecksumSource,
) -> RequestBody {
    body.claims.checksum = Some(ClaimedChecksum { algorithm, source });
    body
}
