//! Version 2 signatures over `/bucket/` for a request to `/bucket`.
//!
//! AWS takes them, and botocore makes no others for path-style addresses. `s3s` checks the path as it came and keeps its
//! computation to itself, so it is asked beforehand whether the signature holds for the other spelling.

use std::sync::Arc;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Uri};
use s3s::service::S3ServiceBuilder;
use s3s::{Body, S3};

use crate::auth::Gatekeeper;
use crate::exchange::Exchange;

/// The URI with a slash behind the bucket, if that is what the gatekeeper's credential has signed. The request to
/// `builder`'s service has no body and reaches no operation.
pub(super) async fn signed_with_slash(parts: &Parts, gatekeeper: &Gatekeeper, exchange: &Exchange) -> Option<Uri> {
    let uri = with_slash(&parts.uri)?;
    let trial = Exchange::new(exchange.connection);
    let gatekeeper = gatekeeper.on(trial.clone());
    let mut builder = S3ServiceBuilder::new(NoOperations);
    builder.set_auth(gatekeeper.clone());
    builder.set_access(gatekeeper);
    let mut request = Request::new(Body::empty());
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = parts.headers.clone();
    request.extensions_mut().insert(Arc::clone(&trial));
    let _ = builder.build().call(request).await;
    trial.principal().map(|_| uri)
}

fn with_slash(uri: &Uri) -> Option<Uri> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut changed = uri.clone().into_parts();
    changed.path_and_query = Some(PathAndQuery::try_from(format!("{}/{query}", uri.path())).ok()?);
    Uri::from_parts(changed).ok()
}

/// Answers every operation with `NotImplemented`.
struct NoOperations;

impl S3 for NoOperations {}
