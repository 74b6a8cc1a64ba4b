//! Who asks, and what a policy may know of the request (AWS: "Condition keys for Amazon S3").

use std::sync::Arc;

use http::{HeaderMap, Uri, header};
use model::Principal;
use operations::{Caller, EncryptionMode, Granted, UploadFacts};
use percent_encoding::percent_decode_str;
use policy::{Action, Context};
use s3s::{S3Request, S3Result};

use super::Handlers;
use super::answer::iso_date;
use super::bucket_owner::ExpectedOwner;
use super::error::s3;
use super::names::{bucket_name, object_key};
use crate::exchange::Exchange;
use crate::query::pairs;

/// Request headers that policies may look at, by the same name behind `s3:`.
const HEADER_KEYS: [&str; 10] = [
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-acl",
    "x-amz-copy-source",
    "x-amz-metadata-directive",
    "x-amz-storage-class",
    "x-amz-content-sha256",
    "x-amz-website-redirect-location",
    "x-amz-object-ownership",
];

/// Query parameters that policies may look at.
const QUERY_KEYS: [&str; 3] = ["prefix", "delimiter", "max-keys"];

/// A request about to be judged.
pub(super) struct Asking<'a> {
    pub(super) exchange: Arc<Exchange>,
    pub(super) caller: Caller,
    owner: ExpectedOwner,
    source_owner: ExpectedOwner,
    handlers: &'a Handlers,
}

impl Handlers {
    /// Reads who asks from a request that s3s has verified.
    pub(super) fn asking<T>(&self, request: &S3Request<T>) -> S3Result<Asking<'_>> {
        let exchange = Exchange::of(&request.extensions)?.clone();
        let principal = exchange.principal().cloned().unwrap_or(Principal::Anonymous);
        let context = self.context(&exchange, &request.headers, &request.uri);
        Ok(Asking {
            exchange,
            caller: Caller { principal, context },
            owner: ExpectedOwner::of_target(&request.headers)?,
            source_owner: ExpectedOwner::of_copy_source(&request.headers)?,
            handlers: self,
        })
    }

    fn context(&self, exchange: &Exchange, headers: &HeaderMap, uri: &Uri) -> Context {
        let mut context = Context::new();
        let connection = &exchange.connection;
        let now = self.clock().now();
        context
            .set("aws:SecureTransport", if connection.secure { "true" } else { "false" })
            .set("aws:SourceIp", connection.peer.ip().to_canonical().to_string())
            .set("aws:RequestedRegion", self.region().to_owned())
            .set("aws:CurrentTime", iso_date(now))
            .set("aws:EpochTime", now.as_secs().to_string());
        for (name, policy_name) in [(header::USER_AGENT, "aws:UserAgent"), (header::REFERER, "aws:Referer")] {
            if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
                context.set(policy_name, value.to_owned());
            }
        }
        for name in HEADER_KEYS {
            if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
                context.set(format!("s3:{name}"), value.to_owned());
            }
        }
        set_query_keys(&mut context, uri);
        if *exchange.principal().unwrap_or(&Principal::Anonymous) != Principal::Anonymous {
            set_authentication_keys(&mut context, headers, uri);
        }
        context
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

/// AWS: "Amazon S3 Signature Version 4 authentication specific policy keys".
fn set_authentication_keys(context: &mut Context, headers: &HeaderMap, uri: &Uri) {
    let query = uri.query().unwrap_or_default();
    let in_query = query.contains("X-Amz-Signature=") || query.contains("Signature=");
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let version_4 = authorization.starts_with("AWS4-") || query.contains("X-Amz-Signature=");
    context
        .set("s3:authType", if in_query { "REST-QUERY-STRING" } else { "REST-HEADER" })
        .set("s3:signatureversion", if version_4 { "AWS4-HMAC-SHA256" } else { "AWS" });
}

impl Asking<'_> {
    pub(super) fn service(&self, action: Action) -> S3Result<Granted> {
        self.handlers.operations().authorizer.service(&self.caller, action).map_err(s3)
    }

    pub(super) fn new_bucket(&self, bucket: &str) -> S3Result<Granted> {
        self.handlers.operations().authorizer.new_bucket(&self.caller, &bucket_name(bucket)?).map_err(s3)
    }

    pub(super) async fn bucket(&self, action: Action, bucket: &str) -> S3Result<Granted> {
        let bucket = bucket_name(bucket)?;
        let granted = self.handlers.operations().authorizer.bucket(&self.caller, action, &bucket).await.map_err(s3)?;
        owned_as_expected(granted, &self.owner)
    }

    pub(super) async fn object(&self, action: Action, bucket: &str, object: &str) -> S3Result<Granted> {
        owned_as_expected(self.any_object(action, bucket, object).await?, &self.owner)
    }

    /// The object that a copy reads.
    pub(super) async fn copy_source(&self, bucket: &str, object: &str) -> S3Result<Granted> {
        owned_as_expected(self.any_object(Action::GetObject, bucket, object).await?, &self.source_owner)
    }

    async fn any_object(&self, action: Action, bucket: &str, object: &str) -> S3Result<Granted> {
        let (bucket, object) = (bucket_name(bucket)?, object_key(object)?);
        self.handlers.operations().authorizer.object(&self.caller, action, &bucket, &object).await.map_err(s3)
    }

    /// Parts and completions carry no encryption headers: they are judged by those of the call that began the upload.
    pub(super) fn judge_as(&mut self, facts: UploadFacts) {
        let context = &mut self.caller.context;
        if facts.requested.server_header {
            context.set("s3:x-amz-server-side-encryption", "AES256");
        }
        if facts.requested.customer_header {
            context.set("s3:x-amz-server-side-encryption-customer-algorithm", "AES256");
        }
    }

    /// For the log line of the request.
    pub(super) fn note_encryption(&self, mode: EncryptionMode) {
        self.exchange.set_encryption(match mode {
            EncryptionMode::Server => "SSE-S3",
            EncryptionMode::Customer => "SSE-C",
        });
    }
}

fn owned_as_expected(granted: Granted, expected: &ExpectedOwner) -> S3Result<Granted> {
    if let Some(bucket) = granted.bucket_facts() {
        expected.check(&bucket.owner)?;
    }
    Ok(granted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_sees_a_parameter_however_its_name_is_spelled() {
        for uri in ["/b?prefix=a%2Fb+c", "/b?%70refix=a%2Fb%20c", "/b?prefi%78=a/b+c"] {
            let mut context = Context::new();
            set_query_keys(&mut context, &Uri::from_static(uri));
            assert_eq!(context.get("s3:prefix").map(|values| values[0].as_ref()), Some("a/b c"), "{uri}");
        }
    }
}
