//! The nouns of an object store: names, numbers, ranges and times that are valid once built.
//!
//! Everything here is pure data. A type in this crate is parsed once, at the edge; whoever receives one never checks
//! it again. What is deliberately absent: I/O, clocks, randomness, cryptography and anything HTTP.

pub mod codec;

mod account;
mod bucket_name;
mod byte_range;
mod encryption_context;
mod etag;
mod ids;
mod kms_key_id;
mod location_constraint;
mod object_key;
mod part_number;
mod principal;
mod timestamp;

pub use account::{AccountId, InvalidAccountId};
pub use bucket_name::{BucketName, InvalidBucketName};
pub use byte_range::{ByteRange, InvalidRange, RangeNotSatisfiable, RangeSpec};
pub use encryption_context::{EncryptionContext, EncryptionContextTooLarge};
pub use etag::ETag;
pub use ids::{BlobId, BucketId, InvalidId, UploadId, VersionId};
pub use kms_key_id::{InvalidKmsKeyId, KmsKeyId};
pub use location_constraint::{InvalidLocationConstraint, LocationConstraint};
pub use object_key::{InvalidObjectKey, ObjectKey};
pub use part_number::{InvalidPartNumber, PartNumber};
pub use principal::{InvalidUserName, Principal, UserName};
pub use timestamp::Timestamp;
