//! The one suite that every key service runs.
//!
//! [`run_all`] panics when the service breaks a promise of [`KeyService`]. The service may be a real KMS that holds
//! other keys too: the suite makes keys of names that nobody has, and leaves them behind. What a provider cannot do is
//! said in [`Abilities`], and then it must say so itself, with [`KeyServiceError::NotSupported`].

use std::sync::Arc;

use envelope::{Damaged, KeyEncryptionKey, random_bytes};
use model::{KmsKeyId, Timestamp};

use crate::{KeyService, KeyServiceError, KmsKeyState, SEALED_LEN_MAX};

/// What a provider can do beside creating keys, wrapping and unwrapping, which every one can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// [`KeyService::list`].
    pub list: bool,
    /// [`KeyService::disable`] and [`KeyService::enable`].
    pub disable: bool,
    /// [`KeyService::schedule_deletion`], and [`KeyService::enable`] to cancel it.
    pub delete: bool,
    /// [`KeyService::rotate`].
    pub rotate: bool,
    /// What is sealed for one context does not open in another.
    pub bind_context: bool,
    /// [`KeyService::is_current`] tells an older version from the current one.
    pub tell_version: bool,
}

impl Abilities {
    /// All of them.
    pub const ALL: Self =
        Self { list: true, disable: true, delete: true, rotate: true, bind_context: true, tell_version: true };
}

/// Runs every case.
pub async fn run_all(service: Arc<dyn KeyService>, abilities: Abilities) {
    let kms = &*service;
    a_created_key_is_described(kms).await;
    a_name_is_given_once(kms).await;
    an_unknown_key_is_not_found(kms, abilities).await;
    what_was_wrapped_is_unwrapped(kms).await;
    what_was_wrapped_hides_the_key_and_fits_into_a_record(kms).await;
    what_one_key_wrapped_does_not_open_with_another(kms).await;
    what_was_changed_or_cut_does_not_open(kms).await;
    keys_are_listed_by_name(kms, abilities).await;
    another_context_does_not_open(kms, abilities).await;
    a_disabled_key_does_nothing_until_it_is_enabled(kms, abilities).await;
    a_key_pending_deletion_does_nothing_until_that_is_cancelled(kms, abilities).await;
    a_rotated_key_opens_what_its_older_versions_wrapped(kms, abilities).await;
    many_at_once_get_their_own_keys(service, abilities).await;
}

async fn a_created_key_is_described(kms: &dyn KeyService) {
    let id = fresh();
    let created = kms.create(&id).await.expect("the key is created");
    assert_eq!((&created.id, created.state, created.versions), (&id, KmsKeyState::Enabled, 1));
    assert_eq!(kms.describe(&id).await.expect("the key is described"), created);
}

async fn a_name_is_given_once(kms: &dyn KeyService) {
    let id = created(kms).await;
    let key = KeyEncryptionKey::generate();
    let sealed = kms.wrap(&id, &key, CONTEXT).await.expect("the key wraps");
    assert_eq!(kms.create(&id).await, Err(KeyServiceError::AlreadyExists(id.clone())));
    assert_opens(kms, &id, &key, &sealed, CONTEXT).await;
}

async fn an_unknown_key_is_not_found(kms: &dyn KeyService, abilities: Abilities) {
    let (id, known) = (fresh(), created(kms).await);
    let key = KeyEncryptionKey::generate();
    let sealed = kms.wrap(&known, &key, CONTEXT).await.expect("the key wraps");
    let not_found = KeyServiceError::NotFound(id.clone());
    assert_eq!(kms.describe(&id).await.err().as_ref(), Some(&not_found));
    assert_eq!(kms.wrap(&id, &key, CONTEXT).await.err().as_ref(), Some(&not_found));
    assert_eq!(kms.unwrap(&id, key.id(), &sealed, CONTEXT).await.err().as_ref(), Some(&not_found));
    if abilities.disable {
        assert_eq!(kms.enable(&id).await.err().as_ref(), Some(&not_found));
        assert_eq!(kms.disable(&id).await.err().as_ref(), Some(&not_found));
    }
    if abilities.delete {
        assert_eq!(kms.schedule_deletion(&id, NEVER_COMES).await.err().as_ref(), Some(&not_found));
    }
    if abilities.rotate {
        assert_eq!(kms.rotate(&id).await.err().as_ref(), Some(&not_found));
    }
}

async fn what_was_wrapped_is_unwrapped(kms: &dyn KeyService) {
    let id = created(kms).await;
    let contexts: [&[u8]; 3] = [b"", CONTEXT, &[0xff; 64]];
    for context in contexts {
        let key = KeyEncryptionKey::generate();
        let sealed = kms.wrap(&id, &key, context).await.expect("the key wraps");
        assert_opens(kms, &id, &key, &sealed, context).await;
    }
}

