use std::sync::Arc;

use envelope::{ContextDigest, DataKey, KeyHolder, ObjectIdentity, WrappedDataKey};
use model::KmsKeyId;

use crate::cached_kms::BucketKey;
use crate::{
    AuditTrail, CachedKms, KeyChange, KeyChangeOperation, KeyName, KeyOperation, KeyServiceError, KeyUse, LocalKeyring,
    Requester,
};

/// Wraps and unwraps data keys with keys that the server holds, and tells the audit trail of each use.
#[derive(Clone)]
pub struct DataKeys {
    keyring: Arc<LocalKeyring>,
    kms: Option<Arc<CachedKms>>,
    audit: Arc<dyn AuditTrail>,
}

/// Which server-held key is to wrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerHolder {
    /// The keyring's current key (SSE-S3).
    Keyring,
    /// A KMS key (SSE-KMS).
    Kms(KmsWrapRequest),
}

/// A wrap that a client asks a KMS for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsWrapRequest {
    /// The key; `None` for the default one, which is created on first use.
    pub kms_key: Option<KmsKeyId>,
    /// The digest of the encryption context.
    pub context: ContextDigest,
    /// One key-encryption key may wrap many objects of the bucket, so that the KMS is asked seldom
    /// (`BucketKeyEnabled`). Without it each object has its own.
    pub bucket_key: bool,
}

/// What stands beside a wrap for a KMS: all that is needed to ask the KMS for its key-encryption key again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsEnvelope {
    /// The KMS key.
    pub kms_key: KmsKeyId,
    /// The digest of the encryption context.
    pub context: ContextDigest,
    /// See [`KmsWrapRequest::bucket_key`].
    pub bucket_key: bool,
    /// The key-encryption key, sealed by the KMS.
    pub sealed_key: Vec<u8>,
}

/// A wrapped data key with what stands beside it: the latter is there for a KMS and for nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWrap {
    /// The wrapped data key.
    pub wrapped: WrappedDataKey,
    /// The KMS's part.
    pub kms: Option<KmsEnvelope>,
}

impl DataKeys {
    /// Puts the parts together. `kms` serves SSE-KMS, which is refused without one; the keyring always serves SSE-S3.
    #[must_use]
    pub const fn new(keyring: Arc<LocalKeyring>, kms: Option<Arc<CachedKms>>, audit: Arc<dyn AuditTrail>) -> Self {
        Self { keyring, kms, audit }
    }

    fn kms(&self) -> Result<&CachedKms, KeyServiceError> {
        self.kms.as_deref().ok_or(KeyServiceError::NotSupported("no KMS is configured"))
    }

    /// Wraps a data key for an object.
    ///
    /// # Errors
    /// [`KeyServiceError`]. The data key must not be used then.
    pub async fn wrap(
        &self,
        data_key: &DataKey,
        identity: &ObjectIdentity<'_>,
        holder: &ServerHolder,
        requester: Requester<'_>,
    ) -> Result<StoredWrap, KeyServiceError> {
        let default_key = KmsKeyId::default_key();
        let (key_name, result) = match holder {
            ServerHolder::Keyring => {
                let known = self.keyring.ensure_known().await;
                let wrapped = self.keyring.wrap(data_key, identity);
                let KeyHolder::Keyring(id) = wrapped.holder() else { unreachable!("the keyring wraps for itself") };
                (KeyName::Keyring(id), known.map(|()| StoredWrap { wrapped, kms: None }))
            }
            ServerHolder::Kms(request) => {
                let kms_key = request.kms_key.as_ref().unwrap_or(&default_key);
                (KeyName::Kms(kms_key), self.wrap_for_kms(data_key, identity, kms_key, request, requester).await)
            }
        };
        let outcome = result.as_ref().map(drop);
        self.audit
            .record(KeyUse { requester, operation: KeyOperation::Wrap, key: key_name, object: *identity, outcome })
            .await?;
        result
    }

    /// Unwraps what [`Self::wrap`] made.
    ///
    /// # Errors
    /// [`KeyServiceError`]; [`KeyServiceError::Damaged`] also for a wrap that a customer holds.
    pub async fn unwrap(
        &self,
        wrap: &StoredWrap,
        identity: &ObjectIdentity<'_>,
        requester: Requester<'_>,
    ) -> Result<DataKey, KeyServiceError> {
        let (key_name, result) = match (wrap.wrapped.holder(), &wrap.kms) {
            (KeyHolder::Keyring(id), None) => {
                (KeyName::Keyring(id), self.unwrap_by_keyring(&wrap.wrapped, identity).await)
            }
            (KeyHolder::Kms(_), Some(kms)) => {
                (KeyName::Kms(&kms.kms_key), self.unwrap_by_kms(&wrap.wrapped, kms, identity).await)
            }
            _ => return Err(envelope::Damaged.into()),
        };
        let outcome = result.as_ref().map(drop);
        self.audit
            .record(KeyUse { requester, operation: KeyOperation::Unwrap, key: key_name, object: *identity, outcome })
            .await?;
        result
    }

    /// Whether a wrap is as one would be made now: by the current version of the key that made it. A customer's always
    /// is. A KMS that cannot tell its versions apart says that no wrap is.
    ///
    /// # Errors
    /// [`KeyServiceError`].
    pub async fn is_current(&self, wrap: &StoredWrap) -> Result<bool, KeyServiceError> {
        match (wrap.wrapped.holder(), &wrap.kms) {
            (KeyHolder::Customer, _) => Ok(true),
            (KeyHolder::Keyring(id), _) => self.keyring.is_current_version(id).await,
            (KeyHolder::Kms(_), Some(kms)) => self.kms()?.is_current(&kms.kms_key, &kms.sealed_key).await,
            (KeyHolder::Kms(_), None) => Err(envelope::Damaged.into()),
        }
    }

