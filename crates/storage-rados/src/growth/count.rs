//! The size of an index object, and where it would be halved.

use std::collections::BTreeMap;

use bytes::Bytes;
use storage::Error;

use crate::config::SplitAt;
use crate::map::{Range, no_answer};
use crate::names::OmapTable;
use crate::rados::{Rados, RadosError, ReadAnswer, ReadStep};
use crate::split::Pace;
use crate::status::{EPOCH, encode_epoch};

/// What a count gives.
pub(super) struct Size {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    /// Whether there is something behind the end of the range, which a split did not come to remove.
    pub(super) has_leftovers: bool,
    /// A name inside, not the first, with about half of the weight behind it; `None` when all is of one name.
    pub(super) middle: Option<Vec<u8>>,
}

/// The weight of each name, from all tables: a range has some ten thousand of them.
type Weights = BTreeMap<Vec<u8>, u64>;

/// Counts a range; `None` when it is no longer what the map said.
pub(super) async fn count(rados: &dyn Rados, range: &Range, split_at: SplitAt) -> Result<Option<Size>, Error> {
    let (mut entries, mut bytes, mut after) = (0_u64, 0_u64, Vec::new());
    let (mut weights, mut has_leftovers, mut pace) = (Weights::new(), false, Pace::new(PAGE_MAX));
    // As much as the bytes that an entry has when both limits are reached at once, so that halves of the weight are well
    // below both limits, whichever was reached.
    let weight_of_entry = (split_at.bytes / split_at.entries.max(1)).min(1 << 30);
    loop {
        let steps = vec![
            ReadStep::CompareXattr(EPOCH, encode_epoch(range.epoch)),
            ReadStep::OmapScan { after: after.clone(), prefix: Vec::new(), limit: pace.next() },
        ];
        let answers = match rados.read(range.pools.index, range.object(), steps).await {
            Ok(answers) => answers,
            Err(RadosError::Mismatch | RadosError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(ReadAnswer::Omap { entries: page, more }) = answers.into_iter().next() else {
            return Err(no_answer());
        };
        let mut page_bytes = 0;
        for (omap_key, value) in &page {
            let (name, len) = measure(omap_key, value)?;
            page_bytes += omap_key.len() + value.len();
            // What an earlier split has not yet removed does not count.
            if range.covers(&name) {
                entries += 1;
                bytes += len;
                *weights.entry(name).or_default() += len + weight_of_entry;
            } else {
                has_leftovers = true;
            }
        }
        pace.came(page.len(), page_bytes);
        match page.into_iter().next_back() {
            Some((last, _)) if more => after = last,
            _ => return Ok(Some(Size { entries, bytes, has_leftovers, middle: middle(weights, range) })),
        }
    }
}

fn measure(omap_key: &[u8], value: &Bytes) -> Result<(Vec<u8>, u64), Error> {
    let parsed = OmapTable::of(omap_key).and_then(|table| table.parse(omap_key));
    let (name, _) = parsed.ok_or_else(|| Error::Damaged("an entry of an index object".into()))?;
    Ok((name, (omap_key.len() + value.len()) as u64))
}

/// The name where the second half of the weight begins, or the last one that leaves something before it.
fn middle(weights: Weights, range: &Range) -> Option<Vec<u8>> {
    let half = weights.values().sum::<u64>() / 2;
    let (mut before, mut found) = (0, None);
    for (name, weight) in weights {
        // What begins the range cannot begin its second half; nor can what begins its entries.
        if before > 0 && name > range.lower {
            found = Some(name);
            if before >= half {
                break;
            }
        }
        before += weight;
    }
    found
}

const PAGE_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::MapEntry;
    use crate::placements::Pools;
    use crate::rados::PoolId;

    fn middle_of(lower: &[u8], weights: &[(&str, u64)]) -> Option<Vec<u8>> {
        let pools = Pools { index: PoolId(1), data: PoolId(2) };
        let entry = MapEntry { id: 1, epoch: 1, lower: lower.to_vec() };
        let scope = storage::Scope::bucket(model::BucketId::from_bytes([1; 16]));
        let weights = weights.iter().map(|(name, weight)| (name.as_bytes().to_vec(), *weight)).collect();
        middle(weights, &Range::new(scope, pools, None, entry))
    }

    #[test]
    fn the_middle_is_where_half_of_the_weight_is_before() {
        assert_eq!(middle_of(b"", &[("a", 1), ("b", 1), ("c", 1), ("d", 1)]).unwrap(), b"c");
        assert_eq!(middle_of(b"", &[("a", 9), ("b", 1), ("c", 1)]).unwrap(), b"b");
        assert_eq!(middle_of(b"", &[("a", 1), ("b", 1), ("c", 9)]).unwrap(), b"c");
        assert_eq!(middle_of(b"a", &[("a", 1), ("b", 1)]).unwrap(), b"b");
        assert_eq!(middle_of(b"a", &[("a", 1)]), None);
        assert_eq!(middle_of(b"", &[]), None);
    }
}
