//! The map of a scope: which index object holds which names, read from RADOS piece by piece and kept.
//!
//! What is kept may be old. That does no harm: whoever acts on a range demands its epoch in the same operation, and comes
//! back here to forget it when that has changed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{BufMut as _, Bytes, BytesMut};
use storage::{Error, Scope};

use crate::names;
use crate::placements::{Placements, Pools};
use crate::rados::{PoolId, Rados, RadosError, ReadAnswer, ReadStep, WriteStep};
use crate::random::random_u64;
use crate::status::{
    BOUNDS, EPOCH, RangeStatus, STATE, STATUS, ScopeState, encode_bounds, encode_epoch, take_u64, xattr,
};

/// One index object as its map tells of it.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) scope: Scope,
    pub(crate) pools: Pools,
    pub(crate) id: u64,
    pub(crate) epoch: u64,
    /// The first name that belongs here.
    pub(crate) lower: Vec<u8>,
    /// The first name that no longer does; `None` for no end.
    pub(crate) upper: Option<Vec<u8>>,
    object: String,
    /// What the last failed check told; hence a guess.
    status: Mutex<RangeStatus>,
}

impl Range {
    pub(crate) fn new(scope: Scope, pools: Pools, upper: Option<Vec<u8>>, entry: MapEntry) -> Self {
        let MapEntry { id, epoch, lower } = entry;
        let (object, status) = (names::range_object(scope, id), Mutex::new(RangeStatus::Open));
        Self { scope, pools, id, epoch, lower, upper, object, status }
    }

    /// The name of the index object, in the index pool.
    pub(crate) fn object(&self) -> &str {
        &self.object
    }

    /// What the object's status was when it was last looked at.
    pub(crate) fn status(&self) -> RangeStatus {
        self.lock().clone()
    }

    /// Remembers what the object's status is.
    pub(crate) fn learn_status(&self, status: RangeStatus) {
        *self.lock() = status;
    }

    /// Whether the range holds partitions of this name.
    pub(crate) fn covers(&self, name: &[u8]) -> bool {
        self.lower.as_slice() <= name && self.upper.as_deref().is_none_or(|upper| name < upper)
    }

    /// Its entry in the map.
    pub(crate) fn map_entry(&self) -> (Vec<u8>, Bytes) {
        let entry = MapEntry { id: self.id, epoch: self.epoch, lower: self.lower.clone() };
        (names::map_key(self.upper.as_deref()), entry.encode())
    }

    fn lock(&self) -> MutexGuard<'_, RangeStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of an entry in a map: 01, id, epoch, lower bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MapEntry {
    pub(crate) id: u64,
    pub(crate) epoch: u64,
    pub(crate) lower: Vec<u8>,
}

impl MapEntry {
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(17 + self.lower.len());
        bytes.put_u8(MAP_ENTRY);
        bytes.put_u64(self.id);
        bytes.put_u64(self.epoch);
        bytes.put_slice(&self.lower);
        bytes.freeze()
    }

    /// `None` for bytes that no entry has.
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let (&MAP_ENTRY, rest) = value.split_first()? else { return None };
        let (id, rest) = take_u64(rest)?;
        let (epoch, lower) = take_u64(rest)?;
        Some(Self { id, epoch, lower: lower.to_vec() })
    }
}

/// The maps of all scopes.
pub(crate) struct Maps {
    rados: Arc<dyn Rados>,
    placements: Arc<Placements>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    scopes: HashMap<Scope, BTreeMap<Vec<u8>, Arc<Range>>>,
    ranges: usize,
}

impl Maps {
    pub(crate) fn new(rados: Arc<dyn Rados>, placements: Arc<Placements>) -> Self {
        Self { rados, placements, known: Mutex::default() }
    }

    /// The pools of a scope.
    ///
    /// # Errors
    /// [`Error::Damaged`] when its id names a placement that nobody configured.
    pub(crate) fn pools(&self, scope: Scope) -> Result<Pools, Error> {
        self.placements.pools(scope).ok_or_else(|| Error::Damaged("a scope of an unknown placement".into()))
    }

    /// The range of a name; `None` when nothing was ever put into the scope.
    ///
    /// # Errors
    /// When RADOS fails, or the map makes no sense.
    pub(crate) async fn range(&self, scope: Scope, name: &[u8]) -> Result<Option<Arc<Range>>, Error> {
        if let Some(range) = self.lock().find(scope, name) {
            return Ok(Some(range));
        }
        let pools = self.pools(scope)?;
        let Some(page) = self.read(scope, pools, name).await? else { return Ok(None) };
        let found = page.iter().find(|range| range.covers(name)).cloned();
        self.lock().insert(scope, page);
        found.map(Some).ok_or_else(|| Error::Damaged("the map of a scope has a hole".into()))
    }

    /// The range of a name, in a scope that is begun if it is new.
    ///
    /// # Errors
    /// As [`Self::range`].
    pub(crate) async fn range_or_begin(&self, scope: Scope, name: &[u8]) -> Result<Arc<Range>, Error> {
        loop {
            if let Some(range) = self.range(scope, name).await? {
                return Ok(range);
            }
            self.begin(scope).await?;
        }
    }

    /// Forgets what turned out to be old.
    pub(crate) fn forget(&self, range: &Range) {
        self.lock().remove(range.scope, &names::map_key(range.upper.as_deref()), range.id, range.epoch);
    }

