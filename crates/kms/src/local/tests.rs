use std::sync::atomic::{AtomicU64, Ordering};

use envelope::{CustomerKey, KeyEncryptionKey, KeyVersion, RecordPlace, UnlockedObject};
use model::{BucketId, KmsKeyId, ObjectKey, VersionId};
use zeroize::Zeroizing;

use super::*;
use crate::{KeyService as _, KeyringFile, KeyringFileError, KmsKeyState, MemoryKeyringFile, conformance};

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
    assert!(matches!(LocalKeyring::open(&other, &sealed_file).err(), Some(OpenKeyringError::WrongRootKey { .. })));
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
        let retired = KeyVersion { key: retired, created: None };
        let keys = KeyringKeys::new(Arc::new(StoreKey::generate()), KeyVersion::generate(None), vec![retired]);
        let keyring = LocalKeyring::new(RootKey::generate().id(), keys);
        assert!(keyring.unwrap(&wrapped, identity).is_ok());
        let fresh = keyring.wrap(&DataKey::generate(), identity);
        assert_eq!(fresh.holder(), KeyHolder::Keyring(keyring.current()));
    });
}

/// A clock that a test sets.
#[derive(Default)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A keyring that changes, its file, and its clock.
struct Kept {
    keyring: LocalKeyring,
    file: Arc<MemoryKeyringFile>,
    clock: Arc<SetClock>,
}

const ROOT_KEY: [u8; 32] = [5; 32];

fn root_key(bytes: [u8; 32]) -> RootKey {
    RootKey::new(Zeroizing::new(bytes))
}

impl Kept {
    fn new() -> Self {
        Self::at(LocalKeyring::create(&root_key(ROOT_KEY)).1, ROOT_KEY)
    }

    fn at(sealed: Vec<u8>, root: [u8; 32]) -> Self {
        let clock = Arc::new(SetClock(AtomicU64::new(1_000)));
        let keyring = LocalKeyring::open(&root_key(root), &sealed).ok().unwrap();
        let file = Arc::new(MemoryKeyringFile::new(sealed));
        let keeper = Keeper { root_key: root_key(root), file: file.clone(), clock: clock.clone() };
        Self { keyring: keyring.kept_by(keeper), file, clock }
    }

    /// What a start of the server finds.
    fn restarted(&self) -> Self {
        Self::at(self.file.bytes(), ROOT_KEY)
    }
}

