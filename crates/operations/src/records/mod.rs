//! What stands in the store: a codec for each kind of record, and the frame that all of them share.
//!
//! Every record ends in a tag under the store key that covers its place (scope, partition, table, suffix) and its
//! bytes, so that a changed, moved or swapped record is found before anything of it is believed. Inline bodies and the
//! sealed keyring of several gateways are the exceptions: their own seals authenticate them.

mod access_key;
mod bucket;
mod metadata;
mod object;
mod rewrap;
mod store;
mod token;
mod upload;
mod user;
mod wrap;

pub use metadata::ObjectMetadata;

pub(crate) use access_key::AccessKeyRecord;
pub(crate) use bucket::BucketRecord;
pub(crate) use object::{BodyPlace, ObjectRecord, PartsRecord, StoredETag};
pub(crate) use rewrap::{RewrapCursor, RewrapRecord};
pub(crate) use store::{Records, Stored, as_read, tell_of_damage};
pub(crate) use token::TokenRecord;
pub(crate) use upload::{PartChecksum, PartRecord, UploadRecord};
pub(crate) use user::{InstallationRecord, UserRecord};

use model::Timestamp;
use storage::{Partition, RecordKey, Scope, Table};

/// The table of persisted ids; docs/format.md draws each record. A number is never used again for another kind.
pub(crate) mod tables {
    use super::Table;

    pub(crate) const BUCKETS: Table = Table(1);
    pub(crate) const USERS: Table = Table(2);
    pub(crate) const ACCESS_KEYS: Table = Table(3);
    pub(crate) const TOKENS: Table = Table(4);
    pub(crate) const INSTALLATION: Table = Table(5);
    pub(crate) const REWRAP: Table = Table(6);
    pub(crate) const KEYRING: Table = Table(7);
    pub(crate) const OBJECTS: Table = Table(16);
    pub(crate) const PARTS_OF_OBJECTS: Table = Table(17);
    pub(crate) const BODIES: Table = Table(18);
    pub(crate) const UPLOADS: Table = Table(19);
    pub(crate) const UPLOADED_PARTS: Table = Table(20);
}

/// The only record of its table in a partition.
pub(crate) fn sole(table: Table) -> RecordKey {
    RecordKey::new(table, Vec::new())
}

/// A partition among the server's own records.
pub(crate) fn system(name: &[u8]) -> Partition {
    Partition::new(Scope::SYSTEM, name)
}

/// Where gateways that share a store keep the sealed keyring. It is not framed: the root key seals it, and the key of the
/// frames is in it.
#[must_use]
pub fn keyring_place() -> (Partition, RecordKey) {
    (system(b"keyring"), sole(tables::KEYRING))
}

/// Where the record is that every store has which was ever used.
#[must_use]
pub fn installation_place() -> (Partition, RecordKey) {
    (system(b""), sole(tables::INSTALLATION))
}

/// An expiry in a record: zero stands for never, so the first millisecond of 1970 is told as the second.
pub(crate) fn encode_expiry(expires: Option<Timestamp>) -> u64 {
    expires.map_or(0, |expires| expires.as_millis().max(1))
}

pub(crate) fn decode_expiry(millis: u64) -> Option<Timestamp> {
    (millis > 0).then(|| Timestamp::from_millis(millis))
}

/// A canned ACL: of a bucket or an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CannedAcl {
    /// The owner alone.
    #[default]
    Private,
    /// Everyone may read.
    PublicRead,
}

impl CannedAcl {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Private => 0,
            Self::PublicRead => 1,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Result<Self, model::codec::Malformed> {
        match code {
            0 => Ok(Self::Private),
            1 => Ok(Self::PublicRead),
            _ => Err(model::codec::Malformed),
        }
    }
}

#[cfg(test)]
mod tests;
