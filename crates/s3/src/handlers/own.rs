use async_trait::async_trait;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::{Handlers, get_bucket_encryption, get_object_attributes, put_bucket_encryption, update_object_encryption};
use crate::own::{OwnInput, OwnOperation, OwnOperations};

#[async_trait]
impl OwnOperations for Handlers {
    async fn own(&self, operation: OwnOperation, request: S3Request<OwnInput>) -> S3Result<S3Response<Body>> {
        match operation {
            OwnOperation::GetBucketEncryption => get_bucket_encryption::get_bucket_encryption(self, request).await,
            OwnOperation::PutBucketEncryption => put_bucket_encryption::put_bucket_encryption(self, request).await,
            OwnOperation::GetObjectAttributes => get_object_attributes::get_object_attributes(self, request).await,
            OwnOperation::UpdateObjectEncryption => {
                update_object_encryption::update_object_encryption(self, request).await
            }
        }
    }
}

/// An answer with a document.
pub(super) fn xml(document: String) -> S3Response<Body> {
    let mut response = S3Response::new(Body::from(document));
    response.headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
    response
}
