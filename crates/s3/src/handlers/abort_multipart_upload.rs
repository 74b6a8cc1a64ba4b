use http::StatusCode;
use policy::Action;
use s3s::dto::{AbortMultipartUploadInput, AbortMultipartUploadOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::error::s3;
use super::names::upload_id;

/// AWS: `AbortMultipartUpload`.
pub(super) async fn abort_multipart_upload(
    handlers: &Handlers,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.object(Action::AbortMultipartUpload, &input.bucket, &input.key).await?;
    handlers.operations().uploads.abort(&granted, upload_id(&input.upload_id)?).await.map_err(s3)?;
    Ok(S3Response::with_status(AbortMultipartUploadOutput::default(), StatusCode::NO_CONTENT))
}
