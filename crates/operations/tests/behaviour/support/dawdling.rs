//! Ports that let others go first: before and after each call they yield a random number of times. They also keep the
//! books of blobs: none may be let go more often than it was linked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use model::BlobId;
use storage::{
    Batch, BlobReader, BlobWriter, Blobs, CommitError, Entry, Error, Metadata, Partition, RecordKey, RetireError, Scan,
    Scope, Table,
};

use super::Random;

pub(crate) struct Dawdling<S> {
    inner: S,
    random: Arc<Mutex<Random>>,
    owners: Mutex<HashMap<BlobId, u32>>,
}

impl<S> Dawdling<S> {
    pub(crate) fn new(inner: S, random: Arc<Mutex<Random>>) -> Self {
        Self { inner, random, owners: Mutex::default() }
    }

    fn book(&self, linked: &[BlobId], unlinked: &[BlobId]) {
        let mut owners = self.owners.lock().unwrap();
        for blob in linked {
            *owners.entry(*blob).or_default() += 1;
        }
        for blob in unlinked {
            let count = owners.get_mut(blob).filter(|count| **count > 0);
            *count.expect("a blob is let go once for each link") -= 1;
        }
    }
}

async fn dawdle(random: &Mutex<Random>) {
    let yields = random.lock().unwrap().below(4);
    for _ in 0..yields {
        tokio::task::yield_now().await;
    }
}

#[async_trait]
impl<S: Metadata> Metadata for Dawdling<S> {
    async fn get(&self, partition: &Partition, key: &RecordKey) -> Result<Option<Bytes>, Error> {
        dawdle(&self.random).await;
        let answer = self.inner.get(partition, key).await;
        dawdle(&self.random).await;
        answer
    }

    async fn commit(&self, partition: &Partition, batch: Batch) -> Result<(), CommitError> {
        dawdle(&self.random).await;
        let (linked, unlinked) = (batch.link.clone(), batch.unlink.clone());
        let answer = self.inner.commit(partition, batch).await;
        if answer.is_ok() {
            self.book(&linked, &unlinked);
        }
        dawdle(&self.random).await;
        answer
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, Error> {
        dawdle(&self.random).await;
        let answer = self.inner.scan(scan).await;
        dawdle(&self.random).await;
        answer
    }

    async fn retire(&self, scope: Scope, tables: &[Table]) -> Result<(), RetireError> {
        dawdle(&self.random).await;
        let answer = self.inner.retire(scope, tables).await;
        dawdle(&self.random).await;
        answer
    }

    fn inline_len_max(&self) -> usize {
        self.inner.inline_len_max()
    }
}

#[async_trait]
impl<S: Blobs> Blobs for Dawdling<S> {
    async fn create(&self, partition: &Partition) -> Result<Box<dyn BlobWriter>, Error> {
        dawdle(&self.random).await;
        self.inner.create(partition).await
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, Error> {
        dawdle(&self.random).await;
        let answer = self.inner.open(id).await;
        dawdle(&self.random).await;
        answer
    }
}
