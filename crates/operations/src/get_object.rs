use std::sync::Arc;

use bytes::Bytes;
use envelope::{CustomerKey, UnlockedObject};
use model::{ByteRange, PartNumber, RangeSpec};
use policy::Action;
use storage::Partition;

use crate::authorize::Granted;
use crate::body::BodyStream;
use crate::conditions::{IfRange, ReadConditions, Unmet};
use crate::encryption::{UnlockError, mode_of, unlock};
use crate::error::{
    CustomerKeyNotApplicable, CustomerKeyRequired, Fault, NoSuchKey, NoSuchPart, NotModified, NotPublic,
    PreconditionFailed, RangeUnsatisfiable, StoredDataDamaged, WrongCustomerKey,
};
use crate::object_info::ObjectInfo;
use crate::objects::{Current, Objects, identity};
use crate::open_body::{PartSource, SealedSpan, open_body};
use crate::part_list::PartList;
use crate::records::{BodyPlace, CannedAcl, ObjectMetadata, ObjectRecord, PartsRecord};

/// What to read of an object.
#[derive(Default)]
pub struct GetObject {
    /// The customer key, if one came.
    pub customer_key: Option<CustomerKey>,
    /// Conditions; they are looked at only after the customer key.
    pub conditions: ReadConditions,
    /// A range of the whole object.
    pub range: Option<RangeSpec>,
    /// The range counts only for this object; for another, the whole is read.
    pub if_range: Option<IfRange>,
    /// One part instead.
    pub part: Option<PartNumber>,
}

/// An object on its way out.
pub struct GetObjectOutput {
    /// What it is.
    pub info: ObjectInfo,
    /// The bytes that follow, when they are not all.
    pub range: Option<ByteRange>,
    /// The bytes.
    pub body: BodyStream,
}

