//! An object changes hands: its data key is wrapped anew and its head record replaced. No byte of the body moves, so it
//! costs the same for any size.
//!
//! The version stays the same, because the list of parts and an inline body stand under it and the wrap is bound to it.
//! The commit demands the very record that was unlocked: before it the old key opens the object, and after it the new
//! one alone.

use model::{ETag, Timestamp};
use storage::Batch;

use crate::authorize::Granted;
use crate::buckets::Bucket;
use crate::checksum::ChecksumAlgorithm;
use crate::copy_object::{CopyError, CopyObject, MetadataDirective};
use crate::encryption::{EncryptionMode, WriteEncryption, mode_of, wrap};
use crate::error::Fault;
use crate::get_object::{GetObject, Unlocked};
use crate::object_info::ObjectInfo;
use crate::objects::{ATTEMPTS, Objects, ReplaceError, contention, identity};
use crate::put_object::{PutObjectError, PutObjectOutput};
use crate::records::{CannedAcl, ObjectMetadata, ObjectRecord, StoredETag, sole, tables};

/// What an object is to be from now on.
pub(crate) struct Rekey<'a> {
    /// Who holds its key.
    pub(crate) encryption: &'a WriteEncryption,
    /// What is told of it; `None` for what is told of it now.
    pub(crate) metadata: Option<&'a ObjectMetadata>,
    pub(crate) acl: CannedAcl,
    pub(crate) last_modified: Timestamp,
}

impl Objects {
    /// A copy of an object onto itself, unless its bytes have to be read for it: then `None`.
    pub(crate) async fn copy_onto_itself(
        &self,
        source: &Granted,
        get: &GetObject,
        target: (&Bucket, &model::ObjectKey),
        copy: &CopyObject,
    ) -> Result<Option<(PutObjectOutput, ObjectInfo)>, CopyError> {
        let (bucket, object) = target;
        for _ in 0..ATTEMPTS {
            let unlocked = self.unlock_current(source, get).await?;
            if !keeps_checksum(&unlocked.info, copy.checksum) {
                return Ok(None);
            }
            self.conditions_hold(bucket, object, Some(&unlocked.current), &copy.conditions)?;
            let rekey = Rekey {
                encryption: &copy.encryption,
                metadata: match &copy.metadata {
                    MetadataDirective::Copy => None,
                    MetadataDirective::Replace(metadata) => Some(metadata),
                },
                acl: copy.acl,
                last_modified: self.clock.now(),
            };
            let record = self.rekeyed(source, target, &unlocked, &rekey).await.map_err(PutObjectError::from)?;
            let output = PutObjectOutput {
                etag: self.open_etag(bucket, &record).map_err(PutObjectError::from)?,
                last_modified: record.last_modified,
                checksum: unlocked.info.metadata.checksums.first().cloned(),
                encryption: mode_of(&record.wrap),
                size: record.size,
            };
            match self.replace_head(target, &unlocked, &record).await {
                Ok(()) => return Ok(Some((output, unlocked.info))),
                Err(ReplaceError::Conflict) => {}
                Err(error) => return Err(PutObjectError::from(error).into()),
            }
        }
        Err(PutObjectError::from(contention()).into())
    }

    /// The head record of an object under its new key.
    pub(crate) async fn rekeyed(
        &self,
        granted: &Granted,
        target: (&Bucket, &model::ObjectKey),
        unlocked: &Unlocked,
        rekey: &Rekey<'_>,
    ) -> Result<ObjectRecord, Fault> {
        let (bucket, object) = target;
        let record = &unlocked.current.record;
        let identity = identity(bucket, object, record.version);
        let data_key = unlocked.object.data_key();
        let wrap = wrap(&self.keys, rekey.encryption, data_key, &identity, granted.requester(bucket)).await?;
        let sealed_metadata = match rekey.metadata {
            None => record.sealed_metadata.clone(),
            Some(metadata) => {
                let old = &unlocked.info.metadata;
                let told = ObjectMetadata { checksums: old.checksums.clone(), md5: old.md5, ..metadata.clone() };
                unlocked.object.seal_metadata(&told.encode())
            }
        };
        Ok(ObjectRecord {
            version: record.version,
            last_modified: rekey.last_modified,
            size: record.size,
            acl: rekey.acl,
            etag: rekeyed_etag(&record.etag, &mode_of(&record.wrap), &mode_of(&wrap)),
            wrap,
            sealed_metadata,
            body: record.body.clone(),
        })
    }

    /// Replaces the head record that was unlocked by another of the same version.
    pub(crate) async fn replace_head(
        &self,
        target: (&Bucket, &model::ObjectKey),
        unlocked: &Unlocked,
        record: &ObjectRecord,
    ) -> Result<(), ReplaceError> {
        let (bucket, object) = target;
        let partition = bucket.partition(object);
        let put = self.records.put(&partition, sole(tables::OBJECTS), record.encode());
        let batch = Batch { preconditions: vec![unlocked.current.as_read()], put: vec![put], ..Batch::default() };
        self.commit(bucket, &partition, batch).await
    }
}

/// A checksum in another algorithm has to be computed from the bytes.
fn keeps_checksum(info: &ObjectInfo, wanted: Option<ChecksumAlgorithm>) -> bool {
    wanted.is_none_or(|wanted| info.metadata.checksums.iter().any(|stored| stored.algorithm == wanted))
}

/// An object keeps its tag, but for one that a customer takes over: its MD5 would tell of the plaintext to whoever may
/// list the bucket.
fn rekeyed_etag(etag: &StoredETag, from: &EncryptionMode, to: &EncryptionMode) -> StoredETag {
    let customer = EncryptionMode::Customer;
    if *to != customer || *from == customer {
        return etag.clone();
    }
    let parts = match etag {
        StoredETag::Opaque(etag) => etag.parts(),
        StoredETag::Sealed { parts, .. } => *parts,
    };
    StoredETag::Opaque(ETag::with_parts(envelope::random_bytes(), parts.unwrap_or(1)))
}
