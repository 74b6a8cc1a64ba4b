use operations::{ListParts, ListedPart};
use policy::Action;
use s3s::dto::{ChecksumType, Initiator, ListPartsInput, ListPartsOutput, Part, StorageClass};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, etag, owner, timestamp};
use super::error::s3;
use super::names::{page_size, upload_id};

/// AWS: `ListParts`.
pub(super) async fn list_parts(
    handlers: &Handlers,
    mut request: S3Request<ListPartsInput>,
) -> S3Result<S3Response<ListPartsOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.object(Action::ListMultipartUploadParts, &input.bucket, &input.key).await?;
    let limit = page_size(input.max_parts, "max-parts")?;
    let list = ListParts {
        upload: upload_id(&input.upload_id)?,
        after: marker(input.part_number_marker)?,
        limit,
        customer_key: asking.read_key(&mut request.headers)?.customer_key,
    };
    let page = handlers.operations().uploads.list_parts(&granted, &list).await.map_err(s3)?;
    let bucket_owner = granted.bucket_facts().map(|bucket| owner(&bucket.owner));
    let kind = if page.full_object_checksum { ChecksumType::FULL_OBJECT } else { ChecksumType::COMPOSITE };
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        upload_id: Some(input.upload_id.clone()),
        max_parts: i32::try_from(limit).ok(),
        part_number_marker: Some(input.part_number_marker.unwrap_or(0)),
        next_part_number_marker: page.next.or_else(|| page.parts.last().map(|p| p.number.get())).map(i32::from),
        is_truncated: Some(page.next.is_some()),
        checksum_algorithm: page.checksum.map(|algorithm| algorithm.name().to_owned().into()),
        checksum_type: page.checksum.map(|_| ChecksumType::from_static(kind)),
        initiator: bucket_owner.clone().map(|who| Initiator { display_name: who.display_name, id: who.id }),
        owner: bucket_owner,
        parts: Some(page.parts.iter().map(part).collect()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..ListPartsOutput::default()
    }))
}

fn part(part: &ListedPart) -> Part {
    let checksum = checksum_fields(part.checksum.as_ref());
    Part {
        part_number: Some(i32::from(part.number.get())),
        e_tag: Some(etag(&part.etag)),
        size: i64::try_from(part.size).ok(),
        last_modified: Some(timestamp(part.last_modified)),
        checksum_crc32: checksum.crc32,
        checksum_crc32c: checksum.crc32c,
        checksum_crc64nvme: checksum.crc64nvme,
        checksum_sha1: checksum.sha1,
        checksum_sha256: checksum.sha256,
    }
}

fn marker(marker: Option<i32>) -> S3Result<Option<u16>> {
    let Some(marker) = marker else { return Ok(None) };
    u16::try_from(marker.min(i32::from(u16::MAX))).map(Some).map_err(|_| {
        let message = "Argument part-number-marker must be an integer between 0 and 2147483647";
        S3Error::with_message(S3ErrorCode::InvalidArgument, message)
    })
}
