use policy::Action;
use s3s::dto::{HeadBucketInput, HeadBucketOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;

/// AWS: `HeadBucket`; it needs the right to list.
pub(super) async fn head_bucket(
    handlers: &Handlers,
    request: S3Request<HeadBucketInput>,
) -> S3Result<S3Response<HeadBucketOutput>> {
    let asking = handlers.asking(&request)?;
    asking.bucket(Action::ListBucket, &request.input.bucket).await?;
    let output = HeadBucketOutput { bucket_region: Some(handlers.region().to_owned()), ..HeadBucketOutput::default() };
    Ok(S3Response::new(output))
}
