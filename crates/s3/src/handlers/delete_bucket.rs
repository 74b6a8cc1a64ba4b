use http::StatusCode;
use policy::Action;
use s3s::dto::{DeleteBucketInput, DeleteBucketOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::error::s3;

/// AWS: `DeleteBucket`.
pub(super) async fn delete_bucket(
    handlers: &Handlers,
    request: S3Request<DeleteBucketInput>,
) -> S3Result<S3Response<DeleteBucketOutput>> {
    let asking = handlers.asking(&request)?;
    let granted = asking.bucket(Action::DeleteBucket, &request.input.bucket).await?;
    handlers.operations().buckets.delete(&granted).await.map_err(s3)?;
    Ok(S3Response::with_status(DeleteBucketOutput::default(), StatusCode::NO_CONTENT))
}
