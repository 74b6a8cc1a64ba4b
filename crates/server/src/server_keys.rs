//! The keys that the server holds, and the KMS that it asks.

use std::sync::Arc;
use std::time::Duration;

use kms::{CacheLimits, CachedKms, KeyChangeOperation, KeyName, LocalKeyring};
use tokio::time::{Instant, MissedTickBehavior};

use crate::clock;
use crate::config::Kms;
use crate::key_changes::KeyChanges;
use crate::kms_provider::{KmsError, Provider};

/// How often keys are looked for whose time of deletion has come.
const DESTROY_EVERY: Duration = Duration::from_secs(24 * 3600);

/// How often, at least, keys are wiped that were kept beyond their time.
const SWEEP_EVERY_MAX: Duration = Duration::from_secs(60);

/// How often it is asked what other gateways did to the keyring.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often the log is told how well the cache of opened keys does.
const TELL_EVERY: Duration = Duration::from_secs(600);

/// The keyring, and the KMS for SSE-KMS.
#[derive(Clone)]
pub(crate) struct ServerKeys {
    pub(crate) keyring: Arc<LocalKeyring>,
    pub(crate) kms: Arc<CachedKms>,
}

impl ServerKeys {
    /// A keyring that is its own KMS: for work that has nothing to do with another.
    pub(crate) fn local(keyring: Arc<LocalKeyring>) -> Self {
        let limits = CacheLimits { time: Duration::from_secs(300), keys: 10_000 };
        Self { kms: Arc::new(CachedKms::new(keyring.clone(), limits)), keyring }
    }

    /// The keyring, and the KMS that the configuration names behind its cache. Nothing is asked of it yet. The provider
    /// beside it is to be kept up by a server that runs.
    pub(crate) fn new(keyring: Arc<LocalKeyring>, kms: &Kms) -> Result<(Self, Provider), KmsError> {
        let provider = Provider::new(&kms.service, &keyring)?;
        let cached = Arc::new(CachedKms::new(Arc::clone(&provider.service), kms.cache));
        Ok((Self { keyring, kms: cached }, provider))
    }

