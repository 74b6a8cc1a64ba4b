//! Bytes that nobody wrote: every decoder refuses them, and none panics. The fuzz targets go on where this ends.

use envelope::{
    DataKey, KeyEncryptionKey, KeyId, Manifest, RecordPlace, RootKey, StoreKey, UnlockedObject, WrappedDataKey,
};
use model::ByteRange;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{Keys, MODES, Name, Stored, open_range, part_number, pattern};

/// Any bytes, half of them with the format byte that gets them further.
fn bytes(len_max: usize) -> impl Strategy<Value = Vec<u8>> {
    (vec(any::<u8>(), 0..len_max), any::<bool>()).prop_map(|(mut bytes, known)| {
        if let Some(format) = bytes.first_mut().filter(|_| known) {
            *format = 1;
        }
        bytes
    })
}

/// What was sealed, with bytes of it replaced, left out and put in.
fn spliced(whole: &[u8], from: Index, to: Index, with: &[u8]) -> Vec<u8> {
    let (one, other) = (from.index(whole.len() + 1), to.index(whole.len() + 1));
    let mut bytes = whole.to_vec();
    bytes.splice(one.min(other)..one.max(other), with.iter().copied());
    bytes
}

proptest! {
    #[test]
    fn no_bytes_are_a_wrap_that_opens(bytes in bytes(200), mut header in bytes(18)) {
        let (keys, name) = (Keys::new(1), Name::new(1, "object", 1));
        header.resize(2, 1);
        for bytes in [bytes.clone(), [header, bytes].concat()] {
            if let Ok(wrapped) = WrappedDataKey::decode(&bytes) {
                prop_assert_eq!(wrapped.encode(), bytes);
                prop_assert!(keys.unlock(&wrapped, &name.identity()).is_err());
            }
        }
    }

    #[test]
    fn no_bytes_are_a_manifest_but_those_that_encode_it(bytes in bytes(300), count in 0u16..12) {
        let sized = [&[1][..], &count.to_be_bytes(), &bytes].concat();
        for bytes in [bytes, sized] {
            if let Ok(manifest) = Manifest::decode(&bytes) {
                prop_assert!(!manifest.entries().is_empty());
                prop_assert_eq!(manifest.encode(), bytes);
            }
        }
    }

    #[test]
    fn no_bytes_are_anything_that_was_sealed(bytes in bytes(300), id: [u8; 16]) {
        let store_key = StoreKey::generate();
        let place = RecordPlace { scope: &id, partition: b"bucket", table: 1, suffix: b"" };
        prop_assert!(store_key.authenticator().check(&place, &bytes).is_err());
        prop_assert!(store_key.secret_sealer().open(b"context", &bytes).is_err());
        prop_assert!(UnlockedObject::new(DataKey::generate()).open_metadata(&bytes).is_err());
        prop_assert!(RootKey::generate().open_keyring(&bytes).is_err());
        let key = KeyEncryptionKey::generate();
        prop_assert!(key.open_key(KeyId::from_bytes(id), &bytes, b"context").is_err());
        prop_assert!(KeyEncryptionKey::sealer_of(&bytes).is_err() || bytes.len() > 100);
    }

    #[test]
    fn no_text_is_a_root_key(text in ".{0,80}", digits in "[A-Za-z0-9+/=]{40,52}") {
        prop_assert!(RootKey::from_file_text(&text).is_err());
        let line = ["canopic-root-key-v1:", &digits].concat();
        prop_assert!(RootKey::from_file_text(&line).is_err());
    }

    #[test]
    fn an_object_with_any_field_rewritten_gives_an_error_or_its_own_bytes(
        mode in 0usize..3, field: Index, from: Index, to: Index, with in vec(any::<u8>(), 0..80),
    ) {
        let (keys, name) = (Keys::new(1), Name::new(1, "object", 1));
        let parts = [pattern(70_000, 1), pattern(9, 2)];
        let whole = Stored::new(&keys, MODES[mode], &name, &parts);
        let mut stored = whole.clone();
        let mut fields = stored.fields();
        let field = field.index(fields.len());
        *fields[field] = spliced(fields[field], from, to, &with);
        match stored.read(&keys, &name) {
            Ok(bytes) => prop_assert!(stored == whole && bytes == parts.concat()),
            Err(_) => prop_assert!(stored != whole),
        }
    }

    #[test]
    fn any_range_of_any_length_that_an_entry_claims_is_refused_without_its_bytes(
        length: u64, start: u64, end: u64, sealed in vec(any::<u8>(), 0..100),
    ) {
        let object = UnlockedObject::new(DataKey::generate());
        let entry = envelope::PartEntry { number: part_number(1), length, salt: [1; 16] };
        let range = ByteRange { start: start.min(end), end: start.max(end) };
        // Only an empty range of what is not empty asks for no chunk.
        let opened = open_range(&object, &entry, &sealed, range);
        prop_assert!(opened.is_err() || opened.is_ok_and(|bytes| bytes.is_empty() && length > 0));
    }
}
