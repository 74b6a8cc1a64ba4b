//! The golden vectors of testdata/envelope: what was written once opens for ever. They were computed by
//! tools/check_vectors.py from docs/format.md, not by this crate, and nothing here can write them.

use model::{BucketId, KmsKeyId, ObjectKey, PartNumber, Timestamp, VersionId};
use serde_json::Value;

use crate::fixtures::{pattern, secret};
use crate::keys::KeyBytes;
use crate::primitives::sha256;
use crate::wrap::Binding;
use crate::{
    CHUNK_LEN, ContextDigest, CustomerKey, DataKey, KeyEncryptionKey, KeyHolder, KeyId, KeyVersion, KeyVersions,
    KeyringKeys, Manifest, NamedKey, NamedKeyState, ObjectIdentity, PartEntry, PartSealer, RecordPlace, RootKey,
    RootKeyId, SEALED_CHUNK_LEN, StoreKey, TAG_LEN, UnlockedObject, WrappedDataKey, wrap,
};

macro_rules! vectors {
    ($file:literal) => {
        serde_json::from_str::<Vec<Value>>(include_str!(concat!("../../../testdata/envelope/", $file))).unwrap()
    };
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("{name} of {case}"))
}

fn bytes(case: &Value, name: &str) -> Vec<u8> {
    hex::decode(text(case, name)).unwrap()
}

fn array<const N: usize>(case: &Value, name: &str) -> [u8; N] {
    bytes(case, name).try_into().unwrap()
}

fn key_bytes(case: &Value, name: &str) -> KeyBytes {
    KeyBytes::copy_of(&array(case, name))
}

fn unlocked(case: &Value) -> UnlockedObject {
    UnlockedObject::new(DataKey(key_bytes(case, "data_key")))
}

fn store_key(case: &Value) -> StoreKey {
    StoreKey::new(secret(array(case, "store_key")))
}

fn entry(case: &Value) -> PartEntry {
    let number = PartNumber::new(case["number"].as_i64().unwrap()).unwrap();
    PartEntry { number, length: case["length"].as_u64().unwrap(), salt: array(case, "salt") }
}

#[test]
fn wrapped_data_keys_are_as_written_down() {
    for case in &vectors!("wrap.json") {
        let object = ObjectKey::parse(text(case, "object")).unwrap();
        let (bucket, version) =
            (BucketId::from_bytes(array(case, "bucket")), VersionId::from_bytes(array(case, "version")));
        let identity = ObjectIdentity { bucket, object: &object, version };
        let data_key = DataKey(key_bytes(case, "data_key"));
        let stored = bytes(case, "wrapped");
        let holder = match text(case, "holder") {
            "customer" => KeyHolder::Customer,
            _ => KeyHolder::Keyring(KeyId::from_bytes(array(case, "key_id"))),
        };
        let sealed =
            wrap::wrap(&key_bytes(case, "key"), Binding::plain(holder, &identity), array(case, "salt"), &data_key);
        assert_eq!(sealed.encode(), stored, "{}", case["name"]);

        let wrapped = WrappedDataKey::decode(&stored).unwrap();
        let opened = match wrapped.holder() {
            KeyHolder::Customer => CustomerKey::new(secret(array(case, "key"))).unwrap(&wrapped, &identity),
            KeyHolder::Keyring(id) => KeyEncryptionKey::new(id, secret(array(case, "key"))).unwrap(&wrapped, &identity),
            KeyHolder::Kms(_) => panic!("no vector of this file is for a KMS"),
        };
        assert_eq!(opened.ok().unwrap().0.expose(), data_key.0.expose(), "{}", case["name"]);
    }
}

