use policy::Action;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::Handlers;
use super::encryption_document::read_bucket;
use super::error::s3;
use crate::own::OwnInput;

/// AWS: `PutBucketEncryption`. The document takes the place of the one before, with what that blocked.
pub(super) async fn put_bucket_encryption(
    handlers: &Handlers,
    request: S3Request<OwnInput>,
) -> S3Result<S3Response<Body>> {
    let asking = handlers.asking(&request)?;
    let granted = asking.bucket(Action::PutEncryptionConfiguration, &request.input.bucket).await?;
    let read = read_bucket(&request.input.document).map_err(|refusal| asking.exchange.refuse(refusal))?;
    handlers.operations().buckets.put_encryption(&granted, read).await.map_err(s3)?;
    Ok(S3Response::new(Body::empty()))
}
