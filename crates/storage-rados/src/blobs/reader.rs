//! Reads one blob.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream;
use model::BlobId;
use storage::{BlobReader, Error};
use tokio::sync::Mutex;

use super::BlobStore;
use super::blob_id::BlobPlace;
use super::read_ahead::ReadAhead;
use super::stripes::{self, Part};
use crate::rados::{Rados, RadosError};

/// See [`BlobReader`]. Nothing holds on to the blob: the grace time of garbage is longer than any reader lives.
pub(crate) struct StripeReader {
    rados: Arc<dyn Rados>,
    place: BlobPlace,
    id: BlobId,
    ahead: Option<Mutex<ReadAhead>>,
}

impl StripeReader {
    /// Looks whether the blob exists.
    pub(super) async fn open(shared: &BlobStore, id: BlobId) -> Result<Self, Error> {
        let place = shared.place_of(id)?;
        let rados = Arc::clone(&shared.rados);
        match stripes::stripe_size(rados.as_ref(), place, id, 0).await? {
            Some(_) => Ok(Self { rados, place, id, ahead: None }),
            None => Err(Error::NoSuchBlob(id)),
        }
    }

    /// Reads the first bytes of the span, which are asked for next; that shows whether the blob exists.
    pub(super) async fn open_for(shared: &BlobStore, id: BlobId, span: Range<u64>) -> Result<Self, Error> {
        let place = shared.place_of(id)?;
        let (rados, room) = (Arc::clone(&shared.rados), Arc::clone(&shared.reading));
        let mut ahead = ReadAhead::begin(Arc::clone(&rados), place, id, room, span);
        ahead.look().await?;
        Ok(Self { rados, place, id, ahead: Some(Mutex::new(ahead)) })
    }

    /// Bytes that nobody announced.
    async fn read_directly(&self, range: Range<u64>, length: usize) -> Result<Bytes, Error> {
        // Before anything is allocated: a length from a damaged record is not believed.
        if length == 0 || length > BELIEVED_LEN {
            self.must_reach(range.end).await?;
        }
        let mut parts = stream::iter(self.parts(range)).map(|part| self.read_part(part)).buffered(AT_ONCE);
        let Some(first) = parts.next().await.transpose()? else { return Ok(Bytes::new()) };
        if first.len() == length {
            return Ok(first);
        }
        let mut joined = BytesMut::with_capacity(length);
        joined.extend_from_slice(&first);
        while let Some(bytes) = parts.next().await {
            joined.extend_from_slice(&bytes?);
        }
        Ok(joined.freeze())
    }

    fn parts(&self, mut range: Range<u64>) -> impl Iterator<Item = Part> + use<> {
        let place = self.place;
        std::iter::from_fn(move || {
            let part = stripes::first_part(place, &range, BELIEVED_LEN as u64)?;
            range.start += part.len as u64;
            Some(part)
        })
    }

    /// Exactly the bytes of the part.
    async fn read_part(&self, part: Part) -> Result<Bytes, Error> {
        match stripes::read(self.rados.as_ref(), self.place, self.id, &[part]).await {
            Ok(pieces) => {
                let whole = pieces.into_iter().next().filter(|piece| piece.len() == part.len);
                whole.ok_or(Error::BlobTooShort(self.id))
            }
            Err(RadosError::NotFound) => Err(stripes::missing(self.rados.as_ref(), self.place, self.id).await),
            Err(error) => Err(error.into()),
        }
    }

    /// The blob ends here or later.
    async fn must_reach(&self, end: u64) -> Result<(), Error> {
        let Some(last) = end.checked_sub(1) else { return Ok(()) };
        let (stripe, offset) = (last / self.place.stripe_len, last % self.place.stripe_len);
        match stripes::stripe_size(self.rados.as_ref(), self.place, self.id, stripe).await? {
            Some(size) if size > offset => Ok(()),
            Some(_) => Err(Error::BlobTooShort(self.id)),
            None => Err(stripes::missing(self.rados.as_ref(), self.place, self.id).await),
        }
    }
}

#[async_trait]
impl BlobReader for StripeReader {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        let end = offset.checked_add(length as u64).ok_or(Error::BlobTooShort(self.id))?;
        let range = offset..end;
        // Somebody else may be reading ahead just now.
        if length > 0
            && let Some(ahead) = &self.ahead
            && let Ok(mut ahead) = ahead.try_lock()
            && ahead.goes_on_with(&range)
        {
            return ahead.next(length).await;
        }
        self.read_directly(range, length).await
    }
}

/// A length that is asked for without looking first whether there is so much.
const BELIEVED_LEN: usize = 4 << 20;
/// Reads on their way at once.
const AT_ONCE: usize = 4;
