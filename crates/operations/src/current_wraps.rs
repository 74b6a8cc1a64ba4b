use std::collections::HashMap;

use kms::{DataKeys, KeyServiceError, StoredWrap};
use model::KmsKeyId;

/// Which wraps are by the current version of their key. What the same version sealed shares the answer, and a KMS that
/// does not serve for a key is not asked for that key again, so that looking at a million records does not wait for it
/// a million times.
pub(crate) struct CurrentWraps<'a> {
    keys: &'a DataKeys,
    /// By KMS key and what tells its versions apart.
    told: HashMap<(KmsKeyId, Vec<u8>), Result<bool, KeyServiceError>>,
    /// By KMS key: why none of its wraps is asked about any more.
    given_up: HashMap<KmsKeyId, KeyServiceError>,
}

impl<'a> CurrentWraps<'a> {
    pub(crate) fn new(keys: &'a DataKeys) -> Self {
        Self { keys, told: HashMap::new(), given_up: HashMap::new() }
    }

    pub(crate) async fn has(&mut self, wrap: &StoredWrap) -> Result<bool, KeyServiceError> {
        // The keyring's own key is asked without any cost.
        let Some(kms) = &wrap.kms else { return self.keys.is_current(wrap).await };
        if let Some(error) = self.given_up.get(&kms.kms_key) {
            return Err(error.clone());
        }
        let shared = (kms.kms_key.clone(), self.keys.sealer(kms).to_vec());
        if let Some(told) = self.told.get(&shared) {
            return told.clone();
        }
        let told = self.keys.is_current(wrap).await;
        if let Err(error) = &told
            && concerns_the_whole_key(error)
        {
            if self.given_up.len() >= TOLD_MAX {
                self.given_up.clear();
            }
            self.given_up.insert(kms.kms_key.clone(), error.clone());
        } else {
            if self.told.len() >= TOLD_MAX {
                self.told.clear();
            }
            self.told.insert(shared, told.clone());
        }
        told
    }
}

/// Whether asking about another wrap by the same KMS key would come to the same.
const fn concerns_the_whole_key(error: &KeyServiceError) -> bool {
    matches!(
        error,
        KeyServiceError::Unavailable(_)
            | KeyServiceError::Refused(_)
            | KeyServiceError::NotFound(_)
            | KeyServiceError::NotSupported(_)
    )
}

/// Answers that are kept: some MiB.
const TOLD_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;
    use envelope::{ContextDigest, DataKey, KeyEncryptionKey, KeyId, ObjectIdentity, RootKey};
    use kms::{
        CacheLimits, CachedKms, KeyService, KmsKey, KmsWrapRequest, LocalKeyring, NoAudit, Requester, ServerHolder,
    };
    use model::{BucketId, BucketName, EncryptionContext, ObjectKey, Principal, Timestamp, VersionId};

    use super::*;

    /// Counts how often it is asked which version is the current one. One version seals everything, as its first byte.
    #[derive(Default)]
    struct Counting {
        asked: AtomicU32,
        is_away: AtomicBool,
    }

    const NO: KeyServiceError = KeyServiceError::NotSupported("not in this test");

    #[async_trait]
    impl KeyService for Counting {
        async fn create(&self, _: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
            Err(NO)
        }

        async fn describe(&self, _: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
            Err(NO)
        }

        async fn list(&self) -> Result<Vec<KmsKey>, KeyServiceError> {
            Err(NO)
        }

        async fn enable(&self, _: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
            Err(NO)
        }

        async fn disable(&self, _: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
            Err(NO)
        }

        async fn schedule_deletion(&self, _: &KmsKeyId, _: Timestamp) -> Result<KmsKey, KeyServiceError> {
            Err(NO)
        }

        async fn rotate(&self, _: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
            Err(NO)
        }

        async fn wrap(&self, _: &KmsKeyId, key: &KeyEncryptionKey, _: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
            Ok([&[1], key.id().as_bytes().as_slice()].concat())
        }

        async fn unwrap(
            &self,
            _: &KmsKeyId,
            _: KeyId,
            _: &[u8],
            _: &[u8],
        ) -> Result<KeyEncryptionKey, KeyServiceError> {
            Err(NO)
        }

        async fn is_current(&self, _: &KmsKeyId, _: &[u8]) -> Result<bool, KeyServiceError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.is_away.load(Ordering::Relaxed) {
                return Err(KeyServiceError::Unavailable("it is away".to_owned()));
            }
            Ok(true)
        }

        fn sealer<'a>(&self, sealed: &'a [u8]) -> &'a [u8] {
            &sealed[..1]
        }
    }

    #[tokio::test]
    async fn a_kms_is_asked_once_for_what_one_version_sealed_and_once_when_it_is_away() {
        let service = Arc::new(Counting::default());
        let limits = CacheLimits { time: Duration::ZERO, keys: 10 };
        let kms = Arc::new(CachedKms::new(service.clone(), limits));
        let keyring = Arc::new(LocalKeyring::create(&RootKey::generate()).0);
        let keys = DataKeys::new(keyring, Some(kms), Arc::new(NoAudit));
        let object = ObjectKey::parse("object").unwrap();
        let (bucket, version) = (BucketId::from_bytes([1; 16]), VersionId::from_bytes([2; 16]));
        let identity = ObjectIdentity { bucket, object: &object, version };
        let bucket = BucketName::parse("bucket").unwrap();
        let requester = Requester { principal: &Principal::Anonymous, bucket: &bucket };
        let mut wraps = Vec::new();
        for number in 0..20 {
            let kms_key = KmsKeyId::parse(if number % 2 == 0 { "even" } else { "odd" }).unwrap();
            let context = ContextDigest::of(&EncryptionContext::default());
            let request = KmsWrapRequest { kms_key: Some(kms_key), context, bucket_key: false };
            let holder = ServerHolder::Kms(request);
            wraps.push(keys.wrap(&DataKey::generate(), &identity, &holder, requester).await.unwrap());
        }
        for is_away in [false, true] {
            service.is_away.store(is_away, Ordering::Relaxed);
            service.asked.store(0, Ordering::Relaxed);
            let mut current = CurrentWraps::new(&keys);
            for wrap in &wraps {
                assert_eq!(current.has(wrap).await.is_err(), is_away);
            }
            assert_eq!(service.asked.load(Ordering::Relaxed), 2, "once for each of the two keys");
        }
    }
}
