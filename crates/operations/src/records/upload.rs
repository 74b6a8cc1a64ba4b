use envelope::PartEntry;
use kms::StoredWrap;
use model::codec::{Decoder, Encoder, Malformed};
use model::{BlobId, PartNumber, Timestamp, UploadId, VersionId};
use storage::RecordKey;

use super::object::{decode_entry, encode_entry};
use super::wrap::{LAYOUT, decode_wrap, encode_envelope, layout_of, wrap_layout};
use super::{CannedAcl, StoredETag, tables};
use crate::checksum::{ChecksumAlgorithm, StoredChecksum};
use crate::encryption::{RequestedEncryption, RequestedKms};
use crate::error::Fault;

const PART_LAYOUT: u8 = 1;
/// Everything that is sealed as metadata begins with a layout byte of its own kind: 1 is [`super::ObjectMetadata`].
/// Both are sealed under the same data key, so nothing else keeps one from standing in the place of the other.
const SEALED_CHECKSUM_LAYOUT: u8 = 2;

/// A multipart upload in progress: table 19, partition = the object key to be, suffix = the upload id.
pub(crate) struct UploadRecord {
    /// The version that the completed object will have: the data key is bound to it from the beginning.
    pub(crate) version: VersionId,
    pub(crate) begun: Timestamp,
    pub(crate) acl: CannedAcl,
    pub(crate) requested: RequestedEncryption,
    pub(crate) checksum: Option<ChecksumAlgorithm>,
    /// The client wants one checksum over the whole object rather than one over the parts' checksums.
    pub(crate) full_object_checksum: bool,
    pub(crate) wrap: StoredWrap,
    pub(crate) sealed_metadata: Vec<u8>,
}

impl UploadRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Layout 2 is for a KMS, asked for or by the bucket's default.
        let mut encoder = Encoder::new(layout_of(&self.wrap));
        encoder
            .raw(self.version.as_bytes())
            .u64(self.begun.as_millis())
            .u8(self.acl.code())
            .u8(u8::from(self.requested.server_header)
                | u8::from(self.requested.customer_header) << 1
                | u8::from(self.requested.kms.is_some()) << 2)
            .u8(self.checksum.map_or(0, ChecksumAlgorithm::code))
            .u8(self.full_object_checksum.into())
            .bytes(&self.wrap.wrapped.encode());
        encode_envelope(&mut encoder, &self.wrap);
        encoder.bytes(&self.sealed_metadata);
        if let Some(kms) = &self.requested.kms {
            encoder.text(kms.key_id.as_deref().unwrap_or_default());
        }
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let layout = wrap_layout(bytes)?;
        let mut decoder = Decoder::new(bytes, layout)?;
        let version = VersionId::from_bytes(decoder.array()?);
        let begun = Timestamp::from_millis(decoder.u64()?);
        let acl = CannedAcl::from_code(decoder.u8()?)?;
        let bits = decoder.u8()?;
        if bits > 7 || (bits & 4 != 0 && layout == LAYOUT) {
            return Err(Malformed.into());
        }
        let checksum = match decoder.u8()? {
            0 => None,
            code => Some(ChecksumAlgorithm::from_code(code).ok_or(Malformed)?),
        };
        let full_object_checksum = match decoder.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed.into()),
        };
        let wrap = decode_wrap(&mut decoder, layout)?;
        let sealed_metadata = decoder.bytes()?.to_vec();
        let kms = match bits & 4 {
            0 => None,
            _ => Some(RequestedKms { key_id: Some(decoder.text()?.to_owned()).filter(|id| !id.is_empty()) }),
        };
        let requested = RequestedEncryption { server_header: bits & 1 != 0, customer_header: bits & 2 != 0, kms };
        decoder.finish()?;
        Ok(Self { version, begun, acl, requested, checksum, full_object_checksum, wrap, sealed_metadata })
    }

    pub(crate) fn record_key(upload: UploadId) -> RecordKey {
        RecordKey::new(tables::UPLOADS, *upload.as_bytes())
    }
}

/// An uploaded part: table 20, partition = the object key, suffix = upload id, part number.
pub(crate) struct PartRecord {
    pub(crate) entry: PartEntry,
    pub(crate) blob: BlobId,
    pub(crate) uploaded: Timestamp,
    /// Bound to the salt of the entry.
    pub(crate) etag: StoredETag,
    /// A [`PartChecksum`], sealed under the data key; empty without one.
    pub(crate) sealed_checksum: Vec<u8>,
}

impl PartRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(PART_LAYOUT);
        encode_entry(&mut encoder, &self.entry).raw(self.blob.as_bytes()).u64(self.uploaded.as_millis());
        self.etag.encode(&mut encoder);
        encoder.bytes(&self.sealed_checksum);
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut decoder = Decoder::new(bytes, PART_LAYOUT)?;
        let record = Self {
            entry: decode_entry(&mut decoder)?,
            blob: BlobId::from_bytes(decoder.array()?),
            uploaded: Timestamp::from_millis(decoder.u64()?),
            etag: StoredETag::decode(&mut decoder)?,
            sealed_checksum: decoder.bytes()?.to_vec(),
        };
        decoder.finish()?;
        Ok(record)
    }

    pub(crate) fn record_key(upload: UploadId, number: PartNumber) -> RecordKey {
        let mut suffix = upload.as_bytes().to_vec();
        suffix.extend_from_slice(&number.get().to_be_bytes());
        RecordKey::new(tables::UPLOADED_PARTS, suffix)
    }
}

/// The checksum of one part, as it is before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartChecksum {
    pub(crate) algorithm: ChecksumAlgorithm,
    /// As many bytes as the algorithm gives.
    pub(crate) value: Vec<u8>,
}

impl PartChecksum {
    pub(crate) fn encode(checksum: &StoredChecksum) -> Vec<u8> {
        let mut encoder = Encoder::new(SEALED_CHECKSUM_LAYOUT);
        encoder.u8(checksum.algorithm.code()).raw(&checksum.value);
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(bytes, SEALED_CHECKSUM_LAYOUT)?;
        let algorithm = ChecksumAlgorithm::from_code(decoder.u8()?).ok_or(Malformed)?;
        let value = decoder.raw(algorithm.value_len())?.to_vec();
        decoder.finish()?;
        Ok(Self { algorithm, value })
    }
}
