//! How large index objects are: what this gateway puts into them tells when to count, and the count when to split.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::Error;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::config::SplitAt;
use crate::map::Range;
use crate::rados::Rados;
use crate::split::{self, Ended};

mod count;

use self::count::count;

/// Told of everything that is put into index objects.
pub(crate) struct Growth {
    split_at: SplitAt,
    /// What was put since the last count, by the name of the index object.
    put: Mutex<HashMap<String, Put>>,
    full: mpsc::Sender<Arc<Range>>,
}

#[derive(Default)]
struct Put {
    entries: u64,
    bytes: u64,
    is_asked: bool,
}

impl Growth {
    /// With the end where objects come out that are to be counted.
    pub(crate) fn new(split_at: SplitAt) -> (Arc<Self>, mpsc::Receiver<Arc<Range>>) {
        let (full, counting) = mpsc::channel(QUEUE_LEN);
        (Arc::new(Self { split_at, put: Mutex::default(), full }), counting)
    }

    /// Entries and bytes were put into a range. Overwritten ones count too: then it is counted for nothing.
    pub(crate) fn note(&self, range: &Arc<Range>, entries: usize, bytes: usize) {
        let mut all = self.lock();
        if all.len() >= OBJECTS_MAX && !all.contains_key(range.object()) {
            all.retain(|_, put| put.is_asked);
        }
        // One that was not met before has an unknown size: it is counted soon.
        let is_new = !all.contains_key(range.object());
        if is_new {
            all.insert(range.object().to_owned(), Put::default());
        }
        let Some(put) = all.get_mut(range.object()) else { return };
        put.entries += entries as u64;
        put.bytes += bytes as u64;
        let is_due = put.entries >= self.split_at.entries / 4 || put.bytes >= self.split_at.bytes / 4;
        if (is_new || is_due) && !put.is_asked {
            // When the queue is full a later change asks again.
            put.is_asked = self.full.try_send(Arc::clone(range)).is_ok();
        }
    }

    /// The object was counted: from here on it is added up anew.
    fn counted(&self, range: &Range) {
        self.lock().insert(range.object().to_owned(), Put::default());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Put>> {
        self.put.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts what has grown and splits what is too large, one after the other. Never returns while anybody notes.
pub(crate) async fn keep(rados: Arc<dyn Rados>, growth: Arc<Growth>, mut counting: mpsc::Receiver<Arc<Range>>) {
    while let Some(range) = counting.recv().await {
        let begun = Instant::now();
        match look_after(rados.as_ref(), &growth, &range).await {
            // Counting gets half of the time at most: after a start there is much that was not met before.
            Ok(0) => sleep(begun.elapsed().min(PAUSE_MAX)).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, object = range.object(), "an index object could not be counted or split");
                sleep(AFTER_FAILURE).await;
                if let Err(error) = split::help(rados.as_ref(), &range).await {
                    tracing::debug!(%error, object = range.object(), "a split that failed is left to others");
                }
            }
        }
    }
}

/// Splits a range until all that came of it is small enough. How many splits that took.
async fn look_after(rados: &dyn Rados, growth: &Growth, range: &Arc<Range>) -> Result<usize, Error> {
    let (mut ranges, mut splits) = (vec![Arc::clone(range)], 0);
    while let Some(range) = ranges.pop() {
        growth.counted(&range);
        split::help(rados, &range).await?;
        let Some(size) = count(rados, &range, growth.split_at).await? else { continue };
        if size.has_leftovers {
            split::trim(rados, &range).await?;
        }
        if size.entries < growth.split_at.entries && size.bytes < growth.split_at.bytes {
            continue;
        }
        let Some(middle) = size.middle else {
            tracing::debug!(object = range.object(), "an index object is large, and all of it belongs to one name");
            continue;
        };
        match split::split(rados, &range, &middle).await? {
            Ended::Split(lower, upper) => {
                let (entries, bytes) = (size.entries, size.bytes);
                tracing::info!(lower = lower.object(), upper = upper.object(), entries, bytes, "split an index object");
                ranges.extend([lower, upper]);
                splits += 1;
            }
            Ended::Overtaken => tracing::debug!(object = range.object(), "a split was overtaken, or too much changed"),
        }
    }
    Ok(splits)
}

/// Objects that wait to be counted.
const QUEUE_LEN: usize = 1024;
/// Objects whose growth is remembered; with more, those are counted anew that come again.
const OBJECTS_MAX: usize = 50_000;
const AFTER_FAILURE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use model::BucketId;
    use storage::Scope;

    use super::*;
    use crate::map::MapEntry;
    use crate::placements::Pools;
    use crate::rados::PoolId;

    #[test]
    fn an_object_is_counted_when_it_is_met_and_after_each_quarter_and_waits_in_the_queue_once() {
        let (growth, mut counting) = Growth::new(SplitAt { entries: 40, bytes: 4000 });
        let pools = Pools { data: PoolId(1), index: PoolId(2) };
        let entry = MapEntry { id: 1, epoch: 1, lower: Vec::new() };
        let range = Arc::new(Range::new(Scope::bucket(BucketId::from_bytes([1; 16])), pools, None, entry));
        let mut asked = || std::iter::from_fn(|| counting.try_recv().ok()).count();
        growth.note(&range, 1, 10);
        growth.note(&range, 100, 10_000);
        assert_eq!(asked(), 1, "met for the first time");
        growth.counted(&range);
        growth.note(&range, 9, 10);
        assert_eq!(asked(), 0);
        growth.note(&range, 1, 10);
        growth.note(&range, 1, 10);
        assert_eq!(asked(), 1, "a quarter of the entries");
        growth.counted(&range);
        growth.note(&range, 1, 1000);
        assert_eq!(asked(), 1, "a quarter of the bytes");
    }
}
