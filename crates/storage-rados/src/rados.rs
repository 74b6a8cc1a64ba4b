//! What the backend asks of RADOS: the least that it needs, as data, so that the same store runs on librados and on the
//! model of it in memory that the tests have.
//!
//! An operation is a list of steps on one object. Writes happen whole or not at all; the steps of a read see one state.

#[cfg(test)]
pub(crate) mod contract;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// The number of a pool. It survives renaming and is never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct PoolId(pub(crate) u32);

/// One step of a write. Checks come first and see what was there before; all but [`Self::CreateExclusive`] demand that the
/// object exists, or fail with [`RadosError::NotFound`]. Changes happen one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum WriteStep {
    /// Fails with [`RadosError::NotFound`] unless the object exists.
    AssertExists,
    /// Creates the object; fails with [`RadosError::Exists`] when it exists.
    CreateExclusive,
    /// Fails with [`RadosError::Mismatch`] unless the xattr has exactly this value. Empty stands for a missing one too.
    CompareXattr(&'static str, Bytes),
    /// Fails with [`RadosError::Mismatch`] unless the omap value is exactly this. Empty stands for a missing one too.
    CompareOmap(Vec<u8>, Bytes),
    /// Sets an xattr.
    SetXattr(&'static str, Bytes),
    /// Sets omap entries; the object is created when it is missing.
    SetOmap(Vec<(Vec<u8>, Bytes)>),
    /// Removes omap entries; a missing one is no error.
    RemoveOmap(Vec<Vec<u8>>),
    /// Removes the omap entries in the half-open range.
    RemoveOmapRange(Vec<u8>, Vec<u8>),
    /// Writes bytes at an offset; the object is created when it is missing. On a pool that demands an alignment the
    /// offset is the object's end and a multiple of it.
    Write(u64, Bytes),
    /// Removes the object; fails with [`RadosError::NotFound`] when there is none. Alone in its operation, or behind
    /// checks.
    Remove,
}

/// One step of a read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ReadStep {
    /// As in a write.
    CompareXattr(&'static str, Bytes),
    /// All xattrs. Locks of the object can be among them, under names that begin with `lock.`.
    Xattrs,
    /// The omap entries with these keys, as far as they exist. Keys may hold any byte.
    OmapGet(Vec<Vec<u8>>),
    /// Omap entries in order. `after` is exclusive; it and `prefix` have no zero byte. At most `limit`, which is at most
    /// 1,000.
    OmapScan {
        /// Where to begin, exclusive.
        after: Vec<u8>,
        /// Only keys that begin so, and none behind the last of them is looked at.
        prefix: Vec<u8>,
        /// At most so many.
        limit: usize,
    },
    /// Bytes; fewer come back at the end of the object.
    Read {
        /// The first byte.
        offset: u64,
        /// At most so many.
        length: usize,
    },
    /// Size, and seconds since 1970 of the last change.
    Stat,
}

/// What a step of a read gives, in the order of the steps; checks give nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ReadAnswer {
    /// To [`ReadStep::Xattrs`], in any order.
    Xattrs(Vec<(String, Bytes)>),
    /// To the steps on the omap, by key.
    Omap {
        /// The entries.
        entries: Vec<(Vec<u8>, Bytes)>,
        /// Whether a scan ended before the last entry with the prefix.
        more: bool,
    },
    /// To [`ReadStep::Read`]. The allocation is shared with nobody.
    Bytes(Bytes),
    /// To [`ReadStep::Stat`].
    Stat {
        /// In bytes.
        size: u64,
        /// In seconds since 1970.
        modified: u64,
    },
}

/// Why an operation did not happen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum RadosError {
    /// No such object.
    #[error("no such object")]
    NotFound,
    /// The object exists already.
    #[error("the object exists")]
    Exists,
    /// A check failed.
    #[error("a check failed")]
    Mismatch,
    /// The pool or the cluster is full, or a quota is reached. RADOS refuses only what adds bytes or objects: entries of
    /// an omap that is there go in all the same.
    #[error("the pool is full")]
    Full,
    /// The pool cannot do this (an omap on an erasure-coded pool).
    #[error("the pool does not support this")]
    Unsupported,
    /// No answer within the deadline. A write may have happened, or may happen later.
    #[error("no answer in time")]
    TimedOut,
    /// Anything else that RADOS says, as an errno.
    #[error("errno {0}")]
    Other(i32),
}

/// Told of every notification on a watched object. Called on a thread of RADOS: it must not wait. The notification is
/// acknowledged when it returns.
pub(crate) trait Watcher: Send + Sync + 'static {
    /// Somebody notified.
    fn notified(&self, payload: &[u8]);
    /// The watch is broken; nothing more will be told, and somebody may have notified in vain.
    fn broken(&self);
}

/// A watch that ends when it is dropped.
pub(crate) trait Watch: Send + Sync {
    /// Whether RADOS still believes in it.
    fn is_sound(&self) -> bool;
}

/// A cluster, within one namespace of its pools.
///
/// Every method waits at most for the deadline that the implementation was made with.
#[async_trait]
pub(crate) trait Rados: Send + Sync + 'static {
    /// Changes one object atomically and durably.
    async fn write(&self, pool: PoolId, object: &str, steps: Vec<WriteStep>) -> Result<(), RadosError>;

    /// Reads one object at one instant.
    async fn read(&self, pool: PoolId, object: &str, steps: Vec<ReadStep>) -> Result<Vec<ReadAnswer>, RadosError>;

    /// Names of objects of the pool behind `after` in an order of RADOS's own: a page of at most about 1,000, and where to
    /// go on, if there is more.
    async fn list(&self, pool: PoolId, after: Option<String>) -> Result<(Vec<String>, Option<String>), RadosError>;

    /// Takes or renews the exclusive lock `name` on an object for `time`; `false` when another `cookie` has it. The object
    /// is created when it is missing.
    async fn lock(
        &self,
        pool: PoolId,
        object: &str,
        name: &'static str,
        cookie: &str,
        time: Duration,
    ) -> Result<bool, RadosError>;

    /// Gives the lock back; one that is not held is no error.
    async fn unlock(&self, pool: PoolId, object: &str, name: &'static str, cookie: &str) -> Result<(), RadosError>;

    /// Watches an object that exists.
    async fn watch(&self, pool: PoolId, object: &str, watcher: Arc<dyn Watcher>) -> Result<Box<dyn Watch>, RadosError>;

    /// Tells all watchers of an object and waits for their acknowledgements, at most for `time`.
    /// [`RadosError::TimedOut`] when one of them did not answer.
    async fn notify(&self, pool: PoolId, object: &str, payload: Bytes, time: Duration) -> Result<(), RadosError>;

    /// The number of a pool; [`RadosError::NotFound`] when there is none of the name.
    async fn pool(&self, name: &str) -> Result<PoolId, RadosError>;

    /// What writes to the pool must be a multiple of, in bytes, if anything.
    async fn alignment(&self, pool: PoolId) -> Result<Option<u64>, RadosError>;
}
