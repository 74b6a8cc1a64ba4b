use http::HeaderMap;
use model::RangeSpec;
use operations::{CopySource, GetObject, ReadError, UploadPartCopy, UploadPartCopyError};
use s3s::dto::{CopyPartResult, UploadPartCopyInput, UploadPartCopyOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, etag, kms_fields, server_side_encryption, timestamp};
use super::conditions::copy_source_conditions;
use super::copy_object::source;
use super::error::s3;
use super::get_object::hide_absence;
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
        range: copy_range(&request.headers)?,
        if_range: None,
        part: None,
    };
    let part = UploadPartCopy {
        upload: upload_id(&input.upload_id)?,
        number: part_number(input.part_number)?,
        customer_key: target.customer_key,
    };
    let source = CopySource { granted: &from, get };
    let output = handlers.operations().uploads.upload_part_copy(&granted, source, part).await;
    let output = output.map_err(|error| match error {
        UploadPartCopyError::Source(error @ (ReadError::NoSuchKey(_) | ReadError::WrongKey(_))) => {
            hide_absence(handlers, &from, error)
        }
        error => s3(error),
    })?;
    asking.note_encryption(&output.encryption);
    let kms = kms_fields(&output.encryption);
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
        server_side_encryption: server_side_encryption(&output.encryption),
        ssekms_key_id: kms.key_id,
        bucket_key_enabled: kms.bucket_key_enabled,
        sse_customer_algorithm: customer_algorithm,
        sse_customer_key_md5: customer_md5,
        ..UploadPartCopyOutput::default()
    }))
}

/// Only `bytes=FIRST-LAST` (AWS: `UploadPartCopy`); unlike `Range`, a bad one is refused. An empty one is bad too, and
/// `s3s` would take it for none.
fn copy_range(headers: &HeaderMap) -> S3Result<Option<RangeSpec>> {
    let Some(value) = headers.get("x-amz-copy-source-range") else { return Ok(None) };
    match value.to_str().map(RangeSpec::parse) {
        Ok(Ok(range @ RangeSpec::Bounded { .. })) => Ok(Some(range)),
        _ => Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_copy_range_has_both_ends_or_is_refused() {
        assert!(copy_range(&HeaderMap::new()).unwrap().is_none());
        let range = |text| {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-copy-source-range", HeaderValue::from_static(text));
            copy_range(&headers)
        };
        assert_eq!(range("bytes=0-5").unwrap(), Some(RangeSpec::Bounded { first: 0, last: 5 }));
        for bad in ["", "bytes=0-", "bytes=-5", "bytes=5-2", "0-5", "bytes=a-b", "bytes=0-1,2-3"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
