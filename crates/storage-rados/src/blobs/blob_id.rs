//! Ids of blobs: they say where the bytes are, so that no record has to.
//!
//! data pool(4) length of a stripe in units of 64 KiB(2) random(10), big endian.

use model::BlobId;

use crate::rados::PoolId;
use crate::random::random;

/// Where the stripes of a blob are, and how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BlobPlace {
    pub(crate) pool: PoolId,
    /// In bytes, at least one unit.
    pub(crate) stripe_len: u64,
}

/// Lengths of stripes are multiples of this.
pub(crate) const STRIPE_UNIT: u64 = 64 << 10;
/// The longest stripe that an id can tell.
pub(crate) const STRIPE_LEN_MAX: u64 = u16::MAX as u64 * STRIPE_UNIT;

/// A fresh id.
///
/// # Panics
/// When the length of the stripes is not what an id can tell.
pub(crate) fn mint(place: BlobPlace) -> BlobId {
    let units = u16::try_from(place.stripe_len / STRIPE_UNIT).expect("layouts have stripes that an id can tell");
    let mut id = [0; 16];
    id[..4].copy_from_slice(&place.pool.0.to_be_bytes());
    id[4..6].copy_from_slice(&units.to_be_bytes());
    id[6..].copy_from_slice(&random::<10>());
    BlobId::from_bytes(id)
}

/// What an id says; `None` for one that was not minted here.
pub(crate) fn place(id: BlobId) -> Option<BlobPlace> {
    let [a, b, c, d, e, f, ..] = *id.as_bytes();
    let units = u64::from(u16::from_be_bytes([e, f]));
    (units > 0).then(|| BlobPlace { pool: PoolId(u32::from_be_bytes([a, b, c, d])), stripe_len: units * STRIPE_UNIT })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_where_its_bytes_are() {
        for stripe_len in [STRIPE_UNIT, 4 << 20, STRIPE_LEN_MAX] {
            let minted = BlobPlace { pool: PoolId(u32::MAX - 1), stripe_len };
            assert_eq!(place(mint(minted)), Some(minted));
            assert_ne!(mint(minted), mint(minted));
        }
        assert_eq!(place(BlobId::from_bytes([0; 16])), None);
    }
}