async fn what_was_wrapped_hides_the_key_and_fits_into_a_record(kms: &dyn KeyService) {
    let id = created(kms).await;
    let key = KeyEncryptionKey::generate();
    let first = kms.wrap(&id, &key, CONTEXT).await.expect("the key wraps");
    let second = kms.wrap(&id, &key, CONTEXT).await.expect("the key wraps");
    assert_ne!(first, second, "wrapping twice gives something to compare");
    for sealed in [first, second] {
        assert!(sealed.len() <= SEALED_LEN_MAX, "{} bytes", sealed.len());
        assert!(!sealed.windows(8).any(|bytes| key.expose().windows(8).any(|secret| secret == bytes)));
    }
}

async fn what_one_key_wrapped_does_not_open_with_another(kms: &dyn KeyService) {
    let (id, other) = (created(kms).await, created(kms).await);
    let key = KeyEncryptionKey::generate();
    let sealed = kms.wrap(&id, &key, CONTEXT).await.expect("the key wraps");
    assert_does_not_open(kms, &other, &key, &sealed, CONTEXT).await;
    assert_opens(kms, &id, &key, &sealed, CONTEXT).await;
}

async fn what_was_changed_or_cut_does_not_open(kms: &dyn KeyService) {
    let id = created(kms).await;
    let key = KeyEncryptionKey::generate();
    let sealed = kms.wrap(&id, &key, CONTEXT).await.expect("the key wraps");
    // A KMS at the other end of a network is not asked for every byte.
    let places = [0, 1, sealed.len() / 3, sealed.len() / 2, sealed.len() - 20, sealed.len() - 1];
    for at in places {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_does_not_open(kms, &id, &key, &changed, CONTEXT).await;
        assert_does_not_open(kms, &id, &key, &sealed[..at], CONTEXT).await;
    }
    assert_does_not_open(kms, &id, &key, &[sealed.as_slice(), &[0]].concat(), CONTEXT).await;
    assert_opens(kms, &id, &key, &sealed, CONTEXT).await;
}

async fn keys_are_listed_by_name(kms: &dyn KeyService, abilities: Abilities) {
    if !abilities.list {
        return assert_not_supported(kms.list().await);
    }
    let (one, other) = (created(kms).await, created(kms).await);
    let listed = kms.list().await.expect("the keys are listed");
    assert!(listed.is_sorted_by(|one, next| one.id < next.id), "the list is ordered and names no key twice");
    for id in [one, other] {
        let described = kms.describe(&id).await.expect("the key is described");
        assert_eq!(listed.iter().find(|key| key.id == id), Some(&described));
    }
}

async fn another_context_does_not_open(kms: &dyn KeyService, abilities: Abilities) {
    if !abilities.bind_context {
        return;
    }
    let id = created(kms).await;
    let key = KeyEncryptionKey::generate();
    let sealed = kms.wrap(&id, &key, CONTEXT).await.expect("the key wraps");
    let others: [&[u8]; 3] = [b"", b"another bucket", &CONTEXT[1..]];
    for context in others {
        assert_does_not_open(kms, &id, &key, &sealed, context).await;
    }
}

async fn a_disabled_key_does_nothing_until_it_is_enabled(kms: &dyn KeyService, abilities: Abilities) {
    let id = created(kms).await;
    if !abilities.disable {
        return assert_not_supported(kms.disable(&id).await);
    }
    let key = KeyEncryptionKey::generate();
    let sealed = kms.wrap(&id, &key, CONTEXT).await.expect("the key wraps");
    for _ in 0..2 {
        let disabled = kms.disable(&id).await.expect("the key is disabled, and stays so");
        assert_eq!(disabled.state, KmsKeyState::Disabled);
    }
    assert_eq!(kms.describe(&id).await.expect("the key is described").state, KmsKeyState::Disabled);
    assert_rests(kms, &id, &key, &sealed, &KeyServiceError::Disabled(id.clone())).await;
    for _ in 0..2 {
        let enabled = kms.enable(&id).await.expect("the key is enabled, and stays so");
        assert_eq!(enabled.state, KmsKeyState::Enabled);
    }
    assert_opens(kms, &id, &key, &sealed, CONTEXT).await;
}

async fn a_key_pending_deletion_does_nothing_until_that_is_cancelled(kms: &dyn KeyService, abilities: Abilities) {
    let id = created(kms).await;
    if !abilities.delete {
        return assert_not_supported(kms.schedule_deletion(&id, NEVER_COMES).await);
    }
    let key = KeyEncryptionKey::generate();
    let sealed = kms.wrap(&id, &key, CONTEXT).await.expect("the key wraps");
    let pending = kms.schedule_deletion(&id, NEVER_COMES).await.expect("the deletion is scheduled");
    assert_eq!(pending.state, KmsKeyState::PendingDeletion(NEVER_COMES));
    assert_eq!(kms.describe(&id).await.expect("the key is described"), pending);
    let refusal = KeyServiceError::PendingDeletion(id.clone());
    assert_rests(kms, &id, &key, &sealed, &refusal).await;
    let later = Timestamp::from_millis(NEVER_COMES.as_millis() + 1);
    assert_eq!(kms.schedule_deletion(&id, later).await.err().as_ref(), Some(&refusal));
    if abilities.disable {
        assert_eq!(kms.disable(&id).await.err().as_ref(), Some(&refusal));
    }
    assert_eq!(kms.describe(&id).await.expect("the key is described"), pending, "the time stays");
    assert_eq!(kms.create(&id).await, Err(KeyServiceError::AlreadyExists(id.clone())));
    assert_eq!(kms.enable(&id).await.expect("the deletion is cancelled").state, KmsKeyState::Enabled);
    assert_opens(kms, &id, &key, &sealed, CONTEXT).await;
}

