//! Wraps the data keys of objects and uploads anew, with the current version of the key that holds each.
//!
//! It goes through all records in the order of the store, a step at a time, and keeps its place in a record of its own,
//! so that it goes on where a crash or a stop left it. Each record is replaced on the condition that it is unchanged,
//! by one commit: at any instant exactly one wrap opens an object, and readers and writers never wait. Doing a record
//! twice changes nothing, because what is wrapped by the current version is passed over.
//!
//! What is written meanwhile by an operation that wrapped before the key was rotated stays behind. A census tells, and
//! the next rewrap takes it.

use std::sync::Arc;

use envelope::ObjectIdentity;
use kms::{DataKeys, Requester, StoredWrap};
use model::{BucketId, BucketName, ObjectKey, Principal, VersionId};
use storage::{Batch, CommitError, Partition, Precondition, RecordKey, Scan, Scope, Start, Table};

use crate::clock::Clock;
use crate::current_wraps::CurrentWraps;
use crate::error::{Fault, StoredDataDamaged};
use crate::key_census::{self, Asking, KeyCensus};
use crate::objects::{ATTEMPTS, contention};
use crate::records::{
    BucketRecord, ObjectRecord, Records, RewrapCursor, RewrapRecord, Stored, UploadRecord, system, tables,
    tell_of_damage,
};

/// Counts which keys are needed, and wraps anew.
#[derive(Clone)]
pub struct Rewrapper {
    pub(crate) records: Records,
    pub(crate) keys: DataKeys,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A rewrap under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrap {
    record: RewrapRecord,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many records were wrapped anew, and there may be more.
    Rewrapped(u32),
    /// All records have been looked at.
    Done,
}

impl Rewrap {
    /// Wraps a second, at most; `None` for as many as go.
    #[must_use]
    pub fn rate(&self) -> Option<u32> {
        Some(self.record.rate).filter(|rate| *rate > 0)
    }

    /// Changes the rate; the next step keeps it.
    pub fn set_rate(&mut self, rate: Option<u32>) {
        self.record.rate = rate.unwrap_or(0);
    }

    /// Objects and uploads that there were at the beginning.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.record.total
    }

    /// How many have been looked at.
    #[must_use]
    pub const fn looked_at(&self) -> u64 {
        self.record.looked_at
    }

    /// How many were wrapped anew.
    #[must_use]
    pub const fn rewrapped(&self) -> u64 {
        self.record.rewrapped
    }

    /// How many could not be: damaged records, and such whose key does not serve. The log names them.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.record.failed
    }
}

/// What became of one record.
enum Outcome {
    Rewrapped,
    /// A customer's, or wrapped by the current version already, or gone.
    Passed,
    Failed,
}

/// A bucket on the way.
struct OnTheWay<'a> {
    name: &'a BucketName,
    id: BucketId,
}

