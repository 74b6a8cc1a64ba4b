use model::codec::{Decoder, Encoder, Malformed};
use model::{Principal, Timestamp};

use super::{decode_expiry, encode_expiry};

const LAYOUT: u8 = 1;

/// A token: table 4, partition = the first half of its SHA-256. The token itself is nowhere.
pub(crate) struct TokenRecord {
    pub(crate) digest: [u8; 32],
    pub(crate) principal: Principal,
    pub(crate) created: Timestamp,
    pub(crate) expires: Option<Timestamp>,
}

impl TokenRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(LAYOUT);
        encoder
            .raw(&self.digest)
            .text(&self.principal.arn().unwrap_or_default())
            .u64(self.created.as_millis())
            .u64(encode_expiry(self.expires));
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(bytes, LAYOUT)?;
        let record = Self {
            digest: decoder.array()?,
            principal: Principal::from_arn(decoder.text()?).ok_or(Malformed)?,
            created: Timestamp::from_millis(decoder.u64()?),
            expires: decode_expiry(decoder.u64()?),
        };
        decoder.finish()?;
        Ok(record)
    }
}
