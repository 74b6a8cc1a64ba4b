//! Times, tags and checksums in the forms that s3s writes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{ETag, Principal, Timestamp};
use operations::{ChecksumAlgorithm, StoredChecksum};
use s3s::dto;
use time::OffsetDateTime;
use time::macros::format_description;

pub(super) fn etag(etag: &ETag) -> dto::ETag {
    dto::ETag::Strong(etag.to_string())
}

pub(super) fn timestamp(at: Timestamp) -> dto::Timestamp {
    dto::Timestamp::from(moment(at))
}

/// RFC 9110 section 5.6.7.
pub(super) fn http_date(at: Timestamp) -> String {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    moment(at).format(&format).unwrap_or_default()
}

/// ISO 8601, as policies compare it.
pub(super) fn iso_date(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    moment(at).format(&format).unwrap_or_default()
}

fn moment(at: Timestamp) -> OffsetDateTime {
    let nanos = i128::from(at.as_millis()) * 1_000_000;
    // A date beyond the year 9999 can only come from damage; the epoch is as good as any.
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The owner of a bucket and of all in it.
pub(super) fn owner(principal: &Principal) -> dto::Owner {
    let name = match principal {
        Principal::Anonymous => "anonymous".to_owned(),
        Principal::Root(_) => "root".to_owned(),
        Principal::User(_, name) => name.to_string(),
    };
    dto::Owner { display_name: Some(name), id: Some(identity::canonical_user_id(principal)) }
}

/// A checksum in the five fields that outputs have for it.
#[derive(Default)]
pub(super) struct ChecksumFields {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) crc64nvme: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) kind: Option<dto::ChecksumType>,
}

pub(super) fn checksum_fields(checksum: Option<&StoredChecksum>) -> ChecksumFields {
    let mut fields = ChecksumFields::default();
    let Some(checksum) = checksum else { return fields };
    let mut text = STANDARD.encode(&checksum.value);
    if let Some(parts) = checksum.parts {
        text = format!("{text}-{parts}");
    }
    let kind = if checksum.parts.is_some() { dto::ChecksumType::COMPOSITE } else { dto::ChecksumType::FULL_OBJECT };
    fields.kind = Some(dto::ChecksumType::from_static(kind));
    match checksum.algorithm {
        ChecksumAlgorithm::Crc32 => fields.crc32 = Some(text),
        ChecksumAlgorithm::Crc32c => fields.crc32c = Some(text),
        ChecksumAlgorithm::Crc64Nvme => fields.crc64nvme = Some(text),
        ChecksumAlgorithm::Sha1 => fields.sha1 = Some(text),
        ChecksumAlgorithm::Sha256 => fields.sha256 = Some(text),
    }
    fields
}

/// What answers tell of SSE-KMS: the key, and whether a bucket key stands before it.
#[derive(Default)]
pub(super) struct KmsFields {
    pub(super) key_id: Option<String>,
    pub(super) bucket_key_enabled: Option<bool>,
}

pub(super) fn kms_fields(mode: &operations::EncryptionMode) -> KmsFields {
    match mode {
        operations::EncryptionMode::Kms(facts) => KmsFields {
            key_id: Some(facts.kms_key.to_string()),
            // AWS leaves it out when there is none.
            bucket_key_enabled: facts.bucket_key.then_some(true),
        },
        operations::EncryptionMode::Server | operations::EncryptionMode::Customer => KmsFields::default(),
    }
}

pub(super) fn server_side_encryption(mode: &operations::EncryptionMode) -> Option<dto::ServerSideEncryption> {
    match mode {
        operations::EncryptionMode::Server => {
            Some(dto::ServerSideEncryption::from_static(dto::ServerSideEncryption::AES256))
        }
        operations::EncryptionMode::Kms(_) => {
            Some(dto::ServerSideEncryption::from_static(dto::ServerSideEncryption::AWS_KMS))
        }
        // An SSE-C answer names the customer algorithm instead (recorded on AWS).
        operations::EncryptionMode::Customer => None,
    }
}