impl Rewrapper {
    /// Counts which keys the objects and uploads of the store need. `progress` hears how many records were looked at.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn census(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<KeyCensus, Fault> {
        key_census::count(&self.records, &self.keys, Asking::Keys, progress).await
    }

    /// As [`Self::census`], from the records alone: no key is asked for, so none is outdated or missing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn needs(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<KeyCensus, Fault> {
        key_census::count(&self.records, &self.keys, Asking::Nothing, progress).await
    }

    /// The rewrap that was begun and has not ended, to be gone on with.
    ///
    /// # Errors
    /// When the store fails or the record is damaged.
    pub async fn under_way(&self) -> Result<Option<Rewrap>, Fault> {
        let rewrap = self.progress().await?;
        self.keys.renew();
        Ok(rewrap)
    }

    /// How far the rewrap is that was begun and has not ended, for whoever only looks.
    ///
    /// # Errors
    /// When the store fails or the record is damaged.
    pub async fn progress(&self) -> Result<Option<Rewrap>, Fault> {
        let stored = self.records.get(&place(), &RewrapRecord::record_key()).await?;
        let record = stored.map(|stored| RewrapRecord::decode(stored.payload())).transpose()?;
        Ok(record.map(|record| Rewrap { record }))
    }

    /// Begins a rewrap of so many records, in the place of one that was under way.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin(&self, total: u64, rate: Option<u32>) -> Result<Rewrap, Fault> {
        let record = RewrapRecord {
            begun: self.clock.now(),
            rate: rate.unwrap_or(0),
            total,
            looked_at: 0,
            rewrapped: 0,
            failed: 0,
            cursor: None,
        };
        let rewrap = Rewrap { record };
        self.save(&rewrap).await?;
        self.keys.renew();
        Ok(rewrap)
    }

    /// Forgets a rewrap: what it did stays done.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end(&self) -> Result<(), Fault> {
        let batch = Batch { delete: vec![RewrapRecord::record_key()], ..Batch::default() };
        store_error(self.records.metadata().commit(&place(), batch).await)
    }

    /// Looks at some records and wraps at most `rewraps_max` of them anew, in the name of `principal`.
    ///
    /// # Errors
    /// When the store or a KMS does not answer. Calling again goes on.
    pub async fn step(&self, rewrap: &mut Rewrap, principal: &Principal, rewraps_max: u32) -> Result<Step, Fault> {
        let Some(cursor) = self.place_of(rewrap).await? else {
            self.end().await?;
            return Ok(Step::Done);
        };
        let scan = Scan {
            scope: Scope::bucket(cursor.id),
            table: cursor.table,
            start: cursor.after.clone().map_or(Start::AtPartition(Vec::new()), |(p, s)| Start::AfterRecord(p, s)),
            end: None,
            limit: PAGE,
        };
        let bucket = OnTheWay { name: &cursor.bucket, id: cursor.id };
        let entries = self.records.scan(scan).await?;
        let (is_last, mut rewrapped) = (entries.len() < PAGE, 0);
        let mut current = CurrentWraps::new(&self.keys);
        let mut left = entries.len();
        for entry in entries {
            if rewrapped >= rewraps_max.max(1) {
                break;
            }
            let partition = Partition::new(Scope::bucket(bucket.id), entry.partition);
            let record_key = RecordKey::new(cursor.table, entry.suffix);
            match self.rewrap_record(&bucket, &partition, &record_key, principal, &mut current).await? {
                Outcome::Rewrapped => {
                    rewrapped += 1;
                    rewrap.record.rewrapped += 1;
                }
                Outcome::Passed => {}
                Outcome::Failed => rewrap.record.failed += 1,
            }
            rewrap.record.looked_at += 1;
            let after = Some((partition.name, record_key.suffix));
            rewrap.record.cursor = Some(RewrapCursor { after, ..cursor.clone() });
            left -= 1;
        }
        if is_last && left == 0 {
            let Some(next) = self.behind(rewrap, &cursor).await? else {
                self.end().await?;
                return Ok(Step::Done);
            };
            rewrap.record.cursor = Some(next);
        }
        self.save(rewrap).await?;
        Ok(Step::Rewrapped(rewrapped))
    }

    /// Where to go on: in the first bucket at the beginning; nowhere behind the last.
    async fn place_of(&self, rewrap: &mut Rewrap) -> Result<Option<RewrapCursor>, Fault> {
        match &rewrap.record.cursor {
            Some(cursor) => Ok(Some(cursor.clone())),
            None => self.first_bucket(rewrap, Start::AtPartition(Vec::new())).await,
        }
    }

    /// The beginning of the first bucket from here on that can be read.
    async fn first_bucket(&self, rewrap: &mut Rewrap, mut start: Start) -> Result<Option<RewrapCursor>, Fault> {
        loop {
            let scan = Scan { scope: Scope::SYSTEM, table: tables::BUCKETS, start, end: None, limit: 1 };
            let Some(entry) = self.records.scan(scan).await?.pop() else { return Ok(None) };
            let payload = self.records.open_entry(Scope::SYSTEM, tables::BUCKETS, &entry);
            let read = payload.and_then(|payload| Ok((bucket_name(&entry.partition)?, BucketRecord::decode(payload)?)));
            match read {
                Ok((bucket, record)) => {
                    return Ok(Some(RewrapCursor { bucket, id: record.id, table: tables::UPLOADS, after: None }));
                }
                Err(error) => {
                    rewrap.record.failed += 1;
                    tell_of_damage(&system(&entry.partition), &error, "a damaged bucket is passed over by the rewrap");
                    start = Start::AfterPartition(entry.partition);
                }
            }
        }
    }

    /// What comes behind a table: objects behind uploads, then the next bucket, then nothing.
    async fn behind(&self, rewrap: &mut Rewrap, cursor: &RewrapCursor) -> Result<Option<RewrapCursor>, Fault> {
        if cursor.table == tables::UPLOADS {
            return Ok(Some(RewrapCursor { table: tables::OBJECTS, after: None, ..cursor.clone() }));
        }
        self.first_bucket(rewrap, Start::AfterPartition(cursor.bucket.as_str().as_bytes().to_vec())).await
    }

    async fn save(&self, rewrap: &Rewrap) -> Result<(), Fault> {
        let put = self.records.put(&place(), RewrapRecord::record_key(), rewrap.record.encode());
        store_error(self.records.metadata().commit(&place(), Batch { put: vec![put], ..Batch::default() }).await)
    }

    async fn rewrap_record(
        &self,
        bucket: &OnTheWay<'_>,
        partition: &Partition,
        record_key: &RecordKey,
        principal: &Principal,
        current: &mut CurrentWraps<'_>,
    ) -> Result<Outcome, Fault> {
        for _ in 0..ATTEMPTS {
            let tried = self.try_record(bucket, partition, record_key, principal, current).await;
            match tried {
                Ok(Some(outcome)) => return Ok(outcome),
                // Someone else was first: look again.
                Ok(None) => {}
                Err(error) if is_hopeless(&error) => {
                    tell_of_damage(partition, &error, "a data key cannot be wrapped anew");
                    return Ok(Outcome::Failed);
                }
                Err(error) => return Err(error),
            }
        }
        Err(contention())
    }

    async fn try_record(
        &self,
        bucket: &OnTheWay<'_>,
        partition: &Partition,
        record_key: &RecordKey,
        principal: &Principal,
        current: &mut CurrentWraps<'_>,
    ) -> Result<Option<Outcome>, Fault> {
        let stored = self.records.get(partition, record_key).await?;
        let Some(stored) = stored else { return Ok(Some(Outcome::Passed)) };
        let mut record = Wrapped::decode(record_key.table, &stored)?;
        if current.has(record.wrap()).await? {
            return Ok(Some(Outcome::Passed));
        }
        let object = object_key(&partition.name)?;
        let identity = ObjectIdentity { bucket: bucket.id, object: &object, version: record.version() };
        let requester = Requester { principal, bucket: bucket.name };
        let Some(wrap) = self.keys.rewrap(record.wrap(), &identity, requester).await? else {
            return Ok(Some(Outcome::Passed));
        };
        record.set_wrap(wrap);
        let batch = Batch {
            preconditions: vec![Precondition::Unchanged(record_key.clone(), stored.raw().clone())],
            put: vec![self.records.put(partition, record_key.clone(), record.encode())],
            ..Batch::default()
        };
        match self.records.metadata().commit(partition, batch).await {
            Ok(()) => Ok(Some(Outcome::Rewrapped)),
            Err(CommitError::Conflict(_)) => Ok(None),
            // The bucket was deleted, and the record with it.
            Err(CommitError::Retired(_)) => Ok(Some(Outcome::Passed)),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }
}

