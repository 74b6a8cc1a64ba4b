//! How blobs are cut up in a pool.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use storage::Error;

use super::blob_id::{BlobPlace, STRIPE_LEN_MAX, STRIPE_UNIT};
use crate::rados::{PoolId, Rados};

/// How new blobs lie in a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    pub(crate) place: BlobPlace,
    /// The bytes of one write; the last one of a stripe or of a blob may be shorter.
    pub(crate) write_len: usize,
    /// Whether a stripe can only be written from its beginning to its end.
    pub(crate) in_order: bool,
}

/// The layouts of all pools.
pub(crate) struct Layouts {
    rados: Arc<dyn Rados>,
    stripe_len: u64,
    known: Mutex<HashMap<PoolId, Layout>>,
}

impl Layouts {
    /// With stripes of about this length.
    pub(crate) fn new(rados: Arc<dyn Rados>, stripe_len: u64) -> Self {
        Self { rados, stripe_len, known: Mutex::default() }
    }

    /// The layout of new blobs in a pool.
    ///
    /// # Errors
    /// When RADOS fails, or the pool demands what no blob can have.
    pub(crate) async fn of(&self, pool: PoolId) -> Result<Layout, Error> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&pool).copied();
        if let Some(layout) = known {
            return Ok(layout);
        }
        let alignment = self.rados.alignment(pool).await.map_err(Error::from)?;
        let layout = Layout::new(pool, self.stripe_len, alignment)
            .ok_or_else(|| Error::Damaged("a data pool demands an alignment that no stripe can have".into()))?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(pool, layout);
        Ok(layout)
    }
}

impl Layout {
    fn new(pool: PoolId, wanted: u64, alignment: Option<u64>) -> Option<Self> {
        let aligned = alignment.unwrap_or(1).max(1);
        let step = least_common_multiple(STRIPE_UNIT, aligned).filter(|step| *step <= STRIPE_LEN_MAX)?;
        let stripe_len = round_down(wanted.min(STRIPE_LEN_MAX), step).max(step);
        let write_len = round_down(WRITE_LEN, aligned).max(aligned).min(stripe_len);
        let place = BlobPlace { pool, stripe_len };
        Some(Self { place, write_len: usize::try_from(write_len).ok()?, in_order: alignment.is_some() })
    }
}

const fn round_down(length: u64, step: u64) -> u64 {
    length - length % step
}

fn least_common_multiple(one: u64, other: u64) -> Option<u64> {
    let (mut divisor, mut rest) = (one, other);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (one / divisor).checked_mul(other)
}

const WRITE_LEN: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(wanted: u64, alignment: Option<u64>) -> Option<(u64, usize)> {
        let layout = Layout::new(PoolId(1), wanted, alignment)?;
        Some((layout.place.stripe_len, layout.write_len))
    }

    #[test]
    fn stripes_and_writes_are_what_the_pool_demands() {
        assert_eq!(lengths(4 << 20, None), Some((4 << 20, 1 << 20)));
        assert_eq!(lengths(4 << 20, Some(8192)), Some((4 << 20, 1 << 20)));
        // Three times 4 KiB: 192 KiB is the least length that is also a multiple of 64 KiB.
        assert_eq!(lengths(4 << 20, Some(12_288)), Some((21 * (192 << 10), 85 * 12_288)));
        assert_eq!(lengths(1, None), Some((64 << 10, 64 << 10)));
        assert_eq!(lengths(u64::MAX, None), Some((STRIPE_LEN_MAX, 1 << 20)));
        assert_eq!(lengths(4 << 20, Some(1 << 40)), None);
        assert_eq!(lengths(4 << 20, Some(u64::MAX)), None);
    }
}
