//! Partitions in index objects: reading them, and sending changes to where they happen.
//!
//! Everything that is asked of an index object demands the epoch that the map told. When that has changed the map is read
//! again, until the deadline.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::{Entry, Error, Partition, Scan, Start};
use tokio::time::{Instant, sleep};

use crate::change::{Change, ChangeError};
use crate::error::too_late;
use crate::lanes::{Lanes, Outcome};
use crate::map::{Maps, Range, no_answer};
use crate::names::{self, OmapTable};
use crate::rados::{Rados, RadosError, ReadAnswer, ReadStep};
use crate::split;
use crate::status::{EPOCH, encode_epoch};

/// See the module.
pub(crate) struct Index {
    rados: Arc<dyn Rados>,
    maps: Arc<Maps>,
    lanes: Lanes,
    deadline: Duration,
}

impl Index {
    pub(crate) fn new(rados: Arc<dyn Rados>, maps: Arc<Maps>, lanes: Lanes, deadline: Duration) -> Self {
        Self { rados, maps, lanes, deadline }
    }

    pub(crate) const fn maps(&self) -> &Arc<Maps> {
        &self.maps
    }

    /// Changes one partition atomically and durably.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub(crate) async fn change(&self, partition: &Partition, change: Change) -> Result<(), ChangeError> {
        let change = Arc::new(change);
        let mut patience = self.patience();
        loop {
            let range = if change.puts {
                self.maps.range_or_begin(partition.scope, &partition.name).await?
            } else {
                match self.maps.range(partition.scope, &partition.name).await? {
                    Some(range) => range,
                    None => return judge_without_entries(&change),
                }
            };
            let until = patience.until;
            match self.lanes.run(range.clone(), partition.name.clone(), change.clone(), until).await {
                Outcome::Done => return Ok(()),
                Outcome::Conflict(places) => return Err(ChangeError::Conflict(places)),
                Outcome::Retired => return Err(ChangeError::Retired),
                Outcome::Failed(error) => return Err(error.into()),
                Outcome::Moved => self.look_again(&range, &mut patience).await?,
                Outcome::Full => patience.wait("the pool was full").await?,
            }
        }
    }

    /// Entries of one partition as of one instant: those that exist, with their values as they stand in the omap.
    ///
    /// # Errors
    /// When RADOS fails.
    pub(crate) async fn get(
        &self,
        partition: &Partition,
        omap_keys: Vec<Vec<u8>>,
    ) -> Result<HashMap<Vec<u8>, Bytes>, Error> {
        let steps = vec![ReadStep::OmapGet(omap_keys)];
        let answers = self.read(partition, steps).await?;
        match answers.into_iter().next() {
            None => Ok(HashMap::new()),
            Some(ReadAnswer::Omap { entries, .. }) => Ok(entries.into_iter().collect()),
            Some(_) => Err(no_answer()),
        }
    }

    /// Reads of the index object of a partition, at one instant; no answers when the scope has none.
    ///
    /// # Errors
    /// When RADOS fails.
    pub(crate) async fn read(&self, partition: &Partition, steps: Vec<ReadStep>) -> Result<Vec<ReadAnswer>, Error> {
        let mut patience = self.patience();
        loop {
            let Some(range) = self.maps.range(partition.scope, &partition.name).await? else { return Ok(Vec::new()) };
            if let Some(answers) = self.read_range(&range, steps.clone()).await? {
                return Ok(answers);
            }
            self.look_again(&range, &mut patience).await?;
        }
    }

    /// One page of records; see [`storage::Metadata::scan`].
    ///
    /// # Errors
    /// When RADOS fails.
    pub(crate) async fn scan(&self, scan: &Scan) -> Result<Vec<Entry>, Error> {
        let table = OmapTable::records(scan.table);
        let (mut after, end) = names::scan_bounds(scan);
        let mut name = match &scan.start {
            Start::AtPartition(name) | Start::AfterPartition(name) | Start::AfterRecord(name, _) => name.clone(),
        };
        let (mut page, mut patience) = (Vec::new(), self.patience());
        while page.len() < scan.limit {
            let Some(range) = self.maps.range(scan.scope, &name).await? else { break };
            let limit = (scan.limit - page.len()).min(SCAN_MAX);
            let step = ReadStep::OmapScan { after: after.clone(), prefix: table.prefix().to_vec(), limit };
            let Some(answers) = self.read_range(&range, vec![step]).await? else {
                self.look_again(&range, &mut patience).await?;
                continue;
            };
            let Some(ReadAnswer::Omap { entries, more }) = answers.into_iter().next() else { return Err(no_answer()) };
            // Behind the end of the range there may be what a split has not yet removed.
            let range_end = range.upper.as_ref().map(|upper| table.before(upper));
            let in_range = |omap_key: &[u8]| range_end.as_deref().is_none_or(|bound| omap_key < bound);
            let mut ended = !more;
            for (omap_key, value) in entries {
                if !in_range(&omap_key) {
                    ended = true;
                    break;
                }
                if end.as_deref().is_some_and(|bound| omap_key.as_slice() >= bound) {
                    return Ok(page);
                }
                page.push(entry(&table, &omap_key, &value)?);
                after = omap_key;
            }
            if ended {
                // All that is behind is behind the end of this range.
                let (Some(upper), Some(bound)) = (&range.upper, range_end) else { break };
                if end.as_deref().is_some_and(|end| end <= bound.as_slice()) {
                    break;
                }
                name.clone_from(upper);
                after = after.max(bound);
            }
        }
        Ok(page)
    }

    /// `None` when the range is no longer what the map said.
    async fn read_range(&self, range: &Range, steps: Vec<ReadStep>) -> Result<Option<Vec<ReadAnswer>>, Error> {
        let mut all = vec![ReadStep::CompareXattr(EPOCH, encode_epoch(range.epoch))];
        all.extend(steps);
        match self.rados.read(range.pools.index, range.object(), all).await {
            Ok(answers) => Ok(Some(answers)),
            Err(RadosError::Mismatch | RadosError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn look_again(&self, range: &Range, patience: &mut Patience) -> Result<(), Error> {
        self.maps.forget(range);
        patience.wait("an index object was on the move").await?;
        if patience.tries.is_multiple_of(HELP_EVERY) {
            split::help(self.rados.as_ref(), range).await?;
        }
        Ok(())
    }

    fn patience(&self) -> Patience {
        Patience { until: Instant::now() + self.deadline, tries: 0 }
    }
}

/// How often something was tried, and until when it may be tried again.
struct Patience {
    until: Instant,
    tries: u32,
}

impl Patience {
    async fn wait(&mut self, what: &str) -> Result<(), Error> {
        if Instant::now() >= self.until {
            return Err(too_late(what));
        }
        // The map is usually right the second time.
        if self.tries > 0 {
            sleep(Duration::from_millis(1 << self.tries.min(6))).await;
        }
        self.tries += 1;
        Ok(())
    }
}

/// What becomes of a change that puts nothing in a scope without any entry.
fn judge_without_entries(change: &Change) -> Result<(), ChangeError> {
    let broken: Vec<_> = change.compare.iter().enumerate().filter(|(_, (_, wanted))| !wanted.is_empty()).collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(ChangeError::Conflict(broken.into_iter().map(|(place, _)| place).collect()))
}

fn entry(table: &OmapTable, omap_key: &[u8], value: &Bytes) -> Result<Entry, Error> {
    let parsed = table.parse(omap_key).zip(names::open_value(value));
    let ((partition, suffix), value) = parsed.ok_or_else(|| Error::Damaged("an entry of an index object".into()))?;
    Ok(Entry { partition, suffix, value })
}

/// Entries that RADOS gives at a time.
const SCAN_MAX: usize = 1000;
/// After how many looks at a range that is on the move somebody is suspected to have left it so.
const HELP_EVERY: u32 = 12;
