//! A share of the index objects of a pool, and the lock on it.

use std::time::Duration;

use bytes::Bytes;
use storage::Error;
use tokio::time::Instant;

use super::{Collector, is_past};
use crate::clock;
use crate::rados::{PoolId, RadosError, ReadAnswer, ReadStep, WriteStep};

/// A share that this process has to itself for a while.
pub(super) struct Share<'a> {
    collector: &'a Collector,
    pool: PoolId,
    object: String,
    taken: Instant,
}

impl<'a> Share<'a> {
    /// Takes a share; `None` when another process has it, or was done with it a short while ago.
    pub(super) async fn take(collector: &'a Collector, pool: PoolId, number: usize) -> Result<Option<Self>, Error> {
        let share = Self { collector, pool, object: format!("share.{number}"), taken: Instant::now() };
        if !share.lock().await? {
            return Ok(None);
        }
        // Gateways come at times of their own: without some slack each would come a little too early.
        if share.done().await?.is_some_and(|done| !is_past(done, collector.every / 2)) {
            share.unlock().await?;
            return Ok(None);
        }
        Ok(Some(share))
    }

    /// Whether this process still has the share.
    pub(super) async fn keep(&mut self) -> Result<bool, Error> {
        if self.taken.elapsed() < LOCK_TIME / 3 {
            return Ok(true);
        }
        self.taken = Instant::now();
        self.lock().await
    }

    /// Gives the share back; if all was looked at, so that nobody does it again too soon.
    pub(super) async fn give_back(self, is_done: bool) -> Result<(), Error> {
        if is_done {
            let now = WriteStep::SetXattr(DONE, Bytes::copy_from_slice(&clock::now().to_be_bytes()));
            self.collector.rados.write(self.pool, &self.object, vec![now]).await?;
        }
        self.unlock().await
    }

    async fn done(&self) -> Result<Option<u64>, Error> {
        let answers = match self.collector.rados.read(self.pool, &self.object, vec![ReadStep::Xattrs]).await {
            Ok(answers) => answers,
            Err(RadosError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(ReadAnswer::Xattrs(xattrs)) = answers.into_iter().next() else { return Ok(None) };
        let done = xattrs.iter().find(|(name, _)| name == DONE);
        Ok(done.and_then(|(_, value)| Some(u64::from_be_bytes(value.as_ref().try_into().ok()?))))
    }

    async fn lock(&self) -> Result<bool, Error> {
        let Collector { rados, cookie, .. } = self.collector;
        Ok(rados.lock(self.pool, &self.object, LOCK, cookie, LOCK_TIME).await?)
    }

    async fn unlock(&self) -> Result<(), Error> {
        Ok(self.collector.rados.unlock(self.pool, &self.object, LOCK, &self.collector.cookie).await?)
    }
}

/// The share of an object: the same for every gateway, so a hash that never changes (FNV-1a).
pub(super) fn share_of(object: &str) -> usize {
    let hash = object
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(hash % SHARES as u64).unwrap_or(0)
}

pub(super) const SHARES: usize = 16;
const LOCK: &str = "collect";
const LOCK_TIME: Duration = Duration::from_secs(60);
/// The xattr that says when somebody was done with the share, in milliseconds since 1970.
const DONE: &str = "done";
