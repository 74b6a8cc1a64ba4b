use model::ByteRange;
use proptest::prelude::*;

use super::*;
use crate::fixtures::pattern;
use crate::{DataKey, SEALED_CHUNK_LEN, UnlockedObject, sealed_len, sealed_range};

fn unlocked() -> UnlockedObject {
    UnlockedObject::new(DataKey::generate())
}

/// Seals a whole part; its chunks stand behind each other, as in a blob.
fn seal(mut sealer: PartSealer, plaintext: &[u8]) -> (PartEntry, Vec<u8>) {
    let mut chunks: Vec<Vec<u8>> = plaintext.chunks(CHUNK_LEN).map(<[u8]>::to_vec).collect();
    let mut last = chunks.pop().unwrap_or_default();
    for chunk in &mut chunks {
        sealer.seal_chunk(chunk).unwrap();
    }
    let entry = sealer.finish(&mut last).unwrap();
    chunks.push(last);
    (entry, chunks.concat())
}

/// Opens what a range needs, and cuts the range out of it.
fn open_range(opener: &PartOpener, length: u64, sealed: &[u8], range: ByteRange) -> Result<Vec<u8>, Damaged> {
    let needed = sealed_range(range, length);
    let bytes = usize::try_from(needed.bytes.start).unwrap()..usize::try_from(needed.bytes.end).unwrap();
    let mut sealed = sealed.get(bytes).ok_or(Damaged)?.to_vec();
    let mut plaintext = Vec::new();
    for (index, chunk) in (needed.first_chunk..).zip(sealed.chunks_mut(SEALED_CHUNK_LEN)) {
        plaintext.extend_from_slice(opener.open_chunk(index, chunk)?);
    }
    plaintext.drain(..needed.skip);
    plaintext.truncate(usize::try_from(needed.take).unwrap());
    Ok(plaintext)
}

fn open_all(object: &UnlockedObject, entry: &PartEntry, sealed: &[u8]) -> Result<Vec<u8>, Damaged> {
    if sealed.len() as u64 != sealed_len(entry.length) {
        return Err(Damaged);
    }
    open_range(&object.part_opener(entry), entry.length, sealed, ByteRange { start: 0, end: entry.length })
}

