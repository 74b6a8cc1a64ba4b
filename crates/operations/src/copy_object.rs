use futures::StreamExt;
use model::ByteRange;
use policy::Action;

use crate::authorize::Granted;
use crate::body::{BodyError, RequestBody};
use crate::checksum::{ChecksumAlgorithm, ChecksumSource, ClaimedChecksum, Claims};
use crate::conditions::WriteConditions;
use crate::encryption::WriteEncryption;
use crate::error::{EntityTooLarge, Fault};
use crate::get_object::{GetObject, GetObjectOutput, ReadError};
use crate::object_info::ObjectInfo;
use crate::objects::Objects;
use crate::put_object::{PutObject, PutObjectError, PutObjectOutput};
use crate::records::{CannedAcl, ObjectMetadata};

/// The object to copy from: its grant, its customer key and its conditions.
pub struct CopySource<'a> {
    /// A grant of `GetObject`.
    pub granted: &'a Granted,
    /// The customer key of the source, conditions on it, and for a part copy its range.
    pub get: GetObject,
}

/// Whose metadata the copy has.
pub enum MetadataDirective {
    /// The source's.
    Copy,
    /// The request's.
    Replace(ObjectMetadata),
}

/// A copy to make.
pub struct CopyObject {
    /// Whose metadata it has.
    pub metadata: MetadataDirective,
    /// Its canned ACL.
    pub acl: CannedAcl,
    /// Whose key seals it.
    pub encryption: WriteEncryption,
    /// The request names an encryption of its own, or anything else that makes a copy to itself a change.
    pub changes_something: bool,
    /// Conditions on the object that it replaces.
    pub conditions: WriteConditions,
    /// A checksum to compute instead of the source's.
    pub checksum: Option<ChecksumAlgorithm>,
}

/// A copy to itself that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
     metadata, storage class, website redirect location or encryption attributes."
)]
pub struct PointlessCopy;

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] ReadError),
    /// The copy could not be put.
    #[error(transparent)]
    Put(#[from] PutObjectError),
    /// See [`PointlessCopy`].
    #[error(transparent)]
    Pointless(#[from] PointlessCopy),
    /// See [`EntityTooLarge`]: the source has more than 5 GiB.
    #[error(transparent)]
    TooLarge(#[from] EntityTooLarge),
}

impl Objects {
    /// Copies an object: opened under one key, sealed under another, in one pass. A copy onto itself only changes
    /// hands, and none of its bytes are read, unless another checksum is asked for.
    ///
    /// # Errors
    /// [`CopyError`]; nothing has changed then.
    pub async fn copy_object(
        &self,
        granted: &Granted,
        source: CopySource<'_>,
        mut copy: CopyObject,
    ) -> Result<(PutObjectOutput, ObjectInfo), CopyError> {
        let (bucket, object) =
            granted.object(Action::PutObject).map_err(|e| CopyError::Source(Fault::from(e).into()))?;
        let (from_bucket, from_object) =
            source.granted.object(Action::GetObject).map_err(|e| CopyError::Source(Fault::from(e).into()))?;
        let to_itself = bucket.id == from_bucket.id && object == from_object;
        if to_itself && !copy.changes_something {
            return Err(PointlessCopy.into());
        }
        copy.encryption = copy.encryption.in_bucket(bucket).map_err(PutObjectError::from)?;
        if to_itself
            && let Some(rekeyed) = self.copy_onto_itself(source.granted, &source.get, (bucket, object), &copy).await?
        {
            return Ok(rekeyed);
        }
        let GetObjectOutput { info, body, .. } = self.read(source.granted, &source.get).await?;
        if info.size > COPY_LEN_MAX {
            return Err(EntityTooLarge.into());
        }
        let checksum = copy.checksum.or_else(|| info.metadata.checksums.first().map(|c| c.algorithm));
        let put = PutObject {
            metadata: match copy.metadata {
                MetadataDirective::Copy => info.metadata.clone(),
                MetadataDirective::Replace(metadata) => metadata,
            },
            acl: copy.acl,
            encryption: copy.encryption,
            conditions: copy.conditions,
            body: copied_body(body, info.size, checksum),
        };
        let output = self.store(granted.requester(bucket), bucket, object, put).await?;
        Ok((output, info))
    }
}

/// What a read gives, as what a write takes. A source that turns out damaged ends the copy, and nothing is stored.
pub(crate) fn copied_body(
    body: crate::body::BodyStream,
    length: u64,
    checksum: Option<ChecksumAlgorithm>,
) -> RequestBody {
    let checksum = checksum.map(|algorithm| ClaimedChecksum { algorithm, source: ChecksumSource::Computed });
    RequestBody {
        stream: Box::pin(body.map(|piece| piece.map_err(|_| BodyError::Source))),
        length: Some(length),
        claims: Claims { content_md5: None, checksum },
    }
}

/// The bytes that a read gives: the range, or all.
pub(crate) fn read_len(output: &GetObjectOutput) -> u64 {
    output.range.as_ref().map_or(output.info.size, ByteRange::len)
}

/// The largest source of a copy, 5 GiB (AWS: `CopyObject`).
const COPY_LEN_MAX: u64 = 5 << 30;