async fn a_rotated_key_opens_what_its_older_versions_wrapped(kms: &dyn KeyService, abilities: Abilities) {
    let id = created(kms).await;
    if !abilities.rotate {
        return assert_not_supported(kms.rotate(&id).await);
    }
    let mut wrapped: Vec<(KeyEncryptionKey, Vec<u8>)> = Vec::new();
    for version in 1..=3 {
        let key = KeyEncryptionKey::generate();
        let sealed = kms.wrap(&id, &key, CONTEXT).await.expect("the key wraps");
        assert!(kms.is_current(&id, &sealed).await.expect("it is told") || !abilities.tell_version);
        for (_, older) in &wrapped {
            assert_ne!(kms.sealer(&sealed), kms.sealer(older), "versions are told apart by their sealers");
        }
        wrapped.push((key, sealed));
        let rotated = kms.rotate(&id).await.expect("the key is rotated");
        assert_eq!((rotated.state, rotated.versions), (KmsKeyState::Enabled, version + 1));
    }
    for (key, sealed) in &wrapped {
        assert_opens(kms, &id, key, sealed, CONTEXT).await;
        assert!(!kms.is_current(&id, sealed).await.expect("it is told"), "an older version is never the current one");
    }
}

async fn many_at_once_get_their_own_keys(service: Arc<dyn KeyService>, abilities: Abilities) {
    let id = created(&*service).await;
    let wrapping = (0..16).map(|number| {
        let (service, id) = (Arc::clone(&service), id.clone());
        tokio::spawn(async move {
            if abilities.rotate && number % 5 == 4 {
                service.rotate(&id).await.expect("the key is rotated");
            }
            let key = KeyEncryptionKey::generate();
            let sealed = service.wrap(&id, &key, &[number]).await.expect("the key wraps");
            assert_opens(&*service, &id, &key, &sealed, &[number]).await;
        })
    });
    for wrapped in wrapping.collect::<Vec<_>>() {
        wrapped.await.expect("every one of them gets its own key back");
    }
}

/// A name that no key of this KMS has.
fn fresh() -> KmsKeyId {
    let digits: String = random_bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    KmsKeyId::parse(&format!("conformance-{digits}")).expect("letters, digits and a hyphen are a name")
}

async fn created(kms: &dyn KeyService) -> KmsKeyId {
    let id = fresh();
    kms.create(&id).await.expect("the key is created");
    id
}

async fn assert_opens(kms: &dyn KeyService, id: &KmsKeyId, key: &KeyEncryptionKey, sealed: &[u8], context: &[u8]) {
    let opened = kms.unwrap(id, key.id(), sealed, context).await;
    let opened = opened.unwrap_or_else(|error| panic!("what was wrapped does not open: {error}"));
    assert!(opened.id() == key.id() && opened.expose() == key.expose(), "another key came back");
}

async fn assert_does_not_open(
    kms: &dyn KeyService,
    id: &KmsKeyId,
    key: &KeyEncryptionKey,
    sealed: &[u8],
    context: &[u8],
) {
    match kms.unwrap(id, key.id(), sealed, context).await {
        Err(KeyServiceError::Damaged(Damaged) | KeyServiceError::UnknownKey(_)) => {}
        Err(error) => panic!("what does not open is not called damaged: {error}"),
        Ok(_) => panic!("what must not open was opened"),
    }
}

async fn assert_rests(
    kms: &dyn KeyService,
    id: &KmsKeyId,
    key: &KeyEncryptionKey,
    sealed: &[u8],
    expected: &KeyServiceError,
) {
    assert_eq!(kms.wrap(id, key, CONTEXT).await.err().as_ref(), Some(expected));
    assert_eq!(kms.unwrap(id, key.id(), sealed, CONTEXT).await.err().as_ref(), Some(expected));
}

fn assert_not_supported<T>(answer: Result<T, KeyServiceError>) {
    assert!(matches!(answer.err(), Some(KeyServiceError::NotSupported(_))), "what the provider cannot do is said so");
}

const CONTEXT: &[u8] = b"0123456789abcdef";
/// In the year 2100.
const NEVER_COMES: Timestamp = Timestamp::from_millis(4_102_444_800_000);