#[test]
fn every_length_around_a_chunk_opens_again() {
    let object = unlocked();
    for length in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 2 * CHUNK_LEN, 3 * CHUNK_LEN + 7] {
        let plaintext = pattern(length);
        let (entry, sealed) = seal(object.part_sealer(PartNumber::ONE), &plaintext);
        assert_eq!(entry.length, length as u64);
        assert_eq!(sealed.len() as u64, sealed_len(entry.length));
        assert_eq!(open_all(&object, &entry, &sealed), Ok(plaintext), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_range_equals_the_slice(length in 0usize..4 * CHUNK_LEN, from: prop::sample::Index, to: prop::sample::Index) {
        let object = unlocked();
        let plaintext = pattern(length);
        let (entry, sealed) = seal(object.part_sealer(PartNumber::ONE), &plaintext);
        let (a, b) = (from.index(length + 1), to.index(length + 1));
        let (start, end) = (a.min(b), a.max(b));
        let range = ByteRange { start: start as u64, end: end as u64 };
        let opened = open_range(&object.part_opener(&entry), entry.length, &sealed, range);
        prop_assert_eq!(opened.as_deref(), Ok(&plaintext[start..end]));
    }

    #[test]
    fn a_changed_byte_anywhere_is_damage(at: prop::sample::Index, change in 1u8..=255) {
        let object = unlocked();
        let (entry, mut sealed) = seal(object.part_sealer(PartNumber::ONE), &pattern(CHUNK_LEN + 100));
        let at = at.index(sealed.len());
        sealed[at] ^= change;
        prop_assert_eq!(open_all(&object, &entry, &sealed), Err(Damaged));
    }
}

#[test]
fn a_swapped_part_does_not_open() {
    let object = unlocked();
    let (first, sealed_first) = seal(object.part_sealer(PartNumber::ONE), &pattern(100));
    let (second, sealed_second) = seal(object.part_sealer(PartNumber::new(2).unwrap()), &pattern(100));
    assert_eq!(open_all(&object, &first, &sealed_second), Err(Damaged));
    assert_eq!(open_all(&object, &second, &sealed_first), Err(Damaged));
    let renumbered = PartEntry { number: second.number, ..first.clone() };
    assert_eq!(open_all(&object, &renumbered, &sealed_first), Err(Damaged));
}

#[test]
fn an_earlier_attempt_at_the_same_part_does_not_open() {
    let object = unlocked();
    let (_, earlier) = seal(object.part_sealer(PartNumber::ONE), &pattern(100));
    let (entry, later) = seal(object.part_sealer(PartNumber::ONE), &pattern(100));
    assert_ne!(earlier, later);
    assert_eq!(open_all(&object, &entry, &earlier), Err(Damaged));
}

#[test]
fn a_part_of_another_object_does_not_open() {
    let (entry, sealed) = seal(unlocked().part_sealer(PartNumber::ONE), &pattern(100));
    assert_eq!(open_all(&unlocked(), &entry, &sealed), Err(Damaged));
}

#[test]
fn reordered_and_replayed_chunks_do_not_open() {
    let object = unlocked();
    let (entry, sealed) = seal(object.part_sealer(PartNumber::ONE), &pattern(3 * CHUNK_LEN));
    let opener = object.part_opener(&entry);
    let chunks: Vec<_> = sealed.chunks(SEALED_CHUNK_LEN).collect();
    for (index, chunk) in (0u32..3).flat_map(|index| chunks.iter().enumerate().map(move |(from, c)| (index, (from, c))))
    {
        let opened = opener.open_chunk(index, &mut chunk.1.to_vec()).is_ok();
        assert_eq!(opened, index as usize == chunk.0, "chunk {} at {index}", chunk.0);
    }
}

#[test]
fn a_part_truncated_at_a_chunk_does_not_open_even_with_its_length_changed() {
    let object = unlocked();
    let (entry, sealed) = seal(object.part_sealer(PartNumber::ONE), &pattern(3 * CHUNK_LEN));
    let cut = &sealed[..2 * SEALED_CHUNK_LEN];
    assert_eq!(open_all(&object, &entry, cut), Err(Damaged));
    let shortened = PartEntry { length: 2 * CHUNK_LEN as u64, ..entry };
    assert_eq!(open_all(&object, &shortened, cut), Err(Damaged));
}

#[test]
fn a_part_emptied_by_an_attacker_does_not_open() {
    let object = unlocked();
    let (entry, sealed) = seal(object.part_sealer(PartNumber::ONE), &pattern(100));
    let emptied = PartEntry { length: 0, ..entry };
    assert_eq!(open_all(&object, &emptied, &sealed[..TAG_LEN]), Err(Damaged));
    assert_eq!(open_all(&object, &emptied, &sealed[100..]), Err(Damaged));
}

#[test]
fn an_extended_part_does_not_open() {
    let object = unlocked();
    let (entry, sealed) = seal(object.part_sealer(PartNumber::ONE), &pattern(CHUNK_LEN));
    let (_, more) = seal(object.part_sealer(PartNumber::ONE), &pattern(CHUNK_LEN));
    let extended = [sealed, more].concat();
    assert_eq!(open_all(&object, &entry, &extended), Err(Damaged));
    let lengthened = PartEntry { length: 2 * CHUNK_LEN as u64, ..entry };
    assert_eq!(open_all(&object, &lengthened, &extended), Err(Damaged));
}

#[test]
fn any_other_length_of_the_last_chunk_does_not_open() {
    let object = unlocked();
    let (entry, sealed) = seal(object.part_sealer(PartNumber::ONE), &pattern(40));
    for length in (0..80).filter(|length| *length != 40) {
        let changed = PartEntry { length, ..entry.clone() };
        let opener = object.part_opener(&changed);
        let mut bytes = [sealed.as_slice(), &[0; 40]].concat();
        bytes.truncate(usize::try_from(sealed_len(length)).unwrap());
        assert_eq!(opener.open_chunk(0, &mut bytes).err(), Some(Damaged), "{length}");
        assert_eq!(opener.open_chunk(0, &mut sealed.clone()).err(), Some(Damaged), "{length}");
    }
}

#[test]
fn a_damaged_chunk_leaves_no_plaintext_behind() {
    let object = unlocked();
    let plaintext = pattern(1000);
    let (entry, mut sealed) = seal(object.part_sealer(PartNumber::ONE), &plaintext);
    *sealed.last_mut().unwrap() ^= 1;
    assert_eq!(object.part_opener(&entry).open_chunk(0, &mut sealed).err(), Some(Damaged));
    assert!(!sealed.windows(16).any(|window| window == &plaintext[100..116]));
}

#[test]
fn chunks_behind_the_end_are_refused_whatever_length_the_entry_claims() {
    let object = unlocked();
    let (entry, sealed) = seal(object.part_sealer(PartNumber::ONE), &pattern(100));
    for (length, index) in [(100, 1), (100, u32::MAX), (0, 1), (u64::MAX, 0), (u64::MAX, u32::MAX), (PART_LEN_MAX, 0)] {
        let opener = object.part_opener(&PartEntry { length, ..entry.clone() });
        assert_eq!(opener.open_chunk(index, &mut sealed.clone()).err(), Some(Damaged), "{length} {index}");
        assert_eq!(opener.open_chunk(index, &mut []).err(), Some(Damaged), "{length} {index}");
    }
}

#[test]
fn a_short_chunk_in_the_middle_is_refused_and_changes_nothing() {
    let object = unlocked();
    let mut sealer = object.part_sealer(PartNumber::ONE);
    for length in [0, 1, CHUNK_LEN - 1, CHUNK_LEN + 1] {
        let mut chunk = pattern(length);
        assert_eq!(sealer.seal_chunk(&mut chunk), Err(SealError::ChunkLength { length }));
        assert_eq!(chunk, pattern(length));
    }
    let plaintext = pattern(2 * CHUNK_LEN);
    let (entry, sealed) = seal(sealer, &plaintext);
    assert_eq!(open_all(&object, &entry, &sealed), Ok(plaintext));
}

#[test]
fn a_last_chunk_that_is_too_long_or_needless_is_refused() {
    let sealer = unlocked().part_sealer(PartNumber::ONE);
    let too_long = SealError::ChunkLength { length: CHUNK_LEN + 1 };
    assert_eq!(sealer.finish(&mut pattern(CHUNK_LEN + 1)), Err(too_long));
    let mut sealer = unlocked().part_sealer(PartNumber::ONE);
    sealer.seal_chunk(&mut pattern(CHUNK_LEN)).unwrap();
    assert_eq!(sealer.finish(&mut Vec::new()), Err(SealError::ChunkLength { length: 0 }));
}

#[test]
fn the_counter_never_comes_round() {
    let mut sealer = unlocked().part_sealer(PartNumber::ONE);
    sealer.next = u64::from(u32::MAX) - 1;
    sealer.seal_chunk(&mut pattern(CHUNK_LEN)).unwrap();
    assert_eq!(sealer.seal_chunk(&mut pattern(CHUNK_LEN)), Err(SealError::PartTooLong));
    assert!(sealer.finish(&mut pattern(1)).is_ok());
}

#[test]
fn sealing_does_not_move_a_buffer_that_has_room_for_the_tag() {
    let mut sealer = unlocked().part_sealer(PartNumber::ONE);
    let mut chunk = Vec::with_capacity(SEALED_CHUNK_LEN);
    chunk.resize(CHUNK_LEN, 0);
    let before = chunk.as_ptr();
    sealer.seal_chunk(&mut chunk).unwrap();
    assert_eq!((chunk.as_ptr(), chunk.len(), chunk.capacity()), (before, SEALED_CHUNK_LEN, SEALED_CHUNK_LEN));
}
