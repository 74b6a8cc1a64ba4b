use envelope::{CustomerKey, DataKey, KeyHolder, LockedObject, ObjectIdentity, UnlockedObject, UnwrapError};
use kms::{DataKeys, KeyServiceError, KmsWrapRequest, Requester, ServerHolder, StoredWrap};
use model::KmsKeyId;

use crate::bucket_encryption::BucketEncryption;
use crate::buckets::Bucket;
use crate::error::{
    CustomerKeyNotApplicable, CustomerKeyRequired, CustomerKeysBlocked, Fault, StoredDataDamaged, WrongCustomerKey,
};

/// Who holds the key of an object. Everything is sealed; the modes differ only in this.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EncryptionMode {
    /// The server's keyring (SSE-S3).
    Server,
    /// A KMS (SSE-KMS).
    Kms(KmsFacts),
    /// The customer (SSE-C).
    Customer,
}

/// What answers tell of the KMS key of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KmsFacts {
    /// The KMS key.
    pub kms_key: KmsKeyId,
    /// Whether a bucket key stands between it and the object.
    pub bucket_key: bool,
}

impl EncryptionMode {
    /// Whether the tag that clients see is an MD5 of the plaintext. The other modes have a random one (AWS: "Object",
    /// ETag).
    pub(crate) const fn has_md5_etag(&self) -> bool {
        matches!(self, Self::Server)
    }
}

/// What the client asked for, as a policy sees it. It is kept with an upload, so that parts and the completion are
/// judged by the headers of the call that began it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestedEncryption {
    /// `x-amz-server-side-encryption: AES256` was sent.
    pub server_header: bool,
    /// `x-amz-server-side-encryption-customer-algorithm: AES256` was sent.
    pub customer_header: bool,
    /// `x-amz-server-side-encryption: aws:kms` was sent.
    pub kms: Option<RequestedKms>,
}

/// What a client said of the KMS key that it wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestedKms {
    /// `x-amz-server-side-encryption-aws-kms-key-id`, as it was sent; at most [`Self::KEY_ID_LEN_MAX`] bytes.
    pub key_id: Option<String>,
}

impl RequestedKms {
    /// The longest key id that is kept for policies, in bytes (AWS KMS: "KeyId").
    pub const KEY_ID_LEN_MAX: usize = 2048;
}

/// Whose key seals a new object.
pub enum WriteEncryption {
    /// The request names no mode: the bucket's default, and without one the server's keyring.
    Unspecified {
        /// What the request says of bucket keys; it counts where the default is SSE-KMS.
        bucket_key: Option<bool>,
    },
    /// The server's keyring.
    Server,
    /// A KMS.
    Kms(KmsWrapRequest),
    /// The customer's key; it is used and forgotten.
    Customer(CustomerKey),
}

impl WriteEncryption {
    /// What it comes to in a bucket: its default where the request names no mode.
    pub(crate) fn in_bucket(self, bucket: &Bucket) -> Result<Self, CustomerKeysBlocked> {
        match self {
            Self::Unspecified { bucket_key } => {
                let default = |encryption: &BucketEncryption| encryption.default_write(bucket_key);
                Ok(bucket.encryption.as_ref().map_or(Self::Server, default))
            }
            Self::Customer(_) => bucket.takes(&EncryptionMode::Customer).map(|()| self),
            Self::Server | Self::Kms(_) => Ok(self),
        }
    }
}

/// The mode that a wrap stands for.
pub(crate) fn mode_of(wrap: &StoredWrap) -> EncryptionMode {
    match (wrap.wrapped.holder(), &wrap.kms) {
        (KeyHolder::Customer, _) => EncryptionMode::Customer,
        (KeyHolder::Kms(_), Some(kms)) => {
            EncryptionMode::Kms(KmsFacts { kms_key: kms.kms_key.clone(), bucket_key: kms.bucket_key })
        }
        // The codec of records lets no wrap for a KMS pass without its other half.
        (KeyHolder::Keyring(_) | KeyHolder::Kms(_), _) => EncryptionMode::Server,
    }
}

/// A fresh data key, wrapped for whoever is to hold it.
pub(crate) async fn new_object(
    keys: &DataKeys,
    encryption: &WriteEncryption,
    identity: &ObjectIdentity<'_>,
    requester: Requester<'_>,
) -> Result<(StoredWrap, UnlockedObject), KeyServiceError> {
    let data_key = DataKey::generate();
    let wrap = wrap(keys, encryption, &data_key, identity, requester).await?;
    Ok((wrap, UnlockedObject::new(data_key)))
}

/// Wraps a data key for whoever is to hold it.
pub(crate) async fn wrap(
    keys: &DataKeys,
    encryption: &WriteEncryption,
    data_key: &DataKey,
    identity: &ObjectIdentity<'_>,
    requester: Requester<'_>,
) -> Result<StoredWrap, KeyServiceError> {
    match encryption {
        WriteEncryption::Unspecified { .. } | WriteEncryption::Server => {
            keys.wrap(data_key, identity, &ServerHolder::Keyring, requester).await
        }
        WriteEncryption::Kms(request) => {
            keys.wrap(data_key, identity, &ServerHolder::Kms(request.clone()), requester).await
        }
        WriteEncryption::Customer(customer_key) => {
            Ok(StoredWrap { wrapped: customer_key.wrap(data_key, identity), kms: None })
        }
    }
}

/// Why an object stays locked.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// See [`CustomerKeyRequired`].
    #[error(transparent)]
    KeyRequired(#[from] CustomerKeyRequired),
    /// See [`CustomerKeyNotApplicable`].
    #[error(transparent)]
    KeyNotApplicable(#[from] CustomerKeyNotApplicable),
    /// See [`WrongCustomerKey`].
    #[error(transparent)]
    WrongKey(#[from] WrongCustomerKey),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Unlocks an object with the customer key that came, or with a server-held key when none may come.
///
/// The record that held the wrap has been authenticated before: what does not fit now is a wrong key, or our damage.
pub(crate) async fn unlock(
    keys: &DataKeys,
    wrap: &StoredWrap,
    customer_key: Option<&CustomerKey>,
    identity: &ObjectIdentity<'_>,
    requester: Requester<'_>,
) -> Result<UnlockedObject, UnlockError> {
    match (mode_of(wrap), customer_key) {
        (EncryptionMode::Customer, None) => Err(CustomerKeyRequired.into()),
        (EncryptionMode::Server | EncryptionMode::Kms(_), Some(_)) => Err(CustomerKeyNotApplicable.into()),
        (EncryptionMode::Customer, Some(customer_key)) => LockedObject::new(wrap.wrapped.clone())
            .unlock_with_customer_key(customer_key, identity)
            .map_err(|error| match error {
                UnwrapError::WrongKey(_) => WrongCustomerKey.into(),
                UnwrapError::Damaged(_) => Fault::from(StoredDataDamaged("the wrapped data key")).into(),
            }),
        (EncryptionMode::Server | EncryptionMode::Kms(_), None) => {
            let data_key = keys.unwrap(wrap, identity, requester).await.map_err(Fault::from)?;
            Ok(UnlockedObject::new(data_key))
        }
    }
}
