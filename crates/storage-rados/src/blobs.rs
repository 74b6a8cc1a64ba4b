//! Blobs: byte strings that are written once, in stripes, each an object of a data pool.
//!
//! - `blob_id`: an id says in which pool the stripes are and how long; `layout`: what a pool demands of them;
//! - `marks`: the entries beside the records that say who owns a blob, or that nobody does; `pending`: what this gateway
//!   has on the way;
//! - `writer`, with its `buffer` and its `flights`; `discard`: what becomes of a writer that is given up;
//! - `reader`, with its `read_ahead`; `stripes`: which bytes are where;
//! - `erase`: the end of a blob.
//!
//! [`BlobStore`] is what they share.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use model::BlobId;
use storage::{Error, Partition};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::index::Index;
use crate::placements::Placements;
use crate::rados::{PoolId, Rados};
use crate::random::random_u64;

pub(crate) mod blob_id;
mod buffer;
mod discard;
pub(crate) mod erase;
mod flights;
mod layout;
pub(crate) mod marks;
pub(crate) mod pending;
mod read_ahead;
mod reader;
mod stripes;
mod writer;

use self::blob_id::BlobPlace;
use self::layout::Layouts;
use self::pending::Pending;
use self::reader::StripeReader;
use self::writer::StripeWriter;

/// See the module.
pub(crate) struct BlobStore {
    rados: Arc<dyn Rados>,
    index: Arc<Index>,
    data_pools: HashSet<PoolId>,
    layouts: Layouts,
    pending: Pending,
    /// Names this process in its intents.
    gateway: u64,
    /// Bytes that are on their way to RADOS.
    writing: Arc<Semaphore>,
    /// Bytes that were read before they were asked for.
    reading: Arc<Semaphore>,
    /// Where writers that are given up are cleaned up.
    runtime: Handle,
    deadline: Duration,
    unlinked_age_max: Duration,
}

impl BlobStore {
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn new(rados: Arc<dyn Rados>, index: Arc<Index>, placements: &Placements, config: &Config) -> Self {
        Self {
            layouts: Layouts::new(Arc::clone(&rados), config.stripe_len),
            rados,
            index,
            data_pools: placements.data_pools().into_iter().collect(),
            pending: Pending::new(config.unlinked_age_max),
            gateway: random_u64(),
            writing: Arc::new(Semaphore::new(WRITING_MAX)),
            reading: Arc::new(Semaphore::new(READING_MAX)),
            runtime: Handle::current(),
            deadline: config.deadline,
            unlinked_age_max: config.unlinked_age_max,
        }
    }

    pub(crate) const fn pending(&self) -> &Pending {
        &self.pending
    }

    /// See [`storage::Blobs::create`].
    ///
    /// # Errors
    /// When RADOS fails.
    pub(crate) async fn create(self: &Arc<Self>, partition: &Partition) -> Result<StripeWriter, Error> {
        let pool = self.index.maps().pools(partition.scope)?.data;
        let layout = self.layouts.of(pool).await?;
        Ok(StripeWriter::new(Arc::clone(self), layout, partition.clone()))
    }

    /// See [`storage::Blobs::open`].
    ///
    /// # Errors
    /// [`Error::NoSuchBlob`] when it is gone.
    pub(crate) async fn open(&self, id: BlobId) -> Result<StripeReader, Error> {
        StripeReader::open(self, id).await
    }

    /// See [`storage::Blobs::open_for`].
    ///
    /// # Errors
    /// [`Error::NoSuchBlob`] when it is gone.
    pub(crate) async fn open_for(&self, id: BlobId, span: std::ops::Range<u64>) -> Result<StripeReader, Error> {
        if span.is_empty() { self.open(id).await } else { StripeReader::open_for(self, id, span).await }
    }

    /// Where a blob is that may be read. An id can come from a damaged record.
    fn place_of(&self, id: BlobId) -> Result<BlobPlace, Error> {
        let place = blob_id::place(id).filter(|place| self.data_pools.contains(&place.pool));
        place.filter(|_| !self.pending.is_unreadable(id)).ok_or(Error::NoSuchBlob(id))
    }
}

const WRITING_MAX: usize = 128 << 20;
const READING_MAX: usize = 128 << 20;

#[cfg(test)]
mod tests;
