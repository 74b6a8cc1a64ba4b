use model::codec::{Decoder, Encoder, Malformed};
use model::{AccountId, Timestamp};

const LAYOUT: u8 = 1;

/// The installation itself: table 5, one record. Every user belongs to its one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstallationRecord {
    pub(crate) account: AccountId,
    pub(crate) created: Timestamp,
}

impl InstallationRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(LAYOUT);
        encoder.text(self.account.as_str()).u64(self.created.as_millis());
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(bytes, LAYOUT)?;
        let account = AccountId::parse(decoder.text()?).map_err(|_| Malformed)?;
        let created = Timestamp::from_millis(decoder.u64()?);
        decoder.finish()?;
        Ok(Self { account, created })
    }
}

/// A user: table 2, partition = the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserRecord {
    pub(crate) created: Timestamp,
}

impl UserRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(LAYOUT);
        encoder.u64(self.created.as_millis());
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(bytes, LAYOUT)?;
        let created = Timestamp::from_millis(decoder.u64()?);
        decoder.finish()?;
        Ok(Self { created })
    }
}
