use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use envelope::{DataKey, KeyHolder, ObjectIdentity, RootKey};
use model::{BucketId, KmsKeyId, ObjectKey, Timestamp, VersionId};
use zeroize::Zeroizing;

use super::*;
use crate::{DataKeys, Keeper, KeyService, KeyringFile, KeyringFileError, PruneError};

/// One place, as one of the processes that share it sees it.
struct Seen {
    place: Arc<Mutex<Vec<u8>>>,
    base: Mutex<Vec<u8>>,
    weather: Arc<Weather>,
}

/// What goes wrong between a process and the place.
#[derive(Default)]
struct Weather {
    /// Nothing can be read.
    is_dark: AtomicBool,
    /// Nothing can be written.
    is_stuck: AtomicBool,
    /// This many answers to writing get lost.
    answers_lost: AtomicU64,
    looks: AtomicU64,
}

impl KeyringFile for Seen {
    fn replace(&self, sealed: &[u8]) -> Result<(), KeyringFileError> {
        let unwritable = || KeyringFileError::Unwritable("weather".to_owned());
        if self.weather.is_stuck.load(Ordering::Relaxed) {
            return Err(unwritable());
        }
        let (mut place, mut base) = (self.place.lock().unwrap(), self.base.lock().unwrap());
        if *place != *base {
            return Err(KeyringFileError::Overtaken);
        }
        *place = sealed.to_vec();
        if self.weather.answers_lost.load(Ordering::Relaxed) > 0 {
            self.weather.answers_lost.fetch_sub(1, Ordering::Relaxed);
            self.weather.is_stuck.store(true, Ordering::Relaxed);
            return Err(unwritable());
        }
        *base = sealed.to_vec();
        Ok(())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn latest(&self) -> Result<Option<Vec<u8>>, KeyringFileError> {
        self.weather.looks.fetch_add(1, Ordering::Relaxed);
        if self.weather.is_dark.load(Ordering::Relaxed) {
            return Err(KeyringFileError::Unreadable("weather".to_owned()));
        }
        let place = self.place.lock().unwrap().clone();
        Ok(Some(place).filter(|place| *place != *self.base.lock().unwrap()))
    }

    fn take(&self, sealed: &[u8]) {
        *self.base.lock().unwrap() = sealed.to_vec();
    }
}

struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Where a keyring is, for processes to share.
struct Place {
    sealed: Arc<Mutex<Vec<u8>>>,
    clock: Arc<SetClock>,
}

fn root_key(byte: u8) -> RootKey {
    RootKey::new(Zeroizing::new([byte; 32]))
}

impl Place {
    fn new() -> Self {
        let clock = Arc::new(SetClock(AtomicU64::new(1_000)));
        let sealed = LocalKeyring::create_at(&root_key(5), clock.now()).1;
        Self { sealed: Arc::new(Mutex::new(sealed)), clock }
    }

    /// A process that starts now.
    fn opened(&self) -> LocalKeyring {
        self.opened_in(&Arc::default())
    }

    fn opened_in(&self, weather: &Arc<Weather>) -> LocalKeyring {
        let sealed = self.sealed.lock().unwrap().clone();
        let keyring = LocalKeyring::open(&root_key(5), &sealed).ok().unwrap();
        let file = Arc::new(Seen { place: self.sealed.clone(), base: Mutex::new(sealed), weather: weather.clone() });
        keyring.kept_by(Keeper { root_key: root_key(5), file, clock: self.clock.clone() })
    }

