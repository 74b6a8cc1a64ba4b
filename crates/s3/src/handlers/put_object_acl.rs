use policy::Action;
use s3s::dto::{PutObjectAclInput, PutObjectAclOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::error::s3;
use super::put_bucket_acl::wanted_acl;

/// AWS: `PutObjectAcl`, with a canned ACL or a document that says the same.
pub(super) async fn put_object_acl(
    handlers: &Handlers,
    request: S3Request<PutObjectAclInput>,
) -> S3Result<S3Response<PutObjectAclOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.object(Action::PutObjectAcl, &input.bucket, &input.key).await?;
    let acl = wanted_acl(&granted, input.acl.as_ref().map(|acl| acl.as_str()), input.access_control_policy.as_ref())?;
    handlers.operations().objects.put_object_acl(&granted, acl).await.map_err(s3)?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}
