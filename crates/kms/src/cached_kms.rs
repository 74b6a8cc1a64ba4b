//! The KMS behind a cache of opened key-encryption keys.
//!
//! A KMS may be far away, slow or down. What it opened is kept for a limited time, so that many objects under one key
//! cost one call, and reads go on without it. Many who ask for the same key at once share one call and its outcome, good
//! or bad; none of them waits for another's retry.
//!
//! A key that another gateway, or the KMS's own administrator, disables goes on serving from here until its time is
//! over. What is disabled through [`CachedKms`] itself is forgotten at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use envelope::{KeyEncryptionKey, KeyId};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use model::{BucketId, KmsKeyId, Timestamp};
use tokio::time::Instant;

use crate::{KeyService, KeyServiceError, KmsKey};

/// How long and how many keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// How long an opened key serves without the KMS being asked again. Zero keeps none.
    pub time: Duration,
    /// How many keys are kept; the one that would go soonest makes room.
    pub keys: usize,
}

/// How often the cache had what was asked for, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Answered without a call to the KMS.
    pub hits: u64,
    /// Answered by a call, their own or one that was under way.
    pub misses: u64,
    /// Keys that are kept now.
    pub keys: u64,
}

/// A KMS with a cache in front of it.
pub struct CachedKms {
    kms: Arc<dyn KeyService>,
    limits: CacheLimits,
    /// Keys that the KMS opened.
    opened: Arc<Slots<(KmsKeyId, KeyId), Arc<KeyEncryptionKey>>>,
    /// Keys that wrap what is written to a bucket, with their sealed form.
    bucket_keys: Arc<Slots<(KmsKeyId, BucketId), Arc<BucketKey>>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A key-encryption key with its form under the KMS.
pub(crate) struct BucketKey {
    pub(crate) key: Arc<KeyEncryptionKey>,
    pub(crate) sealed: Vec<u8>,
}

type Outcome<V> = Result<V, KeyServiceError>;

enum Slot<V> {
    /// A call is under way; whoever comes joins it.
    Flying(Flight<V>),
    Ready {
        value: V,
        until: Instant,
    },
}

/// A call that runs by itself: whoever asked for it may go away.
struct Flight<V> {
    /// Tells it from another call for the same key.
    number: u64,
    outcome: Shared<BoxFuture<'static, Outcome<V>>>,
}

impl<V> Clone for Flight<V> {
    fn clone(&self) -> Self {
        Self { number: self.number, outcome: self.outcome.clone() }
    }
}

struct Slots<K, V> {
    slots: Mutex<HashMap<K, Slot<V>>>,
    flights: AtomicU64,
}

impl CachedKms {
    /// Puts a cache in front of a KMS.
    #[must_use]
    pub fn new(kms: Arc<dyn KeyService>, limits: CacheLimits) -> Self {
        Self {
            kms,
            limits,
            opened: Arc::default(),
            bucket_keys: Arc::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Creates a key. See [`KeyService::create`].
    ///
    /// # Errors
    /// As [`KeyService::create`].
    pub async fn create(&self, id: &KmsKeyId) -> Outcome<KmsKey> {
        self.kms.create(id).await
    }

    /// What is known of a key.
    ///
    /// # Errors
    /// As [`KeyService::describe`].
    pub async fn describe(&self, id: &KmsKeyId) -> Outcome<KmsKey> {
        self.kms.describe(id).await
    }

    /// All keys, by id.
    ///
    /// # Errors
    /// As [`KeyService::list`].
    pub async fn list(&self) -> Outcome<Vec<KmsKey>> {
        self.kms.list().await
    }

    /// Lets a key be used again.
    ///
    /// # Errors
    /// As [`KeyService::enable`].
    pub async fn enable(&self, id: &KmsKeyId) -> Outcome<KmsKey> {
        self.kms.enable(id).await
    }

    /// Forbids every use of a key, here from now on.
    ///
    /// # Errors
    /// As [`KeyService::disable`].
    pub async fn disable(&self, id: &KmsKeyId) -> Outcome<KmsKey> {
        let disabled = self.kms.disable(id).await;
        self.forget(id);
        disabled
    }

    /// Lets a key be destroyed at a time, and forbids every use of it, here from now on.
    ///
    /// # Errors
    /// As [`KeyService::schedule_deletion`].
    pub async fn schedule_deletion(&self, id: &KmsKeyId, at: Timestamp) -> Outcome<KmsKey> {
        let scheduled = self.kms.schedule_deletion(id, at).await;
        self.forget(id);
        scheduled
    }

    /// Gives a key a new version, which seals from now on.
    ///
    /// # Errors
    /// As [`KeyService::rotate`].
    pub async fn rotate(&self, id: &KmsKeyId) -> Outcome<KmsKey> {
        let rotated = self.kms.rotate(id).await;
        self.forget(id);
        rotated
    }

    /// Whether the current version of a key sealed this. See [`KeyService::is_current`].
    ///
    /// # Errors
    /// As [`KeyService::is_current`].
    pub async fn is_current(&self, id: &KmsKeyId, sealed: &[u8]) -> Outcome<bool> {
        self.kms.is_current(id, sealed).await
    }

    /// See [`KeyService::sealer`].
    #[must_use]
    pub fn sealer<'a>(&self, sealed: &'a [u8]) -> &'a [u8] {
        self.kms.sealer(sealed)
    }

