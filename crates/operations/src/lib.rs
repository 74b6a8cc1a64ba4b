//! What each operation does, without HTTP: one file per operation, named like its twin in `s3`.
//!
//! The parts: [`Authorizer`] turns a caller and a target into a [`Granted`], the only thing that the others accept;
//! [`Buckets`], [`Objects`], [`Uploads`] and [`Users`] act. Each holds just the ports it uses. Everything that reaches a
//! backend from here is sealed or authenticated: [`records`] frames every record, `seal_body` is the one way in for
//! bytes, `open_body` the one way out.
//!
//! Deliberately absent: HTTP, XML, signatures, and any way to store or read a body that does not go through an
//! unlocked object.

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub mod records;
mod repeated_completion;

mod assemble;
mod authorize;
mod body;
mod bucket_cache;
mod bucket_encryption;
mod buckets;
mod checksum;
mod clock;
mod complete_multipart_upload;
mod conditions;
mod copy_object;
mod create_multipart_upload;
mod current_wraps;
mod delete_object;
mod encryption;
mod error;
mod export_sealed;
mod get_object;
mod get_object_attributes;
mod held_by;
mod key_census;
mod leftovers;
mod list_multipart_uploads;
mod list_objects;
mod list_parts;
mod object_acl;
mod object_info;
mod objects;
mod open_body;
mod part_list;
mod part_lists;
mod put_object;
mod rekey;
mod replaced;
mod rewrap;
mod seal_body;
mod update_object_encryption;
mod upload_part;
mod uploads;
mod users;
mod verify_at_rest;
mod walk;

pub use assemble::{Operations, Ports};
pub use authorize::{AuthorizeError, Authorizer, Caller, Granted};
pub use body::{BodyError, BodyStream, RequestBody};
pub use bucket_encryption::{BlockedEncryption, BucketEncryption, DefaultEncryption};
pub use buckets::{
    Bucket, BucketAlreadyExists, BucketNotEmpty, Buckets, ChangeBucketError, CreateBucketError, Created,
    DeleteBucketError, GetPolicyError, InvalidLocationConstraint, ListedBucket, NoSuchBucketPolicy, PolicyError,
    TooManyBuckets,
};
pub use checksum::{ChecksumAlgorithm, ChecksumSource, ClaimedChecksum, Claims, StoredChecksum};
pub use clock::Clock;
pub use complete_multipart_upload::{
    CompleteError, CompleteMultipartUpload, CompletedPart, EntityTooSmall, InvalidPart, InvalidPartOrder,
    OtherChecksumType, OtherSize,
};
pub use conditions::{IfRange, ReadConditions, TagMatch, WriteConditions};
pub use copy_object::{CopyError, CopyObject, CopySource, MetadataDirective, PointlessCopy};
pub use create_multipart_upload::{CreateMultipartUpload, CreateUploadError, CreatedUpload};
pub use delete_object::DeleteObjectError;
pub use encryption::{EncryptionMode, KmsFacts, RequestedEncryption, RequestedKms, WriteEncryption};
pub use error::*;
pub use export_sealed::{ExportDamage, ExportError, ExportPieces, SealedExport, SealedExporter};
pub use get_object::{GetObject, GetObjectOutput, ReadError};
pub use get_object_attributes::ObjectAttributes;
pub use held_by::HeldBy;
pub use key_census::{HeldCount, KeyCensus};
pub use kms::{KeyServiceError, KmsWrapRequest};
pub use list_multipart_uploads::{ListUploads, UploadEntry, UploadsPage};
pub use list_objects::{ListObjects, ListedObject, ObjectsPage};
pub use list_parts::{ListParts, ListPartsError, ListedPart, PartsPage};
pub use object_acl::ObjectAclError;
pub use object_info::ObjectInfo;
pub use objects::Objects;
pub use put_object::{PutObject, PutObjectError, PutObjectOutput, WriteBodyError};
pub use records::{CannedAcl, ObjectMetadata};
pub use rewrap::{Rewrap, Rewrapper, Step};
pub use update_object_encryption::{NotForCustomerKeys, UpdateObjectEncryptionError};
pub use upload_part::{
    OtherChecksum, UploadPart, UploadPartCopy, UploadPartCopyError, UploadPartError, UploadPartOutput,
};
pub use uploads::{AbortError, UploadFacts, Uploads};
pub use users::{AccessKeyInfo, AccessKeyKind, IssuedAccessKey, IssuedToken, RevokeError, UserInfo, Users, UsersError};
pub use verify_at_rest::{
    AtRest, Extent, Finding, Giveaway, ObjectVerdict, Problem, Proof, Selection, Throttle, VerifySink, VerifySummary,
};
