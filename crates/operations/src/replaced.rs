//! What a write or a deletion replaces. It is the way out of damage, so it does not depend on being able to read what
//! goes: a head record that does not authenticate is removed as the bytes that it is.

use bytes::Bytes;
use storage::{Batch, Partition, Precondition, RecordKey, Scan, Start};

use crate::error::{Fault, StoredDataDamaged};
use crate::objects::{Current, Objects, remove_body, remove_parts};
use crate::records::{ObjectRecord, Records, as_read, sole, tables, tell_of_damage};

/// The head record that a commit finds.
pub(crate) enum Replaced {
    /// There is none.
    Nothing,
    /// One that can be read.
    Whole(Box<Current>),
    /// One that cannot, as it stands, and why not.
    Damaged(Bytes, StoredDataDamaged),
}

impl Objects {
    /// What stands in the place of an object now.
    pub(crate) async fn replaced(&self, partition: &Partition) -> Result<Replaced, Fault> {
        let head = sole(tables::OBJECTS);
        let Some(raw) = self.records.get_raw(partition, &head).await? else { return Ok(Replaced::Nothing) };
        let current = self.records.check(partition, &head, raw.clone()).and_then(|stored| {
            let record = ObjectRecord::decode(stored.payload())?;
            Ok(Current { stored, record })
        });
        match current {
            Ok(current) => Ok(Replaced::Whole(Box::new(current))),
            Err(Fault::Damaged(error)) => Ok(Replaced::Damaged(raw, error)),
            Err(error) => Err(error),
        }
    }
}

impl Replaced {
    /// The precondition that it still is so.
    pub(crate) fn unchanged(&self) -> Precondition {
        let head = sole(tables::OBJECTS);
        match self {
            Self::Nothing => as_read(head, None),
            Self::Whole(current) => as_read(head, Some(&current.stored)),
            Self::Damaged(raw, _) => Precondition::Unchanged(head, raw.clone()),
        }
    }

    /// What conditions are judged by.
    ///
    /// # Errors
    /// For a damaged one: whether it meets a condition cannot be known.
    pub(crate) fn judged(&self) -> Result<Option<&Current>, Fault> {
        match self {
            Self::Nothing => Ok(None),
            Self::Whole(current) => Ok(Some(current)),
            Self::Damaged(_, error) => Err(error.clone().into()),
        }
    }

    /// Adds to `batch` all that goes with it, except the head record itself.
    pub(crate) async fn remove_body(
        &self,
        records: &Records,
        partition: &Partition,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        match self {
            Self::Nothing => Ok(()),
            Self::Whole(current) => remove_body(records, partition, &current.record, batch).await,
            Self::Damaged(_, error) => {
                let outcome = "a damaged object is removed; bytes of it in a blob stay in the store without a name";
                tell_of_damage(partition, &error.clone().into(), outcome);
                remove_all_bodies(records, partition, batch).await
            }
        }
    }
}

/// The head does not tell where the body is. But an object has one version, so that every body in the partition is its
/// own; only a blob that nothing but the head named cannot be found.
async fn remove_all_bodies(records: &Records, partition: &Partition, batch: &mut Batch) -> Result<(), Fault> {
    let mut end = partition.name.clone();
    end.push(0);
    for table in [tables::BODIES, tables::PARTS_OF_OBJECTS] {
        let start = Start::AtPartition(partition.name.clone());
        let scan = Scan { scope: partition.scope, table, start, end: Some(end.clone()), limit: BODIES_MAX };
        for entry in records.scan(scan).await? {
            let record_key = RecordKey::new(table, entry.suffix);
            match table {
                tables::PARTS_OF_OBJECTS => remove_parts(records, partition, record_key, entry.value, batch),
                _ => batch.delete.push(record_key),
            }
        }
    }
    Ok(())
}

/// One is all there can be; more would be damage too, and must not make a batch of any size.
const BODIES_MAX: usize = 100;