    fn two() -> (Self, Arc<LocalKeyring>, Arc<LocalKeyring>) {
        let place = Self::new();
        let (one, other) = (Arc::new(place.opened()), Arc::new(place.opened()));
        (place, one, other)
    }
}

fn id(text: &str) -> KmsKeyId {
    KmsKeyId::parse(text).unwrap()
}

#[tokio::test]
async fn a_change_of_one_is_seen_by_the_other_once_it_looks() {
    let (_place, one, other) = Place::two();
    other.refresh().await.unwrap();
    assert_eq!(other.changes_of_others(), 0);
    let rotated = one.rotate_own().await.unwrap();
    assert_ne!(other.current(), rotated.id);
    other.refresh().await.unwrap();
    assert_eq!((other.current(), other.changes_of_others()), (rotated.id, 1));
    assert!(other.same_as(&one));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_two_at_once_are_all_kept() {
    let (place, one, other) = Place::two();
    let rotations = async |keyring: Arc<LocalKeyring>| {
        let mut made = Vec::new();
        for _ in 0..10 {
            made.push(keyring.rotate_own().await.unwrap().id);
        }
        made
    };
    let (by_one, by_other) = tokio::join!(tokio::spawn(rotations(one)), tokio::spawn(rotations(other)));
    let after = place.opened();
    let made = [by_one.unwrap(), by_other.unwrap()].concat();
    assert!(made.iter().all(|id| after.has(*id)));
    assert_eq!(after.versions().len(), 21);
}

#[tokio::test]
async fn a_named_key_that_another_made_or_rotated_serves_at_once() {
    let (_place, one, other) = Place::two();
    assert!(matches!(other.describe(&id("tenant")).await, Err(KeyServiceError::NotFound(_))));
    one.create(&id("tenant")).await.unwrap();
    let key = envelope::KeyEncryptionKey::generate();
    let (by_one, by_other): (&dyn KeyService, &dyn KeyService) = (&*one, &*other);
    by_other.wrap(&id("tenant"), &key, b"context").await.unwrap();
    one.rotate(&id("tenant")).await.unwrap();
    let sealed = by_one.wrap(&id("tenant"), &key, b"context").await.unwrap();
    assert_eq!(by_other.unwrap(&id("tenant"), key.id(), &sealed, b"context").await.unwrap().id(), key.id());
    assert!(matches!(other.create(&id("tenant")).await, Err(KeyServiceError::AlreadyExists(_))));
}

/// Wraps a data key for an object, and unwraps what another wrapped for it.
struct Object {
    name: ObjectKey,
    bucket: model::BucketName,
}

impl Object {
    fn new() -> Self {
        Self { name: ObjectKey::parse("testfile").unwrap(), bucket: model::BucketName::parse("bucket").unwrap() }
    }

    fn identity(&self) -> ObjectIdentity<'_> {
        let version = VersionId::from_bytes([2; 16]);
        ObjectIdentity { bucket: BucketId::from_bytes([1; 16]), object: &self.name, version }
    }

    fn requester(&self) -> crate::Requester<'_> {
        crate::Requester { principal: &model::Principal::Anonymous, bucket: &self.bucket }
    }

    async fn wrap(&self, keyring: &Arc<LocalKeyring>) -> Result<crate::StoredWrap, KeyServiceError> {
        let holder = crate::ServerHolder::Keyring;
        data_keys(keyring).wrap(&DataKey::generate(), &self.identity(), &holder, self.requester()).await
    }

    async fn unwrap(&self, keyring: &Arc<LocalKeyring>, wrap: &crate::StoredWrap) -> Result<(), KeyServiceError> {
        data_keys(keyring).unwrap(wrap, &self.identity(), self.requester()).await.map(drop)
    }
}

fn data_keys(keyring: &Arc<LocalKeyring>) -> DataKeys {
    DataKeys::new(keyring.clone(), None, Arc::new(crate::NoAudit))
}

#[tokio::test]
async fn what_another_wrapped_by_a_fresh_version_opens_at_once() {
    let (_place, one, other) = Place::two();
    let object = Object::new();
    one.rotate_own().await.unwrap();
    let wrap = object.wrap(&one).await.unwrap();
    let KeyHolder::Keyring(by) = wrap.wrapped.holder() else { panic!("a keyring wrapped it") };
    assert!(!other.has(by));
    object.unwrap(&other, &wrap).await.unwrap();
    assert!(other.has(by));
}