/// A record that a wrapped data key stands in.
enum Wrapped {
    Object(ObjectRecord),
    Upload(UploadRecord),
}

impl Wrapped {
    fn decode(table: Table, stored: &Stored) -> Result<Self, Fault> {
        if table == tables::OBJECTS {
            ObjectRecord::decode(stored.payload()).map(Self::Object)
        } else {
            UploadRecord::decode(stored.payload()).map(Self::Upload)
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Object(record) => record.encode(),
            Self::Upload(record) => record.encode(),
        }
    }

    const fn wrap(&self) -> &StoredWrap {
        match self {
            Self::Object(record) => &record.wrap,
            Self::Upload(record) => &record.wrap,
        }
    }

    fn set_wrap(&mut self, wrap: StoredWrap) {
        match self {
            Self::Object(record) => record.wrap = wrap,
            Self::Upload(record) => record.wrap = wrap,
        }
    }

    const fn version(&self) -> VersionId {
        match self {
            Self::Object(record) => record.version,
            Self::Upload(record) => record.version,
        }
    }
}

/// Whether asking again would not help: the record is damaged, or its key does not serve.
fn is_hopeless(error: &Fault) -> bool {
    match error {
        Fault::Damaged(_) => true,
        Fault::KeyService(error) => !error.is_retryable(),
        Fault::Store(_) | Fault::Contention(_) | Fault::NotCovered(_) => false,
    }
}

fn store_error(committed: Result<(), CommitError>) -> Result<(), Fault> {
    committed.map_err(|error| match error {
        CommitError::Store(error) => error.into(),
        CommitError::Conflict(_) | CommitError::Retired(_) => contention(),
    })
}

fn place() -> Partition {
    system(b"")
}

fn bucket_name(partition: &[u8]) -> Result<BucketName, Fault> {
    let name = std::str::from_utf8(partition).ok().and_then(|name| BucketName::parse(name).ok());
    name.ok_or_else(|| StoredDataDamaged("the name of a bucket").into())
}

fn object_key(partition: &[u8]) -> Result<ObjectKey, Fault> {
    let name = std::str::from_utf8(partition).ok().and_then(|name| ObjectKey::parse(name).ok());
    name.ok_or_else(|| StoredDataDamaged("the name of an object").into())
}

/// Records that are read at once.
const PAGE: usize = 256;
