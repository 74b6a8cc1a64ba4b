use std::collections::HashMap;

use kms::{DataKeys, KeyServiceError, StoredWrap};
use model::KmsKeyId;

/// Which wraps are by the current version of their key. Objects that share a key-encryption key share the answer, and a
/// KMS that does not serve for a key is not asked for that key again, so that looking at a million records does not wait
/// for it a million times.
pub(crate) struct CurrentWraps<'a> {
    keys: &'a DataKeys,
    /// By KMS key and sealed key-encryption key.
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
        let shared = kms.bucket_key.then(|| (kms.kms_key.clone(), kms.sealed_key.clone()));
        if let Some(told) = shared.as_ref().and_then(|shared| self.told.get(shared)) {
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
        } else if let Some(shared) = shared {
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
