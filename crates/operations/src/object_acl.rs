use policy::Action;
use storage::Batch;

use crate::authorize::Granted;
use crate::error::{Fault, NoSuchBucket, NoSuchKey};
use crate::objects::{ATTEMPTS, Objects, ReplaceError, contention};
use crate::records::{CannedAcl, as_read, sole, tables};

/// Why the ACL of an object was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ObjectAclError {
    /// See [`NoSuchKey`].
    #[error(transparent)]
    NoSuchKey(#[from] NoSuchKey),
    /// The bucket was deleted meanwhile.
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Objects {
    /// The canned ACL of an object.
    ///
    /// # Errors
    /// [`ObjectAclError`].
    pub async fn object_acl(&self, granted: &Granted) -> Result<CannedAcl, ObjectAclError> {
        let (bucket, object) = granted.object(Action::GetObjectAcl).map_err(Fault::from)?;
        let current = self.current(&bucket.partition(object)).await?;
        Ok(current.ok_or_else(|| NoSuchKey(object.clone()))?.record.acl)
    }

    /// Sets the canned ACL of an object; nothing else of it changes.
    ///
    /// # Errors
    /// [`ObjectAclError`].
    pub async fn put_object_acl(&self, granted: &Granted, acl: CannedAcl) -> Result<(), ObjectAclError> {
        let (bucket, object) = granted.object(Action::PutObjectAcl).map_err(Fault::from)?;
        let partition = bucket.partition(object);
        let head = sole(tables::OBJECTS);
        for _ in 0..ATTEMPTS {
            let current = self.current(&partition).await?;
            let mut current = current.ok_or_else(|| NoSuchKey(object.clone()))?;
            current.record.acl = acl;
            let batch = Batch {
                preconditions: vec![as_read(head.clone(), Some(&current.stored))],
                put: vec![self.records.put(&partition, head.clone(), current.record.encode())],
                ..Batch::default()
            };
            match self.commit(bucket, &partition, batch).await {
                Ok(()) => return Ok(()),
                Err(ReplaceError::Conflict) => {}
                Err(ReplaceError::NoSuchBucket(error)) => return Err(error.into()),
                Err(ReplaceError::Fault(error)) => return Err(error.into()),
            }
        }
        Err(contention().into())
    }
}
