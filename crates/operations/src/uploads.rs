//! Multipart uploads: what their operations share. A part is sealed as it comes, under the data key that the upload
//! was begun with; completing moves no byte.

use std::sync::Arc;

use envelope::{CustomerKey, DigestSealer, StoreKey, UnlockedObject};
use kms::{DataKeys, Requester};
use model::{ObjectKey, UploadId};
use policy::Action;
use storage::{Batch, Blobs, Entry, Partition, Precondition, RecordKey, Scan, Start};

use crate::authorize::Granted;
use crate::buckets::Bucket;
use crate::clock::Clock;
use crate::encryption::{EncryptionMode, RequestedEncryption, UnlockError, mode_of, unlock};
use crate::error::{Fault, NoSuchBucket, NoSuchUpload};
use crate::leftovers::remove_leftover;
use crate::objects::{ATTEMPTS, Objects, ReplaceError, commit, contention, identity};
use crate::records::{PartRecord, Records, Stored, UploadRecord, tables};

/// Begin, feed, look at, complete and abort multipart uploads.
#[derive(Clone)]
pub struct Uploads {
    pub(crate) objects: Objects,
}

/// What a policy needs to know of an upload before a part or its completion is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadFacts {
    /// The encryption headers of the call that began it.
    pub requested: RequestedEncryption,
    /// Who holds its key.
    pub encryption: EncryptionMode,
}

/// An upload, as read.
pub(crate) struct CurrentUpload {
    pub(crate) stored: Stored,
    pub(crate) record: UploadRecord,
}

