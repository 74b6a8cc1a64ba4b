use http::{HeaderMap, HeaderValue};
use model::LocationConstraint;
use s3s::dto::{CreateBucketConfiguration, CreateBucketInput, CreateBucketOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

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
    let location = location_constraint(input.create_bucket_configuration.as_ref())?;
    handlers.operations().buckets.create(&granted, acl, location.as_str()).await.map_err(s3)?;
    let place = HeaderValue::from_str(&format!("/{}", input.bucket)).expect("a bucket name is a header value");
    let headers = HeaderMap::from_iter([(http::header::LOCATION, place)]);
    Ok(S3Response::with_headers(CreateBucketOutput::default(), headers))
}

/// The place that the request names. What only directory buckets have is refused.
fn location_constraint(configuration: Option<&CreateBucketConfiguration>) -> S3Result<LocationConstraint> {
    let Some(configuration) = configuration else { return Ok(LocationConstraint::default()) };
    if configuration.bucket.is_some() || configuration.location.is_some() {
        return Err(S3Error::with_message(
            S3ErrorCode::NotImplemented,
            "A directory bucket implies functionality that is not implemented",
        ));
    }
    let text = configuration.location_constraint.as_ref().map_or("", |constraint| constraint.as_str());
    LocationConstraint::parse(text)
        .map_err(|error| S3Error::with_message(S3ErrorCode::InvalidLocationConstraint, error.to_string()))
}
