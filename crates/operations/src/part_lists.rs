//! Lists of parts that were proven before. A range of a few bytes should not cost two digests over a list of 10,000.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use model::VersionId;

use crate::part_list::PartList;

/// Spares the proving and parsing of lists, never the reading: each use compares the bytes in the store with those
/// that were proven, so damage is found at once. A version has one data key for good, so what was proven under it
/// stays proven. Nothing in a list is secret.
///
/// Two generations instead of an order of use: what was not used while the younger one filled up is forgotten.
#[derive(Default)]
pub(crate) struct PartLists {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<VersionId, Proven>,
    young_parts: usize,
    old: HashMap<VersionId, Proven>,
}

#[derive(Clone)]
struct Proven {
    raw: Bytes,
    list: Arc<PartList>,
}

impl PartLists {
    /// The list of a version whose record has these very bytes.
    pub(crate) fn get(&self, version: VersionId, raw: &Bytes) -> Option<Arc<PartList>> {
        let proven = self.lock().get(version)?;
        (proven.raw == raw).then_some(proven.list)
    }

    /// Remembers a list that was proven under the data key of its version.
    pub(crate) fn insert(&self, version: VersionId, raw: Bytes, list: Arc<PartList>) {
        self.lock().insert(version, Proven { raw, list });
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        // Nothing can panic while it is held.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn get(&mut self, version: VersionId) -> Option<Proven> {
        if let Some(proven) = self.young.get(&version) {
            return Some(proven.clone());
        }
        let proven = self.old.remove(&version)?;
        self.insert(version, proven.clone());
        Some(proven)
    }

    fn insert(&mut self, version: VersionId, proven: Proven) {
        let parts = proven.list.len();
        if self.young_parts + parts > GENERATION_PARTS_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_parts = 0;
        }
        self.young_parts += parts;
        if let Some(replaced) = self.young.insert(version, proven) {
            self.young_parts -= replaced.list.len();
        }
    }
}

/// Parts in one generation; each takes some 120 bytes. Ten of the longest lists, or hundreds of usual ones.
const GENERATION_PARTS_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use envelope::PartEntry;
    use model::PartNumber;

    use super::*;

    fn version(number: u8) -> VersionId {
        VersionId::from_bytes([number; 16])
    }

    fn list(parts: usize) -> Arc<PartList> {
        let entry = PartEntry { number: PartNumber::ONE, length: 1, salt: [0; 16] };
        Arc::new(PartList::new((0..parts).map(|_| (entry.clone(), None))).unwrap())
    }

    const RAW: Bytes = Bytes::from_static(b"raw");

    #[test]
    fn other_bytes_are_not_what_was_proven() {
        let lists = PartLists::default();
        lists.insert(version(1), RAW, list(1));
        assert!(lists.get(version(1), &Bytes::from_static(b"rav")).is_none());
        assert!(lists.get(version(2), &RAW).is_none());
        assert!(lists.get(version(1), &RAW).is_some());
    }

    #[test]
    fn what_is_used_is_kept_and_the_rest_forgotten() {
        let lists = PartLists::default();
        let third = GENERATION_PARTS_MAX / 3;
        for number in 1..=4 {
            lists.insert(version(number), RAW, list(third));
        }
        assert!(lists.get(version(1), &RAW).is_some(), "it is in the old generation, and this use saves it");
        for number in 5..=6 {
            lists.insert(version(number), RAW, list(third));
        }
        let kept: Vec<_> = (1..=6).filter(|number| lists.get(version(*number), &RAW).is_some()).collect();
        assert_eq!(kept, [1, 4, 5, 6]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (lists, longest) = (PartLists::default(), list(10_000));
        for number in 0..=u8::MAX {
            lists.insert(version(number), RAW, longest.clone());
            lists.insert(version(number), RAW, longest.clone());
            let generations = lists.lock();
            let parts = |lists: &HashMap<_, Proven>| lists.values().map(|proven| proven.list.len()).sum::<usize>();
            assert_eq!(parts(&generations.young), generations.young_parts);
            assert!(parts(&generations.young) + parts(&generations.old) <= 2 * GENERATION_PARTS_MAX);
        }
    }
}
