//! The copy of the upper half of a range into its new index object.
//!
//! Writers go on while it is made, so it has to be faster than they are: dirty names are copied many at a time, with one
//! read of each of the two objects and one write, whatever their number of tables.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use storage::Error;
use tokio::try_join;

use super::SplitLock;
use super::pace::Pace;
use crate::error::happened;
use crate::map::{Range, no_answer};
use crate::names::OmapTable;
use crate::rados::{Rados, RadosError, ReadAnswer, ReadStep, WriteStep};
use crate::status::{EPOCH, RangeStatus, STATUS, Split, encode_epoch};

/// From where to where.
pub(super) struct Copy<'a> {
    lock: &'a SplitLock<'a>,
    range: &'a Range,
    upper: &'a Range,
    split: &'a Split,
    /// Those of the old object, as they were found; hence all that the copy can have.
    tables: BTreeSet<OmapTable>,
    pace_of_names: Pace,
}

type Entries = Vec<(Vec<u8>, Bytes)>;

/// What a scan gave.
struct Page {
    entries: Entries,
    /// Whether there was more.
    more: bool,
}

/// One of the two objects.
#[derive(Clone, Copy)]
enum Side<'a> {
    /// As long as its status is this.
    Old(&'a RangeStatus),
    Copy,
}

impl<'a> Copy<'a> {
    pub(super) fn new(lock: &'a SplitLock<'a>, range: &'a Range, upper: &'a Range, split: &'a Split) -> Self {
        Self { lock, range, upper, split, tables: BTreeSet::new(), pace_of_names: Pace::new(NAMES_MAX) }
    }

    /// Copies everything at or behind the middle, as it goes by; `false` when the split was taken away from us.
    pub(super) async fn bulk(&mut self, status: &RangeStatus) -> Result<bool, Error> {
        find_tables(self.lock.rados, self.range, &mut self.tables).await?;
        for table in self.tables.iter().filter(|table| **table != OmapTable::dirty()) {
            let (mut after, mut pace) = (table.before(&self.split.middle), Pace::new(SCAN_MAX));
            loop {
                let Some(page) = self.page(Side::Old(status), &after, table.prefix(), pace.next()).await? else {
                    return Ok(false);
                };
                pace.came(page.entries.len(), page.entries.iter().map(len).sum());
                let Page { entries, more } = self.within_bounds(table, page);
                let Some((last, _)) = entries.last() else { break };
                after.clone_from(last);
                if !self.write(vec![WriteStep::SetOmap(entries)]).await? {
                    return Ok(false);
                }
                if !more {
                    break;
                }
            }
        }
        Ok(true)
    }

    /// Copies anew what changed meanwhile, until there is little; `false` when that is never so, or the split was taken away
    /// from us.
    pub(super) async fn catch_up(&mut self, status: &RangeStatus) -> Result<bool, Error> {
        let mut copied = 0;
        for _ in 0..ROUNDS_MAX {
            match self.dirty(status).await? {
                None => return Ok(false),
                Some(count) if count <= FEW => return Ok(true),
                Some(count) => copied = count,
            }
        }
        // Under load there are always some, as many as change while they are copied.
        Ok(copied <= BEARABLE)
    }

    /// Copies the names anew that are marked dirty, and tells how many there were; `None` when the split was taken away from
    /// us.
    pub(super) async fn dirty(&mut self, status: &RangeStatus) -> Result<Option<usize>, Error> {
        let (table, mut copied) = (OmapTable::dirty(), 0);
        let mut after = table.before(&self.split.middle);
        loop {
            let Some(page) = self.page(Side::Old(status), &after, table.prefix(), SCAN_MAX).await? else {
                return Ok(None);
            };
            let Page { entries, more } = self.within_bounds(&table, page);
            let marks: Vec<_> = entries.into_iter().map(|(mark, _)| mark).collect();
            let Some(last) = marks.last() else { return Ok(Some(copied)) };
            after.clone_from(last);
            let names: Option<Vec<_>> = marks.iter().map(|mark| table.parse(mark).map(|(name, _)| name)).collect();
            let names = names.ok_or_else(|| Error::Damaged("a mark of a split".into()))?;
            // First the marks: whoever changes a name behind this sets its mark again. Where nothing changes any more they
            // stay, and go with all else of the upper half.
            if matches!(status, RangeStatus::Splitting(_)) && !self.unmark(status, marks).await? {
                return Ok(None);
            }
            if !self.names(status, &names).await? {
                return Ok(None);
            }
            copied += names.len();
            if !more {
                return Ok(Some(copied));
            }
        }
    }

