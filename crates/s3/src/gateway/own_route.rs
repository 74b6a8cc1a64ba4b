use async_trait::async_trait;
use bytes::Bytes;
use http::{Extensions, HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;
use s3s::route::S3Route;
use s3s::{Body, S3Request, S3Response, S3Result};

use crate::auth::Gatekeeper;
use crate::error;
use crate::exchange::Exchange;
use crate::limits::CONFIGURATION_LEN_MAX;
use crate::own::{OwnInput, OwnOperation, OwnOperations};
use crate::refusal::Refusal;

/// An operation of ours behind `s3s`'s signature check.
pub(super) struct OwnRoute<S> {
    pub(super) gatekeeper: Gatekeeper,
    pub(super) operations: S,
    pub(super) operation: OwnOperation,
    /// The path with the bucket in front, still percent-encoded.
    pub(super) resource: String,
}

#[async_trait]
impl<S: OwnOperations> S3Route for OwnRoute<S> {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, _: &mut Extensions) -> bool {
        true
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        let name = self.operation.name();
        self.gatekeeper.admit(name, request.credentials.as_ref(), &request.method, &request.headers)
    }

    async fn call(&self, mut request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let exchange = Exchange::of(&request.extensions)?;
        let mut document = Bytes::new();
        if self.operation.has_document() {
            document = request.input.store_all_limited(CONFIGURATION_LEN_MAX).await.map_err(|_| {
                let refusal = exchange.body_fault().map(error::of_body);
                exchange.refuse(refusal.unwrap_or_else(|| Refusal::invalid_request("The document cannot be read.")))
            })?;
        }
        let (bucket, object) = names(&self.resource);
        let request = request.map_input(|_| OwnInput { bucket, object, document });
        self.operations.own(self.operation, request).await
    }
}

/// The names in a path, decoded as `s3s` decodes them: escapes first, then the first slash ends the bucket.
pub(super) fn names(resource: &str) -> (String, String) {
    let decoded = percent_decode_str(resource).decode_utf8_lossy();
    let rest = decoded.strip_prefix('/').unwrap_or(&decoded);
    let (bucket, object) = rest.split_once('/').unwrap_or((rest, ""));
    (bucket.to_owned(), object.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_before_they_are_parted() {
        for (resource, bucket, object) in [
            ("/b", "b", ""),
            ("/b/", "b", ""),
            ("/b/a%20b/c+d", "b", "a b/c+d"),
            ("/b%2Fa", "b", "a"),
            ("/b//a%25", "b", "/a%"),
            ("/b/%C3%BC", "b", "\u{fc}"),
        ] {
            assert_eq!(names(resource), (bucket.to_owned(), object.to_owned()), "{resource}");
        }
    }
}
