use envelope::CustomerKey;
use model::{ETag, PartNumber, Timestamp, UploadId};
use policy::Action;

use crate::authorize::Granted;
use crate::checksum::{ChecksumAlgorithm, StoredChecksum};
use crate::encryption::UnlockError;
use crate::error::{CustomerKeyNotApplicable, Fault, NoSuchUpload, WrongCustomerKey};
use crate::records::{PartChecksum, PartRecord, tables};
use crate::uploads::{Uploads, part_entries};

/// A question for a page of parts.
pub struct ListParts {
    /// Of which upload.
    pub upload: UploadId,
    /// Only parts with a greater number.
    pub after: Option<u16>,
    /// At most this many.
    pub limit: usize,
    /// The customer key, if one came; without it an SSE-C upload shows no checksums.
    pub customer_key: Option<CustomerKey>,
}

/// A part in a page.
#[derive(Debug, Clone)]
pub struct ListedPart {
    /// Its number.
    pub number: PartNumber,
    /// Its tag.
    pub etag: ETag,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written.
    pub last_modified: Timestamp,
    /// Its checksum, where the upload has one.
    pub checksum: Option<StoredChecksum>,
}

/// A page of parts.
#[derive(Debug, Clone)]
pub struct PartsPage {
    /// The parts, by number.
    pub parts: Vec<ListedPart>,
    /// When more follows: the last number of this page.
    pub next: Option<u16>,
    /// The checksum that the upload was begun with.
    pub checksum: Option<ChecksumAlgorithm>,
    /// That checksum will cover the whole object.
    pub full_object_checksum: bool,
}

/// Why no parts are shown.
#[derive(Debug, thiserror::Error)]
pub enum ListPartsError {
    /// See [`NoSuchUpload`].
    #[error(transparent)]
    NoSuchUpload(#[from] NoSuchUpload),
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

impl Uploads {
    /// A page of the parts of an upload.
    ///
    /// # Errors
    /// [`ListPartsError`].
    pub async fn list_parts(&self, granted: &Granted, list: &ListParts) -> Result<PartsPage, ListPartsError> {
        let (bucket, object) = granted.object(Action::ListMultipartUploadParts).map_err(Fault::from)?;
        let partition = bucket.partition(object);
        let upload = self.current(&partition, list.upload).await?.ok_or(NoSuchUpload)?.record;
        let unlocked =
            match self.unlock(bucket, object, &upload, list.customer_key.as_ref(), granted.requester(bucket)).await {
                Ok(unlocked) => Some(unlocked),
                Err(UnlockError::KeyRequired(_)) => None,
                Err(UnlockError::KeyNotApplicable(error)) => return Err(error.into()),
                Err(UnlockError::WrongKey(error)) => return Err(error.into()),
                Err(UnlockError::Fault(error)) => return Err(error.into()),
            };
        let sealer = self.digest_sealer(bucket);
        let limit = list.limit.saturating_add(1);
        let entries = part_entries(self.records(), &partition, list.upload, list.after, limit).await?;
        let mut parts = Vec::with_capacity(entries.len());
        for entry in entries.iter().take(list.limit) {
            let payload = self.records().open_entry(partition.scope, tables::UPLOADED_PARTS, entry)?;
            let record = PartRecord::decode(payload)?;
            let checksum = match &unlocked {
                Some(unlocked) if !record.sealed_checksum.is_empty() => {
                    let opened = unlocked.open_metadata(&record.sealed_checksum).map_err(Fault::from)?;
                    let PartChecksum { algorithm, value } = PartChecksum::decode(&opened).map_err(Fault::from)?;
                    Some(StoredChecksum { algorithm, parts: None, value })
                }
                _ => None,
            };
            parts.push(ListedPart {
                number: record.entry.number,
                etag: record.etag.open(&sealer)?,
                size: record.entry.length,
                last_modified: record.uploaded,
                checksum,
            });
        }
        let more = entries.len() > list.limit;
        let next = parts.last().filter(|_| more).map(|part| part.number.get());
        Ok(PartsPage { parts, next, checksum: upload.checksum, full_object_checksum: upload.full_object_checksum })
    }
}
