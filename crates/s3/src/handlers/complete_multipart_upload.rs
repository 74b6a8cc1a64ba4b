use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::ETag;
use operations::{ChecksumAlgorithm, CompleteMultipartUpload, CompletedPart};
use policy::Action;
use s3s::dto::{self, ChecksumType, CompleteMultipartUploadInput, CompleteMultipartUploadOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, etag, kms_fields, server_side_encryption};
use super::conditions::write_conditions;
use super::error::s3;
use super::names::{part_number, upload_id};
use super::upload_part::{judge_by_upload, malformed_xml};

/// AWS: `CompleteMultipartUpload`. It answers when the object is durable; no byte of it moves.
pub(super) async fn complete_multipart_upload(
    handlers: &Handlers,
    mut request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let mut asking = handlers.asking(&request)?;
    let input = &request.input;
    judge_by_upload(handlers, &mut asking, &input.bucket, &input.key, &input.upload_id).await?;
    let granted = asking.object(Action::PutObject, &input.bucket, &input.key).await?;
    let read = asking.read_key(&mut request.headers)?;
    let complete = CompleteMultipartUpload {
        upload: upload_id(&input.upload_id)?,
        parts: completed_parts(input)?,
        customer_key: read.customer_key,
        conditions: write_conditions(&request.headers)?,
        checksum: whole_checksum(input),
        full_object_checksum: full_object_checksum(input)?,
        size: input.mpu_object_size.map(object_size).transpose()?,
    };
    let output = handlers.operations().uploads.complete(&granted, complete).await.map_err(s3)?;
    asking.note_encryption(&output.encryption);
    let kms = kms_fields(&output.encryption);
    let checksum = checksum_fields(output.checksum.as_ref());
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        e_tag: Some(etag(&output.etag)),
        server_side_encryption: server_side_encryption(&output.encryption),
        ssekms_key_id: kms.key_id,
        bucket_key_enabled: kms.bucket_key_enabled,
        checksum_crc32: checksum.crc32,
        checksum_crc32c: checksum.crc32c,
        checksum_crc64nvme: checksum.crc64nvme,
        checksum_sha1: checksum.sha1,
        checksum_sha256: checksum.sha256,
        checksum_type: checksum.kind,
        ..CompleteMultipartUploadOutput::default()
    }))
}

fn completed_parts(input: &CompleteMultipartUploadInput) -> S3Result<Vec<CompletedPart>> {
    let listed = input.multipart_upload.as_ref().and_then(|list| list.parts.as_ref());
    let listed = listed.filter(|parts| !parts.is_empty() && parts.len() <= PARTS_MAX).ok_or_else(malformed_xml)?;
    listed
        .iter()
        .map(|part| {
            Ok(CompletedPart {
                number: part_number(part.part_number.ok_or_else(malformed_xml)?)?,
                etag: part.e_tag.as_ref().and_then(|tag| ETag::parse(tag.value())),
                checksum: part_checksum(part),
            })
        })
        .collect()
}

fn part_checksum(part: &dto::CompletedPart) -> Option<(ChecksumAlgorithm, Vec<u8>)> {
    let fields = [
        (ChecksumAlgorithm::Crc32, &part.checksum_crc32),
        (ChecksumAlgorithm::Crc32c, &part.checksum_crc32c),
        (ChecksumAlgorithm::Crc64Nvme, &part.checksum_crc64nvme),
        (ChecksumAlgorithm::Sha1, &part.checksum_sha1),
        (ChecksumAlgorithm::Sha256, &part.checksum_sha256),
    ];
    claimed(fields)
}

fn whole_checksum(input: &CompleteMultipartUploadInput) -> Option<(ChecksumAlgorithm, Vec<u8>)> {
    claimed(whole_fields(input))
}

const fn whole_fields(input: &CompleteMultipartUploadInput) -> [(ChecksumAlgorithm, &Option<String>); 5] {
    [
        (ChecksumAlgorithm::Crc32, &input.checksum_crc32),
        (ChecksumAlgorithm::Crc32c, &input.checksum_crc32c),
        (ChecksumAlgorithm::Crc64Nvme, &input.checksum_crc64nvme),
        (ChecksumAlgorithm::Sha1, &input.checksum_sha1),
        (ChecksumAlgorithm::Sha256, &input.checksum_sha256),
    ]
}

/// Whether the checksum is one over the whole object. A value beside it must have the form of its type: a composite one
/// has the number of parts behind it.
fn full_object_checksum(input: &CompleteMultipartUploadInput) -> S3Result<Option<bool>> {
    let refuse = |message: &str| Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message.to_owned()));
    let full = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        None => return Ok(None),
        Some("COMPOSITE") => false,
        Some("FULL_OBJECT") => true,
        Some(_) => return refuse("Value for x-amz-checksum-type header is invalid."),
    };
    match whole_fields(input).into_iter().find_map(|(_, text)| text.as_ref()) {
        Some(text) if text.contains('-') == full => {
            refuse("The checksum is not of the type that x-amz-checksum-type names.")
        }
        _ => Ok(Some(full)),
    }
}

fn object_size(size: i64) -> S3Result<u64> {
    let message = "Value for x-amz-mp-object-size header is invalid.";
    u64::try_from(size).map_err(|_| S3Error::with_message(S3ErrorCode::InvalidRequest, message))
}

/// A value that is no base64 stays one that nothing equals.
fn claimed(fields: [(ChecksumAlgorithm, &Option<String>); 5]) -> Option<(ChecksumAlgorithm, Vec<u8>)> {
    let (algorithm, text) = fields.into_iter().find_map(|(algorithm, text)| Some((algorithm, text.as_ref()?)))?;
    let bare = text.split_once('-').map_or(text.as_str(), |(value, _)| value);
    Some((algorithm, STANDARD.decode(bare).unwrap_or_default()))
}

const PARTS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_type_is_never_passed_over() {
        let answer = |kind: Option<&'static str>, checksum: Option<&str>| {
            let input = CompleteMultipartUploadInput {
                checksum_type: kind.map(ChecksumType::from_static),
                checksum_crc32c: checksum.map(str::to_owned),
                ..CompleteMultipartUploadInput::default()
            };
            full_object_checksum(&input).map_or_else(|error| error.code().as_str().to_owned(), |_| "ok".to_owned())
        };
        assert_eq!(answer(None, None), "ok");
        assert_eq!(answer(Some("FULL_OBJECT"), Some("AAAAAA==")), "ok");
        assert_eq!(answer(Some("COMPOSITE"), Some("AAAAAA==-2")), "ok");
        assert_eq!(answer(Some("FULL_OBJECT"), Some("AAAAAA==-2")), "InvalidRequest");
        assert_eq!(answer(Some("COMPOSITE"), Some("AAAAAA==")), "InvalidRequest");
        assert_eq!(answer(Some("PARTIAL"), Some("AAAAAA==")), "InvalidRequest");
        assert_eq!(answer(Some("COMPOSITE"), None), "ok", "compared with the upload's");
    }
}