fn id(text: &str) -> KmsKeyId {
    KmsKeyId::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_named_keys_conform() {
    conformance::run_all(Arc::new(Kept::new().keyring), conformance::Abilities::ALL).await;
}

#[tokio::test]
async fn a_keyring_for_reading_refuses_every_change() {
    let keyring = keyring();
    let current = keyring.current();
    assert!(matches!(keyring.rotate_own().await, Err(KeyServiceError::NotSupported(_))));
    assert!(matches!(keyring.create(&id("a")).await, Err(KeyServiceError::NotSupported(_))));
    assert!(matches!(keyring.reseal(RootKey::generate()).await, Err(KeyServiceError::NotSupported(_))));
    assert_eq!((keyring.current(), keyring.list().await.unwrap()), (current, Vec::new()));
}

#[tokio::test]
async fn a_change_is_in_the_file_before_it_is_seen() {
    let kept = Kept::new();
    let before = kept.keyring.current();
    let rotated = kept.keyring.rotate_own().await.unwrap();
    assert_eq!((rotated.id, rotated.created), (kept.keyring.current(), Some(Timestamp::from_millis(1_000))));
    kept.keyring.create(&id("a")).await.unwrap();
    kept.keyring.disable(&id("a")).await.unwrap();

    let found = kept.restarted().keyring;
    assert!(found.same_as(&kept.keyring));
    assert_eq!(found.versions().iter().map(|version| version.id).collect::<Vec<_>>(), [rotated.id, before]);
    assert_eq!(found.describe(&id("a")).await.unwrap().state, KmsKeyState::Disabled);
}

#[tokio::test]
async fn what_cannot_be_written_down_does_not_happen() {
    let kept = Kept::new();
    kept.keyring.create(&id("a")).await.unwrap();
    let (before, bytes) = (kept.keyring.versions(), kept.file.bytes());
    kept.file.set_failing(true);
    for error in [
        kept.keyring.rotate_own().await.err(),
        kept.keyring.create(&id("b")).await.err(),
        kept.keyring.disable(&id("a")).await.err(),
        kept.keyring.rotate(&id("a")).await.err(),
        kept.keyring.reseal(RootKey::generate()).await.err(),
    ] {
        assert!(matches!(&error, Some(KeyServiceError::Unavailable(_))), "{error:?}");
    }
    assert_eq!((kept.keyring.versions(), kept.file.bytes()), (before, bytes));
    assert_eq!(kept.keyring.list().await.unwrap(), [kept.keyring.describe(&id("a")).await.unwrap()]);

    kept.file.set_failing(false);
    kept.keyring.rotate_own().await.unwrap();
    assert!(kept.restarted().keyring.same_as(&kept.keyring));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_once_all_happen() {
    let kept = Arc::new(Kept::new());
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                kept.keyring.create(&id(&format!("key-{number}"))).await.unwrap();
                kept.keyring.rotate_own().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(kept.keyring.list().await.unwrap().len(), 20);
    assert_eq!(kept.keyring.versions().len(), 21);
    assert!(kept.restarted().keyring.same_as(&kept.keyring));
}

#[tokio::test]
async fn a_key_is_destroyed_when_its_time_has_come_and_not_before() {
    let kept = Kept::new();
    let key = KeyEncryptionKey::generate();
    for name in ["kept", "doomed", "saved"] {
        kept.keyring.create(&id(name)).await.unwrap();
    }
    let sealed = kept.keyring.wrap_named("doomed", &key).await;
    for name in ["doomed", "saved"] {
        kept.keyring.schedule_deletion(&id(name), Timestamp::from_millis(5_000)).await.unwrap();
    }
    kept.keyring.enable(&id("saved")).await.unwrap();

    assert_eq!(kept.keyring.destroy_due(Timestamp::from_millis(4_999)).await.unwrap(), []);
    assert!(kept.keyring.describe(&id("doomed")).await.is_ok());
    assert_eq!(kept.keyring.destroy_due(Timestamp::from_millis(5_000)).await.unwrap(), [id("doomed")]);
    assert_eq!(kept.keyring.destroy_due(Timestamp::from_millis(9_000)).await.unwrap(), []);
    let left = kept.restarted().keyring.list().await.unwrap();
    assert_eq!(left.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["kept", "saved"]);

    // Another key of that name says what is missing.
    kept.keyring.create(&id("doomed")).await.unwrap();
    let opened = kept.keyring.open_named("doomed", &key, &sealed).await;
    assert!(matches!(opened, Err(KeyServiceError::UnknownKey(_))));
}

#[tokio::test]
async fn a_key_that_is_not_enabled_is_neither_rotated_nor_doomed_twice() {
    let kept = Kept::new();
    kept.keyring.create(&id("a")).await.unwrap();
    kept.keyring.disable(&id("a")).await.unwrap();
    assert_eq!(kept.keyring.rotate(&id("a")).await.err(), Some(KeyServiceError::Disabled(id("a"))));
    let at = Timestamp::from_millis(9);
    kept.keyring.schedule_deletion(&id("a"), at).await.unwrap();
    for error in [
        kept.keyring.rotate(&id("a")).await.err(),
        kept.keyring.disable(&id("a")).await.err(),
        kept.keyring.schedule_deletion(&id("a"), Timestamp::from_millis(10)).await.err(),
    ] {
        assert_eq!(error, Some(KeyServiceError::PendingDeletion(id("a"))));
    }
    assert_eq!(kept.keyring.describe(&id("a")).await.unwrap().state, KmsKeyState::PendingDeletion(at));
}

#[tokio::test]
async fn a_version_is_pruned_only_when_nothing_under_way_can_have_it() {
    let kept = Kept::new();
    let first = kept.keyring.current();
    let second = kept.keyring.rotate_own().await.unwrap().id;
    assert_eq!(kept.keyring.prune(&[first]).await, Err(PruneError::InFlight(first)));
    assert_eq!(kept.keyring.prune(&[second]).await, Err(PruneError::Current(second)));
    let stranger = KeyId::from_bytes([9; 16]);
    assert_eq!(kept.keyring.prune(&[stranger]).await, Err(PruneError::Unknown(stranger)));

    let restarted = kept.restarted();
    assert_eq!(restarted.keyring.prune(&[first, second]).await, Err(PruneError::Current(second)));
    assert_eq!(restarted.keyring.versions().len(), 2);
    restarted.keyring.prune(&[first]).await.unwrap();
    assert_eq!(restarted.restarted().keyring.versions().len(), 1);
}

#[tokio::test]
async fn a_resealed_keyring_opens_with_its_new_root_key_only_and_goes_on_changing() {
    let kept = Kept::new();
    kept.keyring.reseal(root_key([6; 32])).await.unwrap();
    assert_eq!(kept.keyring.root_key_id(), root_key([6; 32]).id());
    kept.keyring.rotate_own().await.unwrap();
    let error = LocalKeyring::open(&root_key(ROOT_KEY), &kept.file.bytes()).err().unwrap();
    let (sealed_by, presented) = (Some(root_key([6; 32]).id()), root_key(ROOT_KEY).id());
    assert_eq!(error, OpenKeyringError::WrongRootKey { sealed_by, presented });
    assert!(Kept::at(kept.file.bytes(), [6; 32]).keyring.same_as(&kept.keyring));
}

/// Puts the new bytes there, and once says that it could not.
struct Unsure {
    file: MemoryKeyringFile,
    is_sure: std::sync::atomic::AtomicBool,
}

impl KeyringFile for Unsure {
    fn replace(&self, sealed: &[u8]) -> Result<(), KeyringFileError> {
        self.file.replace(sealed)?;
        let is_sure = self.is_sure.swap(true, Ordering::Relaxed);
        if is_sure { Ok(()) } else { Err(KeyringFileError::Unwritable("not durable".to_owned())) }
    }
}

#[tokio::test]
async fn after_a_reseal_that_failed_the_old_root_key_still_opens_the_file() {
    let sealed = LocalKeyring::create(&root_key(ROOT_KEY)).1;
    let file = Arc::new(Unsure { file: MemoryKeyringFile::new(sealed.clone()), is_sure: Default::default() });
    let clock = Arc::new(SetClock(AtomicU64::new(1_000)));
    let keyring = LocalKeyring::open(&root_key(ROOT_KEY), &sealed).ok().unwrap();
    let keyring = keyring.kept_by(Keeper { root_key: root_key(ROOT_KEY), file: file.clone(), clock });
    assert!(keyring.reseal(root_key([6; 32])).await.is_err());
    assert_eq!(keyring.root_key_id(), root_key(ROOT_KEY).id());
    assert!(LocalKeyring::open(&root_key(ROOT_KEY), &file.file.bytes()).ok().unwrap().same_as(&keyring));
}

#[tokio::test]
async fn a_copy_under_another_root_key_changes_nothing_here() {
    let kept = Kept::new();
    kept.keyring.create(&id("a")).await.unwrap();
    let copy = kept.keyring.sealed_under(&root_key([7; 32]));
    assert!(LocalKeyring::open(&root_key([7; 32]), &copy).ok().unwrap().same_as(&kept.keyring));
    assert!(kept.restarted().keyring.same_as(&kept.keyring));
}

#[tokio::test]
async fn who_gives_up_waiting_does_not_stop_a_change_half_way() {
    let kept = Kept::new();
    for _ in 0..50 {
        let change = kept.keyring.rotate_own();
        // Polled once, then dropped.
        let _ = tokio::time::timeout(std::time::Duration::ZERO, change).await;
    }
    // Changes come one after the other, so this one comes behind all of those.
    kept.keyring.create(&id("last")).await.unwrap();
    assert!(kept.restarted().keyring.same_as(&kept.keyring));
    kept.clock.0.store(2_000, Ordering::Relaxed);
    let last = kept.keyring.rotate_own().await.unwrap();
    assert_eq!(last.created, Some(Timestamp::from_millis(2_000)));
}

#[tokio::test]
async fn a_keyring_of_format_1_becomes_one_of_format_2_by_its_first_change() {
    let vectors: &str = include_str!("../../../../testdata/envelope/keyring.json");
    let vector = serde_json::from_str::<Vec<serde_json::Value>>(vectors).unwrap().remove(1);
    let bytes = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
    let root: [u8; 32] = bytes("root_key").try_into().unwrap();
    let kept = Kept::at(bytes("file"), root);
    assert_eq!((kept.keyring.versions().len(), kept.file.bytes()[0]), (3, 1));
    kept.keyring.rotate_own().await.unwrap();
    assert_eq!((kept.keyring.versions().len(), kept.file.bytes()[0]), (4, 2));
    assert!(Kept::at(kept.file.bytes(), root).keyring.same_as(&kept.keyring));
}

impl LocalKeyring {
    async fn wrap_named(&self, name: &str, key: &KeyEncryptionKey) -> Vec<u8> {
        crate::KeyService::wrap(self, &id(name), key, b"context").await.unwrap()
    }

    async fn open_named(
        &self,
        name: &str,
        key: &KeyEncryptionKey,
        sealed: &[u8],
    ) -> Result<KeyEncryptionKey, KeyServiceError> {
        crate::KeyService::unwrap(self, &id(name), key.id(), sealed, b"context").await
    }
}
