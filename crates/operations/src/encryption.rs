use envelope::{
    CustomerKey, DataKey, KeyHolder, LockedObject, ObjectIdentity, UnlockedObject, UnwrapError, WrappedDataKey,
};
use kms::{KeyService, KeyServiceError};

use crate::error::{CustomerKeyNotApplicable, CustomerKeyRequired, Fault, StoredDataDamaged, WrongCustomerKey};

/// Who holds the key of an object. Everything is sealed; the modes differ only in this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EncryptionMode {
    /// The server's keyring (SSE-S3).
    Server,
    /// The customer (SSE-C).
    Customer,
}

/// What the client asked for, as a policy sees it. It is kept with an upload, so that parts and the completion are
/// judged by the headers of the call that began it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestedEncryption {
    /// `x-amz-server-side-encryption: AES256` was sent.
    pub server_header: bool,
    /// `x-amz-server-side-encryption-customer-algorithm: AES256` was sent.
    pub customer_header: bool,
}

/// Whose key seals a new object.
pub enum WriteEncryption {
    /// The server's keyring.
    Server,
    /// The customer's key; it is used and forgotten.
    Customer(CustomerKey),
}

impl WriteEncryption {
    /// The mode of the object to be.
    #[must_use]
    pub const fn mode(&self) -> EncryptionMode {
        match self {
            Self::Server => EncryptionMode::Server,
            Self::Customer(_) => EncryptionMode::Customer,
        }
    }
}

/// The mode that a wrapped data key stands for.
pub(crate) const fn mode_of(holder: &KeyHolder) -> EncryptionMode {
    match holder {
        KeyHolder::Customer => EncryptionMode::Customer,
        KeyHolder::Keyring(_) => EncryptionMode::Server,
    }
}

/// A fresh data key, wrapped for whoever is to hold it.
pub(crate) async fn new_object(
    keys: &dyn KeyService,
    encryption: &WriteEncryption,
    identity: &ObjectIdentity<'_>,
) -> Result<(WrappedDataKey, UnlockedObject), KeyServiceError> {
    let data_key = DataKey::generate();
    let wrapped = match encryption {
        WriteEncryption::Server => keys.wrap(&data_key, identity).await?,
        WriteEncryption::Customer(customer_key) => customer_key.wrap(&data_key, identity),
    };
    Ok((wrapped, UnlockedObject::new(data_key)))
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

/// Unlocks an object with the customer key that came, or with the keyring when none may come.
///
/// The record that held `wrapped` has been authenticated before: what does not fit now is a wrong key, or our damage.
pub(crate) async fn unlock(
    keys: &dyn KeyService,
    wrapped: WrappedDataKey,
    customer_key: Option<&CustomerKey>,
    identity: &ObjectIdentity<'_>,
) -> Result<UnlockedObject, UnlockError> {
    match (mode_of(&wrapped.holder()), customer_key) {
        (EncryptionMode::Customer, None) => Err(CustomerKeyRequired.into()),
        (EncryptionMode::Server, Some(_)) => Err(CustomerKeyNotApplicable.into()),
        (EncryptionMode::Customer, Some(customer_key)) => {
            LockedObject::new(wrapped).unlock_with_customer_key(customer_key, identity).map_err(|error| match error {
                UnwrapError::WrongKey(_) => WrongCustomerKey.into(),
                UnwrapError::Damaged(_) => Fault::from(StoredDataDamaged("the wrapped data key")).into(),
            })
        }
        (EncryptionMode::Server, None) => {
            Ok(UnlockedObject::new(keys.unwrap(&wrapped, identity).await.map_err(Fault::from)?))
        }
    }
}
