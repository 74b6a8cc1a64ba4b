//! The one mapping from what went wrong to what S3 says: a `match` without a wildcard for each operation. Faults of ours
//! and broken bodies happen to the front too; `crate::error` has their part.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use operations::{
    AbortError, AuthorizeError, BodyError, ChangeBucketError, CompleteError, CopyError, CreateBucketError,
    CreateUploadError, DeleteBucketError, DeleteObjectError, Fault, GetPolicyError, ListPartsError, NotModified,
    ObjectAclError, PolicyError, PutObjectError, ReadError, UpdateObjectEncryptionError, UploadPartCopyError,
    UploadPartError, WriteBodyError,
};
use s3s::{S3Error, S3ErrorCode};

use crate::error::{of_body, of_fault};

/// AWS's wordings for customer keys (shared with the header checks of the front by meaning, not by code).
const KEY_REQUIRED: &str = "The object was stored using a form of Server Side Encryption. The correct parameters must \
                            be provided to retrieve the object.";
pub(super) const KEY_WRONG: &str =
    "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.";
const KEY_NOT_APPLICABLE: &str = "The encryption parameters are not applicable to this object.";
const UPLOAD_KEY_REQUIRED: &str = "The multipart upload initiate requested encryption. Subsequent part requests must \
                                   include the appropriate encryption parameters.";
const UPLOAD_KEY_WRONG: &str = "The provided encryption parameters did not match the ones used originally.";

/// Becomes the error that a client sees.
pub(super) trait IntoS3 {
    fn into_s3(self) -> S3Error;
}

/// For `map_err`.
pub(super) fn s3(error: impl IntoS3) -> S3Error {
    error.into_s3()
}

fn say(code: S3ErrorCode, message: impl ToString) -> S3Error {
    S3Error::with_message(code, message.to_string())
}

fn custom(code: &'static str, status: StatusCode, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

impl IntoS3 for Fault {
    fn into_s3(self) -> S3Error {
        of_fault(&self).to_s3_error()
    }
}

impl IntoS3 for AuthorizeError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::Denied(error) => say(S3ErrorCode::AccessDenied, error),
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::NoSuchKey(error) => say(S3ErrorCode::NoSuchKey, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for ReadError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NoSuchKey(error) => say(S3ErrorCode::NoSuchKey, error),
            Self::NotPublic(error) => say(S3ErrorCode::AccessDenied, error),
            Self::KeyRequired(_) => say(S3ErrorCode::InvalidRequest, KEY_REQUIRED),
            Self::KeyNotApplicable(_) => say(S3ErrorCode::InvalidRequest, KEY_NOT_APPLICABLE),
            Self::WrongKey(_) => say(S3ErrorCode::AccessDenied, KEY_WRONG),
            Self::Precondition(error) => precondition(&error),
            Self::NotModified(error) => not_modified(&error),
            Self::Range(error) => {
                let mut answer = say(S3ErrorCode::InvalidRange, "The requested range is not satisfiable");
                let range = HeaderValue::from_str(&format!("bytes */{}", error.size));
                let range = range.expect("digits are a header value");
                answer.set_headers(HeaderMap::from_iter([(header::CONTENT_RANGE, range)]));
                answer
            }
            Self::Part(_) => custom(
                "InvalidPartNumber",
                StatusCode::RANGE_NOT_SATISFIABLE,
                "The requested partnumber is not satisfiable",
            ),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

fn precondition(error: &operations::PreconditionFailed) -> S3Error {
    tracing::debug!(target: "canopic::request", condition = error.condition, "a condition did not hold");
    say(S3ErrorCode::PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

fn not_modified(error: &NotModified) -> S3Error {
    let mut answer = say(S3ErrorCode::NotModified, "Not Modified");
    answer.set_status_code(StatusCode::NOT_MODIFIED);
    let etag = HeaderValue::from_str(&format!("\"{}\"", error.etag)).expect("hexadecimal digits are a header value");
    let date = HeaderValue::from_str(&super::answer::http_date(error.last_modified));
    let date = date.expect("an HTTP date is a header value");
    answer.set_headers(HeaderMap::from_iter([(header::ETAG, etag), (header::LAST_MODIFIED, date)]));
    answer
}

impl IntoS3 for BodyError {
    fn into_s3(self) -> S3Error {
        of_body(&self).to_s3_error()
    }
}

impl IntoS3 for WriteBodyError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::Body(error) => error.into_s3(),
            Self::TooLarge(error) => say(S3ErrorCode::EntityTooLarge, error),
            Self::ContentMd5(error) => say(S3ErrorCode::BadDigest, error),
            Self::Checksum(error) => say(S3ErrorCode::BadDigest, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for PutObjectError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::Body(error) => error.into_s3(),
            Self::KeysBlocked(error) => say(S3ErrorCode::AccessDenied, error),
            Self::Precondition(error) => precondition(&error),
            Self::NoSuchKey(error) => say(S3ErrorCode::NoSuchKey, error),
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for CopyError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::Source(error) => copy_source(error),
            Self::Put(error) => error.into_s3(),
            Self::Pointless(error) => say(S3ErrorCode::InvalidRequest, error),
            Self::TooLarge(_) => say(
                S3ErrorCode::InvalidRequest,
                "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
            ),
        }
    }
}

/// A copy has no 304: a source that is not modified is a condition that failed.
fn copy_source(error: ReadError) -> S3Error {
    match error {
        ReadError::NotModified(_) => {
            precondition(&operations::PreconditionFailed { condition: "x-amz-copy-source-if-none-match" })
        }
        error => error.into_s3(),
    }
}

impl IntoS3 for UploadPartError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NoSuchUpload(error) => say(S3ErrorCode::NoSuchUpload, error),
            Self::KeysBlocked(error) => say(S3ErrorCode::AccessDenied, error),
            Self::OtherChecksum(error) => say(S3ErrorCode::InvalidRequest, error),
            Self::Body(error) => error.into_s3(),
            Self::KeyRequired(_) | Self::KeyNotApplicable(_) => say(S3ErrorCode::InvalidRequest, UPLOAD_KEY_REQUIRED),
            Self::WrongKey(_) => say(S3ErrorCode::InvalidRequest, UPLOAD_KEY_WRONG),
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for UploadPartCopyError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::Source(error) => copy_source(error),
            Self::Part(error) => error.into_s3(),
            Self::Range(error) => say(
                S3ErrorCode::InvalidArgument,
                format!("Range specified is not valid for source object of size: {}", error.size),
            ),
            Self::TooLarge(error) => say(S3ErrorCode::EntityTooLarge, error),
        }
    }
}