    /// Makes all entries of some names in the copy what they are in the old object.
    async fn names(&mut self, status: &RangeStatus, names: &[Vec<u8>]) -> Result<bool, Error> {
        find_tables(self.lock.rados, self.range, &mut self.tables).await?;
        let mut rest = names;
        while !rest.is_empty() {
            let (some, others) = rest.split_at(self.pace_of_names.next().min(rest.len()));
            rest = others;
            let (now, then) = try_join!(self.entries(Side::Old(status), some), self.entries(Side::Copy, some))?;
            let (Some(now), Some(then)) = (now, then) else { return Ok(false) };
            self.pace_of_names.came(some.len(), now.iter().map(|(omap_key, value)| omap_key.len() + value.len()).sum());
            let gone: Vec<_> = then.keys().filter(|omap_key| !now.contains_key(*omap_key)).cloned().collect();
            let new: Entries = now.into_iter().filter(|(omap_key, value)| then.get(omap_key) != Some(value)).collect();
            if !self.write_pieces(gone, new).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All entries of some names; `None` when the split was taken away from us.
    async fn entries(&self, side: Side<'_>, names: &[Vec<u8>]) -> Result<Option<BTreeMap<Vec<u8>, Bytes>>, Error> {
        let tables = self.tables.iter().filter(|table| **table != OmapTable::dirty());
        let spots: Vec<_> = tables.flat_map(|table| names.iter().map(move |name| (table, name))).collect();
        let scans = spots.iter().map(|(table, name)| scan(&table.before(name), &table.within(name), FEW_ENTRIES));
        let Some(pages) = self.read(side, scans.collect()).await? else { return Ok(None) };
        let mut all = BTreeMap::new();
        for ((table, name), mut page) in spots.into_iter().zip(pages) {
            let mut pace = Pace::new(SCAN_MAX);
            while page.more {
                let Some((last, _)) = page.entries.last() else { break };
                let after = last.clone();
                pace.came(page.entries.len(), page.entries.iter().map(len).sum());
                all.extend(page.entries);
                match self.page(side, &after, &table.within(name), pace.next()).await? {
                    None => return Ok(None),
                    Some(next) => page = next,
                }
            }
            all.extend(page.entries);
        }
        Ok(Some(all))
    }

    async fn page(&self, side: Side<'_>, after: &[u8], prefix: &[u8], limit: usize) -> Result<Option<Page>, Error> {
        let pages = self.read(side, vec![scan(after, prefix, limit)]).await?;
        pages.map(|mut pages| pages.pop().ok_or_else(no_answer)).transpose()
    }

    /// Scans of one object, at one instant; `None` when the split was taken away from us.
    async fn read(&self, side: Side<'_>, scans: Vec<ReadStep>) -> Result<Option<Vec<Page>>, Error> {
        if !self.lock.keep().await? {
            return Ok(None);
        }
        let (range, mut steps) = match side {
            Side::Copy => (self.upper, Vec::new()),
            Side::Old(status) => {
                let epoch = ReadStep::CompareXattr(EPOCH, encode_epoch(self.range.epoch));
                (self.range, vec![epoch, ReadStep::CompareXattr(STATUS, status.encode())])
            }
        };
        steps.extend(scans);
        match self.rados().read(range.pools.index, range.object(), steps).await {
            Ok(answers) => pages(answers).map(Some),
            Err(RadosError::Mismatch | RadosError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Behind the end of the range there may be what an earlier split has not yet removed.
    fn within_bounds(&self, table: &OmapTable, mut page: Page) -> Page {
        if let Some(upper) = &self.range.upper {
            let bound = table.before(upper);
            let inside = page.entries.partition_point(|(omap_key, _)| *omap_key < bound);
            page.more &= inside == page.entries.len();
            page.entries.truncate(inside);
        }
        page
    }

    async fn unmark(&self, status: &RangeStatus, marks: Vec<Vec<u8>>) -> Result<bool, Error> {
        let steps = vec![
            WriteStep::AssertExists,
            WriteStep::CompareXattr(EPOCH, encode_epoch(self.range.epoch)),
            WriteStep::CompareXattr(STATUS, status.encode()),
            WriteStep::RemoveOmap(marks),
        ];
        happened(self.rados().write(self.range.pools.index, self.range.object(), steps).await)
    }

    /// Nobody reads the copy yet, so that it may change piece by piece.
    async fn write_pieces(&self, gone: Vec<Vec<u8>>, new: Entries) -> Result<bool, Error> {
        let (mut piece, mut bytes) = (Vec::new(), 0);
        let mut steps = if gone.is_empty() { Vec::new() } else { vec![WriteStep::RemoveOmap(gone)] };
        for entry in new {
            bytes += len(&entry);
            piece.push(entry);
            if bytes >= PIECE_BYTES || piece.len() >= SCAN_MAX {
                steps.push(WriteStep::SetOmap(std::mem::take(&mut piece)));
                bytes = 0;
                if !self.write(std::mem::take(&mut steps)).await? {
                    return Ok(false);
                }
            }
        }
        if !piece.is_empty() {
            steps.push(WriteStep::SetOmap(piece));
        }
        Ok(steps.is_empty() || self.write(steps).await?)
    }

    /// Changes the copy, as long as it is ours and nobody opened it.
    async fn write(&self, changes: Vec<WriteStep>) -> Result<bool, Error> {
        let closed = RangeStatus::Closed { token: self.split.token };
        let mut steps = vec![WriteStep::AssertExists, WriteStep::CompareXattr(STATUS, closed.encode())];
        steps.extend(changes);
        happened(self.rados().write(self.upper.pools.index, self.upper.object(), steps).await)
    }

    fn rados(&self) -> &dyn Rados {
        self.lock.rados
    }
}

/// Adds the tables that an index object has entries in to those that are known. One question when nothing is new, and one
/// more for each that is.
pub(super) async fn find_tables(
    rados: &dyn Rados,
    range: &Range,
    known: &mut BTreeSet<OmapTable>,
) -> Result<(), Error> {
    loop {
        // What comes first of all, and behind each table.
        let mut scans = vec![scan(b"", b"", 1)];
        scans.extend(known.iter().map(|table| scan(&table.end(), b"", 1)));
        let pages = match rados.read(range.pools.index, range.object(), scans).await {
            Ok(answers) => pages(answers)?,
            // Whoever goes on finds that out.
            Err(RadosError::NotFound) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let before = known.len();
        for (omap_key, _) in pages.into_iter().flat_map(|page| page.entries) {
            let table = OmapTable::of(&omap_key);
            known.insert(table.ok_or_else(|| Error::Damaged("an entry of an index object".into()))?);
        }
        if known.len() == before {
            return Ok(());
        }
    }
}

fn scan(after: &[u8], prefix: &[u8], limit: usize) -> ReadStep {
    ReadStep::OmapScan { after: after.to_vec(), prefix: prefix.to_vec(), limit }
}

fn pages(answers: Vec<ReadAnswer>) -> Result<Vec<Page>, Error> {
    let page = |answer| match answer {
        ReadAnswer::Omap { entries, more } => Ok(Page { entries, more }),
        _ => Err(no_answer()),
    };
    answers.into_iter().map(page).collect()
}

fn len((omap_key, value): &(Vec<u8>, Bytes)) -> usize {
    omap_key.len() + value.len()
}

/// What RADOS gives at a time.
const SCAN_MAX: usize = 1000;
/// Names that are copied anew at a time.
const NAMES_MAX: usize = 64;
/// Entries that a name usually has in one table, at most.
const FEW_ENTRIES: usize = 8;
const PIECE_BYTES: usize = 4 << 20;
/// With so few marks writers may be made to wait at once.
const FEW: usize = 64;
const ROUNDS_MAX: usize = 10;
/// With more marks than this writers would wait too long.
const BEARABLE: usize = 4000;
