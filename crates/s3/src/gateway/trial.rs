//! Asks `s3s` whether a signature holds, without asking for anything else: `s3s` keeps its computation to itself.

use std::sync::Arc;

use http::request::Parts;
use http::{Request, Uri};
use s3s::service::S3ServiceBuilder;
use s3s::{Body, S3};

use crate::auth::Gatekeeper;
use crate::exchange::Exchange;

/// A gatekeeper to whom the request has proven itself, if the signature holds for `uri` and the headers as they are. The
/// request of the trial has no body and reaches no operation.
pub(super) async fn verified(
    parts: &Parts,
    uri: &Uri,
    gatekeeper: &Gatekeeper,
    exchange: &Arc<Exchange>,
) -> Option<Gatekeeper> {
    let trial = Exchange::new(exchange.connection);
    let on_trial = gatekeeper.on(trial.clone());
    let mut builder = S3ServiceBuilder::new(NoOperations);
    builder.set_auth(on_trial.clone());
    builder.set_access(on_trial);
    let mut request = Request::new(Body::empty());
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = parts.headers.clone();
    request.extensions_mut().insert(Arc::clone(&trial));
    let _ = builder.build().call(request).await;
    gatekeeper.proven_by(&trial)
}

/// Answers every operation with `NotImplemented`.
struct NoOperations;

impl S3 for NoOperations {}
