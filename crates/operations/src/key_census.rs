//! Which keys the objects and uploads of the store need, counted record by record.

use std::collections::HashMap;

use kms::{DataKeys, KeyServiceError, StoredWrap};
use storage::{Entry, Partition, Scope, Table};

use crate::current_wraps::CurrentWraps;
use crate::error::Fault;
use crate::held_by::HeldBy;
use crate::records::{BucketRecord, ObjectRecord, Records, UploadRecord, system, tables, tell_of_damage};

/// What a census came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyCensus {
    /// Objects and uploads in progress by whose key opens them.
    pub held_by: HashMap<HeldBy, HeldCount>,
    /// Those among them whose key the server holds and would wrap with a newer version now.
    pub outdated: u64,
    /// Records that cannot be read: which key they need, nobody knows.
    pub unreadable: u64,
}

/// How many records one key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeldCount {
    /// Objects.
    pub objects: u64,
    /// Uploads in progress.
    pub uploads: u64,
    /// Those of both whose key is not there: nothing opens them now.
    pub missing: u64,
}

impl KeyCensus {
    /// All records that were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        let held: u64 = self.held_by.values().map(|count| count.objects + count.uploads).sum();
        held + self.unreadable
    }
}

/// What a census asks of the keys themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// Nothing: the records alone say which keys they need.
    Nothing,
    /// Whether they are there, and which of their versions wraps now. A KMS is asked.
    Keys,
}

/// Walks all buckets. In each, uploads come before objects: whatever is completed meanwhile is counted at least once.
/// `progress` hears now and then how many records were looked at.
pub(crate) async fn count(
    records: &Records,
    keys: &DataKeys,
    asking: Asking,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<KeyCensus, Fault> {
    let mut census = KeyCensus::default();
    let mut current = (asking == Asking::Keys).then(|| CurrentWraps::new(keys));
    let mut buckets = records.pages(Scope::SYSTEM, tables::BUCKETS);
    while let Some(entries) = buckets.next().await? {
        for entry in entries {
            let payload = records.open_entry(Scope::SYSTEM, tables::BUCKETS, &entry);
            match payload.and_then(|payload| Ok(BucketRecord::decode(payload)?)) {
                Ok(bucket) => {
                    for table in [tables::UPLOADS, tables::OBJECTS] {
                        count_table(records, &mut current, Scope::bucket(bucket.id), table, &mut census, progress)
                            .await?;
                    }
                }
                Err(error) => {
                    census.unreadable += 1;
                    tell_of_damage(&system(&entry.partition), &error, "the keys that a bucket needs cannot be counted");
                }
            }
        }
    }
    Ok(census)
}

async fn count_table(
    records: &Records,
    current: &mut Option<CurrentWraps<'_>>,
    scope: Scope,
    table: Table,
    census: &mut KeyCensus,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), Fault> {
    let mut pages = records.pages(scope, table);
    while let Some(entries) = pages.next().await? {
        for entry in &entries {
            let wrap = match wrap_of(records, scope, table, entry) {
                Ok(wrap) => wrap,
                Err(error) => {
                    census.unreadable += 1;
                    let partition = Partition::new(scope, entry.partition.clone());
                    tell_of_damage(&partition, &error, "it cannot be told which key a record needs");
                    continue;
                }
            };
            let count = census.held_by.entry(HeldBy::of(&wrap)).or_default();
            if table == tables::OBJECTS {
                count.objects += 1;
            } else {
                count.uploads += 1;
            }
            let Some(current) = current else { continue };
            match current.has(&wrap).await {
                Ok(false) => census.outdated += 1,
                Err(KeyServiceError::NotFound(_) | KeyServiceError::UnknownKey(_)) => count.missing += 1,
                // A KMS that does not answer may have the key.
                Ok(true) | Err(_) => {}
            }
        }
        progress(census.total());
    }
    Ok(())
}

fn wrap_of(records: &Records, scope: Scope, table: Table, entry: &Entry) -> Result<StoredWrap, Fault> {
    let payload = records.open_entry(scope, table, entry)?;
    Ok(if table == tables::OBJECTS { ObjectRecord::decode(payload)?.wrap } else { UploadRecord::decode(payload)?.wrap })
}
