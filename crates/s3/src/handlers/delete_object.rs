use policy::Action;
use s3s::dto::{DeleteObjectInput, DeleteObjectOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::error::s3;

/// AWS: `DeleteObject`. It needs no customer key.
pub(super) async fn delete_object(
    handlers: &Handlers,
    request: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.object(Action::DeleteObject, &input.bucket, &input.key).await?;
    handlers.operations().objects.delete_object(&granted).await.map_err(s3)?;
    Ok(S3Response::with_status(DeleteObjectOutput::default(), http::StatusCode::NO_CONTENT))
}
