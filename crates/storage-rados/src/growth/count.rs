//! The size of an index object, and where it would be halved.

use bytes::Bytes;
use storage::Error;

use crate::map::{Range, no_answer};
use crate::names::OmapTable;
use crate::rados::{Rados, RadosError, ReadAnswer, ReadStep};
use crate::status::{EPOCH, encode_epoch};

/// What a count gives.
pub(super) struct Size {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    /// Whether there is something behind the end of the range, which a split did not come to remove.
    pub(super) has_leftovers: bool,
    /// A name inside, not the first, with about half of the bytes behind it; `None` when all is of one name.
    pub(super) middle: Option<Vec<u8>>,
}

/// The names along the way: a range has some ten thousand of them.
struct Marks {
    /// Bytes of all tables at each name, in any order.
    at: Vec<(Vec<u8>, u64)>,
}

/// Counts a range; `None` when it is no longer what the map said.
pub(super) async fn count(rados: &dyn Rados, range: &Range) -> Result<Option<Size>, Error> {
    let (mut entries, mut bytes, mut after) = (0_u64, 0_u64, Vec::new());
    let (mut marks, mut has_leftovers) = (Marks { at: Vec::new() }, false);
    loop {
        let steps = vec![
            ReadStep::CompareXattr(EPOCH, encode_epoch(range.epoch)),
            ReadStep::OmapScan { after: after.clone(), prefix: Vec::new(), limit: PAGE },
        ];
        let answers = match rados.read(range.pools.index, range.object(), steps).await {
            Ok(answers) => answers,
            Err(RadosError::Mismatch | RadosError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(ReadAnswer::Omap { entries: page, more }) = answers.into_iter().next() else {
            return Err(no_answer());
        };
        for (omap_key, value) in &page {
            let (name, len) = measure(omap_key, value)?;
            // What an earlier split has not yet removed does not count.
            if range.covers(&name) {
                entries += 1;
                bytes += len;
                marks.pass(name, len);
            } else {
                has_leftovers = true;
            }
        }
        match page.into_iter().next_back() {
            Some((last, _)) if more => after = last,
            _ => return Ok(Some(Size { entries, bytes, has_leftovers, middle: marks.middle(range) })),
        }
    }
}

fn measure(omap_key: &[u8], value: &Bytes) -> Result<(Vec<u8>, u64), Error> {
    let parsed = OmapTable::of(omap_key).and_then(|table| table.parse(omap_key));
    let (name, _) = parsed.ok_or_else(|| Error::Damaged("an entry of an index object".into()))?;
    Ok((name, (omap_key.len() + value.len()) as u64))
}

impl Marks {
    fn pass(&mut self, name: Vec<u8>, len: u64) {
        match self.at.last_mut() {
            Some((last, sum)) if *last == name => *sum += len,
            _ => self.at.push((name, len)),
        }
    }

    /// The name where the second half of the bytes begins, or the last one that leaves something before it.
    fn middle(mut self, range: &Range) -> Option<Vec<u8>> {
        self.at.sort_unstable();
        let first = self.at.first().map(|(name, _)| name.clone())?;
        let half = self.at.iter().map(|(_, len)| len).sum::<u64>() / 2;
        let (mut before, mut found) = (0, None);
        for (name, len) in self.at {
            if name != first && name > range.lower {
                let is_behind = before >= half;
                if found.as_ref() != Some(&name) {
                    found = Some(name);
                }
                if is_behind {
                    break;
                }
            }
            before += len;
        }
        found
    }
}

/// Entries that are read at a time: with bodies of 16 KiB about four MiB.
const PAGE: usize = 256;
