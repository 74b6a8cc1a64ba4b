use policy::Action;
use s3s::dto::{GetBucketVersioningInput, GetBucketVersioningOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;

/// AWS: `GetBucketVersioning`: empty, which means that versioning was never enabled. It cannot be here.
pub(super) async fn get_bucket_versioning(
    handlers: &Handlers,
    request: S3Request<GetBucketVersioningInput>,
) -> S3Result<S3Response<GetBucketVersioningOutput>> {
    let asking = handlers.asking(&request)?;
    let _granted = asking.bucket(Action::GetBucketVersioning, &request.input.bucket).await?;
    Ok(S3Response::new(GetBucketVersioningOutput::default()))
}