    /// What [`Self::is_current`] goes by in a wrap for a KMS: it says the same of all wraps by the same KMS key for which this
    /// is the same.
    #[must_use]
    pub fn sealer<'a>(&self, kms: &'a KmsEnvelope) -> &'a [u8] {
        self.kms.as_ref().map_or(&kms.sealed_key, |service| service.sealer(&kms.sealed_key))
    }

    /// To be called before many wraps are made anew: no key that was kept for a bucket serves any more, because it may
    /// have been sealed by an older version of its KMS key.
    pub fn renew(&self) {
        if let Some(kms) = &self.kms {
            kms.renew_bucket_keys();
        }
    }

    /// A wrap of the same data key for the same holder, by the current version of its key; `None` for a customer's.
    ///
    /// # Errors
    /// [`KeyServiceError`].
    pub async fn rewrap(
        &self,
        wrap: &StoredWrap,
        identity: &ObjectIdentity<'_>,
        requester: Requester<'_>,
    ) -> Result<Option<StoredWrap>, KeyServiceError> {
        let holder = match (wrap.wrapped.holder(), &wrap.kms) {
            (KeyHolder::Customer, _) => return Ok(None),
            (_, None) => ServerHolder::Keyring,
            (_, Some(kms)) => ServerHolder::Kms(KmsWrapRequest {
                kms_key: Some(kms.kms_key.clone()),
                context: kms.context,
                bucket_key: kms.bucket_key,
            }),
        };
        let data_key = self.unwrap(wrap, identity, requester).await?;
        self.wrap(&data_key, identity, &holder, requester).await.map(Some)
    }

    async fn wrap_for_kms(
        &self,
        data_key: &DataKey,
        identity: &ObjectIdentity<'_>,
        kms_key: &KmsKeyId,
        request: &KmsWrapRequest,
        requester: Requester<'_>,
    ) -> Result<StoredWrap, KeyServiceError> {
        let made = match self.fresh_key(kms_key, identity, request).await {
            Err(KeyServiceError::NotFound(_)) if request.kms_key.is_none() => {
                self.create_default(kms_key, requester).await?;
                self.fresh_key(kms_key, identity, request).await?
            }
            made => made?,
        };
        Ok(StoredWrap {
            wrapped: made.key.wrap_for_kms(data_key, identity, request.context),
            kms: Some(KmsEnvelope {
                kms_key: kms_key.clone(),
                context: request.context,
                bucket_key: request.bucket_key,
                sealed_key: made.sealed.clone(),
            }),
        })
    }

    /// The default key is nobody's to create beforehand. Two who create it at once both find it afterwards.
    async fn create_default(&self, kms_key: &KmsKeyId, requester: Requester<'_>) -> Result<(), KeyServiceError> {
        let created = self.kms()?.create(kms_key).await;
        if matches!(created, Err(KeyServiceError::AlreadyExists(_))) {
            return Ok(());
        }
        let outcome = created.as_ref().map(drop);
        let change = KeyChange {
            principal: Some(requester.principal),
            operation: KeyChangeOperation::Create,
            key: Some(KeyName::Kms(kms_key)),
            outcome,
        };
        self.audit.record_change(change).await?;
        if created.is_ok() {
            // Nobody has decided on it, so nobody else will think of it.
            tracing::warn!(
                target: "canopic::keys", key_id = %kms_key,
                "the default KMS key was created for the first object that asks for SSE-KMS: a backup of the keyring \
                 that is older does not open what is written with it, so make a new one",
            );
        }
        created.map(drop)
    }

    async fn fresh_key(
        &self,
        kms_key: &KmsKeyId,
        identity: &ObjectIdentity<'_>,
        request: &KmsWrapRequest,
    ) -> Result<Arc<BucketKey>, KeyServiceError> {
        let kms = self.kms()?;
        if request.bucket_key {
            kms.bucket_key(kms_key, identity.bucket).await
        } else {
            kms.object_key(kms_key, identity.bucket).await
        }
    }

    /// A version that is unknown here may be what another process made a moment ago.
    async fn unwrap_by_keyring(
        &self,
        wrapped: &WrappedDataKey,
        identity: &ObjectIdentity<'_>,
    ) -> Result<DataKey, KeyServiceError> {
        match self.keyring.unwrap(wrapped, identity) {
            Err(KeyServiceError::UnknownKey(_)) if self.keyring.is_shared() => {
                self.keyring.refresh().await?;
                self.keyring.unwrap(wrapped, identity)
            }
            unwrapped => unwrapped,
        }
    }

    async fn unwrap_by_kms(
        &self,
        wrapped: &WrappedDataKey,
        kms: &KmsEnvelope,
        identity: &ObjectIdentity<'_>,
    ) -> Result<DataKey, KeyServiceError> {
        let KeyHolder::Kms(id) = wrapped.holder() else { return Err(envelope::Damaged.into()) };
        let key = self.kms()?.open(&kms.kms_key, id, &kms.sealed_key, identity.bucket).await?;
        Ok(key.unwrap_for_kms(wrapped, identity, kms.context).map_err(|_| envelope::Damaged)?)
    }
}
