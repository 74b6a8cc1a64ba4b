use http::HeaderMap;
use model::ByteRange;
use policy::Action;
use s3s::dto::{HeadObjectInput, HeadObjectOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, etag, kms_fields, server_side_encryption, timestamp};
use super::get_object::{content_range, hide_absence, parts_count, wanted};
use super::metadata::metadata_headers;

/// AWS: `HeadObject`.
pub(super) async fn head_object(
    handlers: &Handlers,
    mut request: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.object(Action::GetObject, &input.bucket, &input.key).await?;
    let read = asking.read_key(&mut request.headers)?;
    let get = wanted(&request.headers, &request.extensions, read.customer_key, input.part_number)?;
    let found = handlers.operations().objects.head_object(&granted, &get).await;
    let (info, range) = found.map_err(|error| hide_absence(handlers, &granted, error))?;
    asking.note_encryption(&info.encryption);
    let length = range.as_ref().map_or(info.size, ByteRange::len);
    let mut headers = HeaderMap::new();
    metadata_headers(&info, &mut headers);
    let kms = kms_fields(&info.encryption);
    let wants_checksum = input.checksum_mode.is_some() && range.is_none();
    let checksum = checksum_fields(info.metadata.checksums.first().filter(|_| wants_checksum));
    let (customer_algorithm, customer_md5) = read.echo.into_fields();
    let output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(i64::try_from(length).unwrap_or(i64::MAX)),
        content_range: content_range(range, info.size),
        e_tag: Some(etag(&info.etag)),
        last_modified: Some(timestamp(info.last_modified)),
        parts_count: parts_count(&get, &info),
        server_side_encryption: server_side_encryption(&info.encryption),
        ssekms_key_id: kms.key_id,
        bucket_key_enabled: kms.bucket_key_enabled,
        sse_customer_algorithm: customer_algorithm,
        sse_customer_key_md5: customer_md5,
        checksum_crc32: checksum.crc32,
        checksum_crc32c: checksum.crc32c,
        checksum_crc64nvme: checksum.crc64nvme,
        checksum_sha1: checksum.sha1,
        checksum_sha256: checksum.sha256,
        checksum_type: checksum.kind,
        ..HeadObjectOutput::default()
    };
    Ok(S3Response::with_headers(output, headers))
}
