//! Writes one blob.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::BlobId;
use storage::{BlobWriter, Error, Partition};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::buffer::Buffer;
use super::flights::Flights;
use super::layout::Layout;
use super::marks::Intent;
use super::{BlobStore, blob_id, discard};
use crate::change::ChangeError;
use crate::rados::WriteStep;

/// See [`BlobWriter`]. The intent is written while the first bytes come in; no byte leaves before it stands.
pub(crate) struct StripeWriter {
    id: BlobId,
    layout: Layout,
    shared: Arc<BlobStore>,
    /// `None` once it is finished: then there is nothing to clean up.
    unfinished: Option<Unfinished>,
    buffer: Buffer,
    /// Bytes that have left.
    written: u64,
}

/// What has to be cleaned up when a writer is given up.
pub(super) struct Unfinished {
    pub(super) id: BlobId,
    pub(super) partition: Partition,
    pub(super) layout: Layout,
    pub(super) intent: Intent,
    pub(super) standing: Standing,
    pub(super) flights: Flights,
}

/// Whether the intent stands.
pub(super) enum Standing {
    /// It is being written.
    Asked(JoinHandle<Result<(), ChangeError>>),
    /// It was written then.
    Since(Instant),
    /// It does not, or nobody knows.
    Lost,
}

impl StripeWriter {
    /// Begins a blob and asks for its intent.
    pub(super) fn new(shared: Arc<BlobStore>, layout: Layout, partition: Partition) -> Self {
        let id = blob_id::mint(layout.place);
        shared.pending.begin(id);
        let intent = Intent::now(&partition, id, shared.gateway);
        let (index, change, place) = (Arc::clone(&shared.index), intent.begin(), partition.clone());
        let standing = Standing::Asked(shared.runtime.spawn(async move { index.change(&place, change).await }));
        let flights = Flights::new(Arc::clone(&shared.rados), layout, id, shared.deadline);
        let unfinished = Some(Unfinished { id, partition, layout, intent, standing, flights });
        Self { id, layout, shared, unfinished, buffer: Buffer::default(), written: 0 }
    }

    /// Sends one write, as soon as there may be one more.
    async fn send(&mut self, is_last: bool) -> Result<(), Error> {
        let Self { shared, unfinished: Some(unfinished), buffer, layout, written, .. } = self else {
            return Err(Error::Unavailable("the blob's writer is finished".into()));
        };
        unfinished.make_stand(shared).await?;
        unfinished.flights.wait_for(FLIGHTS_MAX - 1).await?;
        let stripe_len = layout.place.stripe_len;
        let (stripe, offset) = (*written / stripe_len, *written % stripe_len);
        let left = usize::try_from(stripe_len - offset).unwrap_or(usize::MAX);
        let len = buffer.len().min(layout.write_len).min(left);
        let permits = u32::try_from(len.min(super::WRITING_MAX)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&shared.writing).acquire_many_owned(permits).await;
        let permit = permit.map_err(|_| Error::Unavailable("the store is closing".into()))?;
        // From here on nothing waits: bytes that left the buffer are on their way.
        let bytes = buffer.take(len);
        *written += len as u64;
        let mut steps = Vec::with_capacity(3);
        if stripe == 0 && offset == 0 {
            steps.push(WriteStep::CreateExclusive);
        }
        if !bytes.is_empty() {
            steps.push(WriteStep::Write(offset, bytes));
        }
        if is_last && stripe == 0 && buffer.len() == 0 {
            steps.push(stripes(1));
        }
        unfinished.flights.send(stripe, steps, Some(permit));
        Ok(())
    }
}

impl Unfinished {
    /// Sees to it that the intent stands, and for long enough.
    async fn make_stand(&mut self, shared: &BlobStore) -> Result<(), Error> {
        if let Standing::Asked(asked) = &mut self.standing {
            let outcome = asked.await;
            self.standing = Standing::Lost;
            settled(self.id, outcome.map_err(|error| Error::Unavailable(format!("an intent: {error}")))?)?;
            self.standing = Standing::Since(Instant::now());
        }
        match self.standing {
            Standing::Since(since) if since.elapsed() < shared.unlinked_age_max / 4 => Ok(()),
            Standing::Since(_) => {
                // Should this be given up half way, nobody knows which intent stands.
                self.standing = Standing::Lost;
                let newer = Intent::now(&self.partition, self.id, shared.gateway);
                settled(self.id, shared.index.change(&self.partition, newer.renew(&self.intent)).await)?;
                self.intent = newer;
                self.standing = Standing::Since(Instant::now());
                Ok(())
            }
            Standing::Asked(_) | Standing::Lost => Err(Error::Unavailable("the blob's writer failed before".into())),
        }
    }
}

/// What became of a change of an intent.
fn settled(id: BlobId, outcome: Result<(), ChangeError>) -> Result<(), Error> {
    outcome.map_err(|error| match error {
        ChangeError::Conflict(_) => Error::NoSuchBlob(id),
        ChangeError::Retired => Error::Unavailable("the scope was retired".into()),
        ChangeError::Store(error) => error,
    })
}

/// Says on the first stripe how many there are.
fn stripes(count: u64) -> WriteStep {
    WriteStep::SetXattr(STRIPES, Bytes::copy_from_slice(&count.to_be_bytes()))
}

#[async_trait]
impl BlobWriter for StripeWriter {
    fn id(&self) -> BlobId {
        self.id
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.buffer.push(bytes);
        // The last write waits for the end: a blob of one write is one operation.
        while self.buffer.len() > self.layout.write_len {
            self.send(false).await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<BlobId, Error> {
        while self.written == 0 || self.buffer.len() > 0 {
            self.send(true).await?;
            if self.written == 0 {
                break;
            }
        }
        let count = self.written.div_ceil(self.layout.place.stripe_len).max(1);
        if let Some(unfinished) = &mut self.unfinished {
            if count > 1 {
                unfinished.flights.send(0, vec![WriteStep::AssertExists, stripes(count)], None);
            }
            unfinished.flights.wait_for(0).await?;
            self.shared.pending.finish(self.id, unfinished.intent.clone());
        }
        self.unfinished = None;
        Ok(self.id)
    }
}

impl Drop for StripeWriter {
    fn drop(&mut self) {
        if let Some(unfinished) = self.unfinished.take() {
            let shared = Arc::clone(&self.shared);
            self.shared.runtime.spawn(async move { discard::discard(&shared, unfinished).await });
        }
    }
}

/// Writes of a blob on their way at once.
const FLIGHTS_MAX: usize = 4;
/// The xattr of the first stripe of a finished blob: how many stripes there are, u64.
pub(super) const STRIPES: &str = "stripes";
