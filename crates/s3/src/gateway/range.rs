//! `Range` headers that `s3s` refuses: several ranges, other units, numbers beyond its own. HTTP says to ignore what is not
//! understood (RFC 9110 section 14.2), and AWS does, so such a header goes past `s3s` to the handler.
//!
//! A signature may cover the header. Then it is checked first, with the header in its place; the request goes on as
//! proven, without its `Authorization`, as that of a token does.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};

use super::trial;
use crate::auth::Gatekeeper;
use crate::exchange::Exchange;

/// A `Range` header that was taken out of the request, for the handler to read.
#[derive(Clone)]
pub(crate) struct RangeSetAside(pub(crate) HeaderValue);

/// Takes a `Range` header that `s3s` would refuse out of a read. A presigned URL that signs such a header keeps it, and
/// is refused: its signature is in the query, which is signed as well.
pub(super) async fn set_aside(parts: &mut Parts, gatekeeper: Gatekeeper, exchange: &Arc<Exchange>) -> Gatekeeper {
    let Some(value) = parts.headers.get(header::RANGE).filter(|value| is_refused(value)).cloned() else {
        return gatekeeper;
    };
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return gatekeeper;
    }
    let mut keeper = gatekeeper;
    if is_signed(&parts.headers) {
        // What does not hold is left to fail as it would have.
        let Some(proven) = trial::verified(parts, &parts.uri, &keeper, exchange).await else { return keeper };
        parts.headers.remove(header::AUTHORIZATION);
        keeper = proven;
    }
    parts.headers.remove(header::RANGE);
    parts.extensions.insert(RangeSetAside(value));
    keeper
}

fn is_refused(value: &HeaderValue) -> bool {
    value.to_str().ok().is_none_or(|text| s3s::dto::Range::parse(text).is_err())
}

/// Version 4 lists what it covers; version 2 covers no `Range`.
fn is_signed(headers: &HeaderMap) -> bool {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let list = authorization.split_once("SignedHeaders=").map(|(_, rest)| rest.split(',').next().unwrap_or_default());
    list.is_some_and(|list| list.trim().split(';').any(|name| name.eq_ignore_ascii_case("range")))
}
