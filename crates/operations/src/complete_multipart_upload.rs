use std::collections::BTreeMap;

use envelope::{CustomerKey, Manifest, PartEntry, UnlockedObject};
use model::{BlobId, ETag, ObjectKey, PartNumber, UploadId};
use policy::Action;
use storage::Batch;

use crate::authorize::Granted;
use crate::buckets::Bucket;
use crate::checksum::{ChecksumAlgorithm, StoredChecksum, checksum_of, md5_of};
use crate::conditions::WriteConditions;
use crate::encryption::{EncryptionMode, UnlockError, mode_of};
use crate::error::{
    BadChecksum, CustomerKeyNotApplicable, CustomerKeyRequired, CustomerKeysBlocked, EntityTooLarge, Fault,
    NoSuchBucket, NoSuchKey, NoSuchUpload, PreconditionFailed, StoredDataDamaged, WrongCustomerKey,
};
use crate::objects::{ATTEMPTS, ReplaceError, commit, contention};
use crate::put_object::{PutObjectError, PutObjectOutput};
use crate::records::{
    BodyPlace, ObjectMetadata, ObjectRecord, PartChecksum, PartRecord, PartsRecord, Stored, StoredETag, UploadRecord,
    as_read, sole, tables,
};
use crate::uploads::{CurrentUpload, Uploads};

/// One line of the client's list of parts.
#[derive(Debug, Clone)]
pub struct CompletedPart {
    /// The number.
    pub number: PartNumber,
    /// The tag that its upload gave; `None` for one that no part here can have.
    pub etag: Option<ETag>,
    /// The checksum that the client repeats, if it does.
    pub checksum: Option<(ChecksumAlgorithm, Vec<u8>)>,
}

/// An upload to complete.
pub struct CompleteMultipartUpload {
    /// Which one.
    pub upload: UploadId,
    /// The parts in order.
    pub parts: Vec<CompletedPart>,
    /// The customer key. Without it the upload completes too, unless there are checksums to combine or to check.
    pub customer_key: Option<CustomerKey>,
    /// Conditions on the object that it replaces.
    pub conditions: WriteConditions,
    /// The checksum of the whole object that the client claims.
    pub checksum: Option<(ChecksumAlgorithm, Vec<u8>)>,
    /// Whether the client takes that checksum for one over the whole object; `None` when it does not say.
    pub full_object_checksum: Option<bool>,
    /// The size in bytes that the client expects.
    pub size: Option<u64>,
}

/// The parts add up to another size than the client expects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {computed}")]
pub struct OtherSize {
    /// What the client says.
    pub expected: u64,
    /// What the parts have.
    pub computed: u64,
}

/// The upload was begun with a checksum of the other type, or with none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The upload was created without a checksum of the type that x-amz-checksum-type names.")]
pub struct OtherChecksumType;

/// A listed part was never uploaded, or its tag or checksum is another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified \
     entity tag may not match the part's entity tag."
)]
pub struct InvalidPart(pub u16);

/// The list is not in ascending order of numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The list of parts was not in ascending order. Parts must be ordered by part number.")]
pub struct InvalidPartOrder;

/// A part that is not the last has less than 5 MiB.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Your proposed upload is smaller than the minimum allowed size")]
pub struct EntityTooSmall(pub u16);

