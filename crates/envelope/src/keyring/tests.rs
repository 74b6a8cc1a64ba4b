use super::*;
use crate::fixtures::secret;
use crate::keys::RootKey;
use crate::primitives::sha256;
use crate::{Damaged, TAG_LEN};

fn root_key(seed: u8) -> RootKey {
    RootKey::new(secret([seed; 32]))
}

fn id(text: &str) -> KmsKeyId {
    KmsKeyId::parse(text).unwrap()
}

const AT: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn named_key(state: NamedKeyState) -> NamedKey {
    NamedKey { state, created: AT, versions: KeyVersions::first(KeyVersion::generate(Some(AT))) }
}

/// Two versions of its own, and a named key in each state.
fn keyring() -> KeyringKeys {
    let states = [
        ("a", NamedKeyState::Enabled),
        ("b", NamedKeyState::Disabled),
        ("c", NamedKeyState::PendingDeletion(Timestamp::from_millis(7))),
    ];
    let keys = KeyringKeys::generate().rotated(KeyVersion::generate(Some(AT))).unwrap();
    states.into_iter().fold(keys, |keys, (name, state)| keys.with_named(id(name), named_key(state)).unwrap())
}

/// A file that only a holder of the root key can make, around any content.
fn sealed_content(content: &[u8]) -> Vec<u8> {
    let file = root_key(1).seal_keyring_salted([9; 32], &KeyringKeys::generate());
    let header = &file[..1 + 8 + 32 + 32];
    let (key, _) = crate::primitives::committed_key(root_key(1).0.expose(), &[9; 32], &[b"canopic/v2/keyring"]);
    let mut sealed = content.to_vec();
    key.seal(crate::primitives::ONLY_NONCE, header, &mut sealed);
    with_checksum([header, &sealed].concat())
}

fn with_checksum(mut whole: Vec<u8>) -> Vec<u8> {
    let checksum = sha256(&whole);
    whole.extend_from_slice(&checksum);
    whole
}

#[test]
fn a_keyring_opens_again_with_all_its_keys_states_and_times() {
    let keys = keyring();
    let opened = root_key(1).open_keyring(&root_key(1).seal_keyring(&keys)).ok().unwrap();
    assert!(opened.same_as(&keys));
    assert_eq!(opened.store_key.0.expose(), keys.store_key.0.expose());
    assert_eq!(opened.versions().current().created, Some(AT));
    for version in keys.versions().iter() {
        assert_eq!(opened.versions().find(version.key.id()).unwrap().expose(), version.key.expose());
    }
    assert!(opened.versions().find(KeyId::from_bytes([0; 16])).is_none());
    let states: Vec<_> = opened.all_named().map(|(id, key)| (id.as_str().to_owned(), key.state)).collect();
    let expected: Vec<_> = keys.all_named().map(|(id, key)| (id.as_str().to_owned(), key.state)).collect();
    assert_eq!(states, expected);
}

#[test]
fn a_change_leaves_the_keyring_it_began_with_as_it_was() {
    let before = keyring();
    let first = before.versions().current().key.id();
    let rotated = before.rotated(KeyVersion::generate(Some(AT))).unwrap();
    assert_eq!(before.versions().current().key.id(), first);
    assert_ne!(rotated.versions().current().key.id(), first);
    assert!(rotated.versions().find(first).is_some());
    let without = rotated.without_named(&id("a"));
    assert!(without.named(&id("a")).is_none() && rotated.named(&id("a")).is_some());
    assert!(!rotated.same_as(&before) && !without.same_as(&rotated));
}

#[test]
fn the_current_version_is_never_taken_away() {
    let keys = keyring();
    let ids: Vec<_> = keys.versions().iter().map(|version| version.key.id()).collect();
    let pruned = keys.without_retired(&ids);
    let left: Vec<_> = pruned.versions().iter().map(|version| version.key.id()).collect();
    assert_eq!(left, ids[..1]);
}

#[test]
fn another_root_key_is_told_apart_from_damage_and_both_are_named() {
    let file = root_key(1).seal_keyring(&keyring());
    let error = root_key(2).open_keyring(&file).err().unwrap();
    let (sealed_by, presented) = (root_key(1).id(), root_key(2).id());
    assert_eq!(error, OpenKeyringError::WrongRootKey { sealed_by: Some(sealed_by), presented });
    let told = error.to_string();
    assert!(told.contains(&sealed_by.to_string()) && told.contains(&presented.to_string()), "{told}");
}

