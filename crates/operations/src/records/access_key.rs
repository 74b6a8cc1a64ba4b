use model::codec::{Decoder, Encoder, Malformed};
use model::{Principal, Timestamp};

use super::{decode_expiry, encode_expiry};

const LAYOUT: u8 = 1;

/// An access key pair: table 3, partition = the access key id.
pub(crate) struct AccessKeyRecord {
    pub(crate) principal: Principal,
    pub(crate) created: Timestamp,
    pub(crate) expires: Option<Timestamp>,
    /// The secret, sealed under the store key with the access key id as context.
    pub(crate) sealed_secret: Vec<u8>,
}

impl AccessKeyRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(LAYOUT);
        encoder
            .text(&self.principal.arn().unwrap_or_default())
            .u64(self.created.as_millis())
            .u64(encode_expiry(self.expires))
            .bytes(&self.sealed_secret);
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(bytes, LAYOUT)?;
        let record = Self {
            principal: Principal::from_arn(decoder.text()?).ok_or(Malformed)?,
            created: Timestamp::from_millis(decoder.u64()?),
            expires: decode_expiry(decoder.u64()?),
            sealed_secret: decoder.bytes()?.to_vec(),
        };
        decoder.finish()?;
        Ok(record)
    }
}
