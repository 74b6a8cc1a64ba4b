use http::StatusCode;
use operations::{Granted, PolicyError};
use policy::{Action, MalformedPolicy, Policy, PolicyWarning};
use s3s::dto::{DeleteBucketPolicyInput, DeleteBucketPolicyOutput, PutBucketPolicyInput, PutBucketPolicyOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::error::s3;
use crate::compatibility::PolicyVersions;

/// AWS: `PutBucketPolicy`. What is odd but accepted (the guide's version date) is told to the log.
pub(super) async fn put_bucket_policy(
    handlers: &Handlers,
    request: S3Request<PutBucketPolicyInput>,
) -> S3Result<S3Response<PutBucketPolicyOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.bucket(Action::PutBucketPolicy, &input.bucket).await?;
    let text = input.policy.as_bytes();
    if handlers.compatibility().policy_versions == PolicyVersions::Strict {
        check_version(&granted, text).map_err(s3)?;
    }
    let policy = handlers.operations().buckets.put_policy(&granted, text).await.map_err(s3)?;
    for warning in policy.warnings() {
        tracing::warn!(target: "canopic::policy", bucket = %input.bucket, %warning, "a policy was accepted with a warning");
    }
    Ok(S3Response::with_status(PutBucketPolicyOutput::default(), StatusCode::NO_CONTENT))
}

/// Refuses a version that names no version of the policy language.
fn check_version(granted: &Granted, text: &[u8]) -> Result<(), PolicyError> {
    let Some(bucket) = granted.bucket_facts() else { return Ok(()) };
    let policy = Policy::parse(text, &bucket.name)?;
    let unknown = policy.warnings().iter().any(|warning| matches!(warning, PolicyWarning::UnknownVersion(_)));
    if unknown { Err(MalformedPolicy::InvalidVersion.into()) } else { Ok(()) }
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
