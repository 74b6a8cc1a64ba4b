//! What somebody who can write to the disk, and has no key, can do to an object; each attack by its name, in each mode.
//!
//! Here the frame of records is left out on purpose: the envelope has to stand without the store key. What it cannot
//! find alone is told as such, and what the frame adds is shown by the twin of this file in the operations.

use envelope::{
    CHUNK_LEN, CustomerKey, Damaged, DataKey, KeyEncryptionKey, KeyId, Manifest, RecordPlace, SEALED_CHUNK_LEN,
    StoreKey, TAG_LEN, UnlockedObject, WrappedDataKey,
};
use model::PartNumber;
use zeroize::Zeroizing;

use crate::support::{Keys, METADATA, MODES, Mode, Name, Refused, Stored, context, pattern, seal_part};

/// Two parts, the first of three chunks.
fn parts(seed: u8) -> Vec<Vec<u8>> {
    vec![pattern(2 * CHUNK_LEN + 100, seed), pattern(2 * CHUNK_LEN + 100, seed + 1)]
}

fn name() -> Name {
    Name::new(1, "reports/2026", 1)
}

/// The same object in each mode, whole and readable.
fn in_each_mode(test: impl Fn(Mode, &Keys, &Stored)) {
    for mode in MODES {
        let keys = Keys::new(1);
        let stored = Stored::new(&keys, mode, &name(), &parts(1));
        assert_eq!(stored.read(&keys, &name()), Ok(parts(1).concat()), "{mode:?}");
        test(mode, &keys, &stored);
    }
}

#[test]
fn the_wrong_key_is_refused_as_such() {
    in_each_mode(|mode, keys, stored| {
        // Other bytes under the same names.
        assert_eq!(stored.read(&Keys::new(2), &name()), Err(Refused::WrongKey), "{mode:?}");
        let other_context = Keys { context: context("project", "b"), ..Keys::new(1) };
        let expected = if mode == Mode::SseKms { Err(Refused::WrongKey) } else { Ok(parts(1).concat()) };
        assert_eq!(stored.read(&other_context, &name()), expected, "{mode:?}");
        assert!(stored.read(keys, &name()).is_ok());
    });
}

#[test]
fn a_swapped_object_is_refused() {
    in_each_mode(|mode, keys, stored| {
        let other_name = Name::new(1, "reports/2025", 1);
        let other = Stored::new(keys, mode, &other_name, &parts(1));
        assert_eq!(stored.read(keys, &other_name), Err(Refused::WrongKey), "{mode:?}");
        assert_eq!(other.read(keys, &name()), Err(Refused::WrongKey), "{mode:?}");
        // The same object of another bucket, or of another life of this one.
        assert_eq!(stored.read(keys, &Name::new(2, "reports/2026", 1)), Err(Refused::WrongKey), "{mode:?}");
    });
}

#[test]
fn a_swapped_version_is_refused() {
    in_each_mode(|mode, keys, stored| {
        let newer_name = Name::new(1, "reports/2026", 2);
        let newer = Stored::new(keys, mode, &newer_name, &parts(1));
        assert_eq!(stored.read(keys, &newer_name), Err(Refused::WrongKey), "{mode:?}");
        assert_eq!(newer.read(keys, &name()), Err(Refused::WrongKey), "{mode:?}");
    });
}

