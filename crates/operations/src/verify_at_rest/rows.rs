use envelope::RECORD_TAG_LEN;
use storage::{Entry, Scan, Scope, Start, Table};

use crate::error::Fault;
use crate::records::Records;

/// A walk over the records of a table whose partitions begin alike, a page at a time.
pub(super) struct Rows<'a> {
    records: &'a Records,
    scope: Scope,
    table: Table,
    prefix: Vec<u8>,
    /// `None` behind the last page.
    start: Option<Start>,
}

impl<'a> Rows<'a> {
    pub(super) fn within(records: &'a Records, scope: Scope, table: Table, prefix: &str) -> Self {
        let prefix = prefix.as_bytes().to_vec();
        Self { records, scope, table, start: Some(Start::AtPartition(prefix.clone())), prefix }
    }

    /// The records of one partition whose suffix begins like this and goes on.
    pub(super) fn behind(records: &'a Records, scope: Scope, table: Table, partition: &[u8], suffix: &[u8]) -> Self {
        let start = Some(Start::AfterRecord(partition.to_vec(), suffix.to_vec()));
        Self { records, scope, table, start, prefix: partition.to_vec() }
    }

    /// Some records, or none behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        let Some(start) = self.start.take() else { return Ok(None) };
        let scan = Scan { scope: self.scope, table: self.table, start, end: None, limit: PAGE };
        let mut page = self.records.scan(scan).await?;
        let is_full = page.len() == PAGE;
        let within = page.partition_point(|entry| entry.partition.starts_with(&self.prefix));
        if is_full && within == page.len() {
            let last = page.last().map(|last| Start::AfterRecord(last.partition.clone(), last.suffix.clone()));
            self.start = last;
        }
        page.truncate(within);
        Ok(Some(page).filter(|page| !page.is_empty()))
    }
}

/// What stands before the tag, true or not.
pub(super) fn payload_of(raw: &[u8]) -> &[u8] {
    &raw[..raw.len().saturating_sub(RECORD_TAG_LEN)]
}

const PAGE: usize = 256;
