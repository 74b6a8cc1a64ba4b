//! How uploads and parts go that become no object. None need be readable for that: damage must not keep a bucket from
//! being deleted, nor hide the leftovers behind it from the sweep.

use model::UploadId;
use storage::{Batch, CommitError, Entry, Partition, Precondition, RecordKey, Scope, Table};

use crate::buckets::Buckets;
use crate::error::{Fault, StoredDataDamaged};
use crate::records::{PartRecord, Records, UploadRecord, tables, tell_of_damage};
use crate::uploads::Uploads;

impl Uploads {
    /// Removes what a crash may have left of ended uploads: parts that were stored between the last look at their
    /// upload and its end. A part's commit demands the upload's record, so a part without one can never be used.
    ///
    /// # Errors
    /// When our side fails; calling again goes on.
    pub async fn sweep(&self, buckets: &Buckets) -> Result<(), Fault> {
        for scope in buckets.scopes().await? {
            let mut pages = self.records().pages(scope, tables::UPLOADED_PARTS);
            while let Some(entries) = pages.next().await? {
                for entry in &entries {
                    self.sweep_part(scope, entry).await?;
                }
            }
        }
        Ok(())
    }

    /// A part that cannot be read stays: its bytes may be all there is left to look at.
    async fn sweep_part(&self, scope: Scope, entry: &Entry) -> Result<(), Fault> {
        let partition = Partition::new(scope, entry.partition.clone());
        let upload = entry.suffix.get(..16).and_then(|id| id.try_into().ok()).map(UploadId::from_bytes);
        let Some(upload) = upload else {
            tell_of_damage(&partition, &StoredDataDamaged("the name of a part").into(), "a part is passed over");
            return Ok(());
        };
        if self.records().get_raw(&partition, &UploadRecord::record_key(upload)).await?.is_some() {
            return Ok(());
        }
        if let Err(error) = open_part(self.records(), scope, entry) {
            tell_of_damage(&partition, &error, "a part is passed over; it stays until its bucket is deleted");
            return Ok(());
        }
        let mut batch = Batch::default();
        remove_leftover(self.records(), scope, tables::UPLOADED_PARTS, entry, &mut batch);
        commit_removal(self.records(), &partition, batch).await.map(|_| ())
    }
}

/// Removes every upload and part of a retired scope.
pub(crate) async fn purge_uploads(records: &Records, scope: Scope) -> Result<(), Fault> {
    purge_table(records, scope, tables::UPLOADS).await?;
    purge_table(records, scope, tables::UPLOADED_PARTS).await
}

async fn purge_table(records: &Records, scope: Scope, table: Table) -> Result<(), Fault> {
    let mut pages = records.pages(scope, table);
    while let Some(entries) = pages.next().await? {
        for run in entries.chunk_by(|one, next| one.partition == next.partition) {
            purge_run(records, scope, table, run).await?;
        }
    }
    Ok(())
}

/// Removes records of one partition with one commit. When another deletion was at some of them, each goes alone.
async fn purge_run(records: &Records, scope: Scope, table: Table, run: &[Entry]) -> Result<(), Fault> {
    let Some(first) = run.first() else { return Ok(()) };
    let partition = Partition::new(scope, first.partition.clone());
    let mut batch = Batch::default();
    for entry in run {
        remove_leftover(records, scope, table, entry, &mut batch);
    }
    if commit_removal(records, &partition, batch).await? == Removed::Overtaken && run.len() > 1 {
        for entry in run {
            let mut batch = Batch::default();
            remove_leftover(records, scope, table, entry, &mut batch);
            commit_removal(records, &partition, batch).await?;
        }
    }
    Ok(())
}

/// Adds to `batch` what removes an upload or a part, as it was read: another removal may be at it too, and a blob must
/// not be let go twice. Of a damaged part only the record goes: which blob it named is lost.
pub(crate) fn remove_leftover(records: &Records, scope: Scope, table: Table, entry: &Entry, batch: &mut Batch) {
    let record_key = RecordKey::new(table, entry.suffix.clone());
    batch.preconditions.push(Precondition::Unchanged(record_key.clone(), entry.value.clone()));
    batch.delete.push(record_key);
    if table != tables::UPLOADED_PARTS {
        return;
    }
    match open_part(records, scope, entry) {
        Ok(part) => batch.unlink.push(part.blob),
        Err(error) => tell_of_damage(
            &Partition::new(scope, entry.partition.clone()),
            &error,
            "a damaged part is removed; its bytes stay in the store without a name",
        ),
    }
}

fn open_part(records: &Records, scope: Scope, entry: &Entry) -> Result<PartRecord, Fault> {
    PartRecord::decode(records.open_entry(scope, tables::UPLOADED_PARTS, entry)?)
}

#[derive(PartialEq, Eq)]
enum Removed {
    Now,
    /// Something of it was gone already, or changed.
    Overtaken,
}

async fn commit_removal(records: &Records, partition: &Partition, batch: Batch) -> Result<Removed, Fault> {
    match records.metadata().commit(partition, batch).await {
        Ok(()) => Ok(Removed::Now),
        Err(CommitError::Conflict(_) | CommitError::Retired(_)) => Ok(Removed::Overtaken),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}
