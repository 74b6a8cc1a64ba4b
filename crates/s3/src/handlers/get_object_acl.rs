use policy::Action;
use s3s::dto::{GetObjectAclInput, GetObjectAclOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::owner;
use super::error::s3;
use super::get_bucket_acl::grants;

/// AWS: `GetObjectAcl`.
pub(super) async fn get_object_acl(
    handlers: &Handlers,
    request: S3Request<GetObjectAclInput>,
) -> S3Result<S3Response<GetObjectAclOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.object(Action::GetObjectAcl, &input.bucket, &input.key).await?;
    let acl = handlers.operations().objects.object_acl(&granted).await.map_err(s3)?;
    let bucket_owner = granted.bucket_facts().map(|bucket| bucket.owner.clone());
    let grants = bucket_owner.as_ref().map(|bucket_owner| grants(bucket_owner, acl));
    let output =
        GetObjectAclOutput { grants, owner: bucket_owner.as_ref().map(owner), ..GetObjectAclOutput::default() };
    Ok(S3Response::new(output))
}
