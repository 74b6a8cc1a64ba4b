//! One object as one file, still sealed, for whoever has to open it without this server.
//!
//! What is written is what stands in the store: the object's records with their tags, and its sealed bytes, framed as
//! docs/format.md draws it under "Sealed export". No key is needed for that, and none is asked for. With the store key
//! at hand the records are authenticated first, so that damage is told now and not on the day the file is needed.
//!
//! It stands on the two ports and on nothing of a backend. Deliberately absent: authorization (whoever runs it has the
//! disk), uploads in progress, and the other objects of the bucket.

mod pieces;

pub use pieces::ExportPieces;

use std::sync::Arc;

use bytes::Bytes;
use envelope::{PartEntry, RECORD_TAG_LEN, RecordAuthenticator, RecordPlace, StoreKey, sealed_len};
use model::codec::Encoder;
use model::{BlobId, BucketName, ObjectKey};
use storage::{BlobReader, Blobs, Metadata, Partition, RecordKey, Scope};

use crate::error::{Fault, NoSuchBucket, NoSuchKey, StoredDataDamaged};
use crate::held_by::HeldBy;
use crate::records::{BodyPlace, BucketRecord, ObjectRecord, PartsRecord, sole, system, tables};

/// Reads objects for export. No server may be at work on the store meanwhile.
pub struct SealedExporter {
    metadata: Arc<dyn Metadata>,
    blobs: Arc<dyn Blobs>,
    authenticator: Option<RecordAuthenticator>,
}

/// An object that can be written out.
pub struct SealedExport {
    blobs: Arc<dyn Blobs>,
    sections: Vec<Section>,
    damage: Vec<ExportDamage>,
    held_by: Option<HeldBy>,
}

