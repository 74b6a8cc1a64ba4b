use futures::StreamExt;
use policy::Action;
use s3s::dto::{DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error, ObjectIdentifier};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::caller::Asking;
use super::error::s3;
use super::names::bucket_name;

/// AWS: `DeleteObjects`. Each object is judged and deleted by itself.
pub(super) async fn delete_objects(
    handlers: &Handlers,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    bucket_name(&input.bucket)?;
    let wanted = &input.delete.objects;
    if wanted.is_empty() || wanted.len() > OBJECTS_MAX {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(S3Error::with_message(S3ErrorCode::MalformedXML, message));
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    // Several at a time share a group commit; the answers keep the order of the request.
    let futures: Vec<_> = wanted.iter().map(|object| delete_one(handlers, &asking, &input.bucket, object)).collect();
    let mut outcomes = futures::stream::iter(futures).buffered(AT_A_TIME);
    let mut objects = wanted.iter();
    while let (Some(outcome), Some(object)) = (outcomes.next().await, objects.next()) {
        match outcome {
            Ok(()) if quiet => {}
            Ok(()) => deleted.push(DeletedObject { key: Some(object.key.clone()), ..DeletedObject::default() }),
            // Nothing of the bucket can be deleted: the whole request fails.
            Err(error) if *error.code() == S3ErrorCode::NoSuchBucket => return Err(error),
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                key: Some(object.key.clone()),
                message: error.message().map(str::to_owned),
                version_id: None,
            }),
        }
    }
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

async fn delete_one(handlers: &Handlers, asking: &Asking<'_>, bucket: &str, object: &ObjectIdentifier) -> S3Result<()> {
    let conditional = object.e_tag.is_some() || object.size.is_some() || object.last_modified_time.is_some();
    if conditional {
        let message = "Conditions on a deletion imply functionality that is not implemented";
        return Err(S3Error::with_message(S3ErrorCode::NotImplemented, message));
    }
    if object.version_id.as_deref().is_some_and(|version| version != "null") {
        return Err(S3Error::with_message(S3ErrorCode::NoSuchVersion, "The specified version does not exist."));
    }
    let granted = asking.object(Action::DeleteObject, bucket, &object.key).await?;
    handlers.operations().objects.delete_object(&granted).await.map_err(s3)
}

/// AWS: `DeleteObjects`: up to 1,000.
const OBJECTS_MAX: usize = 1000;
const AT_A_TIME: usize = 32;