/// Why an upload was not completed. It stands as before then.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// See [`NoSuchUpload`].
    #[error(transparent)]
    NoSuchUpload(#[from] NoSuchUpload),
    /// See [`InvalidPart`].
    #[error(transparent)]
    InvalidPart(#[from] InvalidPart),
    /// See [`InvalidPartOrder`].
    #[error(transparent)]
    Order(#[from] InvalidPartOrder),
    /// See [`EntityTooSmall`].
    #[error(transparent)]
    TooSmall(#[from] EntityTooSmall),
    /// See [`EntityTooLarge`].
    #[error(transparent)]
    TooLarge(#[from] EntityTooLarge),
    /// See [`BadChecksum`].
    #[error(transparent)]
    Checksum(#[from] BadChecksum),
    /// See [`OtherChecksumType`].
    #[error(transparent)]
    ChecksumType(#[from] OtherChecksumType),
    /// See [`OtherSize`].
    #[error(transparent)]
    Size(#[from] OtherSize),
    /// See [`CustomerKeyRequired`].
    #[error(transparent)]
    KeyRequired(#[from] CustomerKeyRequired),
    /// See [`CustomerKeyNotApplicable`].
    #[error(transparent)]
    KeyNotApplicable(#[from] CustomerKeyNotApplicable),
    /// See [`WrongCustomerKey`].
    #[error(transparent)]
    WrongKey(#[from] WrongCustomerKey),
    /// See [`CustomerKeysBlocked`].
    #[error(transparent)]
    KeysBlocked(#[from] CustomerKeysBlocked),
    /// See [`PreconditionFailed`].
    #[error(transparent)]
    Precondition(#[from] PreconditionFailed),
    /// `If-Match` without an object.
    #[error(transparent)]
    NoSuchKey(#[from] NoSuchKey),
    /// The bucket was deleted meanwhile.
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<UnlockError> for CompleteError {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::KeyRequired(error) => error.into(),
            UnlockError::KeyNotApplicable(error) => error.into(),
            UnlockError::WrongKey(error) => error.into(),
            UnlockError::Fault(error) => error.into(),
        }
    }
}

impl From<PutObjectError> for CompleteError {
    fn from(error: PutObjectError) -> Self {
        match error {
            PutObjectError::Precondition(error) => error.into(),
            PutObjectError::NoSuchKey(error) => error.into(),
            PutObjectError::KeysBlocked(error) => error.into(),
            PutObjectError::NoSuchBucket(error) => error.into(),
            PutObjectError::Fault(error) => error.into(),
            PutObjectError::Body(_) => Fault::from(StoredDataDamaged("a completion has no body")).into(),
        }
    }
}

/// The parts that become the object, and those that do not.
struct Selection {
    chosen: Vec<(Stored, PartRecord)>,
    dropped: Vec<(Stored, PartRecord)>,
    tags: Vec<ETag>,
}

impl Uploads {
    /// Makes the parts an object; no byte of them moves.
    ///
    /// # Errors
    /// [`CompleteError`]; nothing has changed then.
    pub async fn complete(
        &self,
        granted: &Granted,
        complete: CompleteMultipartUpload,
    ) -> Result<PutObjectOutput, CompleteError> {
        let (bucket, object) = granted.object(Action::PutObject).map_err(Fault::from)?;
        let partition = bucket.partition(object);
        for _ in 0..ATTEMPTS {
            let Some(current) = self.current(&partition, complete.upload).await? else {
                return self.completed_before(granted, bucket, object, &complete).await;
            };
            let unlocked = self.unlock_for_completion(granted, bucket, object, &current, &complete).await?;
            let parts = self.parts(&partition, complete.upload).await?;
            let selection = self.select(bucket, &complete.parts, parts)?;
            let (record, parts_record, output) =
                self.assemble(bucket, &current, unlocked.as_ref(), &complete, &selection)?;
            let target = Target { bucket, object };
            match self.commit_object(&target, &complete, &current, &selection, record, parts_record).await? {
                Committed::Yes => {
                    self.forget_late_parts(bucket, &partition, complete.upload).await;
                    return Ok(output);
                }
                Committed::TryAgain => {}
            }
        }
        Err(contention().into())
    }

    async fn unlock_for_completion(
        &self,
        granted: &Granted,
        bucket: &Bucket,
        object: &ObjectKey,
        current: &CurrentUpload,
        complete: &CompleteMultipartUpload,
    ) -> Result<Option<UnlockedObject>, CompleteError> {
        let record = &current.record;
        let mode = mode_of(&record.wrap);
        bucket.takes(&mode)?;
        let customer_key = complete.customer_key.as_ref();
        let claims = complete.checksum.is_some() || complete.parts.iter().any(|part| part.checksum.is_some());
        let needs_key = record.checksum.is_some() || claims;
        if mode == EncryptionMode::Customer && customer_key.is_none() && !needs_key {
            return Ok(None);
        }
        Ok(Some(self.unlock(bucket, object, record, customer_key, granted.requester(bucket)).await?))
    }

    fn select(
        &self,
        bucket: &Bucket,
        wanted: &[CompletedPart],
        parts: Vec<(Stored, PartRecord)>,
    ) -> Result<Selection, CompleteError> {
        if wanted.windows(2).any(|pair| pair[0].number >= pair[1].number) {
            return Err(InvalidPartOrder.into());
        }
        let sealer = self.digest_sealer(bucket);
        let mut uploaded: BTreeMap<u16, _> = parts.into_iter().map(|p| (p.1.entry.number.get(), p)).collect();
        let (mut chosen, mut tags, mut total) = (Vec::with_capacity(wanted.len()), Vec::new(), 0u64);
        for (index, part) in wanted.iter().enumerate() {
            let number = part.number.get();
            let (stored, record) = uploaded.remove(&number).ok_or(InvalidPart(number))?;
            let etag = record.etag.open(&sealer)?;
            if part.etag.as_ref() != Some(&etag) {
                return Err(InvalidPart(number).into());
            }
            if index + 1 < wanted.len() && record.entry.length < PART_LEN_MIN {
                return Err(EntityTooSmall(number).into());
            }
            total += record.entry.length;
            tags.push(etag);
            chosen.push((stored, record));
        }
        if total > OBJECT_LEN_MAX {
            return Err(EntityTooLarge.into());
        }
        Ok(Selection { chosen, dropped: uploaded.into_values().collect(), tags })
    }

    fn assemble(
        &self,
        bucket: &Bucket,
        current: &CurrentUpload,
        unlocked: Option<&UnlockedObject>,
        complete: &CompleteMultipartUpload,
        selection: &Selection,
    ) -> Result<(ObjectRecord, PartsRecord, PutObjectOutput), CompleteError> {
        let upload = &current.record;
        let mode = mode_of(&upload.wrap);
        let entries: Vec<PartEntry> = selection.chosen.iter().map(|(_, part)| part.entry.clone()).collect();
        let tag = unlocked.map(|unlocked| unlocked.manifest_tag(&entries));
        let manifest = Manifest::new(entries, tag).map_err(|_| InvalidPartOrder)?;
        let size = manifest.total_len();
        if let Some(expected) = complete.size.filter(|expected| *expected != size) {
            return Err(OtherSize { expected, computed: size }.into());
        }
        let has_type = |full| upload.checksum.is_some() && upload.full_object_checksum == full;
        if !complete.full_object_checksum.is_none_or(has_type) {
            return Err(OtherChecksumType.into());
        }
        let checksum = match unlocked {
            None => None,
            Some(unlocked) => combined_checksum(unlocked, upload, complete, selection)?,
        };
        let sealed_metadata = match (unlocked, &checksum) {
            (Some(unlocked), Some(checksum)) => {
                let opened = unlocked.open_metadata(&upload.sealed_metadata).map_err(Fault::from)?;
                let mut metadata = ObjectMetadata::decode(&opened).map_err(Fault::from)?;
                metadata.checksums = vec![checksum.clone()];
                unlocked.seal_metadata(&metadata.encode())
            }
            _ => upload.sealed_metadata.clone(),
        };
        let etag = multipart_etag(&selection.tags);
        let last_modified = self.clock().now();
        let record = ObjectRecord {
            version: upload.version,
            last_modified,
            size,
            acl: upload.acl,
            etag: StoredETag::of(&mode, &etag, || self.digest_sealer(bucket)),
            wrap: upload.wrap.clone(),
            sealed_metadata,
            body: BodyPlace::Parts,
        };
        let blobs: Vec<BlobId> = selection.chosen.iter().map(|(_, part)| part.blob).collect();
        let output = PutObjectOutput { etag, last_modified, checksum, encryption: mode, size };
        Ok((record, PartsRecord { manifest, blobs }, output))
    }

    /// One batch: the object appears, the upload and its parts go, what they replaced goes.
    async fn commit_object(
        &self,
        target: &Target<'_>,
        complete: &CompleteMultipartUpload,
        current: &CurrentUpload,
        selection: &Selection,
        record: ObjectRecord,
        parts_record: PartsRecord,
    ) -> Result<Committed, CompleteError> {
        let (bucket, object) = (target.bucket, target.object);
        let partition = bucket.partition(object);
        let (head, upload_key) = (sole(tables::OBJECTS), UploadRecord::record_key(complete.upload));
        let replaced = self.objects.replaced(&partition).await?;
        if !complete.conditions.is_empty() {
            self.objects.conditions_hold(bucket, object, replaced.judged()?, &complete.conditions)?;
        }
        let mut batch = Batch {
            preconditions: vec![replaced.unchanged(), as_read(upload_key.clone(), Some(&current.stored))],
            put: vec![
                self.records().put(&partition, head, record.encode()),
                self.records().put(&partition, ObjectRecord::parts_key(record.version), parts_record.encode()),
            ],
            delete: vec![upload_key],
            ..Batch::default()
        };
        replaced.remove_body(self.records(), &partition, &mut batch).await?;
        for (stored, part) in selection.chosen.iter().chain(&selection.dropped) {
            let part_key = PartRecord::record_key(complete.upload, part.entry.number);
            batch.preconditions.push(as_read(part_key.clone(), Some(stored)));
            batch.delete.push(part_key);
        }
        batch.unlink.extend(selection.dropped.iter().map(|(_, part)| part.blob));
        match commit(self.records(), bucket, &partition, batch).await {
            Ok(()) => Ok(Committed::Yes),
            Err(ReplaceError::Conflict) => Ok(Committed::TryAgain),
            Err(ReplaceError::NoSuchBucket(error)) => Err(error.into()),
            Err(ReplaceError::Fault(error)) => Err(error.into()),
        }
    }
}

enum Committed {
    Yes,
    TryAgain,
}

struct Target<'a> {
    bucket: &'a Bucket,
    object: &'a ObjectKey,
}

/// MD5 over the parts' tags, then how many: AWS's form in every mode.
pub(crate) fn multipart_etag(tags: &[ETag]) -> ETag {
    let digests: Vec<u8> = tags.iter().flat_map(ETag::digest).collect();
    ETag::with_parts(md5_of(&digests), u16::try_from(tags.len()).expect("a part number is at most 10,000"))
}

/// Checks the parts' checksums that the client repeats, and combines them.
fn combined_checksum(
    unlocked: &UnlockedObject,
    upload: &UploadRecord,
    complete: &CompleteMultipartUpload,
    selection: &Selection,
) -> Result<Option<StoredChecksum>, CompleteError> {
    let mut values = Vec::new();
    for ((_, part), wanted) in selection.chosen.iter().zip(&complete.parts) {
        let stored = part_checksum(unlocked, part)?;
        let repeats = |(algorithm, claimed): &(ChecksumAlgorithm, Vec<u8>)| {
            stored.as_ref().is_some_and(|stored| stored.algorithm == *algorithm && stored.value == *claimed)
        };
        if !wanted.checksum.as_ref().is_none_or(repeats) {
            return Err(InvalidPart(part.entry.number.get()).into());
        }
        values.push((stored, part.entry.length));
    }
    let Some(algorithm) = upload.checksum else {
        // What cannot be checked is not passed over.
        return complete.checksum.as_ref().map_or(Ok(None), |(claimed, _)| Err(BadChecksum(claimed.name()).into()));
    };
    let mut checked = Vec::with_capacity(values.len());
    for ((stored, length), wanted) in values.into_iter().zip(&complete.parts) {
        let stored = stored.filter(|stored| stored.algorithm == algorithm);
        checked.push((stored.ok_or(InvalidPart(wanted.number.get()))?.value, length));
    }
    let values = checked;
    let (value, parts) = match upload.full_object_checksum {
        true => (full_object_crc(algorithm, &values), None),
        false => {
            let joined: Vec<u8> = values.iter().flat_map(|(value, _)| value.iter().copied()).collect();
            (Some(checksum_of(algorithm, &joined)), u16::try_from(values.len()).ok())
        }
    };
    let value = value.ok_or(BadChecksum(algorithm.name()))?;
    if complete.checksum.as_ref().is_some_and(|(a, claimed)| *a != algorithm || *claimed != value) {
        return Err(BadChecksum(algorithm.name()).into());
    }
    Ok(Some(StoredChecksum { algorithm, parts, value }))
}

/// The checksum that a part was stored with.
fn part_checksum(unlocked: &UnlockedObject, part: &PartRecord) -> Result<Option<PartChecksum>, Fault> {
    if part.sealed_checksum.is_empty() {
        return Ok(None);
    }
    let opened = unlocked.open_metadata(&part.sealed_checksum)?;
    Ok(Some(PartChecksum::decode(&opened)?))
}

/// The CRC of the whole from the CRCs of the parts; hashes cannot be combined so.
fn full_object_crc(algorithm: ChecksumAlgorithm, parts: &[(Vec<u8>, u64)]) -> Option<Vec<u8>> {
    let crc = algorithm.crc()?;
    let number = |value: &[u8]| value.iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    let mut parts = parts.iter();
    let (first, _) = parts.next()?;
    let combined =
        parts.fold(number(first), |sum, (value, length)| crc_fast::checksum_combine(crc, sum, number(value), *length));
    Some(combined.to_be_bytes()[8 - algorithm.value_len()..].to_vec())
}

/// AWS: "Amazon S3 multipart upload limits".
const PART_LEN_MIN: u64 = 5 << 20;
const OBJECT_LEN_MAX: u64 = 5 << 40;
