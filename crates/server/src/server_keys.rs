//! The keys that the server holds, and the KMS that it asks.

use std::sync::Arc;
use std::time::Duration;

use kms::{CacheLimits, CachedKms, LocalKeyring};

use crate::clock;
use crate::config::Kms;
use crate::kms_provider::{KmsError, Provider};

/// How often keys are looked for whose time of deletion has come.
const DESTROY_EVERY: Duration = Duration::from_secs(24 * 3600);

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

    /// Destroys the named keys of the keyring whose time has come, now and once a day. Never returns.
    pub(crate) async fn destroy_due_daily(self) {
        let mut interval = tokio::time::interval(DESTROY_EVERY);
        loop {
            interval.tick().await;
            match self.keyring.destroy_due(clock::now()).await {
                Ok(destroyed) => {
                    for id in destroyed {
                        self.kms.forget(&id);
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
    use envelope::RootKey;
    use kms::{Keeper, KeyService as _, MemoryKeyringFile};
    use model::{KmsKeyId, Timestamp};

    use super::*;
    use crate::clock::SystemClock;

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
        let forever = tokio::time::timeout(Duration::from_millis(500), keys.clone().destroy_due_daily());
        assert!(forever.await.is_err());
        let left: Vec<_> = keys.keyring.list().await.unwrap().into_iter().map(|key| key.id).collect();
        assert_eq!(left, [later]);
        assert_ne!(file.bytes(), before);
    }
}
