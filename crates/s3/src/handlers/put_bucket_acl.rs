use model::Principal;
use operations::{CannedAcl, Granted};
use policy::Action;
use s3s::dto::{AccessControlPolicy, PutBucketAclInput, PutBucketAclOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::owner;
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
    let acl = wanted_acl(&granted, input.acl.as_ref().map(|acl| acl.as_str()), input.access_control_policy.as_ref())?;
    handlers.operations().buckets.put_acl(&granted, acl).await.map_err(s3)?;
    Ok(S3Response::new(PutBucketAclOutput::default()))
}

/// A canned ACL by its name, or a document whose grants are exactly those of one.
pub(super) fn wanted_acl(
    granted: &Granted,
    name: Option<&str>,
    document: Option<&AccessControlPolicy>,
) -> S3Result<CannedAcl> {
    match (name, document) {
        (Some(name), None) => canned_acl(Some(name)),
        (None, Some(document)) => {
            let acl = granted.bucket_facts().and_then(|bucket| canned_acl_of(document, &bucket.owner));
            acl.ok_or_else(other_grants)
        }
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

/// The canned ACL with these grants. The owner's own is in all of them; nobody else may have it.
fn canned_acl_of(document: &AccessControlPolicy, bucket_owner: &Principal) -> Option<CannedAcl> {
    let (mut owned, mut acl) = (false, CannedAcl::Private);
    for grant in document.grants.iter().flatten() {
        let grantee = grant.grantee.as_ref()?;
        match (grant.permission.as_ref()?.as_str(), grantee.id.as_ref(), grantee.uri.as_deref()) {
            ("FULL_CONTROL", id @ Some(_), None) if id == owner(bucket_owner).id.as_ref() => owned = true,
            ("READ", None, Some(ALL_USERS)) => acl = CannedAcl::PublicRead,
            _ => return None,
        }
    }
    owned.then_some(acl)
}

fn other_grants() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NotImplemented,
        "Only the grants of the canned ACLs private and public-read are implemented.",
    )
}

/// AWS: "Amazon S3 predefined groups".
pub(super) const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

#[cfg(test)]
mod tests {
    use s3s::dto::{Grant, Grantee, Permission, Type};

    use super::*;

    fn grant(permission: &'static str, id: Option<&str>, uri: Option<&str>) -> Grant {
        let grantee = Grantee {
            display_name: None,
            email_address: None,
            id: id.map(str::to_owned),
            type_: Type::from_static(if id.is_some() { Type::CANONICAL_USER } else { Type::GROUP }),
            uri: uri.map(str::to_owned),
        };
        Grant { grantee: Some(grantee), permission: Some(Permission::from_static(permission)) }
    }

    #[test]
    fn a_grant_that_no_canned_acl_has_is_never_dropped() {
        let alice = Principal::from_arn("arn:aws:iam::111122223333:user/alice").unwrap();
        let own = owner(&alice).id;
        let (full, read) = (grant("FULL_CONTROL", own.as_deref(), None), grant("READ", None, Some(ALL_USERS)));
        let bob = grant("FULL_CONTROL", Some("bob"), None);
        let authenticated = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
        for (grants, expected) in [
            (vec![full.clone()], Some(CannedAcl::Private)),
            (vec![read.clone(), full.clone()], Some(CannedAcl::PublicRead)),
            (vec![full.clone(), bob], None),
            (vec![full.clone(), grant("READ", Some("bob"), None)], None),
            (vec![full.clone(), grant("WRITE", None, Some(ALL_USERS))], None),
            (vec![full.clone(), grant("FULL_CONTROL", None, Some(ALL_USERS))], None),
            (vec![full.clone(), grant("READ", None, Some(authenticated))], None),
            (vec![full, grant("FULL_CONTROL", None, None)], None),
            (vec![read], None),
            (vec![], None),
        ] {
            let document = AccessControlPolicy { grants: Some(grants), owner: None };
            assert_eq!(canned_acl_of(&document, &alice), expected, "{document:?}");
        }
    }
}
