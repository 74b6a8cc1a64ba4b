use envelope::{CustomerKey, KeyEncryptionKey, KeyId, RecordPlace, UnlockedObject};
use model::{BucketId, ObjectKey, VersionId};
use zeroize::Zeroizing;

use super::*;

fn with_identity(test: impl FnOnce(&ObjectIdentity<'_>)) {
    let object = ObjectKey::parse("testfile").unwrap();
    test(&ObjectIdentity {
        bucket: BucketId::from_bytes([1; 16]),
        object: &object,
        version: VersionId::from_bytes([2; 16]),
    });
}

fn keyring() -> LocalKeyring {
    LocalKeyring::create(&RootKey::generate()).0
}

#[test]
fn a_keyring_unwraps_after_its_file_was_closed_and_opened() {
    with_identity(|identity| {
        let root_key = RootKey::generate();
        let (created, sealed_file) = LocalKeyring::create(&root_key);
        let data_key = DataKey::generate();
        let wrapped = created.wrap(&data_key, identity);
        let sealed = UnlockedObject::new(data_key).seal_metadata(b"metadata");

        let opened = LocalKeyring::open(&root_key, &sealed_file).ok().unwrap();
        let unwrapped = opened.unwrap(&wrapped, identity).ok().unwrap();
        assert_eq!(UnlockedObject::new(unwrapped).open_metadata(&sealed).unwrap().as_slice(), b"metadata");

        let place = RecordPlace { scope: &[0; 16], partition: b"", table: 0, suffix: b"" };
        let record = created.store_key().authenticator().protect(&place, b"record".to_vec());
        assert_eq!(opened.store_key().authenticator().check(&place, &record), Ok(&b"record"[..]));
    });
}

#[test]
fn another_root_key_is_told_apart_from_a_damaged_file() {
    let (_, mut sealed_file) = LocalKeyring::create(&RootKey::generate());
    let other = RootKey::generate();
    assert!(matches!(LocalKeyring::open(&other, &sealed_file).err(), Some(OpenKeyringError::WrongRootKey(_))));
    sealed_file[40] ^= 1;
    assert!(matches!(LocalKeyring::open(&other, &sealed_file).err(), Some(OpenKeyringError::Damaged(_))));
    sealed_file[0] = 9;
    assert!(matches!(LocalKeyring::open(&other, &sealed_file).err(), Some(OpenKeyringError::UnknownFormat(9))));
}

#[test]
fn a_wrap_by_another_keyring_names_a_key_that_is_unknown_here() {
    with_identity(|identity| {
        let wrapped = keyring().wrap(&DataKey::generate(), identity);
        let KeyHolder::Keyring(id) = wrapped.holder() else { panic!("a keyring wrapped it") };
        assert_eq!(keyring().unwrap(&wrapped, identity).err(), Some(KeyServiceError::UnknownKey(id)));
    });
}

#[test]
fn a_wrap_for_another_object_is_damage() {
    with_identity(|identity| {
        let keyring = keyring();
        let wrapped = keyring.wrap(&DataKey::generate(), identity);
        let other = ObjectIdentity { version: VersionId::from_bytes([9; 16]), ..*identity };
        assert_eq!(keyring.unwrap(&wrapped, &other).err(), Some(KeyServiceError::Damaged(Damaged)));
    });
}

#[test]
fn a_customers_wrap_is_not_the_keyrings_to_open() {
    with_identity(|identity| {
        let customer_key = CustomerKey::new(Zeroizing::new([1; 32]));
        let wrapped = customer_key.wrap(&DataKey::generate(), identity);
        assert_eq!(keyring().unwrap(&wrapped, identity).err(), Some(KeyServiceError::Damaged(Damaged)));
    });
}

#[test]
fn retired_keys_still_unwrap_and_new_wraps_name_the_current_one() {
    with_identity(|identity| {
        let retired = KeyEncryptionKey::new(KeyId::from_bytes([1; 16]), Zeroizing::new([1; 32]));
        let wrapped = retired.wrap(&DataKey::generate(), identity);
        let keys = KeyringKeys { retired: vec![retired], ..KeyringKeys::generate() };
        let (current, keyring) = (keys.current.id(), LocalKeyring { keys });
        assert!(keyring.unwrap(&wrapped, identity).is_ok());
        let fresh = keyring.wrap(&DataKey::generate(), identity);
        assert_eq!(fresh.holder(), KeyHolder::Keyring(current));
    });
}
