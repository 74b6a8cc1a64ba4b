use model::RangeSpec;
use operations::{CopySource, GetObject, UploadPartCopy};
use s3s::dto::{CopyPartResult, UploadPartCopyInput, UploadPartCopyOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, etag, server_side_encryption, timestamp};
use super::conditions::copy_source_conditions;
use super::copy_object::source;
use super::error::s3;
use super::names::{part_number, upload_id};
use super::upload_part::judge_by_upload;
use policy::Action;

/// AWS: `UploadPartCopy`.
pub(super) async fn upload_part_copy(
    handlers: &Handlers,
    mut request: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let mut asking = handlers.asking(&request)?;
    let input = &request.input;
    judge_by_upload(handlers, &mut asking, &input.bucket, &input.key, &input.upload_id).await?;
    let granted = asking.object(Action::PutObject, &input.bucket, &input.key).await?;
    let from = source(&asking, &input.copy_source).await?;
    let target = asking.read_key(&mut request.headers)?;
    let read = asking.copy_source_key(&mut request.headers)?;
    let get = GetObject {
        customer_key: read.customer_key,
        conditions: copy_source_conditions(&request.headers),
        range: input.copy_source_range.as_deref().map(copy_range).transpose()?,
        part: None,
    };
    let part = UploadPartCopy {
        upload: upload_id(&input.upload_id)?,
        number: part_number(input.part_number)?,
        customer_key: target.customer_key,
    };
    let source = CopySource { granted: &from, get };
    let output = handlers.operations().uploads.upload_part_copy(&granted, source, part).await.map_err(s3)?;
    asking.note_encryption(output.encryption);
    let checksum = checksum_fields(output.checksum.as_ref());
    let (customer_algorithm, customer_md5) = target.echo.into_fields();
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(CopyPartResult {
            e_tag: Some(etag(&output.etag)),
            last_modified: Some(timestamp(output.last_modified)),
            checksum_crc32: checksum.crc32,
            checksum_crc32c: checksum.crc32c,
            checksum_crc64nvme: checksum.crc64nvme,
            checksum_sha1: checksum.sha1,
            checksum_sha256: checksum.sha256,
        }),
        server_side_encryption: server_side_encryption(output.encryption),
        sse_customer_algorithm: customer_algorithm,
        sse_customer_key_md5: customer_md5,
        ..UploadPartCopyOutput::default()
    }))
}

/// Only `bytes=FIRST-LAST` (AWS: `UploadPartCopy`); unlike `Range`, a bad one is refused.
fn copy_range(text: &str) -> S3Result<RangeSpec> {
    match RangeSpec::parse(text) {
        Ok(range @ RangeSpec::Bounded { .. }) => Ok(range),
        _ => Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy",
        )),
    }
}
