use envelope::ContextDigest;
use model::EncryptionContext;
use operations::{KmsWrapRequest, WriteEncryption};
use policy::Action;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::Handlers;
use super::encryption_document::{ObjectEncryption, read_object};
use super::error::s3;
use crate::own::OwnInput;

/// AWS: `UpdateObjectEncryption`: another server-held key for an object; no byte of it moves.
pub(super) async fn update_object_encryption(
    handlers: &Handlers,
    request: S3Request<OwnInput>,
) -> S3Result<S3Response<Body>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.object(Action::UpdateObjectEncryption, &input.bucket, &input.object).await?;
    let encryption = match read_object(&input.document).map_err(|refusal| asking.exchange.refuse(refusal))? {
        ObjectEncryption::Server => WriteEncryption::Server,
        ObjectEncryption::Kms { kms_key, bucket_key } => WriteEncryption::Kms(KmsWrapRequest {
            kms_key,
            context: ContextDigest::of(&EncryptionContext::default()),
            bucket_key,
        }),
    };
    let mode = handlers.operations().objects.update_object_encryption(&granted, encryption).await.map_err(s3)?;
    asking.note_encryption(&mode);
    Ok(S3Response::new(Body::empty()))
}
