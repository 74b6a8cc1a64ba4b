//! A port that counts what it is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use storage::memory::MemoryStore;
use storage::{Batch, CommitError, Entry, Error, Metadata, Partition, RecordKey, RetireError, Scan, Scope, Table};

/// What was asked for since the last look.
#[derive(Default)]
pub(crate) struct Counts {
    scans: AtomicUsize,
    scanned: AtomicUsize,
    commits: AtomicUsize,
}

impl Counts {
    /// Scans, and the records that they gave.
    pub(crate) fn take_scans(&self) -> (usize, usize) {
        (self.scans.swap(0, Ordering::SeqCst), self.scanned.swap(0, Ordering::SeqCst))
    }

    pub(crate) fn take_commits(&self) -> usize {
        self.commits.swap(0, Ordering::SeqCst)
    }
}

pub(crate) struct Counting {
    pub(crate) inner: MemoryStore,
    pub(crate) counts: Arc<Counts>,
}

#[async_trait]
impl Metadata for Counting {
    async fn get(&self, partition: &Partition, key: &RecordKey) -> Result<Option<Bytes>, Error> {
        self.inner.get(partition, key).await
    }

    async fn commit(&self, partition: &Partition, batch: Batch) -> Result<(), CommitError> {
        self.counts.commits.fetch_add(1, Ordering::SeqCst);
        self.inner.commit(partition, batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, Error> {
        let entries = self.inner.scan(scan).await?;
        self.counts.scans.fetch_add(1, Ordering::SeqCst);
        self.counts.scanned.fetch_add(entries.len(), Ordering::SeqCst);
        Ok(entries)
    }

    async fn retire(&self, scope: Scope, tables: &[Table]) -> Result<(), RetireError> {
        self.inner.retire(scope, tables).await
    }

    fn inline_len_max(&self) -> usize {
        self.inner.inline_len_max()
    }
}
