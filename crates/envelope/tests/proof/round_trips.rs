//! What is sealed opens again, whatever it is and however it is cut; and what was changed in any bit does not.

use std::sync::Arc;

use envelope::{
    CHUNK_LEN, CustomerKey, DataKey, KeyEncryptionKey, KeyId, KeyVersion, KeyringKeys, Manifest, ManifestTag,
    PartEntry, RECORD_TAG_LEN, RecordPlace, RootKey, StoreKey, UnlockedObject, WrappedDataKey, sealed_len,
};
use model::ByteRange;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::Index;
use zeroize::Zeroizing;

use crate::support::{Keys, MODES, Name, Stored, open_range, part_number, pattern, seal_part};

/// Lengths around the edges of chunks as often as any others.
fn length() -> impl Strategy<Value = usize> {
    let edge = (0usize..4, -2isize..=2)
        .prop_map(|(chunks, off)| usize::try_from((chunks * CHUNK_LEN).cast_signed() + off).unwrap_or_default());
    prop_oneof![0usize..300, edge, 0..3 * CHUNK_LEN]
}

fn secret() -> impl Strategy<Value = Zeroizing<[u8; 32]>> {
    any::<[u8; 32]>().prop_map(Zeroizing::new)
}

fn entries() -> impl Strategy<Value = Vec<PartEntry>> {
    let lengths_and_salts = vec((0..=envelope::PART_LEN_MAX, any::<[u8; 16]>()), 40);
    (btree_set(1i64..=10_000, 1..40), lengths_and_salts).prop_map(|(numbers, rest)| {
        let entry = |(number, (length, salt))| PartEntry { number: part_number(number), length, salt };
        numbers.into_iter().zip(rest).map(entry).collect()
    })
}

fn flipped(bytes: &[u8], bit: Index) -> Vec<u8> {
    let bit = bit.index(bytes.len() * 8);
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_split_of_a_part_opens_to_the_same_bytes(
        length in length(), cuts in vec(any::<Index>(), 0..12), number in 1i64..=10_000,
    ) {
        let object = UnlockedObject::new(DataKey::generate());
        let plaintext = pattern(length, 1);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).chain([0, length]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &plaintext[pair[0]..pair[1]]).collect();
        let (entry, sealed) = seal_part(object.part_sealer(part_number(number)), &pieces);
        prop_assert_eq!((entry.number, entry.length), (part_number(number), length as u64));
        prop_assert_eq!(sealed.len() as u64, sealed_len(entry.length));
        let whole = ByteRange { start: 0, end: entry.length };
        prop_assert!(open_range(&object, &entry, &sealed, whole).unwrap() == plaintext);
    }

    #[test]
    fn any_range_of_an_object_of_any_parts_equals_the_slice(
        lengths in vec(length(), 1..4), ends in (any::<Index>(), any::<Index>()), mode in 0usize..3,
    ) {
        let (keys, name) = (Keys::new(1), Name::new(1, "object", 1));
        let parts: Vec<_> = (0u8..).zip(&lengths).map(|(seed, length)| pattern(*length, seed)).collect();
        let stored = Stored::new(&keys, MODES[mode], &name, &parts);
        let whole = parts.concat();
        let (one, other) = (ends.0.index(whole.len() + 1), ends.1.index(whole.len() + 1));
        let (start, end) = (one.min(other), one.max(other));
        let read = stored.read_range(&keys, &name, ByteRange { start: start as u64, end: end as u64 }).unwrap();
        prop_assert!(read == whole[start..end], "{start}..{end} of {lengths:?}");
        let behind = ByteRange { start: start as u64, end: u64::MAX };
        prop_assert!(stored.read_range(&keys, &name, behind).unwrap() == whole[start..]);
    }

    #[test]
    fn a_flipped_bit_of_any_chunk_is_refused_by_every_range_that_touches_it(length in 1..3 * CHUNK_LEN, bit: Index) {
        let object = UnlockedObject::new(DataKey::generate());
        let (entry, sealed) = seal_part(object.part_sealer(part_number(1)), &[pattern(length, 1)]);
        let changed = flipped(&sealed, bit);
        let at = (0..sealed.len()).find(|at| sealed[*at] != changed[*at]).unwrap();
        let chunk = (at / envelope::SEALED_CHUNK_LEN * CHUNK_LEN) as u64;
        let chunk_end = entry.length.min(chunk + CHUNK_LEN as u64);
        for (start, end) in [(0, entry.length), (chunk, chunk + 1), (chunk_end - 1, chunk_end)] {
            let range = ByteRange { start, end };
            prop_assert!(open_range(&object, &entry, &changed, range).is_err());
        }
        for (start, end) in [(0, chunk), (chunk_end, entry.length)].into_iter().filter(|(start, end)| start < end) {
            let range = ByteRange { start, end };
            prop_assert!(open_range(&object, &entry, &changed, range).is_ok());
        }
    }

    #[test]
    fn any_flipped_bit_of_a_stored_object_is_refused(
        lengths in vec(0usize..2_000, 1..4), mode in 0usize..3, field: Index, bit: Index,
    ) {
        let (keys, name) = (Keys::new(1), Name::new(1, "object", 1));
        let parts: Vec<_> = (0u8..).zip(&lengths).map(|(seed, length)| pattern(*length, seed)).collect();
        let mut stored = Stored::new(&keys, MODES[mode], &name, &parts);
        let mut fields = stored.fields();
        let field = field.index(fields.len());
        *fields[field] = flipped(fields[field], bit);
        prop_assert!(stored.read(&keys, &name).is_err());
    }
}