#[test]
fn a_flipped_bit_at_any_byte_is_never_a_wrong_root_key() {
    let file = root_key(1).seal_keyring(&KeyringKeys::generate());
    for (at, bit) in (0..file.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut flipped = file.clone();
        flipped[at] ^= 1 << bit;
        let error = root_key(1).open_keyring(&flipped).err();
        match flipped[0] {
            1 | 2 => assert_eq!(error, Some(OpenKeyringError::Damaged(Damaged)), "byte {at}, bit {bit}"),
            format => assert_eq!(error, Some(OpenKeyringError::UnknownFormat(format))),
        }
    }
}

#[test]
fn a_forged_keyring_with_a_good_checksum_is_refused() {
    let file = root_key(1).seal_keyring(&KeyringKeys::generate());
    for at in 0..file.len() - 32 {
        let mut forged = file[..file.len() - 32].to_vec();
        forged[at] ^= 1;
        assert!(root_key(1).open_keyring(&with_checksum(forged)).is_err(), "byte {at}");
    }
}

#[test]
fn a_cut_or_extended_keyring_is_damage() {
    let file = root_key(1).seal_keyring(&KeyringKeys::generate());
    for length in 0..file.len() {
        let error = root_key(1).open_keyring(&file[..length]).err();
        assert_eq!(error, Some(OpenKeyringError::Damaged(Damaged)), "{length}");
    }
    let extended = [file.as_slice(), &[0]].concat();
    assert_eq!(root_key(1).open_keyring(&extended).err(), Some(OpenKeyringError::Damaged(Damaged)));
    let huge = with_checksum([&[2], vec![0; KEYRING_FILE_LEN_MAX].as_slice()].concat());
    assert_eq!(root_key(1).open_keyring(&huge).err(), Some(OpenKeyringError::Damaged(Damaged)));
}

#[test]
fn content_is_read_in_one_form_only() {
    let keys = keyring();
    let content = keys.encode();
    assert!(root_key(1).open_keyring(&sealed_content(&content)).ok().unwrap().same_as(&keys));
    for length in 0..content.len() {
        assert!(root_key(1).open_keyring(&sealed_content(&content[..length])).is_err(), "{length} bytes");
    }
    assert!(root_key(1).open_keyring(&sealed_content(&[content.as_slice(), &[0]].concat())).is_err());

    let own = 1 + 32;
    let named = own + 2 + 2 * 56;
    let first_state = named + 2 + 4 + 1;
    // Another layout; no version; a name twice; no name; a state that is not drawn; a deletion without its state.
    let changes: [(usize, &[u8]); 6] =
        [(0, &[2]), (own, &[0, 0]), (named + 6, b"b"), (named + 5, &[0]), (first_state, &[0]), (first_state + 8, &[1])];
    for (at, change) in changes {
        let mut changed = content.to_vec();
        changed[at..at + change.len()].copy_from_slice(change);
        assert!(root_key(1).open_keyring(&sealed_content(&changed)).is_err(), "byte {at}");
    }
    // The name of a version twice.
    let mut changed = content.to_vec();
    changed.copy_within(own + 2..own + 2 + 16, own + 2 + 56);
    assert!(root_key(1).open_keyring(&sealed_content(&changed)).is_err());
}

#[test]
fn the_content_is_written_without_growing() {
    let keys = keyring();
    let content = keys.encode();
    assert_eq!(content.len(), keys.encoded_len());
    assert!(content.capacity() >= content.len() + TAG_LEN);
}

#[test]
fn a_full_keyring_takes_no_more_and_still_opens() {
    let mut keys = KeyringKeys::generate();
    for _ in 1..KEY_VERSIONS_MAX {
        keys = keys.rotated(KeyVersion::generate(None)).unwrap();
    }
    assert_eq!(keys.rotated(KeyVersion::generate(None)).err(), Some(KeyringFull));
    assert!(root_key(1).open_keyring(&root_key(1).seal_keyring(&keys)).is_ok());
}

#[test]
fn the_name_of_a_root_key_is_its_own() {
    assert_eq!(root_key(1).id(), root_key(1).id());
    assert_ne!(root_key(1).id(), root_key(2).id());
    assert_eq!(root_key(1).id().to_string().len(), 16);
    assert_eq!(RootKeyId::of_keyring_file(&[1; 100]), None);
    assert_eq!(RootKeyId::of_keyring_file(&[2; 8]), None);
}
