use policy::Action;
use s3s::dto::{BucketLocationConstraint, GetBucketLocationInput, GetBucketLocationOutput};
use s3s::{S3Error, S3Request, S3Response, S3Result};

use super::Handlers;

/// AWS: `GetBucketLocation`: what was named at creation; nothing for the default.
pub(super) async fn get_bucket_location(
    handlers: &Handlers,
    request: S3Request<GetBucketLocationInput>,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    let asking = handlers.asking(&request)?;
    let granted = asking.bucket(Action::GetBucketLocation, &request.input.bucket).await?;
    let facts = handlers.operations().buckets.facts(&granted, Action::GetBucketLocation);
    let location = facts.map_err(S3Error::internal_error)?.location.clone();
    let location_constraint = (!location.is_empty()).then(|| BucketLocationConstraint::from(location));
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
}
