use model::codec::{Decoder, Encoder, Malformed};
use model::{BucketId, Principal, Timestamp};

use super::CannedAcl;

const LAYOUT: u8 = 1;

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
}

impl BucketRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(LAYOUT);
        encoder
            .raw(self.id.as_bytes())
            .text(&self.owner.arn().unwrap_or_default())
            .u64(self.created.as_millis())
            .u8(self.acl.code())
            .text(&self.location)
            .bytes(&self.policy);
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(bytes, LAYOUT)?;
        let record = Self {
            id: BucketId::from_bytes(decoder.array()?),
            owner: Principal::from_arn(decoder.text()?).ok_or(Malformed)?,
            created: Timestamp::from_millis(decoder.u64()?),
            acl: CannedAcl::from_code(decoder.u8()?)?,
            location: decoder.text()?.to_owned(),
            policy: decoder.bytes()?.to_vec(),
        };
        decoder.finish()?;
        Ok(record)
    }
}
