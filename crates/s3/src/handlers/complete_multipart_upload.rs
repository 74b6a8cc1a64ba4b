use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::ETag;
use operations::{ChecksumAlgorithm, CompleteMultipartUpload, CompletedPart};
use policy::Action;
use s3s::dto::{self, ChecksumType, CompleteMultipartUploadInput, CompleteMultipartUploadOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, etag, server_side_encryption};
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
    check_checksum_type(input)?;
    let complete = CompleteMultipartUpload {
        upload: upload_id(&input.upload_id)?,
        parts: completed_parts(input)?,
        customer_key: read.customer_key,
        conditions: write_conditions(&request.headers)?,
        checksum: whole_checksum(input),
    };
    let output = handlers.operations().uploads.complete(&granted, complete).await.map_err(s3)?;
    asking.note_encryption(output.encryption);
    let checksum = checksum_fields(output.checksum.as_ref());
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        e_tag: Some(etag(&output.etag)),
        server_side_encryption: server_side_encryption(output.encryption),
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

/// A type is held to the form of the checksum beside it, whose value the upload's is then compared with: the two types
/// of a checksum have different values. A type alone could not be checked, and is not passed over.
fn check_checksum_type(input: &CompleteMultipartUploadInput) -> S3Result<()> {
    let refuse = |code, message: &str| Err(S3Error::with_message(code, message.to_owned()));
    let is_composite = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        None => return Ok(()),
        Some("COMPOSITE") => true,
        Some("FULL_OBJECT") => false,
        Some(_) => return refuse(S3ErrorCode::InvalidRequest, "Value for x-amz-checksum-type header is invalid."),
    };
    match whole_fields(input).into_iter().find_map(|(_, text)| text.as_ref()) {
        None => refuse(
            S3ErrorCode::NotImplemented,
            "The x-amz-checksum-type header without a checksum of the whole implies functionality that is not implemented",
        ),
        // A composite one has the number of parts behind it.
        Some(text) if text.contains('-') != is_composite => {
            refuse(S3ErrorCode::InvalidRequest, "The checksum is not of the type that x-amz-checksum-type names.")
        }
        Some(_) => Ok(()),
    }
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
            check_checksum_type(&input).map_or_else(|error| error.code().as_str().to_owned(), |()| "ok".to_owned())
        };
        assert_eq!(answer(None, None), "ok");
        assert_eq!(answer(Some("FULL_OBJECT"), Some("AAAAAA==")), "ok");
        assert_eq!(answer(Some("COMPOSITE"), Some("AAAAAA==-2")), "ok");
        assert_eq!(answer(Some("FULL_OBJECT"), Some("AAAAAA==-2")), "InvalidRequest");
        assert_eq!(answer(Some("COMPOSITE"), Some("AAAAAA==")), "InvalidRequest");
        assert_eq!(answer(Some("PARTIAL"), Some("AAAAAA==")), "InvalidRequest");
        assert_eq!(answer(Some("COMPOSITE"), None), "NotImplemented");
    }
}