#[tokio::test]
async fn a_version_that_nobody_made_is_unknown_after_one_look() {
    let (place, one, _) = Place::two();
    let weather = Arc::new(Weather::default());
    let (other, object) = (Arc::new(place.opened_in(&weather)), Object::new());
    let first = one.current();
    let wrap = object.wrap(&one).await.unwrap();
    one.rotate_own().await.unwrap();
    place.clock.0.fetch_add(26 * 3_600_000, Ordering::Relaxed);
    one.prune(&[first]).await.unwrap();
    other.refresh().await.unwrap();
    weather.looks.store(0, Ordering::Relaxed);
    assert_eq!(object.unwrap(&other, &wrap).await, Err(KeyServiceError::UnknownKey(first)));
    assert_eq!(weather.looks.load(Ordering::Relaxed), 1);
    // Of many records that name it, few cost a look.
    for _ in 0..10 {
        assert_eq!(data_keys(&other).is_current(&wrap).await, Err(KeyServiceError::UnknownKey(first)));
    }
    assert_eq!(weather.looks.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn many_who_want_to_know_at_once_share_a_look() {
    let place = Place::new();
    let weather = Arc::new(Weather::default());
    let keyring = place.opened_in(&weather);
    let looks = futures::future::join_all((0..20).map(|_| keyring.refresh())).await;
    assert!(looks.into_iter().all(|look| look.is_ok()));
    let looks = weather.looks.load(Ordering::Relaxed);
    assert!((1..=2).contains(&looks), "{looks}");
}

#[tokio::test]
async fn who_cannot_learn_what_others_did_opens_on_but_does_not_wrap_for_long() {
    let (place, one, _) = Place::two();
    let weather = Arc::new(Weather::default());
    let (cut_off, object) = (Arc::new(place.opened_in(&weather)), Object::new());
    one.create(&id("tenant")).await.unwrap();
    cut_off.refresh().await.unwrap();
    let wrap = object.wrap(&cut_off).await.unwrap();
    weather.is_dark.store(true, Ordering::Relaxed);
    place.clock.0.fetch_add(29 * 60_000, Ordering::Relaxed);
    object.wrap(&cut_off).await.unwrap();
    place.clock.0.fetch_add(60_000, Ordering::Relaxed);
    let key = envelope::KeyEncryptionKey::generate();
    let by_kms: &dyn KeyService = &*cut_off;
    assert!(matches!(object.wrap(&cut_off).await, Err(KeyServiceError::Unavailable(_))));
    assert!(matches!(by_kms.wrap(&id("tenant"), &key, b"").await, Err(KeyServiceError::Unavailable(_))));
    object.unwrap(&cut_off, &wrap).await.unwrap();
    // Nobody looks, but who wraps does so now and then.
    weather.is_dark.store(false, Ordering::Relaxed);
    place.clock.0.fetch_add(60_000, Ordering::Relaxed);
    object.wrap(&cut_off).await.unwrap();
    by_kms.wrap(&id("tenant"), &key, b"").await.unwrap();
}

#[tokio::test]
async fn what_one_disabled_or_destroyed_does_nothing_at_the_other_once_it_looks() {
    let (_place, one, other) = Place::two();
    let key = envelope::KeyEncryptionKey::generate();
    for name in ["disabled", "destroyed"] {
        one.create(&id(name)).await.unwrap();
    }
    other.refresh().await.unwrap();
    let by_other: &dyn KeyService = &*other;
    let sealed = by_other.wrap(&id("destroyed"), &key, b"").await.unwrap();
    one.disable(&id("disabled")).await.unwrap();
    one.schedule_deletion(&id("destroyed"), Timestamp::from_millis(2_000)).await.unwrap();
    assert_eq!(one.destroy_due(Timestamp::from_millis(2_000)).await.unwrap(), [id("destroyed")]);
    other.refresh().await.unwrap();
    let disabled = by_other.wrap(&id("disabled"), &key, b"").await;
    assert_eq!(disabled, Err(KeyServiceError::Disabled(id("disabled"))));
    let destroyed = by_other.unwrap(&id("destroyed"), key.id(), &sealed, b"").await.map(drop);
    assert_eq!(destroyed, Err(KeyServiceError::NotFound(id("destroyed"))));
    assert!(!other.list().await.unwrap().iter().any(|key| key.id == id("destroyed")));
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_taken_in_and_changed_further() {
    let place = Place::new();
    let weather = Arc::new(Weather::default());
    let keyring = place.opened_in(&weather);
    let first = keyring.current();
    weather.answers_lost.store(1, Ordering::Relaxed);
    assert!(matches!(keyring.rotate_own().await, Err(KeyServiceError::Unavailable(_))));
    assert_eq!(keyring.current(), first);
    weather.is_stuck.store(false, Ordering::Relaxed);
    let rotated = keyring.rotate_own().await.unwrap();
    assert_eq!((keyring.current(), keyring.versions().len()), (rotated.id, 3));
    assert!(place.opened().same_as(&keyring));
}

#[tokio::test]
async fn a_reseal_whose_answer_was_lost_is_found_out() {
    let place = Place::new();
    let weather = Arc::new(Weather::default());
    let keyring = place.opened_in(&weather);
    weather.answers_lost.store(1, Ordering::Relaxed);
    assert!(matches!(keyring.reseal(root_key(6)).await, Err(KeyServiceError::Unavailable(_))));
    assert_eq!(keyring.root_key_id(), root_key(5).id());
    weather.is_stuck.store(false, Ordering::Relaxed);
    keyring.refresh().await.unwrap();
    assert_eq!(keyring.root_key_id(), root_key(6).id());
    keyring.rotate_own().await.unwrap();
    keyring.reseal(root_key(6)).await.unwrap();
    let sealed = place.sealed.lock().unwrap().clone();
    assert!(LocalKeyring::open(&root_key(6), &sealed).ok().unwrap().same_as(&keyring));
}

#[tokio::test]
async fn a_reseal_that_failed_does_not_happen_after_a_later_change() {
    let place = Place::new();
    let weather = Arc::new(Weather::default());
    let keyring = place.opened_in(&weather);
    weather.is_stuck.store(true, Ordering::Relaxed);
    assert!(keyring.reseal(root_key(6)).await.is_err());
    weather.is_stuck.store(false, Ordering::Relaxed);
    keyring.rotate_own().await.unwrap();
    let foreign = root_key(6).seal_keyring(&keyring.state().keys);
    *place.sealed.lock().unwrap() = foreign;
    assert!(matches!(keyring.refresh().await, Err(KeyServiceError::Unavailable(_))), "the other root key is forgotten");
}

#[tokio::test]
async fn a_keyring_of_another_installation_or_root_key_is_not_taken_in_and_not_overwritten() {
    for (root, installation) in [(5, "another installation"), (6, "root key")] {
        let (place, one, _) = Place::two();
        let foreign = LocalKeyring::create(&root_key(root)).1;
        (*place.sealed.lock().unwrap()).clone_from(&foreign);
        let before = one.current();
        for refused in [one.refresh().await, one.rotate_own().await.map(drop)] {
            let Err(KeyServiceError::Unavailable(text)) = refused else { panic!("{refused:?}") };
            assert!(text.contains(installation), "{text}");
        }
        assert_eq!((one.current(), one.changes_of_others()), (before, 0));
        assert_eq!(*place.sealed.lock().unwrap(), foreign);
    }
}

#[tokio::test]
async fn a_reseal_takes_the_changes_of_others_along() {
    let (place, one, other) = Place::two();
    let rotated = other.rotate_own().await.unwrap();
    one.reseal(root_key(6)).await.unwrap();
    let sealed = place.sealed.lock().unwrap().clone();
    assert_eq!(LocalKeyring::open(&root_key(6), &sealed).ok().unwrap().current(), rotated.id);
    assert!(matches!(other.refresh().await, Err(KeyServiceError::Unavailable(_))));
}

#[tokio::test]
async fn a_version_is_pruned_only_a_day_after_it_was_current_whoever_prunes() {
    let (place, one, _) = Place::two();
    let first = one.current();
    one.rotate_own().await.unwrap();
    // It never saw the first version as the current one.
    let late = place.opened();
    for keyring in [&*one, &late] {
        assert_eq!(keyring.prune(&[first]).await, Err(PruneError::RetiredLately(first)));
    }
    place.clock.0.fetch_add(26 * 3_600_000, Ordering::Relaxed);
    one.prune(&[first]).await.unwrap();
    late.refresh().await.unwrap();
    assert!(!late.has(first) && late.has(one.current()));
}

#[tokio::test]
async fn a_version_of_unknown_age_was_replaced_at_the_latest_when_a_newer_one_was() {
    let place = Place::new();
    // Nothing of it says when it was made.
    *place.sealed.lock().unwrap() = LocalKeyring::create(&root_key(5)).1;
    let keyring = place.opened();
    let first = keyring.current();
    keyring.rotate_own().await.unwrap();
    assert_eq!(keyring.prune(&[first]).await, Err(PruneError::RetiredLately(first)));
    place.clock.0.fetch_add(26 * 3_600_000, Ordering::Relaxed);
    keyring.prune(&[first]).await.unwrap();
}