    /// The state of a scope; `None` when nothing was ever put into it.
    ///
    /// # Errors
    /// When RADOS fails, or the state makes no sense.
    pub(crate) async fn state(&self, scope: Scope) -> Result<Option<ScopeState>, Error> {
        let pools = self.pools(scope)?;
        let answers = match self.rados.read(pools.index, &names::scope_object(scope), vec![ReadStep::Xattrs]).await {
            Ok(answers) => answers,
            Err(RadosError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(ReadAnswer::Xattrs(xattrs)) = answers.into_iter().next() else { return Err(no_answer()) };
        let state = xattr(&xattrs, STATE).and_then(|value| ScopeState::decode(value));
        state.map(Some).ok_or_else(|| Error::Damaged("a scope without a state".into()))
    }

    /// Every range of a scope as it stands now, in order, a page at a time from `name`; `None` for a scope without a map.
    ///
    /// # Errors
    /// When RADOS fails, or the map makes no sense.
    pub(crate) async fn read(&self, scope: Scope, pools: Pools, name: &[u8]) -> Result<Option<Vec<Arc<Range>>>, Error> {
        let scan = ReadStep::OmapScan { after: names::map_key(Some(name)), prefix: Vec::new(), limit: MAP_PAGE };
        let answers = match self.rados.read(pools.index, &names::scope_object(scope), vec![scan]).await {
            Ok(answers) => answers,
            Err(RadosError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(ReadAnswer::Omap { entries, .. }) = answers.into_iter().next() else { return Err(no_answer()) };
        let parse = |(omap_key, value): (Vec<u8>, Bytes)| {
            let upper = names::parse_map_key(&omap_key)?;
            Some(Arc::new(Range::new(scope, pools, upper, MapEntry::decode(&value)?)))
        };
        let page: Option<Vec<_>> = entries.into_iter().map(parse).collect();
        page.map(Some).ok_or_else(|| Error::Damaged("the map of a scope cannot be read".into()))
    }

    /// Makes the first index object of a scope, then its map. Of several who try, one makes the map.
    async fn begin(&self, scope: Scope) -> Result<(), Error> {
        let pools = self.pools(scope)?;
        let entry = MapEntry { id: random_u64(), epoch: 1, lower: Vec::new() };
        let range = Range::new(scope, pools, None, entry);
        create_range(self.rados.as_ref(), pools.index, &range, RangeStatus::Open).await?;
        let (omap_key, value) = range.map_entry();
        let steps = vec![
            WriteStep::CreateExclusive,
            WriteStep::SetXattr(STATE, ScopeState::Open.encode()),
            WriteStep::SetOmap(vec![(omap_key, value)]),
        ];
        match self.rados.write(pools.index, &names::scope_object(scope), steps).await {
            Ok(()) => Ok(()),
            Err(RadosError::Exists) => {
                let removed = self.rados.write(pools.index, range.object(), vec![WriteStep::Remove]).await;
                removed.or_else(|error| if error == RadosError::NotFound { Ok(()) } else { Err(error.into()) })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // A page that was inserted by half is only a page that is not known.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes an index object that no map names yet.
pub(crate) async fn create_range(
    rados: &dyn Rados,
    pool: PoolId,
    range: &Range,
    status: RangeStatus,
) -> Result<(), RadosError> {
    let steps = vec![
        WriteStep::CreateExclusive,
        WriteStep::SetXattr(EPOCH, encode_epoch(range.epoch)),
        WriteStep::SetXattr(STATUS, status.encode()),
        WriteStep::SetXattr(BOUNDS, encode_bounds(&range.lower, range.upper.as_deref())),
    ];
    rados.write(pool, range.object(), steps).await
}

/// The error for an answer that has not the shape of the question.
pub(crate) fn no_answer() -> Error {
    Error::Damaged("RADOS answered something else than was asked".into())
}

impl Known {
    fn find(&self, scope: Scope, name: &[u8]) -> Option<Arc<Range>> {
        let ranges = self.scopes.get(&scope)?;
        let behind = (Bound::Excluded(names::map_key(Some(name))), Bound::Unbounded);
        let (_, range) = ranges.range(behind).next()?;
        range.covers(name).then(|| Arc::clone(range))
    }

    fn insert(&mut self, scope: Scope, page: Vec<Arc<Range>>) {
        if self.ranges + page.len() > RANGES_MAX {
            *self = Self::default();
        }
        let ranges = self.scopes.entry(scope).or_default();
        for range in page {
            let omap_key = names::map_key(range.upper.as_deref());
            match ranges.get(&omap_key) {
                // It knows its status, which the map does not tell.
                Some(known) if (known.id, known.epoch) == (range.id, range.epoch) => {}
                _ => self.ranges += usize::from(ranges.insert(omap_key, range).is_none()),
            }
        }
    }

    fn remove(&mut self, scope: Scope, omap_key: &[u8], id: u64, epoch: u64) {
        let Some(ranges) = self.scopes.get_mut(&scope) else { return };
        if ranges.get(omap_key).is_some_and(|known| (known.id, known.epoch) == (id, epoch)) {
            ranges.remove(omap_key);
            self.ranges -= 1;
        }
        if ranges.is_empty() {
            self.scopes.remove(&scope);
        }
    }
}

const MAP_ENTRY: u8 = 1;
/// Entries of a map that are read at a time.
const MAP_PAGE: usize = 64;
/// More ranges than this are forgotten and read anew: some ten MiB.
const RANGES_MAX: usize = 50_000;