    /// Wipes opened keys that are kept for longer than `time`, soon after it, and tells the log now and then how well
    /// keeping them does. Never returns.
    pub(crate) async fn keep_cache(self, time: Duration) {
        let every = if time.is_zero() { SWEEP_EVERY_MAX } else { time / 4 };
        let every = every.clamp(Duration::from_millis(100), SWEEP_EVERY_MAX);
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut told_at) = (self.kms.stats(), Instant::now());
        loop {
            interval.tick().await;
            self.kms.sweep();
            let stats = self.kms.stats();
            if told_at.elapsed() >= TELL_EVERY && (stats.hits, stats.misses) != (told.hits, told.misses) {
                let (hits, misses) = (stats.hits - told.hits, stats.misses - told.misses);
                tracing::info!(
                    hits,
                    misses,
                    kept = stats.keys,
                    "keys that a KMS opened: how often one was there already"
                );
                (told, told_at) = (stats, Instant::now());
            }
        }
    }

    /// Takes in what other gateways do to the keyring, well within a second, and wipes what is kept of keys that they may
    /// have disabled. Without other gateways it returns at once, else never.
    pub(crate) async fn keep_up_with_others(self) {
        if !self.keyring.is_shared() {
            return;
        }
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut trouble) = (self.keyring.changes_of_others(), None);
        loop {
            interval.tick().await;
            let told = self.keyring.refresh().await.err().map(|error| error.to_string());
            let changes = self.keyring.changes_of_others();
            if changes != seen {
                self.kms.forget_all();
                tracing::info!("took in what another gateway did to the keyring");
                seen = changes;
            }
            if told != trouble {
                match &told {
                    Some(error) => tracing::error!(error, "what other gateways do to the keyring is not known here"),
                    None => tracing::info!("what other gateways do to the keyring is known here again"),
                }
                trouble = told;
            }
        }
    }

    /// Destroys the named keys of the keyring whose time has come, now and once a day. Never returns.
    pub(crate) async fn destroy_due_daily(self, changes: KeyChanges) {
        let mut interval = tokio::time::interval(DESTROY_EVERY);
        loop {
            interval.tick().await;
            match self.keyring.destroy_due(clock::now()).await {
                Ok(destroyed) => {
                    for id in destroyed {
                        self.kms.forget(&id);
                        let (changes, key_name) = (changes.by(None), Some(KeyName::Kms(&id)));
                        if let Err(error) = changes.told(KeyChangeOperation::Destroy, key_name, Ok(())).await {
                            tracing::error!(%id, %error, "the audit log does not say that a KMS key was destroyed");
                        }
                        tracing::warn!(%id, "the time of a KMS key has come: it is destroyed");
                    }
                }
                Err(error) => tracing::error!(%error, "keys whose time has come could not be destroyed"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use envelope::{ContextDigest, DataKey, ObjectIdentity, RootKey};
    use kms::{DataKeys, Keeper, KeyService as _, KmsWrapRequest, MemoryKeyringFile, NoAudit, Requester, ServerHolder};
    use model::{BucketId, BucketName, KmsKeyId, ObjectKey, Principal, Timestamp, VersionId};

    use super::*;
    use crate::clock::SystemClock;
    use crate::key_changes::Trail;

    #[tokio::test]
    async fn an_opened_key_that_nobody_asks_for_again_is_wiped_soon_after_its_time() {
        let root_key = RootKey::generate();
        let (keyring, sealed) = LocalKeyring::create(&root_key);
        let file = Arc::new(MemoryKeyringFile::new(sealed));
        let keyring = Arc::new(keyring.kept_by(Keeper { root_key, file, clock: Arc::new(SystemClock) }));
        let time = Duration::from_millis(400);
        let kms = Arc::new(CachedKms::new(keyring.clone(), CacheLimits { time, keys: 10 }));
        let keys = ServerKeys { keyring, kms };
        let data_keys = DataKeys::new(keys.keyring.clone(), Some(keys.kms.clone()), Arc::new(NoAudit));
        let (bucket, object) = (BucketId::from_bytes([1; 16]), ObjectKey::parse("a".to_owned()).unwrap());
        let identity = ObjectIdentity { bucket, object: &object, version: VersionId::from_bytes([2; 16]) };
        let request =
            KmsWrapRequest { kms_key: None, context: ContextDigest::of(&Default::default()), bucket_key: true };
        let requester = Requester { principal: &Principal::Anonymous, bucket: &BucketName::parse("bucket").unwrap() };
        let wrapped = data_keys.wrap(&DataKey::generate(), &identity, &ServerHolder::Kms(request), requester).await;
        assert!(wrapped.is_ok());
        assert_eq!(keys.kms.stats().keys, 1);
        let _ = tokio::time::timeout(4 * time, keys.clone().keep_cache(time)).await;
        assert_eq!(keys.kms.stats().keys, 0);
    }

    #[tokio::test]
    async fn keys_whose_time_came_while_the_server_was_down_are_destroyed_at_its_start() {
        let root_key = RootKey::generate();
        let (keyring, sealed) = LocalKeyring::create(&root_key);
        let file = Arc::new(MemoryKeyringFile::new(sealed));
        let keeper = Keeper { root_key, file: file.clone(), clock: Arc::new(SystemClock) };
        let keys = ServerKeys::local(Arc::new(keyring.kept_by(keeper)));
        let (due, later) = (KmsKeyId::parse("due").unwrap(), KmsKeyId::parse("later").unwrap());
        let now = clock::now().as_millis();
        for (id, at) in [(&due, now - 1), (&later, now + 3_600_000)] {
            keys.keyring.create(id).await.unwrap();
            keys.keyring.schedule_deletion(id, Timestamp::from_millis(at)).await.unwrap();
        }
        let before = file.bytes();
        let trail = Arc::new(Trail::default());
        let changes = KeyChanges::new(trail.clone());
        let forever = tokio::time::timeout(Duration::from_millis(500), keys.clone().destroy_due_daily(changes));
        assert!(forever.await.is_err());
        let left: Vec<_> = keys.keyring.list().await.unwrap().into_iter().map(|key| key.id).collect();
        assert_eq!(left, [later]);
        assert_ne!(file.bytes(), before);
        assert_eq!(trail.told(), ["destroy due by nobody: ok"]);
    }
}
