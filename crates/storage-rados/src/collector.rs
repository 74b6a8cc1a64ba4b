//! What nobody needs any more: intents that nobody redeemed, garbage, and index objects that no map names.
//!
//! Every so often each gateway looks at the index objects, in shares: one gateway at a time has a share, by a lock that
//! expires, and a share that somebody looked at lately is left alone. Two at once do no harm, for all that is done here
//! demands what was seen.
//!
//! - `share`: who does what;
//! - `garbage`: intents become garbage, garbage becomes nothing;
//! - `leftovers`: scopes that ended long ago, and index objects that somebody did not finish.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use storage::Error;
use tokio::time::sleep;

use crate::clock;
use crate::config::Config;
use crate::index::Index;
use crate::names;
use crate::placements::Placements;
use crate::rados::{PoolId, Rados};
use crate::random::{random, random_u64};

mod garbage;
mod leftovers;
mod share;

use self::share::{SHARES, Share, share_of};

/// See the module.
pub(crate) struct Collector {
    rados: Arc<dyn Rados>,
    index: Arc<Index>,
    index_pools: Vec<PoolId>,
    data_pools: HashSet<PoolId>,
    /// Names this process in locks.
    cookie: String,
    grace: Duration,
    unlinked_age_max: Duration,
    every: Duration,
}

impl Collector {
    pub(crate) fn new(rados: Arc<dyn Rados>, index: Arc<Index>, placements: &Placements, config: &Config) -> Self {
        Self {
            rados,
            index,
            index_pools: placements.index_pools(),
            data_pools: placements.data_pools().into_iter().collect(),
            cookie: hex::encode(random::<8>()),
            grace: config.grace,
            unlinked_age_max: config.unlinked_age_max,
            every: config.collect_every,
        }
    }

    /// Looks around again and again. Never returns.
    pub(crate) async fn run(self) {
        loop {
            // Gateways that were started together do not all come at once.
            let percent = u32::try_from(75 + random_u64() % 50).unwrap_or(100);
            sleep(self.every * percent / 100).await;
            self.round().await;
        }
    }

    /// Looks around once, at what nobody looked at lately.
    pub(crate) async fn round(&self) {
        for pool in &self.index_pools {
            if let Err(error) = self.look_at(*pool).await {
                tracing::warn!(pool = pool.0, %error, "garbage cannot be looked for");
            }
        }
    }

    async fn look_at(&self, pool: PoolId) -> Result<(), Error> {
        let shares = self.shares(pool).await?;
        let first = usize::try_from(random_u64() % SHARES as u64).unwrap_or(0);
        for number in (0..SHARES).map(|step| (first + step) % SHARES) {
            let objects = &shares[number];
            if objects.is_empty() {
                continue;
            }
            let Some(mut share) = Share::take(self, pool, number).await? else { continue };
            let mut is_done = true;
            for object in objects {
                if !share.keep().await? {
                    is_done = false;
                    break;
                }
                if let Err(error) = self.look_at_object(pool, object, &mut share).await {
                    tracing::warn!(object, %error, "an index object cannot be looked through for garbage");
                }
            }
            share.give_back(is_done).await?;
        }
        Ok(())
    }

    /// The objects of each share.
    async fn shares(&self, pool: PoolId) -> Result<Vec<Vec<String>>, Error> {
        let mut shares = vec![Vec::new(); SHARES];
        let mut after = None;
        loop {
            let (objects, next) = self.rados.list(pool, after).await.map_err(Error::from)?;
            for object in objects {
                if names::parse_range_object(&object).is_some() || names::parse_scope_object(&object).is_some() {
                    shares[share_of(&object)].push(object);
                }
            }
            if next.is_none() {
                return Ok(shares);
            }
            after = next;
        }
    }

    async fn look_at_object(&self, pool: PoolId, object: &str, share: &mut Share<'_>) -> Result<(), Error> {
        if let Some(scope) = names::parse_scope_object(object) {
            return self.bury(pool, scope).await;
        }
        let Some((scope, id)) = names::parse_range_object(object) else { return Ok(()) };
        self.look_through(pool, object, scope, share).await?;
        self.remove_unnamed(pool, object, scope, id).await
    }
}

/// Whether a time, in milliseconds since 1970, is so long ago.
fn is_past(since: u64, age: Duration) -> bool {
    clock::now().saturating_sub(since) >= clock::millis(age)
}

#[cfg(test)]
pub(crate) mod tests;