proptest! {
    #[test]
    fn any_wrap_opens_for_its_holder_and_its_object_and_says_who_holds_it(
        mode in 0usize..3, seed: u8, bucket: u8, version: u8, object in "[a-zäß/]{1,40}", bit: Index,
    ) {
        let (keys, name) = (Keys::new(seed), Name::new(bucket, &object, version));
        let data_key = DataKey::generate();
        let wrapped = keys.wrap(MODES[mode], &data_key, &name.identity());
        let encoded = wrapped.encode();
        prop_assert_eq!(encoded.len(), WrappedDataKey::ENCODED_LEN);
        prop_assert_eq!(&WrappedDataKey::decode(&encoded).unwrap(), &wrapped);
        // A data key shows nothing of itself but what it opens.
        let sealed = UnlockedObject::new(data_key).seal_metadata(b"proof");
        let unlocked = keys.unlock(&wrapped, &name.identity()).ok().unwrap();
        prop_assert!(unlocked.open_metadata(&sealed).unwrap().as_slice() == b"proof");
        let refused = WrappedDataKey::decode(&flipped(&encoded, bit))
            .map_or(true, |wrapped| keys.unlock(&wrapped, &name.identity()).is_err());
        prop_assert!(refused);
    }

    #[test]
    fn any_manifest_survives_its_encoding_and_proves_its_list(entries in entries(), bit: Index) {
        let object = UnlockedObject::new(DataKey::generate());
        let tag: ManifestTag = object.manifest_tag(&entries);
        let total: u64 = entries.iter().map(|entry| entry.length).sum();
        for tag in [Some(tag), None] {
            let manifest = Manifest::new(entries.clone(), tag).unwrap();
            let encoded = manifest.encode();
            prop_assert_eq!(encoded.len(), 4 + 26 * entries.len() + tag.map_or(0, |_| 32));
            let decoded = Manifest::decode(&encoded).unwrap();
            prop_assert_eq!(decoded.total_len(), total);
            prop_assert!(object.verify_manifest(&decoded).is_ok());
            if tag.is_some() {
                let changed = Manifest::decode(&flipped(&encoded, bit));
                prop_assert!(changed.and_then(|manifest| object.verify_manifest(&manifest)).is_err());
            }
        }
    }

    #[test]
    fn any_record_is_true_in_its_own_place_only(
        scope: [u8; 16], partition in vec(any::<u8>(), 0..40), table: u8, suffix in vec(any::<u8>(), 0..20),
        payload in vec(any::<u8>(), 0..200), bit: Index, moved in 1usize..20,
    ) {
        let authenticator = StoreKey::generate().authenticator();
        let place = RecordPlace { scope: &scope, partition: &partition, table, suffix: &suffix };
        let record = authenticator.protect(&place, payload.clone());
        prop_assert_eq!(record.len(), payload.len() + RECORD_TAG_LEN);
        prop_assert_eq!(authenticator.check(&place, &record).unwrap(), payload.as_slice());
        prop_assert!(authenticator.check(&place, &flipped(&record, bit)).is_err());
        // The same bytes behind each other, cut elsewhere between partition, suffix and payload.
        let joined = [partition.as_slice(), &suffix].concat();
        let (other_partition, other_suffix) = joined.split_at((partition.len() + moved) % (joined.len() + 1));
        let other = RecordPlace { partition: other_partition, suffix: other_suffix, ..place };
        prop_assert_eq!(authenticator.check(&other, &record).is_ok(), other == place);
        let into_suffix = [suffix.as_slice(), &payload].concat();
        let other = RecordPlace { suffix: &into_suffix, ..place };
        prop_assert_eq!(authenticator.check(&other, &record[payload.len()..]).is_ok(), payload.is_empty());
    }

    #[test]
    fn any_secret_opens_in_its_context_only(
        context in vec(any::<u8>(), 0..40), other in vec(any::<u8>(), 0..40), secret in vec(any::<u8>(), 0..200),
        bit: Index,
    ) {
        let sealer = StoreKey::generate().secret_sealer();
        let sealed = sealer.seal(&context, &secret);
        prop_assert!(*sealer.open(&context, &sealed).unwrap() == secret);
        prop_assert_eq!(sealer.open(&other, &sealed).is_ok(), other == context);
        prop_assert!(sealer.open(&context, &flipped(&sealed, bit)).is_err());
    }

    #[test]
    fn any_digest_opens_with_its_id_only(
        scope: [u8; 16], unique: [u8; 16], digest: [u8; 16], bit: Index, id_bit: Index,
    ) {
        let sealer = StoreKey::generate().digest_sealer(&scope);
        let sealed = sealer.seal(&unique, digest);
        prop_assert_eq!(sealer.open(&unique, &sealed), Ok(digest));
        let changed: [u8; 32] = flipped(&sealed, bit).try_into().unwrap();
        prop_assert!(sealer.open(&unique, &changed).is_err());
        let other: [u8; 16] = flipped(&unique, id_bit).try_into().unwrap();
        prop_assert!(sealer.open(&other, &sealed).is_err());
    }

    #[test]
    fn any_metadata_open_under_their_data_key_only(plaintext in vec(any::<u8>(), 0..2_000), bit: Index) {
        let object = UnlockedObject::new(DataKey::generate());
        let sealed = object.seal_metadata(&plaintext);
        prop_assert!(*object.open_metadata(&sealed).unwrap() == plaintext);
        prop_assert!(object.open_metadata(&flipped(&sealed, bit)).is_err());
        prop_assert!(UnlockedObject::new(DataKey::generate()).open_metadata(&sealed).is_err());
    }

    #[test]
    fn a_root_key_survives_its_file_and_opens_what_it_sealed(bytes in secret()) {
        let root_key = RootKey::new(bytes);
        let read = RootKey::from_file_text(&root_key.to_file_text()).ok().unwrap();
        prop_assert!(read.open_keyring(&root_key.seal_keyring(&KeyringKeys::generate())).is_ok());
    }

    #[test]
    fn a_keyring_opens_again_with_all_its_keys(
        root in secret(), store in secret(), ids in btree_set(any::<[u8; 16]>(), 1..6), bit: Index,
    ) {
        let name = Name::new(1, "object", 1);
        let version = |id: [u8; 16]| {
            let key = KeyEncryptionKey::new(KeyId::from_bytes(id), Zeroizing::new([id[0]; 32]));
            KeyVersion { key, created: None }
        };
        let mut keys: Vec<_> = ids.into_iter().map(version).collect();
        let wrap = |version: &KeyVersion| version.key.wrap(&DataKey::generate(), &name.identity());
        let wraps: Vec<_> = keys.iter().map(wrap).collect();
        let record = StoreKey::new(store.clone()).authenticator().protect(&PLACE, Vec::new());
        let current = keys.remove(0);
        let keyring = KeyringKeys::new(Arc::new(StoreKey::new(store)), current, keys);
        let file = RootKey::new(root.clone()).seal_keyring(&keyring);
        let opened = RootKey::new(root.clone()).open_keyring(&file).ok().unwrap();
        prop_assert!(opened.store_key.authenticator().check(&PLACE, &record).is_ok());
        for wrapped in &wraps {
            let envelope::KeyHolder::Keyring(id) = wrapped.holder() else { panic!("the keyring's") };
            prop_assert!(opened.versions().find(id).unwrap().unwrap(wrapped, &name.identity()).is_ok());
        }
        prop_assert!(RootKey::new(root).open_keyring(&flipped(&file, bit)).is_err());
    }

    #[test]
    fn any_sealed_key_opens_under_its_sealer_its_name_and_its_context_only(
        context in vec(any::<u8>(), 0..40), other in vec(any::<u8>(), 0..40), bit: Index,
    ) {
        let (sealer, inner) = (KeyEncryptionKey::generate(), KeyEncryptionKey::generate());
        let sealed = sealer.seal_key(&inner, &context);
        prop_assert_eq!(KeyEncryptionKey::sealer_of(&sealed), Ok(sealer.id()));
        prop_assert!(sealer.open_key(inner.id(), &sealed, &context).ok().unwrap().expose() == inner.expose());
        prop_assert_eq!(sealer.open_key(inner.id(), &sealed, &other).is_ok(), other == context);
        prop_assert!(sealer.open_key(sealer.id(), &sealed, &context).is_err());
        prop_assert!(inner.open_key(inner.id(), &sealed, &context).is_err());
        prop_assert!(sealer.open_key(inner.id(), &flipped(&sealed, bit), &context).is_err());
    }

    #[test]
    fn a_customer_key_is_all_of_its_bits(bytes in secret(), bit: Index) {
        let name = Name::new(1, "object", 1);
        let wrapped = CustomerKey::new(bytes.clone()).wrap(&DataKey::generate(), &name.identity());
        let other: [u8; 32] = flipped(bytes.as_slice(), bit).try_into().unwrap();
        prop_assert!(CustomerKey::new(Zeroizing::new(other)).unwrap(&wrapped, &name.identity()).is_err());
    }
}

const PLACE: RecordPlace<'_> = RecordPlace { scope: &[1; 16], partition: b"bucket", table: 1, suffix: b"" };
