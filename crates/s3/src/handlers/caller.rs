//! Who asks, and what the caller may do.

use std::sync::Arc;

use model::Principal;
use operations::{Caller, CannedAcl, EncryptionMode, Granted, UploadFacts};
use policy::Action;
use s3s::dto::ObjectCannedACL;
use s3s::{S3Request, S3Result};

use super::Handlers;
use super::bucket_owner::ExpectedOwner;
use super::context::{MODE_KEY, set_kms_key};
use super::error::s3;
use super::names::{bucket_name, canned_acl, object_key};
use crate::exchange::Exchange;

/// A request about to be judged.
pub(super) struct Asking<'a> {
    pub(super) exchange: Arc<Exchange>,
    pub(super) caller: Caller,
    owner: ExpectedOwner,
    source_owner: ExpectedOwner,
    pub(super) handlers: &'a Handlers,
}

impl Handlers {
    /// Reads who asks from a request that s3s has verified.
    pub(super) fn asking<T>(&self, request: &S3Request<T>) -> S3Result<Asking<'_>> {
        let exchange = Exchange::of(&request.extensions)?.clone();
        let principal = exchange.principal().cloned().unwrap_or(Principal::Anonymous);
        let context = self.context(&exchange, &request.headers, &request.uri);
        Ok(Asking {
            exchange,
            caller: Caller { principal, context },
            owner: ExpectedOwner::of_target(&request.headers)?,
            source_owner: ExpectedOwner::of_copy_source(&request.headers)?,
            handlers: self,
        })
    }
}

impl Asking<'_> {
    pub(super) fn service(&self, action: Action) -> S3Result<Granted> {
        self.handlers.operations().authorizer.service(&self.caller, action).map_err(s3)
    }

    pub(super) fn new_bucket(&self, bucket: &str) -> S3Result<Granted> {
        self.handlers.operations().authorizer.new_bucket(&self.caller, &bucket_name(bucket)?).map_err(s3)
    }

    pub(super) async fn bucket(&self, action: Action, bucket: &str) -> S3Result<Granted> {
        let bucket = bucket_name(bucket)?;
        let granted = self.handlers.operations().authorizer.bucket(&self.caller, action, &bucket).await.map_err(s3)?;
        owned_as_expected(granted, &self.owner)
    }

    pub(super) async fn object(&self, action: Action, bucket: &str, object: &str) -> S3Result<Granted> {
        owned_as_expected(self.any_object(action, bucket, object).await?, &self.owner)
    }

    /// The object that a write makes, with the ACL that it asks for. One that lets others in takes the right to set it
    /// besides (AWS: `PutObject`, "Permissions"); no handler comes by the ACL of an object in another way.
    pub(super) async fn new_object(
        &self,
        bucket: &str,
        object: &str,
        acl: Option<&ObjectCannedACL>,
    ) -> S3Result<(Granted, CannedAcl)> {
        let granted = self.object(Action::PutObject, bucket, object).await?;
        let acl = canned_acl(acl.map(ObjectCannedACL::as_str))?;
        if acl != CannedAcl::Private {
            let _granted = self.object(Action::PutObjectAcl, bucket, object).await?;
        }
        Ok((granted, acl))
    }

    /// The object that a copy reads.
    pub(super) async fn copy_source(&self, bucket: &str, object: &str) -> S3Result<Granted> {
        owned_as_expected(self.any_object(Action::GetObject, bucket, object).await?, &self.source_owner)
    }

    async fn any_object(&self, action: Action, bucket: &str, object: &str) -> S3Result<Granted> {
        let (bucket, object) = (bucket_name(bucket)?, object_key(object)?);
        self.handlers.operations().authorizer.object(&self.caller, action, &bucket, &object).await.map_err(s3)
    }

    /// Parts and completions carry no encryption headers: they are judged by those of the call that began the upload.
    pub(super) fn judge_as(&mut self, facts: &UploadFacts) {
        let context = &mut self.caller.context;
        if facts.requested.server_header {
            context.set(MODE_KEY, "AES256");
        }
        if facts.requested.customer_header {
            context.set("s3:x-amz-server-side-encryption-customer-algorithm", "AES256");
        }
        if let Some(kms) = &facts.requested.kms {
            context.set(MODE_KEY, "aws:kms");
            if let Some(key_id) = &kms.key_id {
                set_kms_key(context, key_id);
            }
        }
    }

    /// For the log line of the request.
    pub(super) fn note_encryption(&self, mode: &EncryptionMode) {
        self.exchange.set_encryption(match mode {
            EncryptionMode::Server => "SSE-S3",
            EncryptionMode::Kms(_) => "SSE-KMS",
            EncryptionMode::Customer => "SSE-C",
        });
    }
}

fn owned_as_expected(granted: Granted, expected: &ExpectedOwner) -> S3Result<Granted> {
    if let Some(bucket) = granted.bucket_facts() {
        expected.check(&bucket.owner)?;
    }
    Ok(granted)
}
