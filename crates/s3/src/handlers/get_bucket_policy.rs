use policy::Action;
use s3s::dto::{
    GetBucketPolicyInput, GetBucketPolicyOutput, GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, PolicyStatus,
};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::error::s3;

/// AWS: `GetBucketPolicy`: the document as it was put.
pub(super) async fn get_bucket_policy(
    handlers: &Handlers,
    request: S3Request<GetBucketPolicyInput>,
) -> S3Result<S3Response<GetBucketPolicyOutput>> {
    let asking = handlers.asking(&request)?;
    let granted = asking.bucket(Action::GetBucketPolicy, &request.input.bucket).await?;
    let text = handlers.operations().buckets.policy(&granted).map_err(s3)?;
    let policy = Some(String::from_utf8_lossy(text).into_owned());
    Ok(S3Response::new(GetBucketPolicyOutput { policy }))
}

/// AWS: `GetBucketPolicyStatus`.
pub(super) async fn get_bucket_policy_status(
    handlers: &Handlers,
    request: S3Request<GetBucketPolicyStatusInput>,
) -> S3Result<S3Response<GetBucketPolicyStatusOutput>> {
    let asking = handlers.asking(&request)?;
    let granted = asking.bucket(Action::GetBucketPolicyStatus, &request.input.bucket).await?;
    let is_public = handlers.operations().buckets.policy_is_public(&granted).map_err(s3)?;
    let policy_status = Some(PolicyStatus { is_public: Some(is_public) });
    Ok(S3Response::new(GetBucketPolicyStatusOutput { policy_status }))
}
