//! The end of a blob's bytes.

use futures::StreamExt as _;
use futures::stream;
use model::BlobId;
use storage::Error;

use super::blob_id::BlobPlace;
use super::writer::STRIPES;
use crate::names;
use crate::rados::{Rados, RadosError, ReadAnswer, ReadStep, WriteStep};

/// Removes all stripes of a blob, the first one last: as long as it is there it says how many there are. Without a number
/// they are counted.
///
/// # Errors
/// When RADOS fails; the blob is garbage as before, and the next attempt goes on.
pub(crate) async fn erase(rados: &dyn Rados, place: BlobPlace, id: BlobId, stripes: Option<u64>) -> Result<(), Error> {
    let stripes = match stripes {
        Some(stripes) => stripes,
        None => count(rados, place, id).await?,
    };
    let mut removals = stream::iter((1..stripes).rev())
        .map(|stripe| async move { remove(rados, place, id, stripe).await })
        .buffer_unordered(AT_ONCE);
    while let Some(outcome) = removals.next().await {
        outcome?;
    }
    remove(rados, place, id, 0).await
}

async fn remove(rados: &dyn Rados, place: BlobPlace, id: BlobId, stripe: u64) -> Result<(), Error> {
    match rados.write(place.pool, &names::stripe_object(id, stripe), vec![WriteStep::Remove]).await {
        Ok(()) | Err(RadosError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How many stripes there may be: what the first one says, or else as far as some are found.
async fn count(rados: &dyn Rados, place: BlobPlace, id: BlobId) -> Result<u64, Error> {
    match rados.read(place.pool, &names::stripe_object(id, 0), vec![ReadStep::Xattrs]).await {
        Ok(answers) => {
            let Some(ReadAnswer::Xattrs(xattrs)) = answers.into_iter().next() else {
                return Err(crate::map::no_answer());
            };
            let told = xattrs.iter().find(|(name, _)| name == STRIPES);
            let told = told.and_then(|(_, value)| Some(u64::from_be_bytes(value.as_ref().try_into().ok()?)));
            if let Some(told) = told.filter(|told| *told <= STRIPES_MAX) {
                return Ok(told);
            }
        }
        Err(RadosError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    let mut end = 0;
    while let Some(found) = last_of(rados, place, id, end).await? {
        end = found + 1;
    }
    Ok(end)
}

/// The last stripe among the next few. A writer has fewer than that on their way: behind a longer gap there is nothing.
async fn last_of(rados: &dyn Rados, place: BlobPlace, id: BlobId, from: u64) -> Result<Option<u64>, Error> {
    let looks = (from..from + GAP).map(|stripe| async move {
        match rados.read(place.pool, &names::stripe_object(id, stripe), vec![ReadStep::Stat]).await {
            Ok(_) => Ok(Some(stripe)),
            Err(RadosError::NotFound) => Ok(None),
            Err(error) => Err(Error::from(error)),
        }
    });
    let found = futures::future::try_join_all(looks).await?;
    Ok(found.into_iter().flatten().max())
}

/// Removals of one blob on their way at once.
const AT_ONCE: usize = 4;
/// More than [`AT_ONCE`], and than a writer has on its way.
const GAP: u64 = 8;
/// More stripes than any object has: 5 TiB in the shortest ones.
const STRIPES_MAX: u64 = 5 << 24;