    /// Wipes what is kept of a key.
    pub fn forget(&self, id: &KmsKeyId) {
        self.opened.remove_where(|(kms_key, _)| kms_key == id);
        self.bucket_keys.remove_where(|(kms_key, _)| kms_key == id);
    }

    /// Wipes everything that is kept: somebody else may have changed any key.
    pub fn forget_all(&self) {
        self.opened.remove_where(|_| true);
        self.bucket_keys.remove_where(|_| true);
    }

    /// Lets what is written to a bucket from now on be wrapped by fresh keys: those that are kept may have been sealed
    /// before somebody else rotated the KMS key.
    pub(crate) fn renew_bucket_keys(&self) {
        self.bucket_keys.remove_where(|_| true);
    }

    /// Wipes what is kept beyond its time. To be called now and then: a key that nobody asks for again is not looked
    /// at otherwise.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.opened.remove_expired(now);
        self.bucket_keys.remove_expired(now);
    }

    /// How well the cache does.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            keys: (self.opened.len() + self.bucket_keys.len()) as u64,
        }
    }

    /// A key-encryption key in its sealed form, opened.
    pub(crate) async fn open(
        &self,
        id: &KmsKeyId,
        inner: KeyId,
        sealed: &[u8],
        bucket: BucketId,
    ) -> Outcome<Arc<KeyEncryptionKey>> {
        let call = || {
            let (kms, kms_key, sealed) = (Arc::clone(&self.kms), id.clone(), sealed.to_vec());
            let opened = async move { kms.unwrap(&kms_key, inner, &sealed, bucket.as_bytes()).await.map(Arc::new) };
            opened.boxed()
        };
        self.look_up(&self.opened, (id.clone(), inner), call).await
    }

    /// A fresh key-encryption key for one object.
    pub(crate) async fn object_key(&self, id: &KmsKeyId, bucket: BucketId) -> Outcome<Arc<BucketKey>> {
        self.misses.fetch_add(1, Ordering::Relaxed);
        fresh_key(Arc::clone(&self.kms), id.clone(), bucket).await
    }

    /// The key-encryption key that wraps what is written to a bucket now.
    pub(crate) async fn bucket_key(&self, id: &KmsKeyId, bucket: BucketId) -> Outcome<Arc<BucketKey>> {
        let call = || fresh_key(Arc::clone(&self.kms), id.clone(), bucket).boxed();
        self.look_up(&self.bucket_keys, (id.clone(), bucket), call).await
    }

    async fn look_up<K, V>(
        &self,
        slots: &Arc<Slots<K, V>>,
        slot_key: K,
        call: impl FnOnce() -> BoxFuture<'static, Outcome<V>>,
    ) -> Outcome<V>
    where
        K: Hash + Eq + Clone + Send + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let flight = match slots.find_or_join(&slot_key, call, self.limits) {
            Found::Ready(value) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(value);
            }
            Found::Flying(flight) => flight,
        };
        self.misses.fetch_add(1, Ordering::Relaxed);
        let outcome = flight.outcome.await;
        // The call has landed by itself, unless it panicked.
        slots.land(&slot_key, flight.number, &outcome, self.limits);
        outcome
    }
}

