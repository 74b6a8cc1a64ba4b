//! The end of a writer that was given up.

use super::BlobStore;
use super::erase::erase;
use super::marks::Garbage;
use super::writer::{Standing, Unfinished};
use crate::change::ChangeError;

/// Takes back the intent, then the bytes. Whatever is not certain is left to the collector.
pub(super) async fn discard(shared: &BlobStore, mut unfinished: Unfinished) {
    let id = unfinished.id;
    if let Err(error) = take_back(shared, &mut unfinished).await {
        tracing::debug!(blob = %id, ?error, "a blob that was given up is left to the collector");
    }
    shared.pending.forget(id);
}

async fn take_back(shared: &BlobStore, unfinished: &mut Unfinished) -> Result<(), ChangeError> {
    let Unfinished { id, partition, layout, intent, standing, flights } = unfinished;
    let stands = match standing {
        Standing::Asked(asked) => matches!(asked.await, Ok(Ok(()))),
        Standing::Since(_) => true,
        Standing::Lost => false,
    };
    let is_sure = flights.settle().await;
    if !stands {
        return Ok(());
    }
    if flights.stripes() == 0 {
        return shared.index.change(partition, intent.withdraw()).await;
    }
    // When the intent is gone, somebody linked the blob or collects it: then its bytes are not ours any more.
    let garbage = Garbage::now(&partition.name, *id);
    shared.index.change(partition, intent.give_up(&garbage)).await?;
    if is_sure {
        erase(shared.rados.as_ref(), layout.place, *id, Some(flights.stripes())).await?;
        shared.index.change(partition, garbage.forget()).await?;
    }
    Ok(())
}
