//! Names as they came become names that are valid, or the error that AWS gives.

use model::{BucketName, ObjectKey, PartNumber, UploadId};
use operations::CannedAcl;
use s3s::{S3Error, S3ErrorCode, S3Result};

pub(super) fn bucket_name(text: &str) -> S3Result<BucketName> {
    BucketName::parse(text).map_err(|e| S3Error::with_message(S3ErrorCode::InvalidBucketName, e.to_string()))
}

pub(super) fn object_key(text: &str) -> S3Result<ObjectKey> {
    ObjectKey::parse(text).map_err(|error| match error {
        model::InvalidObjectKey::TooLong => S3Error::with_message(S3ErrorCode::KeyTooLongError, error.to_string()),
        model::InvalidObjectKey::Empty => S3Error::with_message(S3ErrorCode::InvalidURI, error.to_string()),
    })
}

/// An id that no upload here can have is an upload that does not exist.
pub(super) fn upload_id(text: &str) -> S3Result<UploadId> {
    UploadId::parse(text)
        .map_err(|_| S3Error::with_message(S3ErrorCode::NoSuchUpload, operations::NoSuchUpload.to_string()))
}

pub(super) fn part_number(number: i32) -> S3Result<PartNumber> {
    PartNumber::new(number.into()).map_err(|e| S3Error::with_message(S3ErrorCode::InvalidArgument, e.to_string()))
}

/// The canned ACLs that exist here; the front has refused those that AWS has besides.
pub(super) fn canned_acl(text: Option<&str>) -> S3Result<CannedAcl> {
    match text {
        None | Some("private") => Ok(CannedAcl::Private),
        Some("public-read") => Ok(CannedAcl::PublicRead),
        Some(
            "public-read-write"
            | "authenticated-read"
            | "aws-exec-read"
            | "bucket-owner-read"
            | "bucket-owner-full-control"
            | "log-delivery-write",
        ) => Err(S3Error::with_message(
            S3ErrorCode::NotImplemented,
            "Only the canned ACLs private and public-read are implemented.",
        )),
        Some(_) => Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Invalid canned ACL")),
    }
}

/// A page size: 1,000 at most, as AWS does silently; a negative one is refused.
pub(super) fn page_size(requested: Option<i32>, name: &str) -> S3Result<usize> {
    match requested {
        None => Ok(PAGE_SIZE_MAX),
        Some(n) => usize::try_from(n).map(|n| n.min(PAGE_SIZE_MAX)).map_err(|_| {
            S3Error::with_message(
                S3ErrorCode::InvalidArgument,
                format!("Argument {name} must be an integer between 0 and 2147483647"),
            )
        }),
    }
}

const PAGE_SIZE_MAX: usize = 1000;
