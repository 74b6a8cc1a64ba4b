use super::*;
use crate::{DataKey, UnlockedObject, random_bytes};

fn entry(number: i64, length: u64) -> PartEntry {
    PartEntry { number: PartNumber::new(number).unwrap(), length, salt: random_bytes() }
}

fn entries() -> Vec<PartEntry> {
    vec![entry(1, 5 << 20), entry(2, 5 << 20), entry(10, 7)]
}

fn verified(object: &UnlockedObject, entries: Vec<PartEntry>, tag: ManifestTag) -> Result<(), Damaged> {
    object.verify_manifest(&Manifest::new(entries, Some(tag)).unwrap())
}

#[test]
fn a_manifest_opens_again_and_knows_its_length() {
    let object = UnlockedObject::new(DataKey::generate());
    for tag in [Some(object.manifest_tag(&entries())), None] {
        let manifest = Manifest::new(entries(), tag).unwrap();
        let decoded = Manifest::decode(&manifest.encode()).unwrap();
        assert_eq!(decoded, manifest);
        assert_eq!(decoded.total_len(), (10 << 20) + 7);
    }
}

#[test]
fn a_dropped_reordered_changed_or_added_part_is_refused() {
    let object = UnlockedObject::new(DataKey::generate());
    let whole = entries();
    let tag = object.manifest_tag(&whole);
    assert_eq!(verified(&object, whole.clone(), tag), Ok(()));

    let dropped = whole[..2].to_vec();
    let added = [whole.clone(), vec![entry(11, 1)]].concat();
    let mut exchanged = whole.clone();
    exchanged[0] = PartEntry { number: whole[0].number, ..whole[1].clone() };
    exchanged[1] = PartEntry { number: whole[1].number, ..whole[0].clone() };
    let mut shorter = whole.clone();
    shorter[2].length -= 1;
    for changed in [dropped, added, exchanged, shorter] {
        assert_eq!(verified(&object, changed, tag), Err(Damaged));
    }
}

#[test]
fn the_manifest_of_another_object_is_refused() {
    let tag = UnlockedObject::new(DataKey::generate()).manifest_tag(&entries());
    assert_eq!(verified(&UnlockedObject::new(DataKey::generate()), entries(), tag), Err(Damaged));
}

#[test]
fn a_flipped_bit_at_any_byte_is_refused() {
    let object = UnlockedObject::new(DataKey::generate());
    let whole = entries();
    let tag = object.manifest_tag(&whole);
    let encoded = Manifest::new(whole, Some(tag)).unwrap().encode();
    for (at, bit) in (0..encoded.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut flipped = encoded.clone();
        flipped[at] ^= 1 << bit;
        let result = Manifest::decode(&flipped).and_then(|manifest| object.verify_manifest(&manifest));
        assert_eq!(result, Err(Damaged), "byte {at}, bit {bit}");
    }
}

#[test]
fn a_cut_or_extended_manifest_is_refused() {
    let encoded = Manifest::new(entries(), None).unwrap().encode();
    for length in 0..encoded.len() {
        assert_eq!(Manifest::decode(&encoded[..length]), Err(Damaged), "{length}");
    }
    assert_eq!(Manifest::decode(&[encoded.as_slice(), &[0]].concat()), Err(Damaged));
}

#[test]
fn parts_that_make_no_object_are_refused() {
    let numbers = |numbers: &[i64]| numbers.iter().map(|n| entry(*n, 1)).collect::<Vec<_>>();
    let too_many = vec![entry(1, 1); 10_001];
    for list in [vec![], numbers(&[2, 1]), numbers(&[1, 1]), vec![entry(1, PART_LEN_MAX + 1)], too_many] {
        assert_eq!(Manifest::new(list, None), Err(InvalidPartList));
    }
}

#[test]
fn the_longest_list_of_the_longest_parts_has_a_length() {
    let list: Vec<_> = (1..=10_000).map(|n| entry(n, PART_LEN_MAX)).collect();
    let manifest = Manifest::new(list, None).unwrap();
    assert_eq!(manifest.total_len(), 10_000 * PART_LEN_MAX);
    assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
}
