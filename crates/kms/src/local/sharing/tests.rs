use std::sync::Mutex;

use envelope::{DataKey, KeyHolder, ObjectIdentity, RootKey};
use model::{BucketId, KmsKeyId, ObjectKey, VersionId};
use zeroize::Zeroizing;

use super::*;
use crate::{KeyService, KeyringFile, KeyringFileError, PruneError};

/// One place, as one of the processes that share it sees it.
struct Seen {
    place: Arc<Mutex<Vec<u8>>>,
    base: Mutex<Vec<u8>>,
}

impl KeyringFile for Seen {
    fn replace(&self, sealed: &[u8]) -> Result<(), KeyringFileError> {
        let (mut place, mut base) = (self.place.lock().unwrap(), self.base.lock().unwrap());
        if *place != *base {
            return Err(KeyringFileError::Overtaken);
        }
        *place = sealed.to_vec();
        *base = sealed.to_vec();
        Ok(())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn latest(&self) -> Result<Option<Vec<u8>>, KeyringFileError> {
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
        let sealed = self.sealed.lock().unwrap().clone();
        let keyring = LocalKeyring::open(&root_key(5), &sealed).ok().unwrap();
        let file = Arc::new(Seen { place: self.sealed.clone(), base: Mutex::new(sealed) });
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

#[tokio::test]
async fn what_another_wrapped_by_a_fresh_version_opens_at_once() {
    let (_place, one, other) = Place::two();
    let object = ObjectKey::parse("testfile").unwrap();
    let version = VersionId::from_bytes([2; 16]);
    let identity = ObjectIdentity { bucket: BucketId::from_bytes([1; 16]), object: &object, version };
    one.rotate_own().await.unwrap();
    let wrapped = one.wrap(&DataKey::generate(), &identity);
    let KeyHolder::Keyring(by) = wrapped.holder() else { panic!("a keyring wrapped it") };
    assert!(!other.has(by));
    let keys = crate::DataKeys::new(other.clone(), None, Arc::new(crate::NoAudit));
    let bucket = model::BucketName::parse("bucket").unwrap();
    let requester = crate::Requester { principal: &model::Principal::Anonymous, bucket: &bucket };
    let stored = crate::StoredWrap { wrapped, kms: None };
    assert!(keys.unwrap(&stored, &identity, requester).await.is_ok());
    assert!(other.has(by));
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
