//! Version 2 signatures over `/bucket/` for a request to `/bucket`. AWS takes them, and botocore makes no others for
//! path-style addresses. `s3s` checks the path as it came, so it is asked beforehand whether the signature holds for the
//! other spelling.

use std::sync::Arc;

use http::Uri;
use http::request::Parts;
use http::uri::PathAndQuery;

use super::trial;
use crate::auth::Gatekeeper;
use crate::exchange::Exchange;

/// The URI with a slash behind the bucket, if that is what the gatekeeper's credential has signed.
pub(super) async fn signed_with_slash(parts: &Parts, gatekeeper: &Gatekeeper, exchange: &Arc<Exchange>) -> Option<Uri> {
    let uri = with_slash(&parts.uri)?;
    trial::verified(parts, &uri, gatekeeper, exchange).await.map(|_| uri)
}

fn with_slash(uri: &Uri) -> Option<Uri> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut changed = uri.clone().into_parts();
    changed.path_and_query = Some(PathAndQuery::try_from(format!("{}/{query}", uri.path())).ok()?);
    Uri::from_parts(changed).ok()
}
