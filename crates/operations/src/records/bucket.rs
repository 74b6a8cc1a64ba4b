use model::codec::{Decoder, Encoder, Malformed};
use model::{BucketId, KmsKeyId, Principal, Timestamp};

use super::CannedAcl;
use super::wrap::stored_kms_key;
use crate::bucket_encryption::{BlockedEncryption, BucketEncryption, DefaultEncryption};

/// A bucket that says nothing of encryption.
const LAYOUT: u8 = 1;
const LAYOUT_WITH_ENCRYPTION: u8 = 2;

/// A bucket: table 1, partition = its name, no suffix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketRecord {
    pub(crate) id: BucketId,
    pub(crate) owner: Principal,
    pub(crate) created: Timestamp,
    pub(crate) acl: CannedAcl,
    /// What the client named at creation; may be empty.
    pub(crate) location: String,
    /// The policy document as it was put; empty without one.
    pub(crate) policy: Vec<u8>,
    /// What `PutBucketEncryption` set.
    pub(crate) encryption: Option<BucketEncryption>,
}

impl BucketRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(if self.encryption.is_some() { LAYOUT_WITH_ENCRYPTION } else { LAYOUT });
        encoder
            .raw(self.id.as_bytes())
            .text(&self.owner.arn().unwrap_or_default())
            .u64(self.created.as_millis())
            .u8(self.acl.code())
            .text(&self.location)
            .bytes(&self.policy);
        if let Some(encryption) = &self.encryption {
            encode_encryption(&mut encoder, encryption);
        }
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let has_encryption = bytes.first() == Some(&LAYOUT_WITH_ENCRYPTION);
        let mut decoder = Decoder::new(bytes, if has_encryption { LAYOUT_WITH_ENCRYPTION } else { LAYOUT })?;
        let record = Self {
            id: BucketId::from_bytes(decoder.array()?),
            owner: Principal::from_arn(decoder.text()?).ok_or(Malformed)?,
            created: Timestamp::from_millis(decoder.u64()?),
            acl: CannedAcl::from_code(decoder.u8()?)?,
            location: decoder.text()?.to_owned(),
            policy: decoder.bytes()?.to_vec(),
            encryption: if has_encryption { Some(decode_encryption(&mut decoder)?) } else { None },
        };
        decoder.finish()?;
        Ok(record)
    }
}

fn encode_encryption(encoder: &mut Encoder, encryption: &BucketEncryption) {
    match &encryption.default {
        DefaultEncryption::Server => encoder.u8(1),
        DefaultEncryption::Kms(kms_key) => encoder.u8(2).text(kms_key.as_ref().map_or("", KmsKeyId::as_str)),
    };
    encoder.u8(u8::from(encryption.bucket_key)).u8(match encryption.blocked {
        BlockedEncryption::Unsaid => 0,
        BlockedEncryption::Nothing => 1,
        BlockedEncryption::CustomerKeys => 2,
    });
}

fn decode_encryption(decoder: &mut Decoder<'_>) -> Result<BucketEncryption, Malformed> {
    let default = match decoder.u8()? {
        1 => DefaultEncryption::Server,
        2 => match decoder.text()? {
            "" => DefaultEncryption::Kms(None),
            text => DefaultEncryption::Kms(Some(stored_kms_key(text)?)),
        },
        _ => return Err(Malformed),
    };
    let bucket_key = match decoder.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Malformed),
    };
    let blocked = match decoder.u8()? {
        0 => BlockedEncryption::Unsaid,
        1 => BlockedEncryption::Nothing,
        2 => BlockedEncryption::CustomerKeys,
        _ => return Err(Malformed),
    };
    Ok(BucketEncryption { default, bucket_key, blocked })
}
