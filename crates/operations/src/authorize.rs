use std::sync::Arc;

use kms::Requester;
use model::{BucketName, ObjectKey, Principal};
use policy::{Action, Context, DenialReason, Denied, Permit, Resource, Standing};

use crate::buckets::{Bucket, BucketCache};
use crate::error::{Fault, NoSuchBucket, NoSuchKey, NotCovered};
use crate::records::{CannedAcl, ObjectRecord, Records, sole, tables};

/// Who asks, and what a policy may know of the request.
pub struct Caller {
    /// The verified identity.
    pub principal: Principal,
    /// The condition keys of the request.
    pub context: Context,
}

/// A permit together with the bucket that it was given for. The target of an operation is taken from here and from
/// nowhere else, so that what is done is what was allowed.
pub struct Granted {
    permit: Permit,
    bucket: Option<Arc<Bucket>>,
    may_list: bool,
    by_object_acl: bool,
}

impl Granted {
    /// Who may.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        self.permit.principal()
    }

    /// Whether the caller may also list the bucket, and so learn that an object is absent. Without it, a missing
    /// object is answered like a forbidden one (AWS: `GetObject`, "Permissions").
    #[must_use]
    pub const fn may_list(&self) -> bool {
        self.may_list
    }

    /// Whether nothing but the ACL of the object allowed it. The version that is then read must have that ACL too: it
    /// may be another one than was looked at.
    pub(crate) const fn by_object_acl(&self) -> bool {
        self.by_object_acl
    }

    /// The bucket, for logs and answers.
    #[must_use]
    pub const fn bucket_facts(&self) -> Option<&Arc<Bucket>> {
        self.bucket.as_ref()
    }

    /// Who asks a key service, for its audit trail.
    pub(crate) fn requester<'a>(&'a self, bucket: &'a Bucket) -> Requester<'a> {
        Requester { principal: self.principal(), bucket: &bucket.name }
    }

    pub(crate) fn service(&self, action: Action) -> Result<(), NotCovered> {
        let covered = self.permit.action() == action && matches!(self.permit.resource(), Resource::Service);
        if covered { Ok(()) } else { Err(NotCovered) }
    }

    /// The name of the bucket to create: no bucket exists for it yet.
    pub(crate) fn new_bucket(&self, action: Action) -> Result<&BucketName, NotCovered> {
        match self.permit.resource() {
            Resource::Bucket(name) if self.permit.action() == action => Ok(name),
            _ => Err(NotCovered),
        }
    }

    pub(crate) fn bucket(&self, action: Action) -> Result<&Arc<Bucket>, NotCovered> {
        match (self.permit.resource(), &self.bucket) {
            (Resource::Bucket(_), Some(bucket)) if self.permit.action() == action => Ok(bucket),
            _ => Err(NotCovered),
        }
    }

    pub(crate) fn object(&self, action: Action) -> Result<(&Arc<Bucket>, &ObjectKey), NotCovered> {
        match (self.permit.resource(), &self.bucket) {
            (Resource::Object(_, key), Some(bucket)) if self.permit.action() == action => Ok((bucket, key)),
            _ => Err(NotCovered),
        }
    }
}

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// No rule allows it, or one forbids it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// See [`NoSuchBucket`].
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Only the ACL of the object could allow it and there is no object, which a caller who may list learns.
    #[error(transparent)]
    NoSuchKey(#[from] NoSuchKey),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Decides who may do what, from the bucket's owner, policy and canned ACLs.
#[derive(Clone)]
pub struct Authorizer {
    records: Records,
    buckets: Arc<BucketCache>,
}

impl Authorizer {
    pub(crate) const fn new(records: Records, buckets: Arc<BucketCache>) -> Self {
        Self { records, buckets }
    }

    /// A bucket by its name, for facts that a decision needs beforehand. It grants nothing.
    ///
    /// # Errors
    /// [`AuthorizeError::NoSuchBucket`].
    pub async fn look_up(&self, name: &BucketName) -> Result<Arc<Bucket>, AuthorizeError> {
        Ok(self.buckets.get(&self.records, name).await?.ok_or_else(|| NoSuchBucket(name.clone()))?)
    }

    /// An action on no bucket in particular.
    ///
    /// # Errors
    /// [`AuthorizeError::Denied`] when it is not allowed.
    pub fn service(&self, caller: &Caller, action: Action) -> Result<Granted, AuthorizeError> {
        let standing = Standing { owner: None, policy: None, acl_allows: false };
        let permit = policy::authorize(&caller.principal, action, Resource::Service, &caller.context, &standing)?;
        Ok(Granted { permit, bucket: None, may_list: false, by_object_acl: false })
    }

    /// The creation of a bucket, which may or may not exist.
    ///
    /// # Errors
    /// [`AuthorizeError::Denied`] when it is not allowed.
    pub fn new_bucket(&self, caller: &Caller, name: &BucketName) -> Result<Granted, AuthorizeError> {
        let standing = Standing { owner: None, policy: None, acl_allows: false };
        let resource = Resource::Bucket(name.clone());
        let permit = policy::authorize(&caller.principal, Action::CreateBucket, resource, &caller.context, &standing)?;
        Ok(Granted { permit, bucket: None, may_list: false, by_object_acl: false })
    }

    /// An action on a bucket.
    ///
    /// # Errors
    /// [`AuthorizeError`] when the bucket does not exist or the action is not allowed.
    pub async fn bucket(&self, caller: &Caller, action: Action, name: &BucketName) -> Result<Granted, AuthorizeError> {
        let bucket = self.look_up(name).await?;
        let permit = policy::authorize(
            &caller.principal,
            action,
            Resource::Bucket(name.clone()),
            &caller.context,
            &bucket_standing(&bucket, action),
        )?;
        Ok(Granted { permit, may_list: true, bucket: Some(bucket), by_object_acl: false })
    }

    /// An action on an object, which may or may not exist.
    ///
    /// # Errors
    /// [`AuthorizeError`] when the bucket does not exist or the action is not allowed.
    pub async fn object(
        &self,
        caller: &Caller,
        action: Action,
        name: &BucketName,
        object: &ObjectKey,
    ) -> Result<Granted, AuthorizeError> {
        let bucket = self.look_up(name).await?;
        let decide = |acl_allows| {
            let standing = Standing { owner: Some(&bucket.owner), policy: bucket.policy.as_ref(), acl_allows };
            let resource = Resource::Object(name.clone(), object.clone());
            policy::authorize(&caller.principal, action, resource, &caller.context, &standing)
        };
        let mut by_object_acl = false;
        let permit = match decide(false) {
            // Only a canned ACL can still allow it; the object is looked up for that alone.
            Err(denied) if action == Action::GetObject && matches!(denied.reason(), DenialReason::NoAllow) => {
                match self.object_acl(&bucket, object).await? {
                    Some(CannedAcl::PublicRead) => {
                        by_object_acl = true;
                        decide(true)?
                    }
                    None if self.may_list(caller, &bucket, object) => return Err(NoSuchKey(object.clone()).into()),
                    Some(CannedAcl::Private) | None => return Err(denied.into()),
                }
            }
            decision => decision?,
        };
        // Only what needs an object tells of its absence: nobody else pays for the second decision.
        let tells = matches!(action, Action::GetObject | Action::UpdateObjectEncryption);
        let may_list = tells && self.may_list(caller, &bucket, object);
        Ok(Granted { permit, may_list, bucket: Some(bucket), by_object_acl })
    }

    /// Whether a listing that shows this object, if it exists, would be allowed: a policy may tie `ListBucket` to a
    /// prefix, and a `prefix` of the request itself is not one.
    fn may_list(&self, caller: &Caller, bucket: &Bucket, object: &ObjectKey) -> bool {
        let resource = Resource::Bucket(bucket.name.clone());
        let standing = bucket_standing(bucket, Action::ListBucket);
        let decide = |context: &Context| {
            policy::authorize(&caller.principal, Action::ListBucket, resource, context, &standing).is_ok()
        };
        if bucket.policy.is_none() {
            return decide(&caller.context);
        }
        let mut context = caller.context.clone();
        context.set("s3:prefix", object.as_str().to_owned());
        decide(&context)
    }

    async fn object_acl(&self, bucket: &Bucket, object: &ObjectKey) -> Result<Option<CannedAcl>, Fault> {
        let stored = self.records.get(&bucket.partition(object), &sole(tables::OBJECTS)).await?;
        stored.map(|stored| Ok(ObjectRecord::decode(stored.payload())?.acl)).transpose()
    }
}

/// READ on a bucket lets anyone list it and its uploads (AWS: "Access control list overview").
fn bucket_standing(bucket: &Bucket, action: Action) -> Standing<'_> {
    let acl_allows = bucket.acl == CannedAcl::PublicRead
        && matches!(action, Action::ListBucket | Action::ListBucketMultipartUploads);
    Standing { owner: Some(&bucket.owner), policy: bucket.policy.as_ref(), acl_allows }
}