#[test]
fn a_swapped_part_is_refused() {
    in_each_mode(|mode, keys, stored| {
        // The same number in another object that the same key opens, of the same length.
        let other = Stored::new(keys, mode, &name(), &parts(1));
        let mut swapped = stored.clone();
        swapped.parts[1].clone_from(&other.parts[1]);
        assert_eq!(swapped.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
        // With its entry, too.
        let entries = vec![stored.entries()[0].clone(), other.entries()[1].clone()];
        swapped.list_with_the_old_tag(entries.clone());
        assert_eq!(swapped.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
        swapped.list_without_tag(entries);
        assert_eq!(swapped.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
    });
}

#[test]
fn reordered_chunks_are_refused() {
    in_each_mode(|mode, keys, stored| {
        let chunks: Vec<_> = stored.parts[0].chunks(SEALED_CHUNK_LEN).map(<[u8]>::to_vec).collect();
        let full = [&chunks[0], &chunks[1]];
        for order in [[1, 0], [0, 0], [1, 1]] {
            let mut reordered = stored.clone();
            reordered.parts[0] = [full[order[0]].as_slice(), full[order[1]], &chunks[2]].concat();
            assert_eq!(reordered.read(keys, &name()), Err(Refused::Damaged), "{mode:?}, {order:?}");
        }
        // From the same place of the other part.
        let mut reordered = stored.clone();
        let (first, second) = reordered.parts.split_at_mut(1);
        first[0][..SEALED_CHUNK_LEN].swap_with_slice(&mut second[0][..SEALED_CHUNK_LEN]);
        assert_eq!(reordered.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
    });
}

#[test]
fn reordered_parts_are_refused_even_without_the_tag_of_their_list() {
    in_each_mode(|mode, keys, stored| {
        let mut reordered = stored.clone();
        reordered.parts.swap(0, 1);
        assert_eq!(reordered.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
        // Each entry with its bytes, under the number of the other: numbers rise, so there is no other way to swap.
        let mut entries = stored.entries();
        entries.swap(0, 1);
        let (first, second) = (entries[1].number, entries[0].number);
        (entries[0].number, entries[1].number) = (first, second);
        reordered.list_with_the_old_tag(entries.clone());
        assert_eq!(reordered.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
        reordered.list_without_tag(entries);
        assert_eq!(reordered.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
    });
}

#[test]
fn a_truncated_object_is_refused() {
    in_each_mode(|mode, keys, stored| {
        let whole = stored.parts[1].len();
        for length in [0, 1, SEALED_CHUNK_LEN, 2 * SEALED_CHUNK_LEN, whole - 1] {
            let mut truncated = stored.clone();
            truncated.parts[1].truncate(length);
            assert_eq!(truncated.read(keys, &name()), Err(Refused::Damaged), "{mode:?}, {length} bytes");
            // With a length in its entry that fits.
            let mut entries = stored.entries();
            let tags = TAG_LEN * length.div_ceil(SEALED_CHUNK_LEN).max(1);
            entries[1].length = length.saturating_sub(tags) as u64;
            truncated.list_without_tag(entries);
            assert_eq!(truncated.read(keys, &name()), Err(Refused::Damaged), "{mode:?}, {length} bytes");
        }
        let mut without_the_last_part = stored.clone();
        without_the_last_part.parts.pop();
        without_the_last_part.list_with_the_old_tag(stored.entries()[..1].to_vec());
        assert_eq!(without_the_last_part.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
    });
}

#[test]
fn an_extended_object_is_refused() {
    in_each_mode(|mode, keys, stored| {
        let last_chunk = stored.parts[0][2 * SEALED_CHUNK_LEN..].to_vec();
        for more in [vec![0], last_chunk, stored.parts[0][..SEALED_CHUNK_LEN].to_vec()] {
            let mut extended = stored.clone();
            extended.parts[0].extend_from_slice(&more);
            assert_eq!(extended.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
            let mut entries = stored.entries();
            entries[0].length += (more.len() - TAG_LEN * (more.len() / SEALED_CHUNK_LEN)) as u64;
            extended.list_without_tag(entries);
            assert_eq!(extended.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
        }
        // A part of another object behind the last one.
        let other = Stored::new(keys, mode, &name(), &[pattern(9, 1), pattern(9, 2), pattern(9, 3)]);
        let mut extended = stored.clone();
        extended.parts.push(other.parts[2].clone());
        let entries = [stored.entries(), other.entries()[2..].to_vec()].concat();
        extended.list_with_the_old_tag(entries.clone());
        assert_eq!(extended.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
        extended.list_without_tag(entries);
        assert_eq!(extended.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
    });
}

#[test]
fn a_replayed_attempt_at_a_part_is_refused() {
    for mode in MODES {
        let keys = Keys::new(1);
        let data_key = DataKey::generate();
        let wrapped = keys.wrap(mode, &data_key, &name().identity()).encode();
        let object = UnlockedObject::new(data_key);
        let (_, earlier) = seal_part(object.part_sealer(PartNumber::ONE), &[b"an earlier attempt"]);
        let (entry, later) = seal_part(object.part_sealer(PartNumber::ONE), &[b"the later attempt."]);
        let tag = object.manifest_tag(std::slice::from_ref(&entry));
        let manifest = Manifest::new(vec![entry], Some(tag)).unwrap().encode();
        let metadata = object.seal_metadata(METADATA);
        let mut stored = Stored { wrapped, metadata, manifest, parts: vec![later] };
        assert_eq!(stored.read(&keys, &name()), Ok(b"the later attempt.".to_vec()), "{mode:?}");
        stored.parts[0] = earlier;
        assert_eq!(stored.read(&keys, &name()), Err(Refused::Damaged), "{mode:?}");
    }
}

/// What the envelope does not find: a state of this very version that was true once, put back as a whole. An object
/// that was overwritten has another version, whose id stands in the record; who puts the record back puts it back too.
#[test]
fn a_replayed_state_of_the_same_version_is_not_found_and_opens_under_the_key_of_its_time_only() {
    in_each_mode(|mode, keys, stored| {
        let wrapped = WrappedDataKey::decode(&stored.wrapped).unwrap();
        let data_key = match mode {
            Mode::SseC => keys.customer.unwrap(&wrapped, &name().identity()),
            Mode::SseS3 => keys.keyring.unwrap(&wrapped, &name().identity()),
            Mode::SseKms => keys.kms.unwrap_for_kms(&wrapped, &name().identity(), keys.context),
        };
        let new_keys = Keys::new(2);
        let rewrapped = new_keys.wrap(mode, &data_key.ok().unwrap(), &name().identity()).encode();
        let now = Stored { wrapped: rewrapped, ..stored.clone() };
        assert_eq!(now.read(&new_keys, &name()), Ok(parts(1).concat()), "{mode:?}");
        assert_eq!(now.read(keys, &name()), Err(Refused::WrongKey), "{mode:?}");
        let replayed = Stored { wrapped: stored.wrapped.clone(), ..now };
        assert_eq!(replayed.read(keys, &name()), Ok(parts(1).concat()), "{mode:?}");
        assert_eq!(replayed.read(&new_keys, &name()), Err(Refused::WrongKey), "{mode:?}");
    });
}

#[test]
fn a_wrap_moved_to_another_object_is_refused() {
    in_each_mode(|mode, keys, stored| {
        let other_name = Name::new(1, "reports/2025", 1);
        let mut other = Stored::new(keys, mode, &other_name, &parts(1));
        other.wrapped.clone_from(&stored.wrapped);
        assert_eq!(other.read(keys, &other_name), Err(Refused::WrongKey), "{mode:?}");
        // Between two states of one name, it opens, and then nothing else does.
        let mut twin = Stored::new(keys, mode, &name(), &parts(1));
        twin.wrapped.clone_from(&stored.wrapped);
        assert_eq!(twin.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
    });
}

#[test]
fn metadata_moved_to_another_object_are_refused() {
    in_each_mode(|mode, keys, stored| {
        let mut twin = Stored::new(keys, mode, &name(), &parts(1));
        twin.metadata.clone_from(&stored.metadata);
        assert_eq!(twin.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
    });
}

#[test]
fn a_record_moved_to_another_place_is_refused() {
    let authenticator = StoreKey::new(Zeroizing::new([3; 32])).authenticator();
    let places: Vec<_> = [[1; 16], [2; 16]]
        .iter()
        .flat_map(|scope| [b"reports/2026".as_slice(), b"reports/2025"].map(|partition| (scope, partition)))
        .flat_map(|(scope, partition)| [16, 17].map(|table| (scope, partition, table)))
        .flat_map(|(scope, partition, table)| {
            [b"".as_slice(), &[1; 16], &[2; 16]].map(|suffix| RecordPlace { scope, partition, table, suffix })
        })
        .collect();
    for from in &places {
        let record = authenticator.protect(from, b"payload".to_vec());
        for to in &places {
            let expected = if from == to { Ok(&b"payload"[..]) } else { Err(Damaged) };
            assert_eq!(authenticator.check(to, &record), expected, "{from:?} at {to:?}");
        }
    }
}

/// A list without a tag is true by the frame of its record alone. Whoever can forge that frame can leave parts out, or
/// put back earlier attempts at them, and nothing else: no part can be changed, moved, repeated, cut or brought from
/// elsewhere, as the tests above show.
#[test]
fn a_manifest_whose_tag_was_stripped_can_lose_parts_or_get_earlier_attempts_at_them_and_nothing_else() {
    in_each_mode(|mode, keys, stored| {
        let mut stripped = stored.clone();
        stripped.list_without_tag(stored.entries());
        assert_eq!(stripped.read(keys, &name()), Ok(parts(1).concat()), "{mode:?}");
        for left in 0..2 {
            let mut shortened = stripped.clone();
            shortened.parts = vec![stored.parts[left].clone()];
            shortened.list_without_tag(vec![stored.entries()[left].clone()]);
            assert_eq!(shortened.read(keys, &name()), Ok(parts(1)[left].clone()), "{mode:?}");
            shortened.manifest.clone_from(&stored.manifest);
            shortened.list_with_the_old_tag(vec![stored.entries()[left].clone()]);
            assert_eq!(shortened.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
        }
        let twice = [stored.entries()[0].clone(), stored.entries()[0].clone()];
        assert!(Manifest::new(twice.to_vec(), None).is_err());

        // An earlier attempt at a part was sealed under the same data key, and proves itself as well.
        let wrapped = WrappedDataKey::decode(&stored.wrapped).unwrap();
        let object = keys.unlock(&wrapped, &name().identity()).ok().unwrap();
        let (entry, earlier) = seal_part(object.part_sealer(PartNumber::ONE), &[b"an earlier attempt"]);
        let entries = vec![entry, stored.entries()[1].clone()];
        let mut exchanged = stored.clone();
        exchanged.parts[0] = earlier;
        exchanged.list_with_the_old_tag(entries.clone());
        assert_eq!(exchanged.read(keys, &name()), Err(Refused::Damaged), "{mode:?}");
        exchanged.list_without_tag(entries);
        let expected = [b"an earlier attempt".as_slice(), &parts(1)[1]].concat();
        assert_eq!(exchanged.read(keys, &name()), Ok(expected), "{mode:?}");
    });
}

#[test]
fn a_downgrade_of_the_holder_byte_is_refused() {
    // The worst case: one secret serves as every kind of key, under every name.
    let bytes = || Zeroizing::new([7; 32]);
    let with_id = |id| Keys {
        customer: CustomerKey::new(bytes()),
        keyring: KeyEncryptionKey::new(id, bytes()),
        kms: KeyEncryptionKey::new(id, bytes()),
        context: context("project", "a"),
    };
    for mode in MODES {
        let keys = with_id(KeyId::from_bytes([1; 16]));
        let stored = Stored::new(&keys, mode, &name(), &parts(1));
        for holder in 0..=u8::MAX {
            for id in [[0; 16], [1; 16]] {
                let mut downgraded = stored.clone();
                downgraded.wrapped[1] = holder;
                downgraded.wrapped[2..18].copy_from_slice(&id);
                let is_unchanged = downgraded == stored;
                let read = downgraded.read(&with_id(KeyId::from_bytes(id)), &name());
                assert_eq!(read.is_ok(), is_unchanged, "{mode:?} as {holder}, {id:?}");
            }
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    for mode in MODES {
        let keys = Keys::new(1);
        let small = vec![pattern(40, 1), pattern(3, 2), Vec::new()];
        let mut stored = Stored::new(&keys, mode, &name(), &small);
        assert_eq!(stored.read(&keys, &name()), Ok(small.concat()));
        for field in 0..stored.fields().len() {
            for bit in 0..stored.fields()[field].len() * 8 {
                stored.fields()[field][bit / 8] ^= 1 << (bit % 8);
                assert!(stored.read(&keys, &name()).is_err(), "{mode:?}: field {field}, bit {bit}");
                stored.fields()[field][bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}