/// Opening it again later is a call to the KMS like any other.
async fn fresh_key(kms: Arc<dyn KeyService>, id: KmsKeyId, bucket: BucketId) -> Outcome<Arc<BucketKey>> {
    let key = KeyEncryptionKey::generate();
    let sealed = kms.wrap(&id, &key, bucket.as_bytes()).await?;
    Ok(Arc::new(BucketKey { key: Arc::new(key), sealed }))
}

enum Found<V> {
    Ready(V),
    Flying(Flight<V>),
}

impl<K, V> Default for Slots<K, V> {
    fn default() -> Self {
        Self { slots: Mutex::default(), flights: AtomicU64::new(0) }
    }
}

impl<K, V> Slots<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// What is kept, the call that is under way, or a call that begins now.
    ///
    /// The call is a task of its own. A client that hangs up takes its request away, and a call that nobody drove any
    /// more would keep whatever it holds of the provider's for ever, its own time limit included.
    fn find_or_join(
        self: &Arc<Self>,
        slot_key: &K,
        call: impl FnOnce() -> BoxFuture<'static, Outcome<V>>,
        limits: CacheLimits,
    ) -> Found<V> {
        let mut slots = self.lock();
        match slots.get(slot_key) {
            Some(Slot::Ready { value, until }) if *until > Instant::now() => return Found::Ready(value.clone()),
            Some(Slot::Flying(flight)) => return Found::Flying(flight.clone()),
            Some(Slot::Ready { .. }) | None => {}
        }
        let number = self.flights.fetch_add(1, Ordering::Relaxed);
        let (call, own, own_key) = (call(), Arc::clone(self), slot_key.clone());
        // It cannot land before it stands in its slot: the lock is ours.
        let task = tokio::spawn(async move {
            let outcome = call.await;
            own.land(&own_key, number, &outcome, limits);
            outcome
        });
        let interrupted = || Err(KeyServiceError::Unavailable("the call to the KMS was interrupted".to_owned()));
        let outcome = async move { task.await.unwrap_or_else(|_| interrupted()) }.boxed().shared();
        let flight = Flight { number, outcome };
        slots.insert(slot_key.clone(), Slot::Flying(flight.clone()));
        Found::Flying(flight)
    }

    /// Puts the outcome of a call down. What was forgotten meanwhile stays forgotten.
    fn land(&self, slot_key: &K, number: u64, outcome: &Outcome<V>, limits: CacheLimits) {
        let mut slots = self.lock();
        if !matches!(slots.get(slot_key), Some(Slot::Flying(flight)) if flight.number == number) {
            return;
        }
        slots.remove(slot_key);
        if let Ok(value) = outcome
            && !limits.time.is_zero()
        {
            while ready(&slots) >= limits.keys.max(1) {
                let Some(soonest) = soonest(&slots) else { break };
                slots.remove(&soonest);
            }
            slots.insert(slot_key.clone(), Slot::Ready { value: value.clone(), until: Instant::now() + limits.time });
        }
    }

    fn remove_where(&self, goes: impl Fn(&K) -> bool) {
        self.lock().retain(|slot_key, _| !goes(slot_key));
    }

    fn remove_expired(&self, now: Instant) {
        self.lock().retain(|_, slot| match slot {
            Slot::Flying(_) => true,
            Slot::Ready { until, .. } => *until > now,
        });
    }

    fn len(&self) -> usize {
        ready(&self.lock())
    }

    /// A panic under the lock would leave a map that is whole: every change is one insertion or removal.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, Slot<V>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ready<K, V>(slots: &HashMap<K, Slot<V>>) -> usize {
    slots.values().filter(|slot| matches!(slot, Slot::Ready { .. })).count()
}

fn soonest<K: Hash + Eq + Clone, V>(slots: &HashMap<K, Slot<V>>) -> Option<K> {
    let ready = slots.iter().filter_map(|(slot_key, slot)| match slot {
        Slot::Flying(_) => None,
        Slot::Ready { until, .. } => Some((until, slot_key)),
    });
    ready.min_by_key(|(until, _)| **until).map(|(_, slot_key)| slot_key.clone())
}

#[cfg(test)]
mod tests;
