//! Splits of index objects, online.
//!
//! The steps stand in docs/decisions/0008. Each demands the epoch and the status that the one before left, so that of two
//! who work on one range only one gets anywhere. The lock `split` says who that is meant to be; when it has expired,
//! whoever comes along takes the split back, or finishes it from the flip on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use storage::Error;
use tokio::time::Instant;

use crate::error::happened;
use crate::map::{MapEntry, Range, create_range, no_answer};
use crate::names::{self, OmapTable};
use crate::rados::{Rados, RadosError, ReadAnswer, ReadStep, WriteStep};
use crate::random::{random, random_u64};
use crate::retire::turn_range;
use crate::status::{BOUNDS, EPOCH, RangeStatus, STATUS, Split, encode_bounds, encode_epoch, range_facts};

mod copy;
mod pace;
#[cfg(test)]
mod tests;

use self::copy::Copy;
pub(crate) use self::pace::Pace;

/// How a split came to its end.
#[derive(Debug)]
pub(crate) enum Ended {
    /// There are two ranges now.
    Split(Arc<Range>, Arc<Range>),
    /// Somebody else is at this range, or it has changed: nothing was done, or all of it was taken back.
    Overtaken,
}

/// Splits a range before the name `middle`, which lies inside it and is not its first.
///
/// # Errors
/// When RADOS fails. The split is left as it is then, for [`help`].
pub(crate) async fn split(rados: &dyn Rados, range: &Range, middle: &[u8]) -> Result<Ended, Error> {
    let lock = SplitLock::new(rados, range);
    if !lock.hold(LOCK_TIME).await? {
        return Ok(Ended::Overtaken);
    }
    let split = Split { token: random_u64(), upper_id: random_u64(), middle: middle.to_vec() };
    let ended = run(&lock, range, &split).await;
    // Whatever is left may be taken up by anybody at once.
    lock.release().await;
    ended
}

async fn run(lock: &SplitLock<'_>, range: &Range, split: &Split) -> Result<Ended, Error> {
    let rados = lock.rados;
    let upper = upper_range(range, split);
    let (splitting, frozen) = (RangeStatus::Splitting(split.clone()), RangeStatus::Frozen(split.clone()));
    // First the status: it tells whoever takes this back which object to remove.
    if !turn_range(rados, range, &RangeStatus::Open, &splitting).await? {
        return Ok(Ended::Overtaken);
    }
    create_range(rados, range.pools.index, &upper, RangeStatus::Closed { token: split.token }).await?;
    let mut copy = Copy::new(lock, range, &upper, split);
    // While writers wait they shall not wait long for one who died.
    let is_near =
        copy.bulk(&splitting).await? && copy.catch_up(&splitting).await? && lock.hold(FROZEN_LOCK_TIME).await?;
    if !is_near {
        return give_up(rados, range, split, &splitting).await;
    }
    if !turn_range(rados, range, &splitting, &frozen).await? {
        return Ok(Ended::Overtaken);
    }
    // From here on nothing changes; writers wait.
    let opened = copy.dirty(&frozen).await?.is_some()
        && turn_range(rados, &upper, &RangeStatus::Closed { token: split.token }, &RangeStatus::Open).await?;
    if !opened {
        return give_up(rados, range, split, &frozen).await;
    }
    let flip = vec![
        WriteStep::AssertExists,
        WriteStep::CompareXattr(EPOCH, encode_epoch(range.epoch)),
        WriteStep::CompareXattr(STATUS, frozen.encode()),
        WriteStep::SetXattr(EPOCH, encode_epoch(range.epoch + 1)),
        WriteStep::SetXattr(STATUS, RangeStatus::Flipped(split.clone()).encode()),
        WriteStep::SetXattr(BOUNDS, encode_bounds(&range.lower, Some(&split.middle))),
    ];
    if !happened(rados.write(range.pools.index, range.object(), flip).await)? {
        return Ok(Ended::Overtaken);
    }
    finish(rados, range, split).await?;
    Ok(Ended::Split(Arc::new(lower_range(range, split)), Arc::new(upper)))
}

/// Enters both halves into the map, opens the lower one, and removes from it what is in the upper one. `range` is as it was
/// before the split. Everything here can be done again.
async fn finish(rados: &dyn Rados, range: &Range, split: &Split) -> Result<(), Error> {
    let (pool, upper) = (range.pools.index, upper_range(range, split));
    let lower = lower_range(range, split);
    let (old_key, old_entry) = range.map_entry();
    let steps = vec![
        WriteStep::CompareOmap(old_key, old_entry),
        WriteStep::SetOmap(vec![lower.map_entry(), upper.map_entry()]),
    ];
    // When the entry is another, this has been done before.
    happened(rados.write(pool, &names::scope_object(range.scope), steps).await)?;
    turn_range(rados, &lower, &RangeStatus::Flipped(split.clone()), &RangeStatus::Open).await?;
    trim(rados, &lower).await
}

/// Removes what a split left of the upper half. Nobody reads it any more, and nobody writes it: it lies outside the bounds.
pub(crate) async fn trim(rados: &dyn Rados, range: &Range) -> Result<(), Error> {
    let Some(upper) = &range.upper else { return Ok(()) };
    let mut steps = vec![WriteStep::AssertExists, WriteStep::CompareXattr(EPOCH, encode_epoch(range.epoch))];
    let mut tables = BTreeSet::new();
    copy::find_tables(rados, range, &mut tables).await?;
    let ranges = tables.iter().map(|table| WriteStep::RemoveOmapRange(table.before(upper), table.end()));
    steps.extend(ranges);
    if steps.len() > 2 {
        happened(rados.write(range.pools.index, range.object(), steps).await)?;
    }
    Ok(())
}

