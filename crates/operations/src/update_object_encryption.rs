use policy::Action;

use crate::authorize::Granted;
use crate::encryption::{EncryptionMode, WriteEncryption, mode_of};
use crate::error::{CustomerKeyRequired, Fault, NoSuchBucket, NoSuchKey};
use crate::get_object::{GetObject, ReadError};
use crate::objects::{ATTEMPTS, Objects, ReplaceError, contention};
use crate::rekey::Rekey;

/// Why an object's encryption was not changed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum UpdateObjectEncryptionError {
    /// See [`NoSuchKey`].
    #[error(transparent)]
    NoSuchKey(#[from] NoSuchKey),
    /// See [`NotForCustomerKeys`].
    #[error(transparent)]
    NotForCustomerKeys(#[from] NotForCustomerKeys),
    /// The bucket was deleted meanwhile.
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The operation changes between server-held keys. An object comes and goes under a customer key by a copy onto itself,
/// which carries the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "The encryption of an object with a customer provided key cannot be updated in place. Copy the object onto itself \
     with the customer keys of source and target instead."
)]
pub struct NotForCustomerKeys;

impl Objects {
    /// Gives an object to another server-held key. Its bytes, tag, checksums, ACL and times stay as they are (AWS:
    /// `UpdateObjectEncryption`).
    ///
    /// # Errors
    /// [`UpdateObjectEncryptionError`].
    pub async fn update_object_encryption(
        &self,
        granted: &Granted,
        encryption: WriteEncryption,
    ) -> Result<EncryptionMode, UpdateObjectEncryptionError> {
        let action = Action::UpdateObjectEncryption;
        let target = granted.object(action).map_err(Fault::from)?;
        let target = (&**target.0, target.1);
        if matches!(encryption, WriteEncryption::Customer(_)) {
            return Err(NotForCustomerKeys.into());
        }
        let encryption = encryption.in_bucket(target.0).map_err(|_| NotForCustomerKeys)?;
        for _ in 0..ATTEMPTS {
            let unlocked =
                self.unlock_current_for(action, granted, &GetObject::default()).await.map_err(not_unlocked)?;
            let now = &unlocked.current.record;
            let rekey =
                Rekey { encryption: &encryption, metadata: None, acl: now.acl, last_modified: now.last_modified };
            let record = self.rekeyed(granted, target, &unlocked, &rekey).await?;
            match self.replace_head(target, &unlocked, &record).await {
                Ok(()) => return Ok(mode_of(&record.wrap)),
                Err(ReplaceError::Conflict) => {}
                Err(ReplaceError::NoSuchBucket(error)) => return Err(error.into()),
                Err(ReplaceError::Fault(error)) => return Err(error.into()),
            }
        }
        Err(contention().into())
    }
}

fn not_unlocked(error: ReadError) -> UpdateObjectEncryptionError {
    match error {
        ReadError::NoSuchKey(error) => error.into(),
        ReadError::KeyRequired(CustomerKeyRequired) => NotForCustomerKeys.into(),
        ReadError::Fault(error) => error.into(),
        ReadError::NotPublic(_)
        | ReadError::KeyNotApplicable(_)
        | ReadError::WrongKey(_)
        | ReadError::Precondition(_)
        | ReadError::NotModified(_)
        | ReadError::Range(_)
        | ReadError::Part(_) => {
            unreachable!("there is no object ACL that allows this, no customer key, no condition and no range")
        }
    }
}
