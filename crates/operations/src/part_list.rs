//! The parts of a version, in the order of the object, and which of them a range touches.

use envelope::PartEntry;
use model::{BlobId, ByteRange};

use crate::error::StoredDataDamaged;

/// Parts that were proven to be the whole object.
pub(crate) struct PartList {
    parts: Vec<ListedPart>,
}

/// One part, and where in the object it lies.
pub(crate) struct ListedPart {
    pub(crate) entry: PartEntry,
    /// None when its bytes stand in a record.
    pub(crate) blob: Option<BlobId>,
    pub(crate) place: ByteRange,
}

impl PartList {
    /// Lists parts one after the other.
    ///
    /// # Errors
    /// [`StoredDataDamaged`] when they are longer than an object can be.
    pub(crate) fn new(parts: impl IntoIterator<Item = (PartEntry, Option<BlobId>)>) -> Result<Self, StoredDataDamaged> {
        let mut start = 0_u64;
        let listed = parts.into_iter().map(|(entry, blob)| {
            let end = start.checked_add(entry.length).ok_or(StoredDataDamaged("the length of the parts"))?;
            let place = ByteRange { start, end };
            start = end;
            Ok(ListedPart { entry, blob, place })
        });
        Ok(Self { parts: listed.collect::<Result<_, _>>()? })
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Bytes of all parts together.
    pub(crate) fn total(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.place.end)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ListedPart> {
        self.parts.iter()
    }

    /// The part at a position in the order of the object, counted from zero.
    pub(crate) fn get(&self, index: usize) -> Option<&ListedPart> {
        self.parts.get(index)
    }

    /// The parts with bytes in `range`. For a range without bytes, the empty parts that lie there: each has one empty
    /// chunk that must verify where it is all that is asked for.
    ///
    /// What this costs does not depend on the parts outside.
    pub(crate) fn within(&self, range: ByteRange) -> impl Iterator<Item = &ListedPart> {
        let first = self.parts.partition_point(|part| part.place.end < range.start);
        let near = self.parts[first..].iter().take_while(move |part| part.place.start <= range.end);
        near.filter(move |part| {
            let place = part.place;
            if range.is_empty() { place == range } else { place.start.max(range.start) < place.end.min(range.end) }
        })
    }
}

#[cfg(test)]
mod tests {
    use model::PartNumber;

    use super::*;

    fn list(lengths: &[u64]) -> PartList {
        let entry = |(number, length): (i64, &u64)| PartEntry {
            number: PartNumber::new(number).unwrap(),
            length: *length,
            salt: [0; 16],
        };
        PartList::new((1..).zip(lengths).map(|part| (entry(part), None))).unwrap()
    }

    fn found(list: &PartList, start: u64, end: u64) -> Vec<usize> {
        list.within(ByteRange { start, end }).map(|part| usize::from(part.entry.number.get()) - 1).collect()
    }

    /// Every part looked at, as the definition says.
    fn expected(lengths: &[u64], start: u64, end: u64) -> Vec<usize> {
        let mut at = 0;
        let mut touched = Vec::new();
        for (index, length) in lengths.iter().enumerate() {
            let (from, to) = (at, at + length);
            let overlaps = start.max(from) < end.min(to);
            let is_empty_there = start == end && from == to && from == start;
            if overlaps || is_empty_there {
                touched.push(index);
            }
            at = to;
        }
        touched
    }

    #[test]
    fn a_range_touches_the_parts_that_it_overlaps_and_no_others() {
        for lengths in [&[5][..], &[0], &[3, 0, 2], &[0, 0, 4], &[2, 2, 0, 0], &[1, 0, 1, 5, 0]] {
            let list = list(lengths);
            assert_eq!(list.total(), lengths.iter().sum::<u64>());
            for end in 0..=list.total() {
                for start in 0..=end {
                    assert_eq!(found(&list, start, end), expected(lengths, start, end), "{lengths:?} {start}..{end}");
                }
            }
        }
    }

    #[test]
    fn parts_that_are_longer_than_any_object_are_damage() {
        let entry = PartEntry { number: PartNumber::ONE, length: u64::MAX, salt: [0; 16] };
        assert!(PartList::new([(entry.clone(), None), (entry, None)]).is_err());
    }
}
