use super::*;
use crate::fixtures::secret;

fn root_key(seed: u8) -> RootKey {
    RootKey::new(secret([seed; 32]))
}

#[test]
fn a_keyring_opens_again_with_all_its_keys() {
    let keys = KeyringKeys { retired: vec![KeyEncryptionKey::generate()], ..KeyringKeys::generate() };
    let opened = root_key(1).open_keyring(&root_key(1).seal_keyring(&keys)).ok().unwrap();
    assert_eq!(opened.store_key.0.expose(), keys.store_key.0.expose());
    assert_eq!(opened.current.id(), keys.current.id());
    for key in keys.all() {
        assert_eq!(opened.find(key.id()).unwrap().bytes.expose(), key.bytes.expose());
    }
    assert!(opened.find(KeyId::from_bytes([0; 16])).is_none());
}

#[test]
fn another_root_key_is_told_apart_from_damage() {
    let file = root_key(1).seal_keyring(&KeyringKeys::generate());
    assert_eq!(root_key(2).open_keyring(&file).err(), Some(OpenKeyringError::WrongRootKey(WrongKey)));
}

#[test]
fn a_flipped_bit_at_any_byte_is_never_a_wrong_root_key() {
    let file = root_key(1).seal_keyring(&KeyringKeys::generate());
    for (at, bit) in (0..file.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut flipped = file.clone();
        flipped[at] ^= 1 << bit;
        let expected = match at {
            0 => OpenKeyringError::UnknownFormat(flipped[0]),
            _ => OpenKeyringError::Damaged(Damaged),
        };
        assert_eq!(root_key(1).open_keyring(&flipped).err(), Some(expected), "byte {at}, bit {bit}");
    }
}

#[test]
fn a_forged_keyring_with_a_good_checksum_is_refused() {
    let file = root_key(1).seal_keyring(&KeyringKeys::generate());
    for at in 1..file.len() - 32 {
        let mut forged = file[..file.len() - 32].to_vec();
        forged[at] ^= 1;
        let checksum = sha256(&forged);
        forged.extend_from_slice(&checksum);
        assert!(root_key(1).open_keyring(&forged).is_err(), "byte {at}");
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
}
