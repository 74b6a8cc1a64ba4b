use http::StatusCode;
use policy::Action;
use s3s::dto::{DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::error::s3;

/// AWS: `DeleteBucketEncryption`: 204, also when there is nothing to delete. Putting has the same right.
pub(super) async fn delete_bucket_encryption(
    handlers: &Handlers,
    request: S3Request<DeleteBucketEncryptionInput>,
) -> S3Result<S3Response<DeleteBucketEncryptionOutput>> {
    let asking = handlers.asking(&request)?;
    let granted = asking.bucket(Action::PutEncryptionConfiguration, &request.input.bucket).await?;
    handlers.operations().buckets.delete_encryption(&granted).await.map_err(s3)?;
    Ok(S3Response::with_status(DeleteBucketEncryptionOutput::default(), StatusCode::NO_CONTENT))
}
