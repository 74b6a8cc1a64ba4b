//! Two gateways that answer in turn, as behind a balancer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use storage::{
    Batch, Beside, CommitError, Entry, Error, Metadata, Partition, RecordKey, RetireError, Scan, Scope, Table,
};

use super::{RadosStore, on};
use crate::model::Model;

/// See the module.
pub(crate) struct Alternating {
    gateways: [Arc<RadosStore>; 2],
    calls: AtomicUsize,
}

impl Alternating {
    /// Two gateways of one new cluster.
    pub(crate) async fn fresh(seed: u64) -> Arc<Self> {
        let model = Model::with_pools(seed);
        Arc::new(Self { gateways: [on(&model).await, on(&model).await], calls: AtomicUsize::new(0) })
    }

    /// Whose turn it is.
    pub(crate) fn next(&self) -> &RadosStore {
        &self.gateways[self.calls.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

#[async_trait]
impl Metadata for Alternating {
    async fn get(&self, partition: &Partition, key: &RecordKey) -> Result<Option<Bytes>, Error> {
        self.next().get(partition, key).await
    }

    async fn get_with(
        &self,
        partition: &Partition,
        key: &RecordKey,
        beside: Table,
    ) -> Result<(Option<Bytes>, Option<Beside>), Error> {
        self.next().get_with(partition, key, beside).await
    }

    async fn commit(&self, partition: &Partition, batch: Batch) -> Result<(), CommitError> {
        self.next().commit(partition, batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, Error> {
        self.next().scan(scan).await
    }

    async fn retire(&self, scope: Scope, tables: &[Table]) -> Result<(), RetireError> {
        self.next().retire(scope, tables).await
    }

    fn inline_len_max(&self) -> usize {
        self.next().inline_len_max()
    }
}
