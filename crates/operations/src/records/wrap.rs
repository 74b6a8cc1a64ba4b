//! The wrapped data key in the records of objects and uploads. What stands beside a wrap for a KMS has a place in their
//! layout 2 only; a record without it is written in layout 1.

use envelope::{ContextDigest, KeyHolder, WrappedDataKey};
use kms::{KmsEnvelope, StoredWrap};
use model::KmsKeyId;
use model::codec::{Decoder, Encoder, Malformed};

use crate::error::Fault;

pub(super) const LAYOUT: u8 = 1;
pub(super) const KMS_LAYOUT: u8 = 2;

/// The layout that a record with this wrap is written in.
pub(super) const fn layout_of(wrap: &StoredWrap) -> u8 {
    if wrap.kms.is_some() { KMS_LAYOUT } else { LAYOUT }
}

/// The layout of a stored record; the decoder takes what it is to find.
pub(super) fn wrap_layout(bytes: &[u8]) -> Result<u8, Malformed> {
    match bytes.first() {
        Some(&layout @ (LAYOUT | KMS_LAYOUT)) => Ok(layout),
        _ => Err(Malformed),
    }
}

/// Writes what stands behind a wrap for a KMS, and nothing for another.
pub(super) fn encode_envelope(encoder: &mut Encoder, wrap: &StoredWrap) {
    if let Some(kms) = &wrap.kms {
        encoder.text(kms.kms_key.as_str()).raw(kms.context.as_bytes()).u8(kms.bucket_key.into()).bytes(&kms.sealed_key);
    }
}

/// Reads a wrap and what stands behind it. A wrap for a KMS always has the latter, and no other has.
pub(super) fn decode_wrap(decoder: &mut Decoder<'_>, layout: u8) -> Result<StoredWrap, Fault> {
    let wrapped = WrappedDataKey::decode(decoder.bytes()?)?;
    let kms = match (wrapped.holder(), layout) {
        (KeyHolder::Customer | KeyHolder::Keyring(_), LAYOUT) => None,
        (KeyHolder::Kms(_), KMS_LAYOUT) => Some(KmsEnvelope {
            kms_key: stored_kms_key(decoder.text()?)?,
            context: ContextDigest::from_bytes(decoder.array()?),
            bucket_key: match decoder.u8()? {
                0 => false,
                1 => true,
                _ => return Err(Malformed.into()),
            },
            sealed_key: decoder.bytes()?.to_vec(),
        }),
        _ => return Err(Malformed.into()),
    };
    Ok(StoredWrap { wrapped, kms })
}

/// A stored id is spelled as it was kept: what a client may write before it is no part of it.
pub(super) fn stored_kms_key(text: &str) -> Result<KmsKeyId, Malformed> {
    KmsKeyId::parse(text).ok().filter(|id| id.as_str() == text).ok_or(Malformed)
}
