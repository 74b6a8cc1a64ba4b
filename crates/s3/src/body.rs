//! The request body on its way to `s3s` and the handlers: its framing, its length and its digest, checked while it
//! streams. Nothing is held but what is on its way, and documents: those are bounded one by one and all together.
//!
//! Who checks what depends on who verifies the signature. `s3s` decodes chunks for version 4 headers only, holds every
//! chunk whole in memory, and takes a body that stops between two chunks for complete. So signed chunks pass by a
//! [`Framed`] that watches them; unsigned ones are decoded and framed anew, piece by piece; and for everything that
//! `s3s` would not decode (version 2, anonymous, tokens) they are decoded here.

mod budget;
mod claims;
mod digested;
mod document;
mod document_kind;
mod framed;
mod tap;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use operations::BodyError;
use s3s::Body;

use crate::content_sha256::{ContentSha256, decoded_length};
use crate::exchange::Exchange;
use crate::limits::DOCUMENT_TIME_MAX;
use crate::refusal::Refusal;
use claims::Claims;
use digested::Digested;
use document::{Document, Expected};
use framed::{Framed, Mode};

pub(crate) use budget::{Budget, Held};
pub(crate) use document_kind::DocumentKind;
pub(crate) use tap::Tap;

/// Who verifies what the request says of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verifier {
    /// `s3s`: a version 4 signature in a header.
    HeaderV4,
    /// `s3s`, but for chunks, which it refuses: a presigned URL of version 4.
    QueryV4,
    /// Nobody but us, and chunk signatures can be read and not checked: a token.
    Token,
    /// Nobody but us: anonymous, or version 2.
    Nobody,
}

/// A request before its body is read.
pub(crate) struct Intake<'r> {
    pub(crate) exchange: &'r Arc<Exchange>,
    pub(crate) budget: &'r Arc<Budget>,
    pub(crate) verifier: Verifier,
    /// Set when the body will be read whole, into memory.
    pub(crate) document: Option<DocumentKind>,
}

impl Intake<'_> {
    /// Wraps the body in what its headers ask for.
    pub(crate) fn prepare(&self, headers: &mut HeaderMap, body: Body) -> Result<Body, Refusal> {
        let content = ContentSha256::of(headers)?;
        let length = match content.is_chunked() {
            true => Some(decoded_length(headers)?),
            false => content_length(headers)?.or_else(|| http_body::Body::size_hint(&body).exact()),
        };
        let expected = self.document.map(|kind| {
            let length = kind.check_length(length)?;
            Ok::<_, Refusal>(Expected { kind, length, claims: Claims::of(kind, content, headers)? })
        });
        let expected = expected.transpose()?;
        if let Some(length) = length {
            self.exchange.set_body_length(length);
        }
        let body = match length {
            Some(length) if content.is_chunked() => self.unframed(content, length, headers, body)?,
            _ => body,
        };
        let exchange = self.exchange.clone();
        Ok(match (expected, content) {
            (Some(expected), _) => {
                let budget = self.budget.clone();
                Body::http_body(Document::new(body, expected, DOCUMENT_TIME_MAX, budget, exchange))
            }
            (None, ContentSha256::Digest(digest)) if self.verifier.is_ours() => {
                Body::http_body(Digested::new(body, digest, length, exchange))
            }
            _ => body,
        })
    }

    /// The body with its framing checked, and taken off where `s3s` would not.
    fn unframed(
        &self,
        content: ContentSha256,
        length: u64,
        headers: &mut HeaderMap,
        body: Body,
    ) -> Result<Body, Refusal> {
        if content.has_trailer() {
            check_trailer_names(headers)?;
        }
        let mode = match (self.verifier, content) {
            (Verifier::HeaderV4 | Verifier::QueryV4, _) if self.document.is_some() => {
                return Err(Refusal::not_implemented("An aws-chunked document"));
            }
            (Verifier::HeaderV4, ContentSha256::SignedChunks { .. }) => Mode::Watch,
            (Verifier::HeaderV4, _) => Mode::Reframe,
            (Verifier::QueryV4, _) => {
                return Err(Refusal::not_implemented("An aws-chunked body in a presigned request"));
            }
            (Verifier::Nobody, ContentSha256::SignedChunks { .. }) => {
                let message = "Chunk signatures need a request that is signed with Signature Version 4.";
                return Err(Refusal::invalid_request(message));
            }
            (Verifier::Token | Verifier::Nobody, _) => {
                remove_framing(headers, length);
                Mode::Decode
            }
        };
        Ok(Body::http_body(Framed::new(body, mode, length, self.budget.clone(), self.exchange.clone())))
    }
}

/// What went wrong with a body, from the error that came out of it.
///
/// Ours are noted in the exchange. Those of `s3s` have lost their type by then and have nothing but their text; the
/// tests of the gateway fail should it ever change.
pub(crate) fn fault_of(exchange: &Exchange, error: &s3s::StdError) -> BodyError {
    if let Some(noted) = exchange.body_fault() {
        return noted.clone();
    }
    let text = error.to_string();
    let fault = if text.ends_with("SignatureMismatch") {
        BodyError::SignatureMismatch
    } else if text.ends_with("Sha256Mismatch") {
        BodyError::ContentSha256Mismatch
    } else if text.ends_with("FormatError") {
        BodyError::Malformed
    } else {
        BodyError::Incomplete
    };
    exchange.set_body_fault(fault.clone());
    fault
}

impl Verifier {
    const fn is_ours(self) -> bool {
        matches!(self, Self::Token | Self::Nobody)
    }
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(header::CONTENT_LENGTH) else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let length = digits.and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| Refusal::invalid_argument("The Content-Length header is not a number of bytes."))
}

/// From here on the body is as if it had come without chunks.
fn remove_framing(headers: &mut HeaderMap, length: u64) {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let Some(encoding) = headers.remove(header::CONTENT_ENCODING) else { return };
    let rest = without_framing(encoding.to_str().unwrap_or_default());
    if let Some(Ok(rest)) = rest.map(HeaderValue::try_from) {
        headers.insert(header::CONTENT_ENCODING, rest);
    }
}

/// A `Content-Encoding` without `aws-chunked`, which describes the request and not the object. `None`: nothing is left.
pub(crate) fn without_framing(encoding: &str) -> Option<String> {
    let codings = encoding.split(',').map(str::trim).filter(|coding| !coding.is_empty());
    let rest: Vec<_> = codings.filter(|coding| !coding.eq_ignore_ascii_case("aws-chunked")).collect();
    (!rest.is_empty()).then(|| rest.join(","))
}

/// A trailer that is promised and that nobody reads would be a check that nobody makes.
fn check_trailer_names(headers: &HeaderMap) -> Result<(), Refusal> {
    let names = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = |name: &str| {
        let algorithm = name.strip_prefix("x-amz-checksum-");
        algorithm.and_then(operations::ChecksumAlgorithm::from_name).is_some()
    };
    if known(&names.trim().to_ascii_lowercase()) {
        return Ok(());
    }
    let message = "The value specified in the x-amz-trailer header is not supported";
    Err(Refusal::invalid_request(message).argument("x-amz-trailer", names))
}
