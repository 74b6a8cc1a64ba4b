use operations::{ChecksumAlgorithm, CreateMultipartUpload};
use s3s::dto::{CreateMultipartUploadInput, CreateMultipartUploadOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{kms_fields, server_side_encryption};
use super::body::checksum_algorithm;
use super::error::s3;
use super::metadata::request_metadata;

/// AWS: `CreateMultipartUpload`.
pub(super) async fn create_multipart_upload(
    handlers: &Handlers,
    mut request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let (granted, acl) = asking.new_object(&input.bucket, &input.key, input.acl.as_ref()).await?;
    let write = asking.write_key(&mut request.headers)?;
    let checksum = input.checksum_algorithm.as_ref().map(|name| checksum_algorithm(name.as_str())).transpose()?;
    let checksum_type = input.checksum_type.as_ref().map(|kind| kind.as_str());
    let create = CreateMultipartUpload {
        metadata: request_metadata(&request.headers)?,
        acl,
        encryption: write.encryption,
        requested: write.requested,
        checksum,
        full_object_checksum: full_object(checksum, checksum_type)?,
    };
    let created = handlers.operations().uploads.create(&granted, create).await.map_err(s3)?;
    asking.note_encryption(&created.encryption);
    let kms = kms_fields(&created.encryption);
    let (customer_algorithm, customer_md5) = write.echo.into_fields();
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        upload_id: Some(created.upload.to_string()),
        checksum_algorithm: input.checksum_algorithm.clone(),
        checksum_type: input.checksum_type.clone(),
        server_side_encryption: server_side_encryption(&created.encryption),
        ssekms_key_id: kms.key_id,
        ssekms_encryption_context: write.context,
        bucket_key_enabled: kms.bucket_key_enabled,
        sse_customer_algorithm: customer_algorithm,
        sse_customer_key_md5: customer_md5,
        ..CreateMultipartUploadOutput::default()
    }))
}

/// AWS, "Checking object integrity": CRC-64 only of the whole, hashes only of the parts, other CRCs either way.
fn full_object(checksum: Option<ChecksumAlgorithm>, kind: Option<&str>) -> S3Result<bool> {
    let refuse = |message: &str| Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message.to_owned()));
    match (checksum, kind) {
        (None, None) => Ok(false),
        (None, Some(_)) => {
            refuse("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
        }
        (Some(ChecksumAlgorithm::Crc64Nvme), None | Some("FULL_OBJECT")) => Ok(true),
        (Some(ChecksumAlgorithm::Crc64Nvme), Some("COMPOSITE")) => {
            refuse("The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.")
        }
        (Some(ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256), Some("FULL_OBJECT")) => {
            refuse("The FULL_OBJECT checksum type cannot be used with the sha1 or sha256 checksum algorithm.")
        }
        (Some(_), Some("FULL_OBJECT")) => Ok(true),
        (Some(_), None | Some("COMPOSITE")) => Ok(false),
        (Some(_), Some(_)) => refuse("Value for x-amz-checksum-type header is invalid."),
    }
}
