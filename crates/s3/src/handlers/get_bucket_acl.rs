use model::Principal;
use operations::CannedAcl;
use policy::Action;
use s3s::dto::{GetBucketAclInput, GetBucketAclOutput, Grant, Grantee, Permission, Type};
use s3s::{S3Error, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::owner;
use super::put_bucket_acl::ALL_USERS;

/// AWS: `GetBucketAcl`.
pub(super) async fn get_bucket_acl(
    handlers: &Handlers,
    request: S3Request<GetBucketAclInput>,
) -> S3Result<S3Response<GetBucketAclOutput>> {
    let asking = handlers.asking(&request)?;
    let granted = asking.bucket(Action::GetBucketAcl, &request.input.bucket).await?;
    let bucket =
        handlers.operations().buckets.facts(&granted, Action::GetBucketAcl).map_err(S3Error::internal_error)?;
    let grants = Some(grants(&bucket.owner, bucket.acl));
    Ok(S3Response::new(GetBucketAclOutput { grants, owner: Some(owner(&bucket.owner)) }))
}

/// What a canned ACL grants (AWS: "Canned ACL").
pub(super) fn grants(bucket_owner: &Principal, acl: CannedAcl) -> Vec<Grant> {
    let who = owner(bucket_owner);
    let mut grants = Vec::with_capacity(2);
    if acl == CannedAcl::PublicRead {
        grants.push(Grant {
            grantee: Some(Grantee {
                display_name: None,
                email_address: None,
                id: None,
                type_: Type::from_static(Type::GROUP),
                uri: Some(ALL_USERS.to_owned()),
            }),
            permission: Some(Permission::from_static(Permission::READ)),
        });
    }
    grants.push(Grant {
        grantee: Some(Grantee {
            display_name: who.display_name,
            email_address: None,
            id: who.id,
            type_: Type::from_static(Type::CANONICAL_USER),
            uri: None,
        }),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    });
    grants
}
