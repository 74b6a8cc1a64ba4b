use envelope::ContextDigest;
use model::EncryptionContext;
use operations::{KmsWrapRequest, UpdateObjectEncryptionError, WriteEncryption};
use policy::{Action, Context};
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::context::{MODE_KEY, set_kms_key};
use super::encryption_document::{ObjectEncryption, read_object};
use super::error::s3;
use crate::own::OwnInput;
use crate::sse::refuse_encryption;

/// AWS: `UpdateObjectEncryption`: another server-held key for an object; no byte of it moves.
///
/// Policies see what the document asks for as they see the headers of a put, and what forbids the put forbids this: it
/// takes the right to write the object besides.
pub(super) async fn update_object_encryption(
    handlers: &Handlers,
    request: S3Request<OwnInput>,
) -> S3Result<S3Response<Body>> {
    let mut asking = handlers.asking(&request)?;
    let input = &request.input;
    refuse_encryption(&request.headers).map_err(|refusal| asking.exchange.refuse(refusal))?;
    let wanted = read_object(&input.document).map_err(|refusal| asking.exchange.refuse(refusal))?;
    set_wanted(&mut asking.caller.context, &wanted);
    let _granted = asking.object(Action::PutObject, &input.bucket, &input.object).await?;
    let granted = asking.object(Action::UpdateObjectEncryption, &input.bucket, &input.object).await?;
    let encryption = match wanted {
        ObjectEncryption::Server => WriteEncryption::Server,
        ObjectEncryption::Kms { kms_key, bucket_key } => WriteEncryption::Kms(KmsWrapRequest {
            kms_key,
            context: ContextDigest::of(&EncryptionContext::default()),
            bucket_key,
        }),
    };
    let changed = handlers.operations().objects.update_object_encryption(&granted, encryption).await;
    let mode = changed.map_err(|error| match error {
        UpdateObjectEncryptionError::NoSuchKey(_) if !granted.may_list() => {
            S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied")
        }
        error => s3(error),
    })?;
    asking.note_encryption(&mode);
    Ok(S3Response::new(Body::empty()))
}

fn set_wanted(context: &mut Context, wanted: &ObjectEncryption) {
    match wanted {
        ObjectEncryption::Server => {
            context.set(MODE_KEY, "AES256");
        }
        ObjectEncryption::Kms { kms_key, .. } => {
            context.set(MODE_KEY, "aws:kms");
            if let Some(kms_key) = kms_key {
                set_kms_key(context, kms_key.as_str());
            }
        }
    }
}
