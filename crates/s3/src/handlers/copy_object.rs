use http::HeaderMap;
use operations::{CopyObject, CopySource, GetObject, Granted, MetadataDirective, ReadError};
use s3s::dto::{self, CopyObjectInput, CopyObjectOutput, CopyObjectResult};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, etag, kms_fields, server_side_encryption, timestamp};
use super::body::checksum_algorithm;
use super::caller::Asking;
use super::conditions::{copy_source_conditions, write_conditions};
use super::error::s3;
use super::get_object::hide_absence;
use super::metadata::request_metadata;

/// AWS: `CopyObject`: `GetObject` on the source, `PutObject` on the target, a customer key for each.
pub(super) async fn copy_object(
    handlers: &Handlers,
    mut request: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let (granted, acl) = asking.new_object(&input.bucket, &input.key, input.acl.as_ref()).await?;
    let from = source(&asking, &input.copy_source).await?;
    let write = asking.write_key(&mut request.headers)?;
    let read = asking.copy_source_key(&mut request.headers)?;
    let metadata = directive(input.metadata_directive.as_ref(), &request.headers)?;
    let copy = CopyObject {
        changes_something: matches!(metadata, MetadataDirective::Replace(_))
            || write.requested.server_header
            || write.requested.customer_header
            || write.requested.kms.is_some(),
        metadata,
        acl,
        encryption: write.encryption,
        conditions: write_conditions(&request.headers)?,
        checksum: input.checksum_algorithm.as_ref().map(|name| checksum_algorithm(name.as_str())).transpose()?,
    };
    let get = GetObject {
        customer_key: read.customer_key,
        conditions: copy_source_conditions(&request.headers),
        ..GetObject::default()
    };
    let copied = handlers.operations().objects.copy_object(&granted, CopySource { granted: &from, get }, copy).await;
    let (output, _) = copied.map_err(|error| match error {
        operations::CopyError::Source(error @ (ReadError::NoSuchKey(_) | ReadError::WrongKey(_))) => {
            hide_absence(handlers, &from, error)
        }
        error => s3(error),
    })?;
    asking.note_encryption(&output.encryption);
    let kms = kms_fields(&output.encryption);
    let checksum = checksum_fields(output.checksum.as_ref());
    let (customer_algorithm, customer_md5) = write.echo.into_fields();
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            e_tag: Some(etag(&output.etag)),
            last_modified: Some(timestamp(output.last_modified)),
            checksum_crc32: checksum.crc32,
            checksum_crc32c: checksum.crc32c,
            checksum_crc64nvme: checksum.crc64nvme,
            checksum_sha1: checksum.sha1,
            checksum_sha256: checksum.sha256,
            checksum_type: checksum.kind,
        }),
        server_side_encryption: server_side_encryption(&output.encryption),
        ssekms_key_id: kms.key_id,
        ssekms_encryption_context: write.context,
        bucket_key_enabled: kms.bucket_key_enabled,
        sse_customer_algorithm: customer_algorithm,
        sse_customer_key_md5: customer_md5,
        ..CopyObjectOutput::default()
    }))
}

/// The right to read the source.
pub(super) async fn source(asking: &Asking<'_>, source: &dto::CopySource) -> S3Result<Granted> {
    match source {
        dto::CopySource::Bucket { bucket, key, version_id } => {
            if version_id.as_deref().is_some_and(|version| version != "null") {
                return Err(S3Error::with_message(S3ErrorCode::NoSuchVersion, "The specified version does not exist."));
            }
            asking.copy_source(bucket, key).await
        }
        _ => Err(S3Error::with_message(
            S3ErrorCode::NotImplemented,
            "A copy source that is an access point or outpost implies functionality that is not implemented",
        )),
    }
}

fn directive(directive: Option<&dto::MetadataDirective>, headers: &HeaderMap) -> S3Result<MetadataDirective> {
    match directive.map(dto::MetadataDirective::as_str) {
        None | Some("COPY") => Ok(MetadataDirective::Copy),
        Some("REPLACE") => Ok(MetadataDirective::Replace(request_metadata(headers)?)),
        Some(_) => Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Unknown metadata directive.")),
    }
}
