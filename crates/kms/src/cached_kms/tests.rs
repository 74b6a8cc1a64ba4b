use async_trait::async_trait;
use std::sync::atomic::AtomicBool;
use tokio::sync::Semaphore;

use super::*;
use crate::KmsKeyState;

/// A KMS that seals under one key, counts calls, and answers only while it is let.
struct CountingKms {
    key: KeyEncryptionKey,
    wraps: AtomicU64,
    unwraps: AtomicU64,
    down: AtomicBool,
    gate: Semaphore,
}

impl CountingKms {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            key: KeyEncryptionKey::generate(),
            wraps: AtomicU64::new(0),
            unwraps: AtomicU64::new(0),
            down: AtomicBool::new(false),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    async fn answers(&self) -> Outcome<()> {
        let _permit = self.gate.acquire().await.unwrap();
        if self.down.load(Ordering::SeqCst) { Err(KeyServiceError::Unavailable("down".to_owned())) } else { Ok(()) }
    }

    fn known(id: &KmsKeyId) -> Outcome<KmsKey> {
        Ok(KmsKey { id: id.clone(), state: KmsKeyState::Enabled, created: None, versions: 1 })
    }
}

#[async_trait]
impl KeyService for CountingKms {
    async fn create(&self, id: &KmsKeyId) -> Outcome<KmsKey> {
        Self::known(id)
    }

    async fn describe(&self, id: &KmsKeyId) -> Outcome<KmsKey> {
        Self::known(id)
    }

    async fn list(&self) -> Outcome<Vec<KmsKey>> {
        Ok(Vec::new())
    }

    async fn enable(&self, id: &KmsKeyId) -> Outcome<KmsKey> {
        Self::known(id)
    }

    async fn disable(&self, id: &KmsKeyId) -> Outcome<KmsKey> {
        Self::known(id)
    }

    async fn schedule_deletion(&self, id: &KmsKeyId, _: Timestamp) -> Outcome<KmsKey> {
        Self::known(id)
    }

    async fn rotate(&self, id: &KmsKeyId) -> Outcome<KmsKey> {
        Self::known(id)
    }

    async fn wrap(&self, _: &KmsKeyId, key: &KeyEncryptionKey, context: &[u8]) -> Outcome<Vec<u8>> {
        self.wraps.fetch_add(1, Ordering::SeqCst);
        self.answers().await?;
        Ok(self.key.seal_key(key, context))
    }

    async fn unwrap(&self, _: &KmsKeyId, inner: KeyId, sealed: &[u8], context: &[u8]) -> Outcome<KeyEncryptionKey> {
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        self.answers().await?;
        Ok(self.key.open_key(inner, sealed, context).map_err(|_| envelope::Damaged)?)
    }
}

const BUCKET: BucketId = BucketId::from_bytes([1; 16]);
const LIMITS: CacheLimits = CacheLimits { time: Duration::from_secs(60), keys: 3 };

fn id() -> KmsKeyId {
    KmsKeyId::default_key()
}

/// A cache that has not opened anything, and some keys in their sealed form.
async fn site(keys: usize, limits: CacheLimits) -> (Arc<CountingKms>, CachedKms, Vec<Arc<BucketKey>>) {
    let kms = CountingKms::new();
    let cached = CachedKms::new(kms.clone(), limits);
    let mut made = Vec::new();
    for _ in 0..keys {
        made.push(cached.object_key(&id(), BUCKET).await.ok().unwrap());
    }
    (kms, cached, made)
}

async fn open(cached: &CachedKms, made: &BucketKey) -> Outcome<Arc<KeyEncryptionKey>> {
    cached.open(&id(), made.key.id(), &made.sealed, BUCKET).await
}

fn error<T>(outcome: Outcome<T>) -> Option<KeyServiceError> {
    outcome.err()
}

