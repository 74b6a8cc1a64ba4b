//! The end of a scope: many index objects have to become closed at one instant.
//!
//! The state of the scope is that instant. While it is `closing`, one range after the other is closed; then nothing comes in
//! any more, and whether the scope is empty can be looked at at leisure. Whoever is too slow finds its token gone.

use std::sync::Arc;
use std::time::Duration;

use storage::{Error, RetireError, Scan, Scope, ScopeNotEmpty, Start, Table};
use tokio::time::{Instant, sleep};

use crate::clock;
use crate::error::{happened, too_late};
use crate::index::Index;
use crate::map::{Maps, Range};
use crate::names;
use crate::rados::{Rados, WriteStep};
use crate::random::random_u64;
use crate::split;
use crate::status::{EPOCH, RangeStatus, STATE, STATUS, ScopeState, encode_epoch};

/// An attempt to retire a scope.
pub(crate) struct Retirement<'a> {
    pub(crate) rados: &'a dyn Rados,
    pub(crate) index: &'a Index,
    pub(crate) scope: Scope,
    pub(crate) tables: &'a [Table],
    pub(crate) until: Instant,
}

impl Retirement<'_> {
    /// See [`storage::Metadata::retire`].
    pub(crate) async fn run(&self) -> Result<(), RetireError> {
        let maps = self.index.maps();
        maps.range_or_begin(self.scope, b"").await?;
        loop {
            match self.state().await? {
                // What is left in tables that did not matter then may matter now.
                ScopeState::Retired { .. } if self.is_empty().await? => return Ok(()),
                ScopeState::Retired { .. } => return Err(ScopeNotEmpty.into()),
                // Nobody is kept waiting for an attempt that is bound to fail.
                ScopeState::Open if !self.is_empty().await? => return Err(ScopeNotEmpty.into()),
                ScopeState::Open => {
                    let token = random_u64();
                    if self.turn(ScopeState::Open, ScopeState::Closing { token }).await?
                        && let Some(outcome) = self.close(token).await?
                    {
                        return outcome.map_err(RetireError::from);
                    }
                }
                closing @ ScopeState::Closing { .. } => {
                    sleep(ABANDONED_AFTER).await;
                    if self.state().await? == closing {
                        self.turn(closing, ScopeState::Open).await?;
                    }
                }
            }
            self.still_time()?;
        }
    }

    /// Closes the ranges and looks. `None` when somebody took the attempt back meanwhile.
    async fn close(&self, token: u64) -> Result<Option<Result<(), ScopeNotEmpty>>, Error> {
        let closed = self.close_ranges(token).await;
        let is_empty = match closed {
            Ok(()) => self.is_empty().await,
            Err(error) => Err(error),
        };
        let closing = ScopeState::Closing { token };
        if let Ok(true) = is_empty {
            let retired = self.turn(closing, ScopeState::Retired { since: clock::now() }).await?;
            return Ok(retired.then_some(Ok(())));
        }
        self.turn(closing, ScopeState::Open).await?;
        self.open_ranges(token).await?;
        is_empty?;
        Ok(Some(Err(ScopeNotEmpty)))
    }

    async fn close_ranges(&self, token: u64) -> Result<(), Error> {
        let mut name = Some(Vec::new());
        while let Some(lower) = name {
            let range = self.fresh_range(&lower).await?;
            if self.close_range(&range, token).await? {
                name = range.upper.clone();
                continue;
            }
            self.still_time()?;
            sleep(Duration::from_millis(5)).await;
            name = Some(lower);
        }
        Ok(())
    }

    /// Whether the range is closed now. One that is being split is left to that.
    async fn close_range(&self, range: &Range, token: u64) -> Result<bool, Error> {
        let closed = RangeStatus::Closed { token };
        match self.status(range).await? {
            None => Ok(false),
            Some(status) if status == closed => Ok(true),
            Some(status @ (RangeStatus::Open | RangeStatus::Closed { .. })) => {
                turn_range(self.rados, range, &status, &closed).await
            }
            Some(RangeStatus::Splitting(_) | RangeStatus::Frozen(_) | RangeStatus::Flipped(_)) => {
                split::help(self.rados, range).await?;
                Ok(false)
            }
        }
    }

    /// Opens what this attempt closed; whatever is forgotten here is opened by the first writer that meets it.
    async fn open_ranges(&self, token: u64) -> Result<(), Error> {
        let mut name = Some(Vec::new());
        while let Some(lower) = name {
            let range = self.fresh_range(&lower).await?;
            turn_range(self.rados, &range, &RangeStatus::Closed { token }, &RangeStatus::Open).await?;
            name = range.upper.clone();
        }
        Ok(())
    }

    /// The status of a range; `None` when it is not what the map said.
    async fn status(&self, range: &Range) -> Result<Option<RangeStatus>, Error> {
        let looked = split::look(self.rados, range).await?;
        Ok(looked.filter(|(epoch, _)| *epoch == range.epoch).map(|(_, status)| status))
    }

    /// The range of a name as the map tells it now.
    async fn fresh_range(&self, name: &[u8]) -> Result<Arc<Range>, Error> {
        let maps = self.index.maps();
        let page = maps.read(self.scope, maps.pools(self.scope)?, name).await?.unwrap_or_default();
        let found = page.into_iter().find(|range| range.covers(name));
        found.ok_or_else(|| Error::Damaged("the map of a scope has a hole".into()))
    }

    async fn is_empty(&self) -> Result<bool, Error> {
        for table in self.tables {
            let start = Start::AtPartition(Vec::new());
            let scan = Scan { scope: self.scope, table: *table, start, end: None, limit: 1 };
            if !self.index.scan(&scan).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn state(&self) -> Result<ScopeState, Error> {
        let state = self.index.maps().state(self.scope).await?;
        state.ok_or_else(|| Error::Damaged("a scope lost its map".into()))
    }

    async fn turn(&self, from: ScopeState, to: ScopeState) -> Result<bool, Error> {
        turn_scope(self.rados, self.index.maps(), self.scope, from, to).await
    }

    fn still_time(&self) -> Result<(), Error> {
        if Instant::now() < self.until { Ok(()) } else { Err(too_late("a scope could not be closed")) }
    }
}

/// What a writer does that met a closed range of a scope which is not retired: opens it, and takes back the attempt to close
/// the scope when that has taken too long.
pub(crate) async fn reopen(
    rados: &dyn Rados,
    maps: &Maps,
    range: &Range,
    token: u64,
    waited_enough: bool,
) -> Result<(), Error> {
    match maps.state(range.scope).await? {
        // The state is looked at after the range was seen closed, so that this attempt is over.
        Some(ScopeState::Open) => {
            turn_range(rados, range, &RangeStatus::Closed { token }, &RangeStatus::Open).await?;
        }
        Some(closing @ ScopeState::Closing { .. }) if waited_enough => {
            turn_scope(rados, maps, range.scope, closing, ScopeState::Open).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Whether the state was `from` and is `to` now.
async fn turn_scope(
    rados: &dyn Rados,
    maps: &Maps,
    scope: Scope,
    from: ScopeState,
    to: ScopeState,
) -> Result<bool, Error> {
    let steps = vec![WriteStep::CompareXattr(STATE, from.encode()), WriteStep::SetXattr(STATE, to.encode())];
    happened(rados.write(maps.pools(scope)?.index, &names::scope_object(scope), steps).await)
}

/// Whether the status was `from`, in the epoch that the map told, and is `to` now.
pub(crate) async fn turn_range(
    rados: &dyn Rados,
    range: &Range,
    from: &RangeStatus,
    to: &RangeStatus,
) -> Result<bool, Error> {
    let steps = vec![
        WriteStep::AssertExists,
        WriteStep::CompareXattr(EPOCH, encode_epoch(range.epoch)),
        WriteStep::CompareXattr(STATUS, from.encode()),
        WriteStep::SetXattr(STATUS, to.encode()),
    ];
    happened(rados.write(range.pools.index, range.object(), steps).await)
}

/// When an attempt to close a scope is taken for left behind.
const ABANDONED_AFTER: Duration = Duration::from_secs(2);
