//! What a policy may know of a request (AWS: "Condition keys for Amazon S3"). `policy` has the list of these keys too,
//! to warn of a policy that asks for another.
//!
//! A key has the value that is acted upon, decoded, in one spelling: whatever a request may spell in two ways is taken
//! from where it was parsed, and never searched for in its text.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use identity::SignatureScheme;
use model::{KmsKeyId, Timestamp};
use percent_encoding::percent_decode_str;
use policy::Context;
use s3s::dto::CopySource;

use super::Handlers;
use super::answer::iso_date;
use crate::exchange::{Exchange, Signed, SignedIn};
use crate::query::pairs;

/// Request headers that policies may look at, by the same name behind `s3:`.
const HEADER_KEYS: [&str; 6] = [
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-acl",
    "x-amz-metadata-directive",
    "x-amz-storage-class",
    "x-amz-content-sha256",
];

/// The condition key of the mode that a write asks for.
pub(super) const MODE_KEY: &str = "s3:x-amz-server-side-encryption";

/// The condition key of the KMS key that a write asks for.
const KMS_KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";

/// Query parameters that policies may look at.
const QUERY_KEYS: [&str; 3] = ["prefix", "delimiter", "max-keys"];

impl Handlers {
    pub(super) fn context(&self, exchange: &Exchange, headers: &HeaderMap, uri: &Uri) -> Context {
        let mut context = Context::new();
        let connection = &exchange.connection;
        let now = self.clock().now();
        context
            .set("aws:SecureTransport", if connection.secure { "true" } else { "false" })
            .set("aws:SourceIp", connection.peer.ip().to_canonical().to_string())
            .set("aws:RequestedRegion", self.region().to_owned())
            .set("aws:CurrentTime", iso_date(now))
            .set("aws:EpochTime", now.as_secs().to_string());
        if let Some(version) = connection.tls {
            context.set("s3:TlsVersion", version.as_str());
        }
        for (name, policy_name) in [(header::USER_AGENT, "aws:UserAgent"), (header::REFERER, "aws:Referer")] {
            if let Some(value) = headers.get(name) {
                context.set(policy_name, text(value));
            }
        }
        for name in HEADER_KEYS {
            if let Some(value) = headers.get(name) {
                context.set(format!("s3:{name}"), text(value));
            }
        }
        if let Some(value) = headers.get("x-amz-server-side-encryption-aws-kms-key-id") {
            set_kms_key(&mut context, &text(value));
        }
        set_copy_source(&mut context, headers);
        set_query_keys(&mut context, uri);
        set_creation_keys(&mut context, exchange.operation().as_deref(), headers);
        if let Some(signed) = exchange.signed() {
            set_authentication_keys(&mut context, signed, now);
        }
        context
    }
}

/// Lets policies see a KMS key, however it was spelled, by its id.
pub(super) fn set_kms_key(context: &mut Context, text: &str) {
    // What names no key is refused once it is allowed.
    let id = KmsKeyId::parse(text).map_or_else(|_| text.to_owned(), |id| id.to_string());
    context.set(KMS_KEY, id);
}

/// `s3s` reads headers as UTF-8 and the front refuses those of `x-amz-*` that are not.
fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// The source as `bucket/key`, by the parser whose result is copied from: the header may have a slash in front, any
/// character escaped, and a version behind.
fn set_copy_source(context: &mut Context, headers: &HeaderMap) {
    let parsed = headers.get("x-amz-copy-source").map(|value| CopySource::parse(&text(value)));
    // Another source, or none that can be read, is refused.
    if let Some(Ok(CopySource::Bucket { bucket, key, .. })) = parsed {
        context.set("s3:x-amz-copy-source", format!("{bucket}/{key}"));
    }
}

/// Names are decoded as s3s decodes them: a policy must see the prefix that will be listed, however it was spelled.
fn set_query_keys(context: &mut Context, uri: &Uri) {
    for (name, value) in pairs(uri) {
        if QUERY_KEYS.contains(&name.as_ref()) {
            let value = value.replace('+', " ");
            context.set(format!("s3:{name}"), percent_decode_str(&value).decode_utf8_lossy().into_owned());
        }
    }
}

/// AWS: "Enforce conditional writes on Amazon S3 buckets": the conditions of calls that make an object, and which of the
/// calls under `s3:PutObject` these are.
fn set_creation_keys(context: &mut Context, operation: Option<&str>, headers: &HeaderMap) {
    let creates = match operation {
        Some("PutObject" | "CopyObject" | "CompleteMultipartUpload") => true,
        Some("CreateMultipartUpload" | "UploadPart" | "UploadPartCopy") => false,
        _ => return,
    };
    context.set("s3:ObjectCreationOperation", if creates { "true" } else { "false" });
    if creates {
        let values =
            |name: HeaderName| headers.get_all(name).iter().map(|value| text(value).into()).collect::<Vec<_>>();
        context.set_all("s3:if-match", values(header::IF_MATCH));
        context.set_all("s3:if-none-match", values(header::IF_NONE_MATCH));
    }
}

/// AWS: "Amazon S3 Signature Version 4 authentication specific policy keys". The age is that of presigned URLs only,
/// in milliseconds.
fn set_authentication_keys(context: &mut Context, signed: Signed, now: Timestamp) {
    let place = match signed.place {
        SignedIn::Header => "REST-HEADER",
        SignedIn::Query => "REST-QUERY-STRING",
        SignedIn::Form => "POST",
    };
    let version = match signed.scheme {
        SignatureScheme::V4 => "AWS4-HMAC-SHA256",
        SignatureScheme::V2 => "AWS",
    };
    context.set("s3:authType", place).set("s3:signatureversion", version);
    if let Some(at) = signed.at {
        context.set("s3:signatureAge", now.as_millis().saturating_sub(at.as_millis()).to_string());
    }
}

#[cfg(test)]
mod tests;
