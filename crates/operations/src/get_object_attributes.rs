use envelope::CustomerKey;
use policy::Action;

use crate::authorize::Granted;
use crate::error::{Fault, NotCovered};
use crate::get_object::{GetObject, ReadError};
use crate::object_info::ObjectInfo;
use crate::objects::Objects;

/// What an object is, and how it was uploaded.
#[derive(Debug, Clone)]
pub struct ObjectAttributes {
    /// What a read tells of it.
    pub info: ObjectInfo,
    /// The sizes of its parts in bytes, in their order; `None` when it was put in one piece.
    pub parts: Option<Vec<u64>>,
}

impl Objects {
    /// The attributes of an object. Its key is needed as for a read: checksums and sizes tell of the plaintext.
    ///
    /// `granted` is of `GetObjectAttributes`, `readable` of `GetObject` for the same object (AWS:
    /// `GetObjectAttributes`, "Permissions").
    ///
    /// # Errors
    /// [`ReadError`], as for a read without conditions.
    pub async fn get_object_attributes(
        &self,
        granted: &Granted,
        readable: &Granted,
        customer_key: Option<CustomerKey>,
    ) -> Result<ObjectAttributes, ReadError> {
        let (bucket, object) = granted.object(Action::GetObjectAttributes).map_err(Fault::from)?;
        let (read_bucket, read_object) = readable.object(Action::GetObject).map_err(Fault::from)?;
        if (bucket.id, object) != (read_bucket.id, read_object) {
            return Err(Fault::from(NotCovered).into());
        }
        let get = GetObject { customer_key, ..GetObject::default() };
        let unlocked = self.unlock_current(readable, &get).await?;
        let parts = unlocked.info.parts.map(|_| unlocked.part_sizes().collect());
        Ok(ObjectAttributes { info: unlocked.info, parts })
    }
}
