//! The S3 operations as s3s names them, one file each: read the request, ask for a permit, call the operation of the
//! same name, tell what came of it.

mod answer;
mod body;
mod bucket_owner;
mod caller;
mod conditions;
mod context;
mod encryption_document;
mod error;
mod keys;
mod metadata;
mod names;
mod own;

mod abort_multipart_upload;
mod complete_multipart_upload;
mod copy_object;
mod create_bucket;
mod create_multipart_upload;
mod delete_bucket;
mod delete_bucket_encryption;
mod delete_object;
mod delete_objects;
mod get_bucket_acl;
mod get_bucket_encryption;
mod get_bucket_location;
mod get_bucket_policy;
mod get_bucket_versioning;
mod get_object;
mod get_object_acl;
mod get_object_attributes;
mod head_bucket;
mod head_object;
mod list_buckets;
mod list_multipart_uploads;
mod list_objects;
mod list_parts;
mod put_bucket_acl;
mod put_bucket_encryption;
mod put_bucket_policy;
mod put_object;
mod put_object_acl;
mod update_object_encryption;
mod upload_part;
mod upload_part_copy;

use std::sync::Arc;

use operations::{Clock, Operations};
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

use crate::compatibility::Compatibility;

/// Answers what s3s has parsed and verified. A clone shares everything.
#[derive(Clone)]
pub struct Handlers(Arc<Parts>);

struct Parts {
    operations: Operations,
    /// The one region of this installation.
    region: String,
    clock: Arc<dyn Clock>,
    compatibility: Compatibility,
}

impl Handlers {
    /// Handlers on these operations, in a region such as `us-east-1`.
    #[must_use]
    pub fn new(operations: Operations, region: String, clock: Arc<dyn Clock>, compatibility: Compatibility) -> Self {
        Self(Arc::new(Parts { operations, region, clock, compatibility }))
    }

    fn operations(&self) -> &Operations {
        &self.0.operations
    }

    fn region(&self) -> &str {
        &self.0.region
    }

    fn compatibility(&self) -> Compatibility {
        self.0.compatibility
    }

    fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }
}

macro_rules! delegate {
    ($($name:ident: $input:ty => $output:ty,)*) => {
        #[async_trait::async_trait]
        impl S3 for Handlers {
            $(
                async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    $name::$name(self, request).await
                }
            )*

            async fn list_objects_v2(
                &self,
                request: S3Request<ListObjectsV2Input>,
            ) -> S3Result<S3Response<ListObjectsV2Output>> {
                list_objects::list_objects_v2(self, request).await
            }

            async fn delete_bucket_policy(
                &self,
                request: S3Request<DeleteBucketPolicyInput>,
            ) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
                put_bucket_policy::delete_bucket_policy(self, request).await
            }

            async fn get_bucket_policy_status(
                &self,
                request: S3Request<GetBucketPolicyStatusInput>,
            ) -> S3Result<S3Response<GetBucketPolicyStatusOutput>> {
                get_bucket_policy::get_bucket_policy_status(self, request).await
            }
        }
    };
}

delegate! {
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput,
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput,
    copy_object: CopyObjectInput => CopyObjectOutput,
    create_bucket: CreateBucketInput => CreateBucketOutput,
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput,
    delete_bucket_encryption: DeleteBucketEncryptionInput => DeleteBucketEncryptionOutput,
    delete_bucket: DeleteBucketInput => DeleteBucketOutput,
    delete_object: DeleteObjectInput => DeleteObjectOutput,
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput,
    get_bucket_acl: GetBucketAclInput => GetBucketAclOutput,
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput,
    get_bucket_policy: GetBucketPolicyInput => GetBucketPolicyOutput,
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput,
    get_object: GetObjectInput => GetObjectOutput,
    get_object_acl: GetObjectAclInput => GetObjectAclOutput,
    head_bucket: HeadBucketInput => HeadBucketOutput,
    head_object: HeadObjectInput => HeadObjectOutput,
    list_buckets: ListBucketsInput => ListBucketsOutput,
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput,
    list_objects: ListObjectsInput => ListObjectsOutput,
    list_parts: ListPartsInput => ListPartsOutput,
    put_bucket_acl: PutBucketAclInput => PutBucketAclOutput,
    put_bucket_policy: PutBucketPolicyInput => PutBucketPolicyOutput,
    put_object: PutObjectInput => PutObjectOutput,
    put_object_acl: PutObjectAclInput => PutObjectAclOutput,
    upload_part: UploadPartInput => UploadPartOutput,
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput,
}
