//! The copy of the upper half of a range into its new index object.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use storage::Error;

use super::{SplitLock, happened};
use crate::map::{Range, no_answer};
use crate::names::OmapTable;
use crate::rados::{Rados, RadosError, ReadAnswer, ReadStep, WriteStep};
use crate::status::{EPOCH, RangeStatus, STATUS, Split, encode_epoch};

/// From where to where.
pub(super) struct Copy<'a> {
    pub(super) lock: &'a SplitLock<'a>,
    pub(super) range: &'a Range,
    pub(super) upper: &'a Range,
    pub(super) split: &'a Split,
}

type Entries = Vec<(Vec<u8>, Bytes)>;

impl Copy<'_> {
    /// Copies everything at or behind the middle, as it goes by; `false` when the split was taken away from us.
    pub(super) async fn bulk(&self, status: &RangeStatus) -> Result<bool, Error> {
        for table in tables(self.rados(), self.range).await? {
            if table == OmapTable::dirty() {
                continue;
            }
            let mut after = table.before(&self.split.middle);
            loop {
                if !self.lock.hold().await? {
                    return Ok(false);
                }
                let Some((entries, more)) = self.read_old(status, &table, &after, table.prefix()).await? else {
                    return Ok(false);
                };
                let (entries, is_end) = self.within_bounds(&table, entries);
                if let Some((last, _)) = entries.last() {
                    after.clone_from(last);
                }
                if !self.write(WriteStep::SetOmap(entries)).await? {
                    return Ok(false);
                }
                if !more || is_end {
                    break;
                }
            }
        }
        Ok(true)
    }

    /// Copies anew what changed meanwhile, until there is little; `false` when the split was taken away from us.
    pub(super) async fn catch_up(&self, status: &RangeStatus) -> Result<bool, Error> {
        for _ in 0..ROUNDS_MAX {
            match self.dirty(status, PAGE).await? {
                None => return Ok(false),
                Some(copied) if copied < FEW => return Ok(true),
                Some(_) => {}
            }
        }
        // Somebody writes as fast as this copies. The rest is copied while writers wait.
        Ok(true)
    }

    /// Copies up to about `limit` names anew that are marked dirty, and tells how many; `None` when the split was taken away
    /// from us.
    pub(super) async fn dirty(&self, status: &RangeStatus, limit: usize) -> Result<Option<usize>, Error> {
        let (table, mut copied) = (OmapTable::dirty(), 0);
        let mut after = table.before(&self.split.middle);
        while copied < limit {
            if !self.lock.hold().await? {
                return Ok(None);
            }
            let Some((marks, more)) = self.read_old(status, &table, &after, table.prefix()).await? else {
                return Ok(None);
            };
            for (mark, _) in &marks {
                let (name, _) = table.parse(mark).ok_or_else(|| Error::Damaged("a mark of a split".into()))?;
                // First the mark: whoever changes the name behind this sets it again.
                if !self.unmark(status, mark.clone()).await? || !self.name(status, &name).await? {
                    return Ok(None);
                }
                copied += 1;
                after.clone_from(mark);
            }
            if !more {
                break;
            }
        }
        Ok(Some(copied))
    }

    /// Makes all entries of a name in the copy what they are in the old object.
    async fn name(&self, status: &RangeStatus, name: &[u8]) -> Result<bool, Error> {
        let mut all: BTreeSet<_> = tables(self.rados(), self.range).await?.into_iter().collect();
        all.extend(tables(self.rados(), self.upper).await?);
        all.remove(&OmapTable::dirty());
        for table in all {
            let Some(now) = self.all_old(status, &table, name).await? else { return Ok(false) };
            let then = self.all_copied(&table, name).await?;
            let now: BTreeMap<_, _> = now.into_iter().collect();
            let gone: Vec<_> = then.iter().map(|(key, _)| key).filter(|key| !now.contains_key(*key)).cloned().collect();
            let then: BTreeMap<_, _> = then.into_iter().collect();
            let new: Entries = now.into_iter().filter(|(key, value)| then.get(key) != Some(value)).collect();
            if !gone.is_empty() && !self.write(WriteStep::RemoveOmap(gone)).await? {
                return Ok(false);
            }
            if !new.is_empty() && !self.write(WriteStep::SetOmap(new)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn all_old(&self, status: &RangeStatus, table: &OmapTable, name: &[u8]) -> Result<Option<Entries>, Error> {
        let (mut all, prefix) = (Vec::new(), table.within(name));
        let mut after = table.before(name);
        loop {
            let Some((entries, more)) = self.read_old(status, table, &after, &prefix).await? else { return Ok(None) };
            if let Some((last, _)) = entries.last() {
                after.clone_from(last);
            }
            all.extend(entries);
            if !more {
                return Ok(Some(all));
            }
        }
    }

    async fn all_copied(&self, table: &OmapTable, name: &[u8]) -> Result<Entries, Error> {
        let (mut all, prefix) = (Vec::new(), table.within(name));
        let mut after = table.before(name);
        loop {
            let scan = ReadStep::OmapScan { after: after.clone(), prefix: prefix.clone(), limit: PAGE };
            let answers = self.rados().read(self.upper.pools.index, self.upper.object(), vec![scan]).await;
            let (entries, more) = match answers {
                Ok(answers) => omap(answers)?,
                // It was removed, which the next write finds out.
                Err(RadosError::NotFound) => return Ok(all),
                Err(error) => return Err(error.into()),
            };
            if let Some((last, _)) = entries.last() {
                after.clone_from(last);
            }
            all.extend(entries);
            if !more {
                return Ok(all);
            }
        }
    }

    /// A page of the old object; `None` when the split was taken away from us.
    async fn read_old(
        &self,
        status: &RangeStatus,
        _table: &OmapTable,
        after: &[u8],
        prefix: &[u8],
    ) -> Result<Option<(Entries, bool)>, Error> {
        let steps = vec![
            ReadStep::CompareXattr(EPOCH, encode_epoch(self.range.epoch)),
            ReadStep::CompareXattr(STATUS, status.encode()),
            ReadStep::OmapScan { after: after.to_vec(), prefix: prefix.to_vec(), limit: PAGE },
        ];
        match self.rados().read(self.range.pools.index, self.range.object(), steps).await {
            Ok(answers) => omap(answers).map(Some),
            Err(RadosError::Mismatch | RadosError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Behind the end of the range there may be what an earlier split has not yet removed.
    fn within_bounds(&self, table: &OmapTable, mut entries: Entries) -> (Entries, bool) {
        let Some(upper) = &self.range.upper else { return (entries, false) };
        let bound = table.before(upper);
        let inside = entries.partition_point(|(omap_key, _)| *omap_key < bound);
        let is_end = inside < entries.len();
        entries.truncate(inside);
        (entries, is_end)
    }

    async fn unmark(&self, status: &RangeStatus, mark: Vec<u8>) -> Result<bool, Error> {
        let steps = vec![
            WriteStep::AssertExists,
            WriteStep::CompareXattr(EPOCH, encode_epoch(self.range.epoch)),
            WriteStep::CompareXattr(STATUS, status.encode()),
            WriteStep::RemoveOmap(vec![mark]),
        ];
        happened(self.rados().write(self.range.pools.index, self.range.object(), steps).await)
    }

    /// Changes the copy, as long as it is ours and nobody opened it.
    async fn write(&self, step: WriteStep) -> Result<bool, Error> {
        let closed = RangeStatus::Closed { token: self.split.token };
        let steps = vec![WriteStep::AssertExists, WriteStep::CompareXattr(STATUS, closed.encode()), step];
        happened(self.rados().write(self.upper.pools.index, self.upper.object(), steps).await)
    }

    fn rados(&self) -> &dyn Rados {
        self.lock.rados
    }
}

/// The tables that an index object has entries in, found by one question each.
pub(super) async fn tables(rados: &dyn Rados, range: &Range) -> Result<Vec<OmapTable>, Error> {
    let (mut found, mut after) = (Vec::new(), Vec::new());
    loop {
        let scan = ReadStep::OmapScan { after, prefix: Vec::new(), limit: 1 };
        let entries = match rados.read(range.pools.index, range.object(), vec![scan]).await {
            Ok(answers) => omap(answers)?.0,
            Err(RadosError::NotFound) => return Ok(found),
            Err(error) => return Err(error.into()),
        };
        let Some((omap_key, _)) = entries.first() else { return Ok(found) };
        let table = OmapTable::of(omap_key).ok_or_else(|| Error::Damaged("an entry of an index object".into()))?;
        after = table.end();
        found.push(table);
    }
}

/// The answer to a scan, which came last.
pub(crate) fn omap(answers: Vec<ReadAnswer>) -> Result<(Entries, bool), Error> {
    match answers.into_iter().next_back() {
        Some(ReadAnswer::Omap { entries, more }) => Ok((entries, more)),
        _ => Err(no_answer()),
    }
}

/// Entries that are copied at a time: with bodies of 16 KiB about two MiB.
const PAGE: usize = 128;
/// With so few marks writers may be made to wait.
const FEW: usize = 16;
const ROUNDS_MAX: usize = 20;
