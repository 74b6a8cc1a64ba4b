use policy::Action;
use storage::Batch;

use crate::authorize::Granted;
use crate::error::{Fault, NoSuchBucket};
use crate::objects::{ATTEMPTS, Objects, ReplaceError, contention};
use crate::records::{sole, tables};
use crate::replaced::Replaced;

/// Why an object was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteObjectError {
    /// The bucket was deleted meanwhile.
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Objects {
    /// Deletes an object; there need not be one. No key is needed, and none of its records need be whole.
    ///
    /// # Errors
    /// [`DeleteObjectError`] when it could not be deleted.
    pub async fn delete_object(&self, granted: &Granted) -> Result<(), DeleteObjectError> {
        let (bucket, object) = granted.object(Action::DeleteObject).map_err(Fault::from)?;
        let partition = bucket.partition(object);
        let head = sole(tables::OBJECTS);
        for _ in 0..ATTEMPTS {
            let replaced = self.replaced(&partition).await?;
            if matches!(replaced, Replaced::Nothing) {
                return Ok(());
            }
            let mut batch =
                Batch { preconditions: vec![replaced.unchanged()], delete: vec![head.clone()], ..Batch::default() };
            replaced.remove_body(&self.records, &partition, &mut batch).await?;
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
