use envelope::{DigestSealer, Manifest, PartEntry};
use kms::StoredWrap;
use model::codec::{Decoder, Encoder, Malformed};
use model::{BlobId, ETag, PartNumber, Timestamp, VersionId};
use storage::RecordKey;

use super::wrap::{decode_wrap, encode_envelope, layout_of, wrap_layout};
use super::{CannedAcl, tables};
use crate::encryption::EncryptionMode;
use crate::error::Fault;

const PARTS_LAYOUT: u8 = 1;

/// The current version of an object: table 16, partition = its object key, no suffix.
pub(crate) struct ObjectRecord {
    pub(crate) version: VersionId,
    pub(crate) last_modified: Timestamp,
    pub(crate) size: u64,
    pub(crate) acl: CannedAcl,
    pub(crate) etag: StoredETag,
    pub(crate) wrap: StoredWrap,
    /// [`super::ObjectMetadata`], sealed under the data key.
    pub(crate) sealed_metadata: Vec<u8>,
    pub(crate) body: BodyPlace,
}

/// Where the sealed bytes of an object are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyPlace {
    /// One part, in a record of table 18 with this suffix.
    Inline(PartEntry),
    /// One part, in a blob.
    Blob(PartEntry, BlobId),
    /// Several parts: table 17, suffix = the version id.
    Parts,
}

/// A tag as it stands in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoredETag {
    /// It says nothing of the plaintext and may be read by whoever has the disk.
    Opaque(ETag),
    /// It is a digest of the plaintext, sealed under the store key.
    Sealed {
        /// Random and fresh for each sealing: the store key seals no two digests under one of them.
        unique: [u8; 16],
        digest: [u8; 32],
        parts: Option<u16>,
    },
}

impl StoredETag {
    pub(crate) fn seal(sealer: &DigestSealer, etag: &ETag) -> Self {
        let unique = envelope::random_bytes();
        Self::Sealed { unique, digest: sealer.seal(&unique, etag.digest()), parts: etag.parts() }
    }

    /// The tag of an object or a part in this mode: one that says nothing of the plaintext needs no sealing.
    pub(crate) fn of(mode: &EncryptionMode, etag: &ETag, sealer: impl FnOnce() -> DigestSealer) -> Self {
        if mode.has_md5_etag() { Self::seal(&sealer(), etag) } else { Self::Opaque(etag.clone()) }
    }

    pub(crate) fn open(&self, sealer: &DigestSealer) -> Result<ETag, Fault> {
        match self {
            Self::Opaque(etag) => Ok(etag.clone()),
            Self::Sealed { unique, digest, parts } => {
                let digest = sealer.open(unique, digest)?;
                Ok(parts.map_or_else(|| ETag::of_digest(digest), |parts| ETag::with_parts(digest, parts)))
            }
        }
    }

    pub(super) fn encode(&self, encoder: &mut Encoder) {
        let (kind, parts): (u8, _) = match self {
            Self::Opaque(etag) => (1, etag.parts()),
            Self::Sealed { parts, .. } => (2, *parts),
        };
        encoder.u8(kind).u16(parts.unwrap_or(0));
        match self {
            Self::Opaque(etag) => encoder.raw(&etag.digest()),
            Self::Sealed { unique, digest, .. } => encoder.raw(unique).raw(digest),
        };
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let kind = decoder.u8()?;
        let parts = Some(decoder.u16()?).filter(|parts| *parts > 0);
        match kind {
            1 => {
                let digest = decoder.array()?;
                Ok(Self::Opaque(parts.map_or_else(|| ETag::of_digest(digest), |n| ETag::with_parts(digest, n))))
            }
            2 => Ok(Self::Sealed { unique: decoder.array()?, digest: decoder.array()?, parts }),
            _ => Err(Malformed),
        }
    }
}

impl ObjectRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(layout_of(&self.wrap));
        encoder.raw(self.version.as_bytes()).u64(self.last_modified.as_millis()).u64(self.size).u8(self.acl.code());
        self.etag.encode(&mut encoder);
        encoder.bytes(&self.wrap.wrapped.encode());
        encode_envelope(&mut encoder, &self.wrap);
        encoder.bytes(&self.sealed_metadata);
        match &self.body {
            BodyPlace::Inline(entry) => encode_entry(encoder.u8(1), entry),
            BodyPlace::Blob(entry, blob) => encode_entry(encoder.u8(2), entry).raw(blob.as_bytes()),
            BodyPlace::Parts => encoder.u8(3),
        };
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let layout = wrap_layout(bytes)?;
        let mut decoder = Decoder::new(bytes, layout)?;
        let record = Self {
            version: VersionId::from_bytes(decoder.array()?),
            last_modified: Timestamp::from_millis(decoder.u64()?),
            size: decoder.u64()?,
            acl: CannedAcl::from_code(decoder.u8()?)?,
            etag: StoredETag::decode(&mut decoder)?,
            wrap: decode_wrap(&mut decoder, layout)?,
            sealed_metadata: decoder.bytes()?.to_vec(),
            body: match decoder.u8()? {
                1 => BodyPlace::Inline(decode_entry(&mut decoder)?),
                2 => BodyPlace::Blob(decode_entry(&mut decoder)?, BlobId::from_bytes(decoder.array()?)),
                3 => BodyPlace::Parts,
                _ => return Err(Malformed.into()),
            },
        };
        decoder.finish()?;
        Ok(record)
    }

    /// The record that holds an inline body of this version.
    pub(crate) fn inline_key(version: VersionId) -> RecordKey {
        RecordKey::new(tables::BODIES, *version.as_bytes())
    }

    /// The record that lists the parts of this version.
    pub(crate) fn parts_key(version: VersionId) -> RecordKey {
        RecordKey::new(tables::PARTS_OF_OBJECTS, *version.as_bytes())
    }
}

/// The parts of one version: table 17, suffix = the version id. Written once.
pub(crate) struct PartsRecord {
    pub(crate) manifest: Manifest,
    /// One blob for each entry of the manifest, in the same order.
    pub(crate) blobs: Vec<BlobId>,
}

impl PartsRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(PARTS_LAYOUT);
        encoder.bytes(&self.manifest.encode());
        for blob in &self.blobs {
            encoder.raw(blob.as_bytes());
        }
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut decoder = Decoder::new(bytes, PARTS_LAYOUT)?;
        let manifest = Manifest::decode(decoder.bytes()?)?;
        let blobs = (0..manifest.entries().len())
            .map(|_| Ok(BlobId::from_bytes(decoder.array()?)))
            .collect::<Result<_, Malformed>>()?;
        decoder.finish()?;
        Ok(Self { manifest, blobs })
    }
}

pub(super) fn encode_entry<'a>(encoder: &'a mut Encoder, entry: &PartEntry) -> &'a mut Encoder {
    encoder.u16(entry.number.get()).u64(entry.length).raw(&entry.salt)
}

pub(super) fn decode_entry(decoder: &mut Decoder<'_>) -> Result<PartEntry, Malformed> {
    let number = PartNumber::new(decoder.u16()?.into()).map_err(|_| Malformed)?;
    Ok(PartEntry { number, length: decoder.u64()?, salt: decoder.array()? })
}