#[test]
fn parts_are_as_written_down() {
    for case in &vectors!("part.json") {
        let expected = entry(case);
        let plaintext = pattern(usize::try_from(expected.length).unwrap());
        let mut sealer = PartSealer::new(&key_bytes(case, "data_key"), expected.number, expected.salt);
        let mut chunks: Vec<Vec<u8>> = plaintext.chunks(CHUNK_LEN).map(<[u8]>::to_vec).collect();
        let mut last = chunks.pop().unwrap_or_default();
        for chunk in &mut chunks {
            sealer.seal_chunk(chunk).unwrap();
        }
        assert_eq!(sealer.finish(&mut last).unwrap(), expected);
        chunks.push(last);

        let tags: Vec<_> = chunks.iter().map(|chunk| hex::encode(&chunk[chunk.len() - TAG_LEN..])).collect();
        let stored: Vec<_> = case["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        assert_eq!(tags, stored, "{}", case["name"]);
        let mut sealed = chunks.concat();
        assert_eq!(sha256(&sealed), array(case, "sealed_sha256"), "{}", case["name"]);

        let opener = unlocked(case).part_opener(&expected);
        let mut opened = Vec::new();
        for (index, chunk) in (0..).zip(sealed.chunks_mut(SEALED_CHUNK_LEN)) {
            opened.extend_from_slice(opener.open_chunk(index, chunk).unwrap());
        }
        assert_eq!(opened, plaintext, "{}", case["name"]);
    }
}

#[test]
fn manifests_are_as_written_down() {
    for case in &vectors!("manifest.json") {
        let entries: Vec<_> = case["parts"].as_array().unwrap().iter().map(entry).collect();
        let object = unlocked(case);
        let tag = case["tagged"].as_bool().unwrap().then(|| object.manifest_tag(&entries));
        let manifest = Manifest::new(entries, tag).unwrap();
        assert_eq!(manifest.encode(), bytes(case, "encoded"), "{}", case["name"]);
        assert_eq!(Manifest::decode(&bytes(case, "encoded")), Ok(manifest.clone()));
        assert_eq!(object.verify_manifest(&manifest), Ok(()));
    }
}

#[test]
fn sealed_metadata_is_as_written_down() {
    for case in &vectors!("metadata.json") {
        let plaintext = bytes(case, "plaintext");
        let sealed = unlocked(case).seal_metadata_salted(array(case, "salt"), &plaintext);
        assert_eq!(sealed, bytes(case, "sealed"), "{}", case["name"]);
        assert_eq!(*unlocked(case).open_metadata(&sealed).unwrap(), plaintext);
    }
}

#[test]
fn record_frames_are_as_written_down() {
    for case in &vectors!("record.json") {
        let (scope, partition, suffix) = (array(case, "scope"), bytes(case, "partition"), bytes(case, "suffix"));
        let table = u8::try_from(case["table"].as_u64().unwrap()).unwrap();
        let place = RecordPlace { scope: &scope, partition: &partition, table, suffix: &suffix };
        let (authenticator, record) = (store_key(case).authenticator(), bytes(case, "record"));
        assert_eq!(authenticator.protect(&place, bytes(case, "payload")), record, "{}", case["name"]);
        assert_eq!(authenticator.check(&place, &record), Ok(bytes(case, "payload").as_slice()));
    }
}

#[test]
fn sealed_secrets_are_as_written_down() {
    for case in &vectors!("secret.json") {
        let (sealer, context, plaintext) =
            (store_key(case).secret_sealer(), bytes(case, "context"), bytes(case, "plaintext"));
        let sealed = sealer.seal_salted(array(case, "salt"), &context, &plaintext);
        assert_eq!(sealed, bytes(case, "sealed"), "{}", case["name"]);
        assert_eq!(*sealer.open(&context, &sealed).unwrap(), plaintext);
    }
}

#[test]
fn sealed_digests_are_as_written_down() {
    for case in &vectors!("digest.json") {
        let sealer = store_key(case).digest_sealer(&array(case, "scope"));
        let sealed = sealer.seal(&array(case, "unique"), array(case, "digest"));
        assert_eq!(sealed, array(case, "sealed"), "{}", case["name"]);
        assert_eq!(sealer.open(&array(case, "unique"), &sealed), Ok(array(case, "digest")));
    }
}

#[test]
fn wraps_for_a_kms_are_as_written_down() {
    for case in &vectors!("wrap_kms.json") {
        let object = ObjectKey::parse(text(case, "object")).unwrap();
        let (bucket, version) =
            (BucketId::from_bytes(array(case, "bucket")), VersionId::from_bytes(array(case, "version")));
        let identity = ObjectIdentity { bucket, object: &object, version };
        let context = ContextDigest::from_bytes(array(case, "context"));
        let data_key = DataKey(key_bytes(case, "data_key"));
        let id = KeyId::from_bytes(array(case, "key_id"));
        let binding = Binding { holder: KeyHolder::Kms(id), identity: &identity, context: Some(context) };
        let stored = bytes(case, "wrapped");
        let sealed = wrap::wrap(&key_bytes(case, "key"), binding, array(case, "salt"), &data_key);
        assert_eq!(sealed.encode(), stored, "{}", case["name"]);

        let key = KeyEncryptionKey::new(id, secret(array(case, "key")));
        let opened = key.unwrap_for_kms(&WrappedDataKey::decode(&stored).unwrap(), &identity, context);
        assert_eq!(opened.ok().unwrap().0.expose(), data_key.0.expose(), "{}", case["name"]);
    }
}

#[test]
fn sealed_key_encryption_keys_are_as_written_down() {
    for case in &vectors!("key_seal.json") {
        let sealer = KeyEncryptionKey::new(KeyId::from_bytes(array(case, "sealer_id")), secret(array(case, "sealer")));
        let inner = KeyEncryptionKey::new(KeyId::from_bytes(array(case, "inner_id")), secret(array(case, "inner")));
        let (context, stored) = (bytes(case, "context"), bytes(case, "sealed"));
        assert_eq!(sealer.seal_key_salted(array(case, "salt"), &inner, &context), stored, "{}", case["name"]);
        assert_eq!(KeyEncryptionKey::sealer_of(&stored), Ok(sealer.id()));
        let opened = sealer.open_key(inner.id(), &stored, &context).ok().unwrap();
        assert_eq!(opened.expose(), inner.expose(), "{}", case["name"]);
    }
}

#[test]
fn keyring_files_of_format_1_open_as_written_down() {
    for case in &vectors!("keyring.json") {
        let root_key = RootKey::new(secret(array(case, "root_key")));
        let opened = root_key.open_keyring(&bytes(case, "file")).ok().unwrap();
        assert_eq!(opened.store_key.0.expose(), store_key(case).0.expose());
        assert_eq!(opened.all_named().count(), 0);
        let keys: Vec<_> = opened.versions().iter().map(|version| (version.key.id(), *version.key.expose())).collect();
        let stored = case["keys"].as_array().unwrap().iter();
        let stored: Vec<_> = stored.map(|key| (KeyId::from_bytes(array(key, "id")), array(key, "key"))).collect();
        assert_eq!(keys, stored, "{}", case["name"]);
    }
}

#[test]
fn keyring_files_are_as_written_down() {
    for case in &vectors!("keyring_v2.json") {
        let mut keys = key_versions(case).into_iter();
        let mut keyring = KeyringKeys::new(store_key(case).into(), keys.next().unwrap(), keys.collect());
        for key in case["named"].as_array().unwrap() {
            let state = match (text(key, "state"), Timestamp::from_millis(key["deletion"].as_u64().unwrap())) {
                ("enabled", _) => NamedKeyState::Enabled,
                ("disabled", _) => NamedKeyState::Disabled,
                (_, at) => NamedKeyState::PendingDeletion(at),
            };
            let mut list = key_versions(key).into_iter().rev();
            let first = KeyVersions::first(list.next().unwrap());
            let versions = list.fold(first, |versions, version| versions.rotated(version).unwrap());
            let created = Timestamp::from_millis(key["created"].as_u64().unwrap());
            let id = KmsKeyId::parse(text(key, "id")).unwrap();
            keyring = keyring.with_named(id, NamedKey { state, created, versions }).unwrap();
        }
        let root_key = RootKey::new(secret(array(case, "root_key")));
        assert_eq!(root_key.id().to_string(), text(case, "root_key_id"));
        let file = bytes(case, "file");
        assert_eq!(root_key.seal_keyring_salted(array(case, "salt"), &keyring), file, "{}", case["name"]);
        assert_eq!(RootKeyId::of_keyring_file(&file), Some(root_key.id()));
        assert!(root_key.open_keyring(&file).ok().unwrap().same_as(&keyring));
    }
}

fn key_versions(case: &Value) -> Vec<KeyVersion> {
    let version = |version: &Value| KeyVersion {
        key: KeyEncryptionKey::new(KeyId::from_bytes(array(version, "id")), secret(array(version, "key"))),
        created: version["created"].as_u64().filter(|ms| *ms > 0).map(Timestamp::from_millis),
    };
    case["versions"].as_array().unwrap().iter().map(version).collect()
}

#[test]
fn root_key_files_are_as_written_down() {
    for case in &vectors!("root_key.json") {
        let root_key = RootKey::new(secret(array(case, "root_key")));
        assert_eq!(root_key.to_file_text().as_str(), text(case, "text"), "{}", case["name"]);
        assert_eq!(RootKey::from_file_text(text(case, "text")).ok().unwrap().0.expose(), root_key.0.expose());
    }
}