impl IntoS3 for CompleteError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NoSuchUpload(error) => say(S3ErrorCode::NoSuchUpload, error),
            Self::InvalidPart(error) => say(S3ErrorCode::InvalidPart, error),
            Self::Order(error) => say(S3ErrorCode::InvalidPartOrder, error),
            Self::TooSmall(error) => say(S3ErrorCode::EntityTooSmall, error),
            Self::TooLarge(error) => say(S3ErrorCode::EntityTooLarge, error),
            Self::Checksum(error) => say(S3ErrorCode::BadDigest, error),
            Self::ChecksumType(error) => say(S3ErrorCode::InvalidRequest, error),
            Self::Size(error) => say(S3ErrorCode::InvalidRequest, error),
            Self::KeyRequired(_) | Self::KeyNotApplicable(_) => say(S3ErrorCode::InvalidRequest, UPLOAD_KEY_REQUIRED),
            Self::WrongKey(_) => say(S3ErrorCode::InvalidRequest, UPLOAD_KEY_WRONG),
            Self::KeysBlocked(error) => say(S3ErrorCode::AccessDenied, error),
            Self::Precondition(error) => precondition(&error),
            Self::NoSuchKey(error) => say(S3ErrorCode::NoSuchKey, error),
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for CreateUploadError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::KeysBlocked(error) => say(S3ErrorCode::AccessDenied, error),
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for UpdateObjectEncryptionError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NoSuchKey(error) => say(S3ErrorCode::NoSuchKey, error),
            Self::NotForCustomerKeys(error) => say(S3ErrorCode::InvalidRequest, error),
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for AbortError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NoSuchUpload(error) => say(S3ErrorCode::NoSuchUpload, error),
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for ListPartsError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NoSuchUpload(error) => say(S3ErrorCode::NoSuchUpload, error),
            Self::KeyNotApplicable(_) => say(S3ErrorCode::InvalidRequest, UPLOAD_KEY_REQUIRED),
            Self::WrongKey(_) => say(S3ErrorCode::InvalidRequest, UPLOAD_KEY_WRONG),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for DeleteObjectError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for ObjectAclError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NoSuchKey(error) => say(S3ErrorCode::NoSuchKey, error),
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for CreateBucketError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::Exists(error) => say(S3ErrorCode::BucketAlreadyExists, error),
            Self::TooMany(error) => say(S3ErrorCode::TooManyBuckets, error),
            Self::Location(error) => say(S3ErrorCode::InvalidLocationConstraint, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for DeleteBucketError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NotEmpty(error) => say(S3ErrorCode::BucketNotEmpty, error),
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for ChangeBucketError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NoSuchBucket(error) => say(S3ErrorCode::NoSuchBucket, error),
            Self::Fault(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for PolicyError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::Malformed(error) => say(S3ErrorCode::MalformedPolicy, error),
            Self::Change(error) => error.into_s3(),
        }
    }
}

impl IntoS3 for GetPolicyError {
    fn into_s3(self) -> S3Error {
        match self {
            Self::NoPolicy(error) => say(S3ErrorCode::NoSuchBucketPolicy, error),
            Self::NotCovered(error) => Fault::from(error).into_s3(),
        }
    }
}
