use operations::PutObject;
use s3s::dto::{PutObjectInput, PutObjectOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, etag, kms_fields, server_side_encryption};
use super::body::request_body;
use super::conditions::write_conditions;
use super::error::s3;
use super::metadata::request_metadata;

/// AWS: `PutObject`.
pub(super) async fn put_object(
    handlers: &Handlers,
    mut request: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let body = request.input.body.take();
    let trailers = request.trailing_headers.take();
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let (granted, acl) = asking.new_object(&input.bucket, &input.key, input.acl.as_ref()).await?;
    let write = asking.write_key(&mut request.headers)?;
    let put = PutObject {
        metadata: request_metadata(&request.headers)?,
        acl,
        encryption: write.encryption,
        conditions: write_conditions(&request.headers)?,
        body: request_body(&asking.exchange, &request.headers, body, trailers)?,
    };
    let output = handlers.operations().objects.put_object(&granted, put).await.map_err(s3)?;
    asking.note_encryption(&output.encryption);
    let kms = kms_fields(&output.encryption);
    let checksum = checksum_fields(output.checksum.as_ref());
    let (customer_algorithm, customer_md5) = write.echo.into_fields();
    Ok(S3Response::new(PutObjectOutput {
        e_tag: Some(etag(&output.etag)),
        server_side_encryption: server_side_encryption(&output.encryption),
        ssekms_key_id: kms.key_id,
        ssekms_encryption_context: write.context,
        bucket_key_enabled: kms.bucket_key_enabled,
        sse_customer_algorithm: customer_algorithm,
        sse_customer_key_md5: customer_md5,
        checksum_crc32: checksum.crc32,
        checksum_crc32c: checksum.crc32c,
        checksum_crc64nvme: checksum.crc64nvme,
        checksum_sha1: checksum.sha1,
        checksum_sha256: checksum.sha256,
        checksum_type: checksum.kind,
        ..PutObjectOutput::default()
    }))
}
