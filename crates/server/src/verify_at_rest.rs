//! Looks at everything in a store that no server uses.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use audit_log::{AuditLog, AuditLogError};
use kms::DataKeys;
use model::{AccountId, BucketName, Principal};
use operations::{AtRest, Extent, Operations, Ports, Selection, Throttle, VerifySink, VerifySummary};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::kms_provider::KmsError;
use crate::offline_store::{OfflineStore, OfflineStoreError};
use crate::server_keys::ServerKeys;
use crate::store::Backend;

/// A store that is ready to be looked at.
pub struct OfflineVerifier {
    at_rest: AtRest,
    audit: AuditLog,
    /// Keeps signed in to the KMS; it ends with this value.
    _upkeep: JoinSet<()>,
    // Dropped last: with it goes the lock.
    _store: OfflineStore,
}

/// Why a store cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum OfflineVerifyError {
    /// It does not open.
    #[error(transparent)]
    Store(#[from] OfflineStoreError),
    /// Without the server's keys nothing can be judged.
    #[error("the server's keys are needed to judge what is stored: {0}")]
    KeysMissing(String),
    /// The uses of keys could not be written down.
    #[error(transparent)]
    Audit(#[from] AuditLogError),
    /// The KMS.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// No bucket has such a name.
    #[error("{0:?} is no name that a bucket can have")]
    BucketName(String),
    /// The selected bucket is not there.
    #[error("there is no bucket {0}")]
    NoSuchBucket(String),
    /// The store's records cannot be read.
    #[error(transparent)]
    Fault(#[from] operations::Fault),
}

impl OfflineVerifier {
    /// Opens the store of a data directory, with its keys. Each use of a key is written to the audit log.
    ///
    /// # Errors
    /// [`OfflineVerifyError`] says what is missing, or that a server is running.
    pub async fn open(config: &Config) -> Result<Self, OfflineVerifyError> {
        let store = OfflineStore::open(config).await?;
        let keyring = store.keyring().map_err(|error| OfflineVerifyError::KeysMissing(error.to_string()))?;
        let store_key = keyring.store_key();
        let audit = crate::audit::open(&config.audit, &store_key)?;
        let (server_keys, provider) = ServerKeys::new(keyring, &config.kms)?;
        let mut upkeep = JoinSet::new();
        upkeep.spawn(provider.keep_up());
        let keys = DataKeys::new(server_keys.keyring, Some(server_keys.kms), Arc::new(audit.clone()));
        let Backend { metadata, blobs, inventory, .. } = store.backend().clone();
        let ports = Ports {
            metadata: metadata.clone(),
            blobs: blobs.clone(),
            keys: keys.clone(),
            store_key: store_key.clone(),
            clock: Arc::new(SystemClock),
        };
        // Where the record of the account is damaged, that is a finding, and no reason not to look.
        let principal = Operations::new(ports).users.root().await.unwrap_or_else(|_| nobody());
        let at_rest = AtRest { metadata, blobs, inventory, keys, store_key, principal };
        Ok(Self { at_rest, audit, _upkeep: upkeep, _store: store })
    }

    /// Whether the store tells what it holds that no record names. Where it does not, only what records name is looked at.
    #[must_use]
    pub const fn sees_unnamed_bytes(&self) -> bool {
        self.at_rest.inventory.is_some()
    }

    /// What to look at: one bucket or all, objects whose key begins with `prefix`, and their bodies unless it is to be
    /// quick.
    ///
    /// # Errors
    /// [`OfflineVerifyError::BucketName`].
    pub fn selection(bucket: Option<&str>, prefix: String, quick: bool) -> Result<Selection, OfflineVerifyError> {
        let parse = |name: &str| BucketName::parse(name).map_err(|_| OfflineVerifyError::BucketName(name.to_owned()));
        Ok(Selection { bucket: bucket.map(parse).transpose()?, prefix, quick })
    }

    /// How much there is to look at.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn measure(&self, selection: &Selection) -> Result<Extent, OfflineVerifyError> {
        Ok(self.at_rest.measure(selection).await?)
    }

    /// Looks at everything that is selected.
    ///
    /// # Errors
    /// When the buckets cannot be listed, or the selected one is not there; all else is a finding.
    pub async fn verify(
        &self,
        selection: &Selection,
        throttle: &dyn Throttle,
        sink: &mut dyn VerifySink,
    ) -> Result<VerifySummary, OfflineVerifyError> {
        let summary = self.at_rest.verify(selection, throttle, sink).await?;
        match &selection.bucket {
            Some(bucket) if summary.buckets == 0 && summary.findings == 0 => {
                Err(OfflineVerifyError::NoSuchBucket(bucket.to_string()))
            }
            _ => Ok(summary),
        }
    }

    /// Writes the audit log to its end.
    pub async fn close(self) {
        if self.audit.close().await.is_none() {
            tracing::error!("the audit log could not be written to its end");
        }
    }
}

fn nobody() -> Principal {
    Principal::Root(AccountId::parse("000000000000").expect("twelve digits"))
}

/// Lets so many bytes through in a second, and never waits for longer than it has to.
pub struct ByteRate {
    bytes_per_second: Option<u64>,
    /// When the bytes that were let through are paid for.
    paid: Mutex<Instant>,
}

impl ByteRate {
    /// A limit in MiB for each second, or none.
    #[must_use]
    pub fn mib_per_second(limit: Option<u64>) -> Self {
        let bytes_per_second = limit.map(|mib| mib.max(1).saturating_mul(1 << 20));
        Self { bytes_per_second, paid: Mutex::new(Instant::now()) }
    }
}

#[async_trait]
impl Throttle for ByteRate {
    async fn admit(&self, bytes: u64) {
        let Some(rate) = self.bytes_per_second else { return };
        let mut paid = self.paid.lock().await;
        tokio::time::sleep_until(*paid).await;
        // Time in which nothing was read is not saved up.
        *paid = (*paid).max(Instant::now()) + Duration::from_secs_f64(bytes as f64 / rate as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rate_is_kept_and_pauses_are_not_saved_up() {
        let rate = ByteRate::mib_per_second(Some(10));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let began = Instant::now();
        for _ in 0..6 {
            rate.admit(512 << 10).await;
        }
        // The first is let through at once; each of the others waits for the one before it.
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(5), "{took:?}");
    }

    #[tokio::test]
    async fn without_a_limit_nothing_waits() {
        let rate = ByteRate::mib_per_second(None);
        tokio::time::timeout(Duration::from_secs(1), rate.admit(u64::MAX)).await.unwrap();
    }
}
