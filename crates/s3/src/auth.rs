//! Who a request claims to be, and what has to hold before anyone checks the proof.
//!
//! A token is its own proof: its signature cannot be checked, because clients sign with an empty or arbitrary secret. It
//! is settled here and the request goes on to `s3s` without its `Authorization` header. For an access key pair the
//! secret is looked up here, once, and [`Gatekeeper`] hands `s3s` this one secret and no other.
//!
//! `s3s` checks the signature; what the signature must cover is checked here ([`coverage`]).

mod coverage;
pub(crate) mod form;
mod gatekeeper;

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use identity::{
    AccessKeyId, MalformedAuthorization, Presented, PresentedKey, SecretAccessKey, SignatureScheme, Token,
    presented_access_key,
};
use model::{Principal, Timestamp};
use operations::{Fault, Users};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::body::Verifier;
use crate::connection::Connection;
use crate::error::of_fault;
use crate::exchange::{Signed, SignedIn};
use crate::refusal::Refusal;

pub(crate) use gatekeeper::Gatekeeper;

/// Looks up credentials. An unknown, expired or revoked one is `None`.
#[async_trait]
pub trait CredentialStore: Send + Sync + 'static {
    /// The secret and the principal of an access key pair.
    ///
    /// # Errors
    /// [`Fault`] when the lookup fails.
    async fn access_key(&self, id: &AccessKeyId) -> Result<Option<(Arc<SecretAccessKey>, Principal)>, Fault>;

    /// The principal of a token; the comparison takes constant time.
    ///
    /// # Errors
    /// [`Fault`] when the lookup fails.
    async fn token(&self, token: &Token) -> Result<Option<Principal>, Fault>;
}

#[async_trait]
impl CredentialStore for Users {
    async fn access_key(&self, id: &AccessKeyId) -> Result<Option<(Arc<SecretAccessKey>, Principal)>, Fault> {
        Users::access_key(self, id.as_str()).await
    }

    async fn token(&self, token: &Token) -> Result<Option<Principal>, Fault> {
        Users::token(self, token).await
    }
}

/// Who the request may turn out to be.
pub(crate) enum Claim {
    /// Nobody in particular.
    Anonymous,
    /// The holder of this secret, if `s3s` finds that the signature is right.
    AccessKey { id: AccessKeyId, secret: Arc<SecretAccessKey>, principal: Principal, signed: Signed },
    /// Proven already, by a token or as a form.
    Proven { principal: Principal, signed: Signed },
}

/// The claim of a request with who is to check its body.
pub(crate) struct Claimed {
    pub(crate) claim: Claim,
    pub(crate) verifier: Verifier,
}

/// Reads the claim of a request and checks everything about it but the signature. A token's `Authorization` header is
/// removed.
pub(crate) async fn claim(
    store: &dyn CredentialStore,
    headers: &mut HeaderMap,
    uri: &Uri,
    connection: &Connection,
    now: Timestamp,
    region: &str,
) -> Result<Claimed, Refusal> {
    let authorization = match headers.get(header::AUTHORIZATION) {
        None => None,
        Some(value) => Some(value.to_str().map_err(|_| malformed(MalformedAuthorization::UnsupportedScheme))?),
    };
    let (by, scheme, in_query) = match presented_access_key(authorization, uri.query()).map_err(malformed)? {
        Presented::Anonymous => return Ok(Claimed { claim: Claim::Anonymous, verifier: Verifier::Nobody }),
        Presented::Signed { by, scheme, in_query } => (by, scheme, in_query),
    };
    let sent = if in_query { None } else { Some(check_time(headers, now)?) };
    let place = if in_query { SignedIn::Query } else { SignedIn::Header };
    let signed = Signed { scheme, place, at: presigned_at(uri, scheme, in_query) };
    match by {
        PresentedKey::Token(token) => {
            let principal = token_principal(store, &token, in_query, connection).await?;
            headers.remove(header::AUTHORIZATION);
            Ok(Claimed { claim: Claim::Proven { principal, signed }, verifier: Verifier::Token })
        }
        PresentedKey::AccessKey(id) => {
            coverage::check(headers, uri, scheme, in_query, region)?;
            let found = store.access_key(&id).await.map_err(|fault| of_fault(&fault))?;
            let Some((secret, principal)) = found else {
                return Err(unknown_access_key().detail("AWSAccessKeyId", id.as_str()));
            };
            let verifier = match (scheme, in_query) {
                (SignatureScheme::V4, false) => Verifier::HeaderV4,
                (SignatureScheme::V4, true) => Verifier::QueryV4,
                (SignatureScheme::V2, _) => Verifier::Nobody,
            };
            if let (Verifier::HeaderV4, Some(sent)) = (&verifier, sent) {
                date_for_s3s(headers, sent);
            }
            Ok(Claimed { claim: Claim::AccessKey { id, secret, principal, signed }, verifier })
        }
    }
}