/// Why an object was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// See [`NoSuchKey`].
    #[error(transparent)]
    NoSuchKey(#[from] NoSuchKey),
    /// See [`NotPublic`].
    #[error(transparent)]
    NotPublic(#[from] NotPublic),
    /// See [`CustomerKeyRequired`].
    #[error(transparent)]
    KeyRequired(#[from] CustomerKeyRequired),
    /// See [`CustomerKeyNotApplicable`].
    #[error(transparent)]
    KeyNotApplicable(#[from] CustomerKeyNotApplicable),
    /// See [`WrongCustomerKey`].
    #[error(transparent)]
    WrongKey(#[from] WrongCustomerKey),
    /// See [`PreconditionFailed`].
    #[error(transparent)]
    Precondition(#[from] PreconditionFailed),
    /// See [`NotModified`].
    #[error(transparent)]
    NotModified(#[from] NotModified),
    /// See [`RangeUnsatisfiable`].
    #[error(transparent)]
    Range(#[from] RangeUnsatisfiable),
    /// See [`NoSuchPart`].
    #[error(transparent)]
    Part(#[from] NoSuchPart),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<UnlockError> for ReadError {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::KeyRequired(error) => error.into(),
            UnlockError::KeyNotApplicable(error) => error.into(),
            UnlockError::WrongKey(error) => error.into(),
            UnlockError::Fault(error) => error.into(),
        }
    }
}

impl From<Unmet> for ReadError {
    fn from(unmet: Unmet) -> Self {
        match unmet {
            Unmet::Failed(error) => error.into(),
            Unmet::NotModified(error) => error.into(),
        }
    }
}

/// An object whose key fitted and whose conditions held.
pub(crate) struct Unlocked {
    pub(crate) current: Current,
    pub(crate) object: Arc<UnlockedObject>,
    pub(crate) info: ObjectInfo,
    parts: Arc<PartList>,
    /// The inline body, where it came with the record.
    body: Option<Bytes>,
}

/// What is wanted of a current object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Facts,
    /// The bytes too: where they are inline they may come with the record.
    Bytes,
}

impl Unlocked {
    /// The sizes of the parts in bytes, in their order.
    pub(crate) fn part_sizes(&self) -> impl Iterator<Item = u64> {
        self.parts.iter().map(|part| part.entry.length)
    }
}

impl Objects {
    /// Reads an object.
    ///
    /// # Errors
    /// [`ReadError`], before any byte has left.
    pub async fn get_object(&self, granted: &Granted, get: &GetObject) -> Result<GetObjectOutput, ReadError> {
        self.read(granted, get).await
    }

    /// What an object is, and which bytes a read with the same arguments would give.
    ///
    /// # Errors
    /// As [`Self::get_object`].
    pub async fn head_object(
        &self,
        granted: &Granted,
        get: &GetObject,
    ) -> Result<(ObjectInfo, Option<ByteRange>), ReadError> {
        let unlocked = self.unlock_current(granted, get).await?;
        let range = wanted_range(&unlocked, get)?;
        Ok((unlocked.info, range))
    }

    /// Every read, also of the source of a copy.
    pub(crate) async fn read(&self, granted: &Granted, get: &GetObject) -> Result<GetObjectOutput, ReadError> {
        let (bucket, object) = granted.object(Action::GetObject).map_err(Fault::from)?;
        let partition = bucket.partition(object);
        for _ in 0..crate::objects::ATTEMPTS {
            let unlocked = self.unlock_wanted(Wanted::Bytes, Action::GetObject, granted, get).await?;
            let range = wanted_range(&unlocked, get)?;
            let bytes = range.unwrap_or(ByteRange { start: 0, end: unlocked.current.record.size });
            let spans = self.spans(&partition, &unlocked, bytes).await;
            let has_later_blobs = spans.as_ref().is_ok_and(|spans| spans.len() > 1);
            let opened = match spans {
                Ok(spans) => open_body(&self.blobs, &unlocked.object, spans).await,
                Err(fault) => Err(fault.into()),
            };
            match opened {
                // The later blobs are held from here on, provided that all were still linked just now.
                Ok(_) if has_later_blobs && !self.is_still(&partition, &unlocked.current.record).await? => {}
                Ok(body) => return Ok(GetObjectOutput { info: unlocked.info, range, body }),
                // Its bytes went between the record and here: unless the record still stands, look again.
                Err(ReadError::Fault(Fault::Store(storage::Error::NoSuchBlob(_)))) => {
                    if self.is_still(&partition, &unlocked.current.record).await? {
                        return Err(Fault::from(StoredDataDamaged("a blob that a record names is gone")).into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(crate::objects::contention().into())
    }

    async fn is_still(&self, partition: &Partition, record: &ObjectRecord) -> Result<bool, Fault> {
        Ok(self.current(partition).await?.is_some_and(|now| now.record.version == record.version))
    }

    /// The order matters: existence, then the right to this very version, then the customer key, then conditions.
    /// Nothing of the object shows without its key.
    pub(crate) async fn unlock_current(&self, granted: &Granted, get: &GetObject) -> Result<Unlocked, ReadError> {
        self.unlock_current_for(Action::GetObject, granted, get).await
    }

    /// The same for another action that needs the data key.
    pub(crate) async fn unlock_current_for(
        &self,
        action: Action,
        granted: &Granted,
        get: &GetObject,
    ) -> Result<Unlocked, ReadError> {
        self.unlock_wanted(Wanted::Facts, action, granted, get).await
    }

    async fn unlock_wanted(
        &self,
        wanted: Wanted,
        action: Action,
        granted: &Granted,
        get: &GetObject,
    ) -> Result<Unlocked, ReadError> {
        let (bucket, object) = granted.object(action).map_err(Fault::from)?;
        let partition = bucket.partition(object);
        for _ in 0..crate::objects::ATTEMPTS {
            let found = match wanted {
                Wanted::Facts => self.current(&partition).await?.map(|current| (current, None)),
                Wanted::Bytes => self.current_with_body(&partition).await?,
            };
            let (current, body) = found.ok_or_else(|| NoSuchKey(object.clone()))?;
            let record = &current.record;
            if granted.by_object_acl() && record.acl != CannedAcl::PublicRead {
                return Err(NotPublic.into());
            }
            let identity = identity(bucket, object, record.version);
            let customer_key = get.customer_key.as_ref();
            let unlocked = unlock(&self.keys, &record.wrap, customer_key, &identity, granted.requester(bucket)).await?;
            let etag = self.open_etag(bucket, record)?;
            get.conditions.check(&etag, record.last_modified)?;
            let Some(parts) = self.parts_of(&partition, record, &unlocked).await? else { continue };
            let metadata = unlocked.open_metadata(&record.sealed_metadata).map_err(Fault::from)?;
            let info = ObjectInfo {
                version: record.version,
                etag,
                last_modified: record.last_modified,
                size: record.size,
                encryption: mode_of(&record.wrap),
                metadata: ObjectMetadata::decode(&metadata).map_err(Fault::from)?,
                parts: match record.body {
                    BodyPlace::Parts => u32::try_from(parts.len()).ok(),
                    BodyPlace::Inline(_) | BodyPlace::Blob(..) => None,
                },
                acl: record.acl,
            };
            return Ok(Unlocked { current, object: Arc::new(unlocked), info, parts, body });
        }
        Err(crate::objects::contention().into())
    }

    /// The parts of a version; `None` when it was replaced since its record was read.
    async fn parts_of(
        &self,
        partition: &Partition,
        record: &ObjectRecord,
        unlocked: &UnlockedObject,
    ) -> Result<Option<Arc<PartList>>, Fault> {
        let parts = match &record.body {
            BodyPlace::Inline(entry) => Arc::new(PartList::new([(entry.clone(), None)])?),
            BodyPlace::Blob(entry, blob) => Arc::new(PartList::new([(entry.clone(), Some(*blob))])?),
            BodyPlace::Parts => match self.listed_parts(partition, record, unlocked).await? {
                None => return Ok(None),
                Some(parts) => parts,
            },
        };
        if parts.total() != record.size {
            return Err(StoredDataDamaged("the parts do not add up to the size").into());
        }
        Ok(Some(parts))
    }

    /// The same for a version of several parts, whose list is proven once.
    async fn listed_parts(
        &self,
        partition: &Partition,
        record: &ObjectRecord,
        unlocked: &UnlockedObject,
    ) -> Result<Option<Arc<PartList>>, Fault> {
        let record_key = ObjectRecord::parts_key(record.version);
        let Some(raw) = self.records.get_raw(partition, &record_key).await? else {
            return match self.is_still(partition, record).await? {
                true => Err(StoredDataDamaged("the list of parts is gone").into()),
                false => Ok(None),
            };
        };
        if let Some(parts) = self.part_lists.get(record.version, &raw) {
            return Ok(Some(parts));
        }
        let stored = self.records.check(partition, &record_key, raw.clone())?;
        let PartsRecord { manifest, blobs } = PartsRecord::decode(stored.payload())?;
        unlocked.verify_manifest(&manifest)?;
        let parts = manifest.entries().iter().cloned().zip(blobs.into_iter().map(Some));
        let parts = Arc::new(PartList::new(parts)?);
        self.part_lists.insert(record.version, raw, parts.clone());
        Ok(Some(parts))
    }

    /// The inline body of a version, as it stands.
    async fn inline_body(&self, partition: &Partition, unlocked: &Unlocked) -> Result<Bytes, Fault> {
        if let Some(body) = &unlocked.body {
            return Ok(body.clone());
        }
        let record_key = ObjectRecord::inline_key(unlocked.current.record.version);
        self.records.get_raw(partition, &record_key).await?.ok_or_else(|| gone(unlocked))
    }

    /// Where the sealed bytes are that make up `range`.
    async fn spans(
        &self,
        partition: &Partition,
        unlocked: &Unlocked,
        range: ByteRange,
    ) -> Result<Vec<SealedSpan>, Fault> {
        let mut spans = Vec::new();
        for part in unlocked.parts.within(range) {
            let source = match part.blob {
                Some(blob) => PartSource::Blob(blob),
                None => PartSource::Inline(self.inline_body(partition, unlocked).await?),
            };
            let wanted = ByteRange {
                start: range.start.max(part.place.start) - part.place.start,
                end: range.end.min(part.place.end) - part.place.start,
            };
            spans.push(SealedSpan { entry: part.entry.clone(), source, wanted });
        }
        Ok(spans)
    }
}

/// An inline body that is gone is like a blob that is gone: the caller looks whether its record still stands.
fn gone(unlocked: &Unlocked) -> Fault {
    storage::Error::NoSuchBlob(model::BlobId::from_bytes(*unlocked.current.record.version.as_bytes())).into()
}

fn wanted_range(unlocked: &Unlocked, get: &GetObject) -> Result<Option<ByteRange>, ReadError> {
    let size = unlocked.current.record.size;
    if let Some(number) = get.part {
        return part_range(unlocked, number).map(Some);
    }
    match get.range.filter(|_| get.if_range.as_ref().is_none_or(|wanted| wanted.is(&unlocked.info))) {
        None => Ok(None),
        Some(spec) => Ok(Some(spec.resolve(size).map_err(|_| RangeUnsatisfiable { size })?)),
    }
}

/// Parts count from one in the order of the object, whatever numbers they were uploaded under.
fn part_range(unlocked: &Unlocked, number: PartNumber) -> Result<ByteRange, ReadError> {
    let part = unlocked.parts.get(usize::from(number.get()) - 1);
    let parts = u32::try_from(unlocked.parts.len()).unwrap_or(u32::MAX);
    Ok(part.ok_or(NoSuchPart { parts })?.place)
}
