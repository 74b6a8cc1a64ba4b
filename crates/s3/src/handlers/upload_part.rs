use operations::UploadPart;
use policy::Action;
use s3s::dto::{UploadPartInput, UploadPartOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, etag, kms_fields, server_side_encryption};
use super::body::request_body;
use super::caller::Asking;
use super::error::s3;
use super::names::{bucket_name, object_key, part_number, upload_id};

/// AWS: `UploadPart`.
pub(super) async fn upload_part(
    handlers: &Handlers,
    mut request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let body = request.input.body.take();
    let trailers = request.trailing_headers.take();
    let mut asking = handlers.asking(&request)?;
    let input = &request.input;
    judge_by_upload(handlers, &mut asking, &input.bucket, &input.key, &input.upload_id).await?;
    let granted = asking.object(Action::PutObject, &input.bucket, &input.key).await?;
    let read = asking.read_key(&mut request.headers)?;
    let part = UploadPart {
        upload: upload_id(&input.upload_id)?,
        number: part_number(input.part_number)?,
        customer_key: read.customer_key,
        body: request_body(&asking.exchange, &request.headers, body, trailers)?,
    };
    let output = handlers.operations().uploads.upload_part(&granted, part).await.map_err(s3)?;
    asking.note_encryption(&output.encryption);
    let kms = kms_fields(&output.encryption);
    let checksum = checksum_fields(output.checksum.as_ref());
    let (customer_algorithm, customer_md5) = read.echo.into_fields();
    Ok(S3Response::new(UploadPartOutput {
        e_tag: Some(etag(&output.etag)),
        server_side_encryption: server_side_encryption(&output.encryption),
        ssekms_key_id: kms.key_id,
        bucket_key_enabled: kms.bucket_key_enabled,
        sse_customer_algorithm: customer_algorithm,
        sse_customer_key_md5: customer_md5,
        checksum_crc32: checksum.crc32,
        checksum_crc32c: checksum.crc32c,
        checksum_crc64nvme: checksum.crc64nvme,
        checksum_sha1: checksum.sha1,
        checksum_sha256: checksum.sha256,
        ..UploadPartOutput::default()
    }))
}

/// Lets policies see the encryption headers of the call that began the upload. An unknown upload is judged by the
/// request as it is, and answered as unknown only if that is allowed.
pub(super) async fn judge_by_upload(
    handlers: &Handlers,
    asking: &mut Asking<'_>,
    bucket: &str,
    object: &str,
    upload: &str,
) -> S3Result<()> {
    let Ok(upload) = upload_id(upload) else { return Ok(()) };
    let (bucket, object) = (bucket_name(bucket)?, object_key(object)?);
    let bucket = handlers.operations().authorizer.look_up(&bucket).await.map_err(s3)?;
    if let Some(facts) = handlers.operations().uploads.facts(&bucket, &object, upload).await.map_err(s3)? {
        asking.judge_as(&facts);
    }
    Ok(())
}

/// A list of parts that is no list.
pub(super) fn malformed_xml() -> S3Error {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    S3Error::with_message(S3ErrorCode::MalformedXML, message)
}
