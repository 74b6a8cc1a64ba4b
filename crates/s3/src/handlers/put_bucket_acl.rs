use operations::CannedAcl;
use policy::Action;
use s3s::dto::{AccessControlPolicy, PutBucketAclInput, PutBucketAclOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::error::s3;
use super::names::canned_acl;

/// AWS: `PutBucketAcl`, with a canned ACL or a document that says the same.
pub(super) async fn put_bucket_acl(
    handlers: &Handlers,
    request: S3Request<PutBucketAclInput>,
) -> S3Result<S3Response<PutBucketAclOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.bucket(Action::PutBucketAcl, &input.bucket).await?;
    let acl = wanted_acl(input.acl.as_ref().map(|acl| acl.as_str()), input.access_control_policy.as_ref())?;
    handlers.operations().buckets.put_acl(&granted, acl).await.map_err(s3)?;
    Ok(S3Response::new(PutBucketAclOutput::default()))
}

/// A canned ACL by its name, or a document whose grants are exactly those of one.
pub(super) fn wanted_acl(name: Option<&str>, document: Option<&AccessControlPolicy>) -> S3Result<CannedAcl> {
    match (name, document) {
        (Some(name), None) => canned_acl(Some(name)),
        (None, Some(document)) => canned_acl_of(document),
        (Some(_), Some(_)) => Err(S3Error::with_message(
            S3ErrorCode::UnexpectedContent,
            "This request does not support content together with a canned ACL",
        )),
        (None, None) => Err(S3Error::with_message(
            S3ErrorCode::MissingSecurityHeader,
            "Your request was missing a required header: x-amz-acl",
        )),
    }
}

fn canned_acl_of(document: &AccessControlPolicy) -> S3Result<CannedAcl> {
    let mut acl = CannedAcl::Private;
    for grant in document.grants.iter().flatten() {
        let permission = grant.permission.as_ref().map(|permission| permission.as_str());
        let group = grant.grantee.as_ref().and_then(|grantee| grantee.uri.as_deref());
        match (permission, group) {
            (Some("FULL_CONTROL"), None) => {}
            (Some("READ"), Some("http://acs.amazonaws.com/groups/global/AllUsers")) => acl = CannedAcl::PublicRead,
            _ => {
                return Err(S3Error::with_message(
                    S3ErrorCode::NotImplemented,
                    "Only the grants of the canned ACLs private and public-read are implemented.",
                ));
            }
        }
    }
    Ok(acl)
}
