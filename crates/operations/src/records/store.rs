use std::sync::Arc;

use bytes::Bytes;
use envelope::{RecordAuthenticator, RecordPlace};
use storage::{Beside, Entry, Metadata, Partition, Precondition, RecordKey, Scan, Scope, Start, Table};

use crate::error::Fault;

/// Reads and frames records: the one door between operations and the metadata port.
#[derive(Clone)]
pub(crate) struct Records {
    metadata: Arc<dyn Metadata>,
    authenticator: Arc<RecordAuthenticator>,
}

/// A record as it stands in the store, authenticated.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    raw: Bytes,
    payload_len: usize,
}

impl Stored {
    pub(crate) fn payload(&self) -> &[u8] {
        &self.raw[..self.payload_len]
    }

    /// The bytes with their tag: what "unchanged" means for a precondition.
    pub(crate) const fn raw(&self) -> &Bytes {
        &self.raw
    }
}

impl Records {
    pub(crate) const fn new(metadata: Arc<dyn Metadata>, authenticator: Arc<RecordAuthenticator>) -> Self {
        Self { metadata, authenticator }
    }

    pub(crate) fn metadata(&self) -> &dyn Metadata {
        self.metadata.as_ref()
    }

    /// One record, authenticated for its place.
    pub(crate) async fn get(&self, partition: &Partition, key: &RecordKey) -> Result<Option<Stored>, Fault> {
        match self.metadata.get(partition, key).await? {
            None => Ok(None),
            Some(raw) => Ok(Some(self.check(partition, key, raw)?)),
        }
    }

    /// One record, authenticated, and the first of another table of its partition where that comes for nothing; that one as
    /// it stands.
    pub(crate) async fn get_with(
        &self,
        partition: &Partition,
        key: &RecordKey,
        beside: Table,
    ) -> Result<(Option<Stored>, Option<Beside>), Fault> {
        let (raw, beside) = self.metadata.get_with(partition, key, beside).await?;
        let stored = raw.map(|raw| self.check(partition, key, raw)).transpose()?;
        Ok((stored, beside))
    }

    /// The bytes of one record without authentication: inline bodies, and re-validation of what was checked before.
    pub(crate) async fn get_raw(&self, partition: &Partition, key: &RecordKey) -> Result<Option<Bytes>, Fault> {
        Ok(self.metadata.get(partition, key).await?)
    }

    /// Authenticates bytes that the store returned for a place.
    pub(crate) fn check(&self, partition: &Partition, key: &RecordKey, raw: Bytes) -> Result<Stored, Fault> {
        let payload_len = self.authenticator.check(&place(partition, key), &raw)?.len();
        Ok(Stored { raw, payload_len })
    }

    /// Frames a payload for its place.
    pub(crate) fn protect(&self, partition: &Partition, key: &RecordKey, payload: Vec<u8>) -> Bytes {
        self.authenticator.protect(&place(partition, key), payload).into()
    }

    /// What a batch says to write one record.
    pub(crate) fn put(&self, partition: &Partition, key: RecordKey, payload: Vec<u8>) -> (RecordKey, Bytes) {
        let framed = self.protect(partition, &key, payload);
        (key, framed)
    }

    /// A page of a scan; each entry is authenticated when it is asked for.
    pub(crate) async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, Fault> {
        Ok(self.metadata.scan(scan).await?)
    }

    /// All records of a table in a scope, a page at a time.
    pub(crate) const fn pages(&self, scope: Scope, table: Table) -> Pages<'_> {
        Pages { records: self, scope, table, start: Some(Start::AtPartition(Vec::new())) }
    }

    /// The authenticated payload of a scanned entry.
    pub(crate) fn open_entry<'a>(&self, scope: Scope, table: Table, entry: &'a Entry) -> Result<&'a [u8], Fault> {
        let place =
            RecordPlace { scope: scope.as_bytes(), partition: &entry.partition, table: table.0, suffix: &entry.suffix };
        Ok(self.authenticator.check(&place, &entry.value)?)
    }
}

/// A walk over a whole table. A page is in memory at a time, and what is done to its records does not disturb the walk.
pub(crate) struct Pages<'a> {
    records: &'a Records,
    scope: Scope,
    table: Table,
    /// `None` behind the last page.
    start: Option<Start>,
}

impl Pages<'_> {
    /// Some records, or none behind the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        let Some(start) = self.start.clone() else { return Ok(None) };
        let scan = Scan { scope: self.scope, table: self.table, start, end: None, limit: PAGE };
        let entries = self.records.scan(scan).await?;
        let last = entries.last().filter(|_| entries.len() == PAGE);
        self.start = last.map(|last| Start::AfterRecord(last.partition.clone(), last.suffix.clone()));
        Ok(Some(entries).filter(|entries| !entries.is_empty()))
    }
}

/// Tells the log of damage that an operation gets over, so that no error tells of it.
pub(crate) fn tell_of_damage(partition: &Partition, error: &Fault, outcome: &str) {
    tracing::error!(
        target: "canopic::fault",
        scope = hex::encode(partition.scope.as_bytes()),
        partition = ?String::from_utf8_lossy(&partition.name),
        %error,
        "{outcome}",
    );
}

/// The precondition that a record still is what was read.
pub(crate) fn as_read(key: RecordKey, stored: Option<&Stored>) -> Precondition {
    match stored {
        None => Precondition::Absent(key),
        Some(stored) => Precondition::Unchanged(key, stored.raw().clone()),
    }
}

fn place<'a>(partition: &'a Partition, key: &'a RecordKey) -> RecordPlace<'a> {
    RecordPlace {
        scope: partition.scope.as_bytes(),
        partition: &partition.name,
        table: key.table.0,
        suffix: &key.suffix,
    }
}

/// Records in a page: a few MiB even when each is a bucket with a policy as long as policies may be.
const PAGE: usize = 256;