/// Finishes or takes back a split that somebody left, if there is one and its time is over. `range` is what the map said,
/// before or after.
///
/// # Errors
/// When RADOS fails.
pub(crate) async fn help(rados: &dyn Rados, range: &Range) -> Result<(), Error> {
    let Some((epoch, status)) = look(rados, range).await? else { return Ok(()) };
    let (RangeStatus::Splitting(split) | RangeStatus::Frozen(split) | RangeStatus::Flipped(split)) = &status else {
        return Ok(());
    };
    match &status {
        // What remains to be done stands in the status, and may be done by several at once: nobody waits for the lock.
        // The map has both already, and told of the lower half.
        RangeStatus::Flipped(_) if epoch == range.epoch => {
            turn_range(rados, range, &status, &RangeStatus::Open).await?;
            trim(rados, range).await?;
        }
        RangeStatus::Flipped(_) if epoch == range.epoch + 1 => finish(rados, range, split).await?,
        RangeStatus::Splitting(_) | RangeStatus::Frozen(_) if epoch == range.epoch => {
            let lock = SplitLock::new(rados, range);
            if lock.hold(LOCK_TIME).await? {
                give_up(rados, range, split, &status).await?;
                lock.release().await;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Takes a split back: opens the range, then removes the copy, which only the split knew.
async fn give_up(rados: &dyn Rados, range: &Range, split: &Split, status: &RangeStatus) -> Result<Ended, Error> {
    if turn_range(rados, range, status, &RangeStatus::Open).await? {
        remove_object(rados, &upper_range(range, split)).await?;
        // A mark that stays does no harm: the next split looks at the name once more.
        let (from, to) = (OmapTable::dirty().before(b""), OmapTable::dirty().end());
        let steps = vec![
            WriteStep::AssertExists,
            WriteStep::CompareXattr(STATUS, RangeStatus::Open.encode()),
            WriteStep::RemoveOmapRange(from, to),
        ];
        happened(rados.write(range.pools.index, range.object(), steps).await)?;
    }
    Ok(Ended::Overtaken)
}

/// The epoch and the status of an index object; `None` when there is none.
pub(crate) async fn look(rados: &dyn Rados, range: &Range) -> Result<Option<(u64, RangeStatus)>, Error> {
    let answers = match rados.read(range.pools.index, range.object(), vec![ReadStep::Xattrs]).await {
        Ok(answers) => answers,
        Err(RadosError::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(ReadAnswer::Xattrs(xattrs)) = answers.into_iter().next() else { return Err(no_answer()) };
    let found = range_facts(&xattrs);
    found.map(Some).ok_or_else(|| Error::Damaged("an index object without an epoch or a status".into()))
}

fn upper_range(range: &Range, split: &Split) -> Range {
    let entry = MapEntry { id: split.upper_id, epoch: 1, lower: split.middle.clone() };
    Range::new(range.scope, range.pools, range.upper.clone(), entry)
}

fn lower_range(range: &Range, split: &Split) -> Range {
    let entry = MapEntry { id: range.id, epoch: range.epoch + 1, lower: range.lower.clone() };
    Range::new(range.scope, range.pools, Some(split.middle.clone()), entry)
}

async fn remove_object(rados: &dyn Rados, range: &Range) -> Result<(), Error> {
    happened(rados.write(range.pools.index, range.object(), vec![WriteStep::Remove]).await).map(|_| ())
}

/// The lock on an index object that is split.
struct SplitLock<'a> {
    rados: &'a dyn Rados,
    range: &'a Range,
    cookie: String,
    /// When it was taken last, and for how long.
    held: Mutex<(Instant, Duration)>,
}

impl<'a> SplitLock<'a> {
    fn new(rados: &'a dyn Rados, range: &'a Range) -> Self {
        let held = Mutex::new((Instant::now(), Duration::ZERO));
        Self { rados, range, cookie: hex::encode(random::<8>()), held }
    }

    /// Takes it for so long, from now; `false` when somebody else has it.
    async fn hold(&self, time: Duration) -> Result<bool, Error> {
        let (pool, object, now) = (self.range.pools.index, self.range.object(), Instant::now());
        let is_ours = self.rados.lock(pool, object, LOCK, &self.cookie, time).await?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = (now, time);
        Ok(is_ours)
    }

    /// Takes it for as long as the last time, when a good part of that is over; `false` when somebody else has it.
    async fn keep(&self) -> Result<bool, Error> {
        let (since, time) = *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if since.elapsed() < time / 4 { Ok(true) } else { self.hold(time).await }
    }

    async fn release(&self) {
        let (pool, object) = (self.range.pools.index, self.range.object());
        if let Err(error) = self.rados.unlock(pool, object, LOCK, &self.cookie).await {
            tracing::debug!(%error, "the lock of a split ends by itself");
        }
    }
}

const LOCK: &str = "split";
/// How long a split may stand still before somebody else may take it back.
const LOCK_TIME: Duration = Duration::from_secs(10);
/// The same while writers wait for it.
const FROZEN_LOCK_TIME: Duration = Duration::from_secs(3);