async fn token_principal(
    store: &dyn CredentialStore,
    token: &Token,
    in_query: bool,
    connection: &Connection,
) -> Result<Principal, Refusal> {
    if in_query {
        return Err(Refusal::access_denied(
            "A token cannot presign a URL: the URL would hand the token, which opens everything that you may, to \
             whoever sees it. Presign with an access key pair.",
        ));
    }
    if !connection.secure {
        return Err(Refusal::access_denied(
            "A token is accepted over TLS only: over plain HTTP it can be read on the way. It may have been seen now; \
             revoke it.",
        ));
    }
    let principal = store.token(token).await.map_err(|fault| of_fault(&fault))?;
    principal.ok_or_else(unknown_access_key)
}

/// A signature in a header is good for 15 minutes (AWS: "Signing and authenticating REST requests", "Time stamp
/// requirement"). `s3s` checks it for version 4 only. A presigned URL has an expiry instead.
fn check_time(headers: &HeaderMap, now: Timestamp) -> Result<Timestamp, Refusal> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let sent = identity::request_time(text("x-amz-date"), text("date"))
        .map_err(|error| Refusal::access_denied(error.to_string()))?;
    identity::check_skew(sent, now)
        .map_err(|error| Refusal::new(StatusCode::FORBIDDEN, "RequestTimeTooSkewed", error.to_string()))?;
    Ok(sent)
}

/// When a presigned URL of version 4 was made. One that cannot be read is refused by `s3s`.
fn presigned_at(uri: &Uri, scheme: SignatureScheme, in_query: bool) -> Option<Timestamp> {
    let dated = in_query && scheme == SignatureScheme::V4;
    let date = dated.then(|| coverage::query_parameter(uri, "X-Amz-Date"))?;
    identity::request_time(Some(&date), None).ok()
}

/// `Date` may stand in for `x-amz-date`, in its own form (AWS: "Signature Version 4 for API requests", "Handling dates");
/// botocore sends it so when a caller sets it. `s3s` looks for `x-amz-date` only. The signature covers the time itself
/// and no header that it does not list, so that this one changes nothing that was signed.
fn date_for_s3s(headers: &mut HeaderMap, sent: Timestamp) {
    let moment = i64::try_from(sent.as_secs()).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let text = moment.and_then(|moment| moment.format(format).ok());
    if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.entry("x-amz-date").or_insert(value);
    }
}

fn unknown_access_key() -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "InvalidAccessKeyId", MalformedAuthorization::InvalidKey.to_string())
}

fn malformed(error: MalformedAuthorization) -> Refusal {
    use MalformedAuthorization::{HeaderV2, HeaderV4, InvalidKey, QueryV2, QueryV4, Several, UnsupportedScheme};
    let (status, code) = match error {
        Several | UnsupportedScheme | HeaderV2 => (StatusCode::BAD_REQUEST, "InvalidArgument"),
        HeaderV4 => (StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed"),
        QueryV2 => (StatusCode::FORBIDDEN, "AccessDenied"),
        QueryV4 => (StatusCode::BAD_REQUEST, "AuthorizationQueryParametersError"),
        InvalidKey => (StatusCode::FORBIDDEN, "InvalidAccessKeyId"),
    };
    Refusal::new(status, code, error.to_string())
}
