//! Operations on objects, one file each; this one holds what they share.

use std::sync::Arc;

use bytes::Bytes;
use envelope::{DigestSealer, ObjectIdentity, StoreKey};
use kms::DataKeys;
use model::ObjectKey;
use storage::{Batch, Blobs, CommitError, Partition, Precondition, RecordKey};

use crate::buckets::Bucket;
use crate::clock::Clock;
use crate::error::{Fault, NoSuchBucket, TooMuchContention};
use crate::part_lists::PartLists;
use crate::records::{BodyPlace, ObjectRecord, PartsRecord, Records, Stored, as_read, sole, tables, tell_of_damage};

/// Put, get, head, delete, copy and list objects.
#[derive(Clone)]
pub struct Objects {
    pub(crate) records: Records,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) keys: DataKeys,
    pub(crate) store_key: Arc<StoreKey>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) part_lists: Arc<PartLists>,
}

/// The current object, as read.
pub(crate) struct Current {
    pub(crate) stored: Stored,
    pub(crate) record: ObjectRecord,
}

impl Current {
    fn read(stored: Stored) -> Result<Self, Fault> {
        let record = ObjectRecord::decode(stored.payload())?;
        Ok(Self { stored, record })
    }

    /// The precondition that it still is current, and unchanged.
    pub(crate) fn as_read(&self) -> Precondition {
        as_read(sole(tables::OBJECTS), Some(&self.stored))
    }
}

/// Why a version was not made the current one.
pub(crate) enum ReplaceError {
    /// Someone else was first: look again.
    Conflict,
    NoSuchBucket(NoSuchBucket),
    Fault(Fault),
}

impl Objects {
    pub(crate) async fn current(&self, partition: &Partition) -> Result<Option<Current>, Fault> {
        let stored = self.records.get(partition, &sole(tables::OBJECTS)).await?;
        stored.map(Current::read).transpose()
    }

    /// The same for whoever wants the bytes too: with them, where they are inline and came for nothing.
    pub(crate) async fn current_with_body(
        &self,
        partition: &Partition,
    ) -> Result<Option<(Current, Option<Bytes>)>, Fault> {
        let (stored, beside) = self.records.get_with(partition, &sole(tables::OBJECTS), tables::BODIES).await?;
        let Some(current) = stored.map(Current::read).transpose()? else { return Ok(None) };
        let inline_key = ObjectRecord::inline_key(current.record.version);
        let body = beside.filter(|beside| beside.suffix == inline_key.suffix).map(|beside| beside.value);
        Ok(Some((current, body)))
    }

    pub(crate) fn digest_sealer(&self, bucket: &Bucket) -> DigestSealer {
        self.store_key.digest_sealer(bucket.id.as_bytes())
    }

    pub(crate) async fn commit(
        &self,
        bucket: &Bucket,
        partition: &Partition,
        batch: Batch,
    ) -> Result<(), ReplaceError> {
        commit(&self.records, bucket, partition, batch).await
    }
}

/// Commits to a partition of a bucket.
pub(crate) async fn commit(
    records: &Records,
    bucket: &Bucket,
    partition: &Partition,
    batch: Batch,
) -> Result<(), ReplaceError> {
    records.metadata().commit(partition, batch).await.map_err(|error| match error {
        CommitError::Conflict(_) => ReplaceError::Conflict,
        CommitError::Retired(_) => ReplaceError::NoSuchBucket(NoSuchBucket(bucket.name.clone())),
        CommitError::Store(error) => ReplaceError::Fault(error.into()),
    })
}

/// Adds to `batch` all that goes when the current version goes, except its head record.
pub(crate) async fn remove_body(
    records: &Records,
    partition: &Partition,
    record: &ObjectRecord,
    batch: &mut Batch,
) -> Result<(), Fault> {
    match &record.body {
        BodyPlace::Inline(_) => batch.delete.push(ObjectRecord::inline_key(record.version)),
        BodyPlace::Blob(_, blob) => batch.unlink.push(*blob),
        BodyPlace::Parts => {
            let parts_key = ObjectRecord::parts_key(record.version);
            // Without one it was replaced or deleted meanwhile: the commit will conflict and the caller looks again.
            if let Some(raw) = records.get_raw(partition, &parts_key).await? {
                remove_parts(records, partition, parts_key, raw, batch);
            }
        }
    }
    Ok(())
}

/// Adds to `batch` all that goes with a list of parts. Of a damaged one only itself: which blobs it named is lost.
pub(crate) fn remove_parts(
    records: &Records,
    partition: &Partition,
    parts_key: RecordKey,
    raw: Bytes,
    batch: &mut Batch,
) {
    let parts = records.check(partition, &parts_key, raw).and_then(|stored| PartsRecord::decode(stored.payload()));
    match parts {
        Ok(parts) => batch.unlink.extend(parts.blobs),
        Err(error) => tell_of_damage(
            partition,
            &error,
            "a damaged list of parts is removed; the bytes of its parts stay in the store without a name",
        ),
    }
    batch.delete.push(parts_key);
}

/// What the data key of a version is bound to.
pub(crate) const fn identity<'a>(
    bucket: &Bucket,
    object: &'a ObjectKey,
    version: model::VersionId,
) -> ObjectIdentity<'a> {
    ObjectIdentity { bucket: bucket.id, object, version }
}

/// How often a write looks again when others come first.
pub(crate) const ATTEMPTS: u32 = 64;

/// The end of a write that was always overtaken.
pub(crate) fn contention() -> Fault {
    TooMuchContention.into()
}
