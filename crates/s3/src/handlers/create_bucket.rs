use http::{HeaderMap, HeaderValue};
use s3s::dto::{CreateBucketInput, CreateBucketOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::error::s3;
use super::names::canned_acl;

/// AWS: `CreateBucket`. Again by its owner: 200, as in us-east-1, and as the guide does.
pub(super) async fn create_bucket(
    handlers: &Handlers,
    request: S3Request<CreateBucketInput>,
) -> S3Result<S3Response<CreateBucketOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.new_bucket(&input.bucket)?;
    let acl = canned_acl(input.acl.as_ref().map(|acl| acl.as_str()))?;
    let configuration = input.create_bucket_configuration.as_ref();
    let location = configuration.and_then(|c| c.location_constraint.as_ref()).map_or("", |l| l.as_str());
    handlers.operations().buckets.create(&granted, acl, location).await.map_err(s3)?;
    let place = HeaderValue::from_str(&format!("/{}", input.bucket)).expect("a bucket name is a header value");
    let headers = HeaderMap::from_iter([(http::header::LOCATION, place)]);
    Ok(S3Response::with_headers(CreateBucketOutput::default(), headers))
}
