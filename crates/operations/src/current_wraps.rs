use std::collections::HashMap;

use kms::{DataKeys, KeyServiceError, StoredWrap};
use model::KmsKeyId;

/// Which wraps are by the current version of their key. Objects that share a key-encryption key share the answer, so that
/// a KMS is asked once for many of them.
pub(crate) struct CurrentWraps<'a> {
    keys: &'a DataKeys,
    /// By KMS key and sealed key-encryption key.
    told: HashMap<(KmsKeyId, Vec<u8>), bool>,
}

impl<'a> CurrentWraps<'a> {
    pub(crate) fn new(keys: &'a DataKeys) -> Self {
        Self { keys, told: HashMap::new() }
    }

    pub(crate) async fn has(&mut self, wrap: &StoredWrap) -> Result<bool, KeyServiceError> {
        // The keyring's own key is asked without any cost, and without a key-encryption key of its own nothing is shared.
        let Some(kms) = wrap.kms.as_ref().filter(|kms| kms.bucket_key) else {
            return self.keys.is_current(wrap).await;
        };
        let shared = (kms.kms_key.clone(), kms.sealed_key.clone());
        if let Some(is_current) = self.told.get(&shared) {
            return Ok(*is_current);
        }
        let is_current = self.keys.is_current(wrap).await?;
        if self.told.len() >= TOLD_MAX {
            self.told.clear();
        }
        self.told.insert(shared, is_current);
        Ok(is_current)
    }
}

/// Answers that are kept: some MiB.
const TOLD_MAX: usize = 10_000;
