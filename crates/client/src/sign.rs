//! Signature V4 in the `Authorization` header, as the AWS SigV4 page for S3 describes it ("Authenticating Requests:
//! Using the Authorization Header").
//!
//! Our own small signer, because the benchmark must not measure a client library; independent of the server's verifier,
//! so that the two can disagree. The canonical request is hashed piece by piece and never exists as text: with SSE-C it
//! would hold the customer key. Absent: query signatures, chunk signatures, V2.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;
use time::OffsetDateTime;
use time::macros::format_description;
use zeroize::Zeroizing;

/// Who signs, and for which region.
pub struct Credentials {
    /// Sent in the clear with every request, unless it is a token; never printed.
    pub access_key_id: Zeroizing<String>,
    /// May be empty: a token is sent as access key without a secret.
    pub secret_key: Zeroizing<String>,
    /// Such as `us-east-1`.
    pub region: String,
}

/// What of a request is signed.
pub struct SignedParts<'a> {
    /// In capitals.
    pub method: &'a str,
    /// Percent-encoded as it will be sent.
    pub path: &'a str,
    /// Percent-encoded, parameters sorted, each with an equals sign; empty when there is none.
    pub query: &'a str,
    /// Lower-case names in ascending order, `host`, `x-amz-content-sha256` and `x-amz-date` among them.
    pub headers: &'a [(&'a str, Cow<'a, str>)],
    /// The value of `x-amz-content-sha256`.
    pub payload_hash: &'a str,
}

/// Signs requests; keeps the day's signing key.
pub struct Signer {
    credentials: Arc<Credentials>,
    signing_key: Option<(String, Zeroizing<[u8; 32]>)>,
}

impl Signer {
    /// A signer without a day's key yet.
    pub fn new(credentials: Arc<Credentials>) -> Self {
        Self { credentials, signing_key: None }
    }

    /// The value of the `Authorization` header. `stamp` is the value of `x-amz-date`, as [`stamp`] makes it.
    pub fn authorization(&mut self, parts: &SignedParts<'_>, stamp: &str) -> String {
        let (day, _) = stamp.split_once('T').unwrap_or((stamp, ""));
        let scope = format!("{day}/{}/s3/aws4_request", self.credentials.region);
        let signed_headers = parts.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let request_hash = hex::encode(canonical_request_hash(parts, &signed_headers));
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request_hash}");
        let signature = hex::encode(*hmac(self.signing_key(day), to_sign.as_bytes()));
        let access_key_id = self.credentials.access_key_id.as_str();
        format!(
            "AWS4-HMAC-SHA256 Credential={access_key_id}/{scope}, SignedHeaders={signed_headers}, Signature={signature}"
        )
    }

    fn signing_key(&mut self, day: &str) -> &[u8; 32] {
        if self.signing_key.as_ref().is_none_or(|(known, _)| known != day) {
            self.signing_key = Some((day.to_owned(), derive(&self.credentials, day)));
        }
        let (_, key) = self.signing_key.as_ref().expect("the day's key was just derived when it was missing");
        key
    }
}

/// The time that requests are signed with: the client's own.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "a client signs the time of its own machine; there is no server clock here"
)]
pub fn now() -> OffsetDateTime {
    SystemTime::now().into()
}

/// The time as `x-amz-date` wants it: `20130524T000000Z`.
pub fn stamp(time: OffsetDateTime) -> String {
    time.to_offset(time::UtcOffset::UTC)
        .format(format_description!("[year][month][day]T[hour][minute][second]Z"))
        .expect("a UTC time of four-digit year has every component of the format")
}

fn canonical_request_hash(parts: &SignedParts<'_>, signed_headers: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for line in [parts.method, parts.path, parts.query] {
        hash.update(line);
        hash.update("\n");
    }
    for (name, value) in parts.headers {
        hash.update(name);
        hash.update(":");
        // Spaces around a value and runs of them inside count as none and one.
        for (at, word) in value.split(' ').filter(|word| !word.is_empty()).enumerate() {
            hash.update(if at == 0 { "" } else { " " });
            hash.update(word.as_bytes());
        }
        hash.update("\n");
    }
    hash.update("\n");
    hash.update(signed_headers);
    hash.update("\n");
    hash.update(parts.payload_hash);
    hash.finalize().into()
}

fn derive(credentials: &Credentials, day: &str) -> Zeroizing<[u8; 32]> {
    let secret = Zeroizing::new(format!("AWS4{}", *credentials.secret_key));
    let mut key = hmac(secret.as_bytes(), day.as_bytes());
    for scope in [credentials.region.as_str(), "s3", "aws4_request"] {
        key = hmac(&*key, scope.as_bytes());
    }
    key
}

fn hmac(key: &[u8], message: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(message);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;
