use async_trait::async_trait;
use bytes::Bytes;
use model::{BlobId, BucketId};

use crate::error::{CommitError, Error, NoSuchPlacement, RetireError};

/// A kind of record. Tables are separate key ranges: scanning one never reads another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Table(pub u8);

/// A group of partitions: a bucket, or the server's own affairs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Scope([u8; 16]);

impl Scope {
    /// The server's own records: buckets, users, access keys.
    pub const SYSTEM: Self = Self([0; 16]);

    /// The scope of one life of a bucket.
    #[must_use]
    pub const fn bucket(id: BucketId) -> Self {
        Self(*id.as_bytes())
    }

    /// The sixteen bytes that name it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The unit of atomicity: everything that belongs to one name in one scope.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Partition {
    /// The group it belongs to.
    pub scope: Scope,
    /// Any bytes, none or up to 1,024 of them; their order is the order of scans.
    pub name: Vec<u8>,
}

impl Partition {
    /// The partition `name` of `scope`.
    #[must_use]
    pub fn new(scope: Scope, name: impl Into<Vec<u8>>) -> Self {
        Self { scope, name: name.into() }
    }
}

/// Names one record within a partition.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RecordKey {
    /// Which kind of record.
    pub table: Table,
    /// Any bytes, none or up to 64 of them; orders the records of one table and partition.
    pub suffix: Vec<u8>,
}

impl RecordKey {
    /// The record `suffix` of `table`.
    #[must_use]
    pub fn new(table: Table, suffix: impl Into<Vec<u8>>) -> Self {
        Self { table, suffix: suffix.into() }
    }
}

/// What must be true of a record at the instant of the commit.
#[derive(Clone, Debug)]
pub enum Precondition {
    /// The record does not exist.
    Absent(RecordKey),
    /// The record's value is exactly these bytes.
    Unchanged(RecordKey, Bytes),
}

/// One atomic change of one partition: everything in it happens, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// All must hold, else [`CommitError::Conflict`].
    pub preconditions: Vec<Precondition>,
    /// Records to write. A record is named at most once in `put` and `delete` together.
    pub put: Vec<(RecordKey, Bytes)>,
    /// Records to remove; removing an absent one is no error.
    pub delete: Vec<RecordKey>,
    /// Finished blobs that a record of this batch names from now on. Each was created for this partition.
    pub link: Vec<BlobId>,
    /// Blobs that no record names any more. Open readers finish with the old bytes; then the backend collects them.
    pub unlink: Vec<BlobId>,
}

/// Where a scan begins.
#[derive(Clone, Debug)]
pub enum Start {
    /// At the first partition whose name is at or behind these bytes.
    AtPartition(Vec<u8>),
    /// Behind all records of the partition with exactly this name.
    AfterPartition(Vec<u8>),
    /// Behind one record: the partition's name and the record's suffix.
    AfterRecord(Vec<u8>, Vec<u8>),
}

/// A question for records of one table and scope, ordered by partition name, then suffix.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The group of partitions to walk.
    pub scope: Scope,
    /// The kind of record.
    pub table: Table,
    /// The first place.
    pub start: Start,
    /// One past the last partition name; `None` for the end of the scope.
    pub end: Option<Vec<u8>>,
    /// At most this many entries; fewer come back only at the end.
    pub limit: usize,
}

/// One record found by a scan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The name of its partition.
    pub partition: Vec<u8>,
    /// Its suffix in the table.
    pub suffix: Vec<u8>,
    /// Its value.
    pub value: Bytes,
}

/// The first record of a table in a partition, when a backend told it beside another record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beside {
    /// Its suffix in the table.
    pub suffix: Vec<u8>,
    /// Its value.
    pub value: Bytes,
}

/// A transactional, ordered store of records.
///
/// Every method may be called from any number of tasks at once. A commit that returned is durable: it survives a
/// crash of the process and of the machine.
#[async_trait]
pub trait Metadata: Send + Sync + 'static {
    /// The value of one record as of the last commit.
    ///
    /// # Errors
    /// When the backend fails.
    async fn get(&self, partition: &Partition, key: &RecordKey) -> Result<Option<Bytes>, Error>;

    /// The value of one record, and the first record of the table `beside` in the same partition, as of one instant. The
    /// second is told only where it costs no second question; its absence says nothing.
    ///
    /// # Errors
    /// When the backend fails.
    async fn get_with(
        &self,
        partition: &Partition,
        key: &RecordKey,
        beside: Table,
    ) -> Result<(Option<Bytes>, Option<Beside>), Error> {
        let _ = beside;
        Ok((self.get(partition, key).await?, None))
    }

    /// Changes one partition atomically and durably.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when a precondition fails, [`CommitError::Retired`] when the batch puts something
    /// into a retired scope (a batch that only deletes goes through); a retired scope is reported before any
    /// precondition is looked at. After [`Error::Unavailable`] the outcome is unknown.
    async fn commit(&self, partition: &Partition, batch: Batch) -> Result<(), CommitError>;

    /// One page of records. Each entry is as of some instant during the call.
    ///
    /// # Errors
    /// When the backend fails.
    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, Error>;

    /// Closes `scope` for every later put, provided that it holds no record in `tables`.
    ///
    /// A racing commit either comes first, and then this fails, or comes later and gets
    /// [`CommitError::Retired`]. Retiring a retired scope succeeds; a scope is never opened again.
    ///
    /// # Errors
    /// [`RetireError::NotEmpty`] when a record is left; the scope then stays open.
    async fn retire(&self, scope: Scope, tables: &[Table]) -> Result<(), RetireError>;

    /// The id of a new scope whose records and blobs go to a placement: one of the names that the operator gave to the
    /// backend's places, or none for the usual one. A backend of one place takes any name. The id has as much randomness of
    /// `random` as there is room for.
    ///
    /// # Errors
    /// When no place has the name.
    fn scope_at(&self, placement: Option<&str>, random: [u8; 16]) -> Result<[u8; 16], NoSuchPlacement> {
        let _ = placement;
        Ok(random)
    }

    /// The largest body, in bytes, that is better kept in a record than in a blob of its own.
    fn inline_len_max(&self) -> usize;
}