/// Something that is wrong with an object. It can be exported nevertheless, for what there is left to save.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportDamage {
    /// The record was changed, or does not belong to this place.
    #[error("the record of the {0} does not authenticate")]
    NotAuthentic(&'static str),
    /// The bytes make no record, so what they name is not exported.
    #[error("the record of the {0} cannot be read")]
    Unreadable(&'static str),
    /// There is no such record.
    #[error("the record of the {0} is missing")]
    RecordMissing(&'static str),
    /// A part's bytes are not there.
    #[error("the bytes of part {part} are missing: {reason}")]
    BytesMissing {
        /// The part's number.
        part: u16,
        /// What the store says.
        reason: String,
    },
    /// A part has other bytes than its length says.
    #[error("part {part} has {found} sealed bytes instead of {expected}")]
    Length {
        /// The part's number.
        part: u16,
        /// Bytes that are there.
        found: u64,
        /// Bytes that should be.
        expected: u64,
    },
}

/// Why there is nothing to export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// See [`NoSuchBucket`].
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// See [`NoSuchKey`].
    #[error(transparent)]
    NoSuchKey(#[from] NoSuchKey),
    /// The store failed, or the bucket's record makes no sense.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What one section of the file is made of.
enum Section {
    Bytes(u8, Bytes),
    /// The bytes of one part, from a blob.
    Blob(BlobId, u64),
}

impl SealedExporter {
    /// With the store key, records are authenticated before they are believed.
    #[must_use]
    pub fn new(metadata: Arc<dyn Metadata>, blobs: Arc<dyn Blobs>, store_key: Option<&StoreKey>) -> Self {
        Self { metadata, blobs, authenticator: store_key.map(StoreKey::authenticator) }
    }

    /// Finds an object and all that belongs to it.
    ///
    /// # Errors
    /// [`ExportError`]. Damage of the object is no error: see [`SealedExport::damage`].
    pub async fn prepare(&self, bucket: &BucketName, object: &ObjectKey) -> Result<SealedExport, ExportError> {
        let mut found = Found { exporter: self, sections: Vec::new(), damage: Vec::new() };
        let (place, record_key) = (system(bucket.as_str().as_bytes()), sole(tables::BUCKETS));
        let raw = self.metadata.get(&place, &record_key).await.map_err(Fault::from)?;
        let raw = raw.ok_or_else(|| NoSuchBucket(bucket.clone()))?;
        let id = BucketRecord::decode(found.payload(&place, &record_key, &raw, "bucket")).map_err(Fault::from)?.id;

        let partition = Partition::new(Scope::bucket(id), object.as_bytes());
        let mut encoder = Encoder::default();
        encoder.raw(id.as_bytes()).text(bucket.as_str()).text(object.as_str());
        found.sections.push(Section::Bytes(PLACE, encoder.finish().into()));
        let raw = self.metadata.get(&partition, &sole(tables::OBJECTS)).await.map_err(Fault::from)?;
        let raw = raw.ok_or_else(|| NoSuchKey(object.clone()))?;
        found.sections.push(Section::Bytes(OBJECT, raw.clone()));
        let record = ObjectRecord::decode(found.payload(&partition, &sole(tables::OBJECTS), &raw, "object"));
        let held_by = match record {
            Ok(record) => {
                found.body(&partition, &record).await?;
                Some(HeldBy::of(&record.wrap))
            }
            Err(_) => {
                found.damage.push(ExportDamage::Unreadable("object"));
                None
            }
        };
        Ok(SealedExport { blobs: self.blobs.clone(), sections: found.sections, damage: found.damage, held_by })
    }
}

impl SealedExport {
    /// What is wrong with the object; nothing, as far as can be told without its key.
    #[must_use]
    pub fn damage(&self) -> &[ExportDamage] {
        &self.damage
    }

    /// Whose key opens it; `None` when its record cannot be read.
    #[must_use]
    pub const fn held_by(&self) -> Option<&HeldBy> {
        self.held_by.as_ref()
    }
}

/// What has been found of an object so far.
struct Found<'a> {
    exporter: &'a SealedExporter,
    sections: Vec<Section>,
    damage: Vec<ExportDamage>,
}

impl Found<'_> {
    /// The payload of a record, whether it is true or not; the latter is written down.
    fn payload<'r>(&mut self, place: &Partition, key: &RecordKey, raw: &'r Bytes, what: &'static str) -> &'r [u8] {
        let at = RecordPlace {
            scope: place.scope.as_bytes(),
            partition: &place.name,
            table: key.table.0,
            suffix: &key.suffix,
        };
        if self.exporter.authenticator.as_ref().is_some_and(|authenticator| authenticator.check(&at, raw).is_err()) {
            self.damage.push(ExportDamage::NotAuthentic(what));
        }
        &raw[..raw.len().saturating_sub(RECORD_TAG_LEN)]
    }

    async fn body(&mut self, partition: &Partition, record: &ObjectRecord) -> Result<(), Fault> {
        match &record.body {
            BodyPlace::Inline(entry) => {
                let raw = self.exporter.metadata.get(partition, &ObjectRecord::inline_key(record.version)).await?;
                if raw.is_none() {
                    self.damage.push(ExportDamage::RecordMissing("inline body"));
                }
                let raw = raw.unwrap_or_default();
                self.expect_length(entry, raw.len() as u64);
                self.sections.push(Section::Bytes(BODY, raw));
            }
            BodyPlace::Blob(entry, blob) => self.blob(entry, *blob).await?,
            BodyPlace::Parts => self.parts(partition, record).await?,
        }
        Ok(())
    }

    async fn parts(&mut self, partition: &Partition, record: &ObjectRecord) -> Result<(), Fault> {
        let record_key = ObjectRecord::parts_key(record.version);
        let Some(raw) = self.exporter.metadata.get(partition, &record_key).await? else {
            self.damage.push(ExportDamage::RecordMissing("parts"));
            return Ok(());
        };
        self.sections.push(Section::Bytes(PARTS, raw.clone()));
        let Ok(parts) = PartsRecord::decode(self.payload(partition, &record_key, &raw, "parts")) else {
            self.damage.push(ExportDamage::Unreadable("parts"));
            return Ok(());
        };
        for (entry, blob) in parts.manifest.entries().iter().zip(&parts.blobs) {
            self.blob(entry, *blob).await?;
        }
        Ok(())
    }

    async fn blob(&mut self, entry: &PartEntry, blob: BlobId) -> Result<(), Fault> {
        match self.exporter.blobs.open(blob).await {
            Ok(reader) => {
                let length = blob_len(reader.as_ref(), sealed_len(entry.length)).await?;
                self.expect_length(entry, length);
                self.sections.push(Section::Blob(blob, length));
            }
            Err(error @ (storage::Error::NoSuchBlob(_) | storage::Error::Damaged(_))) => {
                self.damage.push(ExportDamage::BytesMissing { part: entry.number.get(), reason: error.to_string() });
                self.sections.push(Section::Bytes(BODY, Bytes::new()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn expect_length(&mut self, entry: &PartEntry, found: u64) {
        let expected = sealed_len(entry.length);
        if found != expected {
            self.damage.push(ExportDamage::Length { part: entry.number.get(), found, expected });
        }
    }
}

/// How many bytes a blob has; `expected` is where to look first. The port does not tell, because nothing else asks.
pub(crate) async fn blob_len(reader: &dyn BlobReader, expected: u64) -> Result<u64, Fault> {
    let reaches = async |length: u64| match length.checked_sub(1) {
        None => Ok(true),
        Some(last) => match reader.read(last, 1).await {
            Ok(_) => Ok(true),
            Err(storage::Error::BlobTooShort(_)) => Ok(false),
            Err(error) => Err(Fault::from(error)),
        },
    };
    let (mut short, mut long) = (0, expected.max(1));
    while reaches(long).await? {
        short = long;
        if long == expected && !reaches(expected + 1).await? {
            return Ok(expected);
        }
        long = long.checked_mul(2).ok_or(StoredDataDamaged("a blob without an end"))?;
    }
    while short + 1 < long {
        let middle = short + (long - short) / 2;
        if reaches(middle).await? {
            short = middle;
        } else {
            long = middle;
        }
    }
    Ok(short)
}

/// The first bytes of the file. The line end is changed by whatever takes it for text.
const MAGIC: &[u8; 16] = b"canopic-export\r\n";
const FORMAT: u8 = 1;
/// Kinds of sections, in the order in which they stand.
const PLACE: u8 = 1;
const OBJECT: u8 = 2;
const PARTS: u8 = 3;
const BODY: u8 = 4;
const END: u8 = 5;
