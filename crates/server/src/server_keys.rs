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
