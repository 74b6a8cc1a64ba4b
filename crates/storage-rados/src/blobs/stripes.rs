//! Which bytes of a blob are where, and reading them.

use std::ops::Range;

use bytes::Bytes;
use model::BlobId;
use storage::Error;

use super::blob_id::BlobPlace;
use crate::map::no_answer;
use crate::names;
use crate::rados::{Rados, RadosError, ReadAnswer, ReadStep};

/// Bytes of one stripe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) stripe: u64,
    pub(super) offset: u64,
    pub(super) len: usize,
}

/// The first part of a range, at most up to `len_max`; `None` for an empty range.
pub(super) fn first_part(place: BlobPlace, range: &Range<u64>, len_max: u64) -> Option<Part> {
    let (stripe, offset) = (range.start / place.stripe_len, range.start % place.stripe_len);
    let len = range.end.saturating_sub(range.start).min(place.stripe_len - offset).min(len_max);
    (len > 0).then(|| Part { stripe, offset, len: usize::try_from(len).unwrap_or(usize::MAX) })
}

/// Reads parts of one stripe at one instant. Each is as long as the stripe allows.
pub(super) async fn read(
    rados: &dyn Rados,
    place: BlobPlace,
    id: BlobId,
    parts: &[Part],
) -> Result<Vec<Bytes>, RadosError> {
    let stripe = parts.first().map_or(0, |part| part.stripe);
    let steps = parts.iter().map(|part| ReadStep::Read { offset: part.offset, length: part.len }).collect();
    let answers = rados.read(place.pool, &names::stripe_object(id, stripe), steps).await?;
    let bytes = answers.into_iter().map(|answer| match answer {
        ReadAnswer::Bytes(bytes) => Ok(bytes),
        _ => Err(RadosError::Other(EIO)),
    });
    bytes.collect()
}

/// The length of a stripe; `None` when there is none.
pub(super) async fn stripe_size(
    rados: &dyn Rados,
    place: BlobPlace,
    id: BlobId,
    stripe: u64,
) -> Result<Option<u64>, Error> {
    match rados.read(place.pool, &names::stripe_object(id, stripe), vec![ReadStep::Stat]).await {
        Ok(answers) => match answers.first() {
            Some(ReadAnswer::Stat { size, .. }) => Ok(Some(*size)),
            _ => Err(no_answer()),
        },
        Err(RadosError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Why a stripe is missing.
pub(super) async fn missing(rados: &dyn Rados, place: BlobPlace, id: BlobId) -> Error {
    match stripe_size(rados, place, id, 0).await {
        Ok(Some(_)) => Error::BlobTooShort(id),
        Ok(None) => Error::NoSuchBlob(id),
        Err(error) => error,
    }
}

const EIO: i32 = 5;