#[tokio::test(start_paused = true)]
async fn a_key_is_opened_once_within_its_time_and_again_after_it() {
    let (kms, cached, made) = site(1, LIMITS).await;
    for _ in 0..5 {
        let opened = open(&cached, &made[0]).await.ok().unwrap();
        assert_eq!(opened.expose(), made[0].key.expose());
    }
    assert_eq!(kms.unwraps.load(Ordering::SeqCst), 1);
    assert_eq!(cached.stats(), CacheStats { hits: 4, misses: 2, keys: 1 });
    tokio::time::advance(LIMITS.time).await;
    assert!(open(&cached, &made[0]).await.is_ok());
    assert_eq!(kms.unwraps.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn many_who_ask_for_one_key_at_once_make_one_call_and_share_its_failure() {
    for down in [false, true] {
        let (kms, cached, made) = site(1, LIMITS).await;
        kms.down.store(down, Ordering::SeqCst);
        kms.gate.forget_permits(Semaphore::MAX_PERMITS);
        let asking = futures::future::join_all((0..100).map(|_| open(&cached, &made[0])));
        let letting = async {
            tokio::task::yield_now().await;
            kms.gate.add_permits(1);
        };
        let (outcomes, ()) = futures::future::join(asking, letting).await;
        assert_eq!(kms.unwraps.load(Ordering::SeqCst), 1);
        assert!(outcomes.iter().all(|outcome| outcome.is_ok() != down));
    }
}

#[tokio::test]
async fn a_call_whose_callers_all_went_away_goes_on_by_itself_and_gives_back_what_it_holds() {
    let (kms, cached, made) = site(40, LIMITS).await;
    kms.gate.forget_permits(Semaphore::MAX_PERMITS);
    for key in &made {
        assert!(open(&cached, key).now_or_never().is_none(), "it waits, and its caller goes away");
    }
    // One permit goes through all of them, if each gives it back.
    kms.gate.add_permits(1);
    while kms.unwraps.load(Ordering::SeqCst) < 40 || cached.stats().keys < 3 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert_eq!(kms.gate.available_permits(), 1);
    assert!(open(&cached, &made[0]).await.is_ok());
    assert_eq!(cached.opened.slots.lock().unwrap().len(), 3, "nothing is left of calls that have ended");
}

#[tokio::test]
async fn who_comes_later_joins_a_call_whose_first_caller_went_away() {
    let (kms, cached, made) = site(1, LIMITS).await;
    kms.gate.forget_permits(Semaphore::MAX_PERMITS);
    assert!(open(&cached, &made[0]).now_or_never().is_none());
    kms.gate.add_permits(1);
    assert!(open(&cached, &made[0]).await.is_ok());
    assert_eq!(kms.unwraps.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn while_the_kms_is_down_what_is_cached_opens_and_the_rest_says_so() {
    let (kms, cached, made) = site(2, LIMITS).await;
    open(&cached, &made[0]).await.ok().unwrap();
    kms.down.store(true, Ordering::SeqCst);
    assert!(open(&cached, &made[0]).await.is_ok());
    assert!(error(open(&cached, &made[1]).await).unwrap().is_retryable());
    assert!(error(cached.object_key(&id(), BUCKET).await).unwrap().is_retryable());
    kms.down.store(false, Ordering::SeqCst);
    assert!(open(&cached, &made[1]).await.is_ok(), "a failure is not kept");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_keys_are_kept_and_none_beyond_its_time() {
    let (kms, cached, made) = site(5, LIMITS).await;
    for key in &made {
        open(&cached, key).await.ok().unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(cached.stats().keys, 3);
    open(&cached, &made[4]).await.ok().unwrap();
    assert_eq!(kms.unwraps.load(Ordering::SeqCst), 5);
    open(&cached, &made[0]).await.ok().unwrap();
    assert_eq!(kms.unwraps.load(Ordering::SeqCst), 6, "the oldest made room");
    tokio::time::advance(LIMITS.time).await;
    cached.sweep();
    assert_eq!(cached.stats().keys, 0);
}

#[tokio::test]
async fn a_cache_without_time_keeps_nothing() {
    let (kms, cached, made) = site(1, CacheLimits { time: Duration::ZERO, keys: 3 }).await;
    for _ in 0..3 {
        open(&cached, &made[0]).await.ok().unwrap();
    }
    assert_eq!((kms.unwraps.load(Ordering::SeqCst), cached.stats().keys), (3, 0));
}

#[tokio::test]
async fn a_bucket_has_one_key_and_another_bucket_another() {
    let (kms, cached, _) = site(0, LIMITS).await;
    let other = BucketId::from_bytes([2; 16]);
    let first = cached.bucket_key(&id(), BUCKET).await.ok().unwrap();
    let again = cached.bucket_key(&id(), BUCKET).await.ok().unwrap();
    let others = cached.bucket_key(&id(), other).await.ok().unwrap();
    assert!(first.key.id() == again.key.id() && first.key.id() != others.key.id());
    assert_eq!(kms.wraps.load(Ordering::SeqCst), 2);
    assert!(error(cached.open(&id(), first.key.id(), &first.sealed, other).await).is_some(), "bound to its bucket");
}

#[tokio::test]
async fn a_key_that_is_disabled_here_is_forgotten_at_once_even_while_it_is_being_opened() {
    let (kms, cached, made) = site(2, LIMITS).await;
    open(&cached, &made[0]).await.ok().unwrap();
    cached.disable(&id()).await.unwrap();
    assert_eq!(cached.stats().keys, 0);

    kms.gate.forget_permits(Semaphore::MAX_PERMITS);
    let opening = open(&cached, &made[1]);
    let forgetting = async {
        tokio::task::yield_now().await;
        cached.forget(&id());
        kms.gate.add_permits(1);
    };
    let (opened, ()) = futures::future::join(opening, forgetting).await;
    assert!(opened.is_ok());
    assert_eq!(cached.stats().keys, 0, "what was under way is not put down");
}