/// Why an upload was not aborted.
#[derive(Debug, thiserror::Error)]
pub enum AbortError {
    /// See [`NoSuchUpload`].
    #[error(transparent)]
    NoSuchUpload(#[from] NoSuchUpload),
    /// The bucket was deleted meanwhile.
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Uploads {
    pub(crate) const fn new(objects: Objects) -> Self {
        Self { objects }
    }

    pub(crate) fn records(&self) -> &Records {
        &self.objects.records
    }

    pub(crate) const fn keys(&self) -> &DataKeys {
        &self.objects.keys
    }

    pub(crate) fn blobs(&self) -> &dyn Blobs {
        self.objects.blobs.as_ref()
    }

    pub(crate) fn store_key(&self) -> &Arc<StoreKey> {
        &self.objects.store_key
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.objects.clock.as_ref()
    }

    pub(crate) fn digest_sealer(&self, bucket: &Bucket) -> DigestSealer {
        self.store_key().digest_sealer(bucket.id.as_bytes())
    }

    /// What a policy may know of an upload, or of the current object that it became. It tells nothing else, so it needs no grant.
    ///
    /// # Errors
    /// When our side fails; an unknown upload is `None`.
    pub async fn facts(
        &self,
        bucket: &Bucket,
        object: &ObjectKey,
        upload: UploadId,
    ) -> Result<Option<UploadFacts>, Fault> {
        match self.current(&bucket.partition(object), upload).await? {
            Some(current) => {
                Ok(Some(UploadFacts { requested: current.record.requested, encryption: mode_of(&current.record.wrap) }))
            }
            None => self.facts_of_completed(bucket, object, upload).await,
        }
    }

    pub(crate) async fn current(
        &self,
        partition: &Partition,
        upload: UploadId,
    ) -> Result<Option<CurrentUpload>, Fault> {
        let stored = self.records().get(partition, &UploadRecord::record_key(upload)).await?;
        let Some(stored) = stored else { return Ok(None) };
        let record = UploadRecord::decode(stored.payload())?;
        Ok(Some(CurrentUpload { stored, record }))
    }

    pub(crate) async fn unlock(
        &self,
        bucket: &Bucket,
        object: &ObjectKey,
        record: &UploadRecord,
        customer_key: Option<&CustomerKey>,
        requester: Requester<'_>,
    ) -> Result<UnlockedObject, UnlockError> {
        unlock(self.keys(), &record.wrap, customer_key, &identity(bucket, object, record.version), requester).await
    }

    /// Every part of an upload, by number, as stored.
    pub(crate) async fn parts(
        &self,
        partition: &Partition,
        upload: UploadId,
    ) -> Result<Vec<(Stored, PartRecord)>, Fault> {
        let mut parts = Vec::new();
        for entry in part_entries(self.records(), partition, upload, None, usize::MAX).await? {
            let record_key = RecordKey::new(tables::UPLOADED_PARTS, entry.suffix.clone());
            let stored = self.records().check(partition, &record_key, entry.value)?;
            let record = PartRecord::decode(stored.payload())?;
            parts.push((stored, record));
        }
        Ok(parts)
    }

    /// Ends an upload without an object. None of its records need be whole.
    ///
    /// # Errors
    /// [`AbortError::NoSuchUpload`] when there is none.
    pub async fn abort(&self, granted: &Granted, upload: UploadId) -> Result<(), AbortError> {
        let (bucket, object) = granted.object(Action::AbortMultipartUpload).map_err(Fault::from)?;
        let partition = bucket.partition(object);
        let upload_key = UploadRecord::record_key(upload);
        for _ in 0..ATTEMPTS {
            let raw = self.records().get_raw(&partition, &upload_key).await?.ok_or(NoSuchUpload)?;
            let mut batch = Batch {
                preconditions: vec![Precondition::Unchanged(upload_key.clone(), raw)],
                delete: vec![upload_key.clone()],
                ..Batch::default()
            };
            for entry in part_entries(self.records(), &partition, upload, None, usize::MAX).await? {
                remove_leftover(self.records(), partition.scope, tables::UPLOADED_PARTS, &entry, &mut batch);
            }
            match commit(self.records(), bucket, &partition, batch).await {
                Ok(()) => {
                    self.forget_late_parts(bucket, &partition, upload).await;
                    return Ok(());
                }
                Err(ReplaceError::Conflict) => {}
                Err(ReplaceError::NoSuchBucket(error)) => return Err(error.into()),
                Err(ReplaceError::Fault(error)) => return Err(error.into()),
            }
        }
        Err(contention().into())
    }

    /// Removes parts that were committed between the last look at an upload and its end. None can come any more: a
    /// part's commit demands the upload's record.
    ///
    /// The upload has ended whether or not this succeeds, so a failure is not told: a part that stays costs space until
    /// its bucket is deleted, and an error would make a client repeat what is done.
    pub(crate) async fn forget_late_parts(&self, bucket: &Bucket, partition: &Partition, upload: UploadId) {
        let late = part_entries(self.records(), partition, upload, None, usize::MAX).await;
        for entry in late.unwrap_or_default() {
            let mut batch = Batch::default();
            remove_leftover(self.records(), partition.scope, tables::UPLOADED_PARTS, &entry, &mut batch);
            if let Err(ReplaceError::Fault(_)) = commit(self.records(), bucket, partition, batch).await {
                return;
            }
        }
    }
}

/// Up to `limit` parts of an upload behind the number `after`, by number.
pub(crate) async fn part_entries(
    records: &Records,
    partition: &Partition,
    upload: UploadId,
    after: Option<u16>,
    limit: usize,
) -> Result<Vec<Entry>, Fault> {
    let mut first = upload.as_bytes().to_vec();
    first.extend_from_slice(&after.unwrap_or(0).to_be_bytes());
    let mut end = partition.name.clone();
    end.push(0);
    let mut found: Vec<Entry> = Vec::new();
    while found.len() < limit {
        let suffix = found.last().map_or_else(|| first.clone(), |last| last.suffix.clone());
        let page = PAGE.min(limit - found.len());
        let scan = Scan {
            scope: partition.scope,
            table: tables::UPLOADED_PARTS,
            start: Start::AfterRecord(partition.name.clone(), suffix),
            end: Some(end.clone()),
            limit: page,
        };
        let entries = records.scan(scan).await?;
        let before = found.len();
        found.extend(entries.into_iter().take_while(|entry| entry.suffix.starts_with(upload.as_bytes())));
        // Fewer than asked for: the partition ends here, or the parts of the next upload begin.
        if found.len() - before < page {
            break;
        }
    }
    Ok(found)
}

const PAGE: usize = 1000;
