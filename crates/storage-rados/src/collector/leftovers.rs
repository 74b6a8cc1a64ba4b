//! Scopes that ended long ago, and index objects that somebody made and did not enter into a map.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::{Error, Scope};

use super::{Collector, is_past};
use crate::error::happened;
use crate::map::{Range, no_answer};
use crate::names;
use crate::rados::{PoolId, RadosError, ReadAnswer, ReadStep, WriteStep};
use crate::split;
use crate::status::{BOUNDS, EPOCH, RangeStatus, STATE, STATUS, ScopeState, Split, lower_bound, xattr};

/// An index object as it was seen.
struct Seen {
    epoch: Bytes,
    status: Bytes,
    /// Its lower bound, as far as it tells.
    lower: Vec<u8>,
    /// In milliseconds since 1970.
    modified: u64,
}

impl Collector {
    /// Removes a scope that was retired long ago, once there is nothing at all in it: no gateway can be so late that it
    /// would begin the scope anew.
    pub(super) async fn bury(&self, pool: PoolId, scope: Scope) -> Result<(), Error> {
        let maps = self.index.maps();
        let state = maps.state(scope).await?;
        let Some(retired @ ScopeState::Retired { since }) = state else { return Ok(()) };
        if !is_past(since, TOMBSTONE_AGE) {
            return Ok(());
        }
        let ranges = self.whole_map(scope).await?;
        let mut seen = Vec::new();
        for range in &ranges {
            if !self.is_empty(pool, range.object()).await? {
                return Ok(());
            }
            // Nothing comes into a retired scope; should it all the same, this is no longer what was seen.
            seen.extend(self.see(pool, range.object()).await?.map(|found| (range.object().to_owned(), found)));
        }
        let steps = vec![WriteStep::CompareXattr(STATE, retired.encode()), WriteStep::Remove];
        if !happened(self.rados.write(pool, &names::scope_object(scope), steps).await)? {
            return Ok(());
        }
        for (object, seen) in seen {
            self.remove_as_seen(pool, &object, &seen).await?;
        }
        Ok(())
    }

    /// Removes an index object that no map has named for long: of a first creation that was lost, or of a split that was
    /// taken back.
    pub(super) async fn remove_unnamed(&self, pool: PoolId, object: &str, scope: Scope, id: u64) -> Result<(), Error> {
        let Some(seen) = self.see(pool, object).await?.filter(|seen| is_past(seen.modified, UNNAMED_AGE)) else {
            return Ok(());
        };
        // Nearly always the map names it where it says.
        let maps = self.index.maps();
        let page = maps.read(scope, maps.pools(scope)?, &seen.lower).await?.unwrap_or_default();
        if page.iter().any(|range| range.id == id) {
            return Ok(());
        }
        let ranges = self.whole_map(scope).await?;
        if ranges.iter().any(|range| range.id == id) {
            return Ok(());
        }
        for range in &ranges {
            if let Some(split) = self.split_of(pool, range).await?
                && split.upper_id == id
            {
                // It belongs to a split that somebody left.
                return split::help(self.rados.as_ref(), range).await;
            }
        }
        // A split that ended while this looked has entered it by now.
        if self.whole_map(scope).await?.iter().any(|range| range.id == id) {
            return Ok(());
        }
        if self.remove_as_seen(pool, object, &seen).await? {
            tracing::info!(object, "removed an index object that no map names");
        }
        Ok(())
    }

    /// All ranges of a scope, none when it has no map.
    async fn whole_map(&self, scope: Scope) -> Result<Vec<Arc<Range>>, Error> {
        let maps = self.index.maps();
        let pools = maps.pools(scope)?;
        let (mut all, mut name) = (Vec::new(), Some(Vec::new()));
        while let Some(from) = name {
            let Some(page) = maps.read(scope, pools, &from).await? else { break };
            name = page.last().and_then(|range| range.upper.clone());
            all.extend(page);
        }
        Ok(all)
    }

    async fn see(&self, pool: PoolId, object: &str) -> Result<Option<Seen>, Error> {
        let answers = match self.rados.read(pool, object, vec![ReadStep::Xattrs, ReadStep::Stat]).await {
            Ok(answers) => answers,
            Err(RadosError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let [ReadAnswer::Xattrs(xattrs), ReadAnswer::Stat { modified, .. }] = answers.as_slice() else {
            return Err(no_answer());
        };
        let (Some(epoch), Some(status)) = (xattr(xattrs, EPOCH), xattr(xattrs, STATUS)) else { return Ok(None) };
        let lower = xattr(xattrs, BOUNDS).and_then(|bounds| lower_bound(bounds)).unwrap_or_default();
        Ok(Some(Seen { epoch: epoch.clone(), status: status.clone(), lower, modified: modified.saturating_mul(1000) }))
    }

    async fn split_of(&self, pool: PoolId, range: &Range) -> Result<Option<Split>, Error> {
        let seen = self.see(pool, range.object()).await?;
        Ok(seen.and_then(|seen| match RangeStatus::decode(&seen.status)? {
            RangeStatus::Splitting(split) | RangeStatus::Frozen(split) | RangeStatus::Flipped(split) => Some(split),
            RangeStatus::Open | RangeStatus::Closed { .. } => None,
        }))
    }

    async fn is_empty(&self, pool: PoolId, object: &str) -> Result<bool, Error> {
        let scan = ReadStep::OmapScan { after: Vec::new(), prefix: Vec::new(), limit: 1 };
        match self.rados.read(pool, object, vec![scan]).await {
            Ok(answers) => Ok(matches!(answers.first(), Some(ReadAnswer::Omap { entries, .. }) if entries.is_empty())),
            Err(RadosError::NotFound) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    async fn remove_as_seen(&self, pool: PoolId, object: &str, seen: &Seen) -> Result<bool, Error> {
        let steps = vec![
            WriteStep::CompareXattr(EPOCH, seen.epoch.clone()),
            WriteStep::CompareXattr(STATUS, seen.status.clone()),
            WriteStep::Remove,
        ];
        happened(self.rados.write(pool, object, steps).await)
    }
}

/// How long the map of a retired scope stays.
const TOMBSTONE_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long an index object that no map names is left alone.
const UNNAMED_AGE: Duration = Duration::from_secs(24 * 3600);
