use http::StatusCode;
use policy::Action;
use s3s::dto::{DeleteBucketPolicyInput, DeleteBucketPolicyOutput, PutBucketPolicyInput, PutBucketPolicyOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::error::s3;

/// AWS: `PutBucketPolicy`. What is odd but accepted (the guide's version date) is told to the log.
pub(super) async fn put_bucket_policy(
    handlers: &Handlers,
    request: S3Request<PutBucketPolicyInput>,
) -> S3Result<S3Response<PutBucketPolicyOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.bucket(Action::PutBucketPolicy, &input.bucket).await?;
    let policy = handlers.operations().buckets.put_policy(&granted, input.policy.as_bytes()).await.map_err(s3)?;
    for warning in policy.warnings() {
        tracing::warn!(target: "canopic::policy", bucket = %input.bucket, %warning, "a policy was accepted with a warning");
    }
    Ok(S3Response::with_status(PutBucketPolicyOutput::default(), StatusCode::NO_CONTENT))
}

/// AWS: `DeleteBucketPolicy`.
pub(super) async fn delete_bucket_policy(
    handlers: &Handlers,
    request: S3Request<DeleteBucketPolicyInput>,
) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
    let asking = handlers.asking(&request)?;
    let granted = asking.bucket(Action::DeleteBucketPolicy, &request.input.bucket).await?;
    handlers.operations().buckets.delete_policy(&granted).await.map_err(s3)?;
    Ok(S3Response::with_status(DeleteBucketPolicyOutput::default(), StatusCode::NO_CONTENT))
}
