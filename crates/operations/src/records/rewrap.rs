use model::codec::{Decoder, Encoder, Malformed};
use model::{BucketId, BucketName, Timestamp};
use storage::{RecordKey, Table};

use super::{sole, tables};

const LAYOUT: u8 = 1;

/// A rewrap under way: table 6, among the server's own records, in the partition without a name. There is none when
/// none is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RewrapRecord {
    pub(crate) begun: Timestamp,
    /// Wraps a second, at most; zero for as many as go.
    pub(crate) rate: u32,
    /// Objects and uploads that there were at the beginning.
    pub(crate) total: u64,
    pub(crate) looked_at: u64,
    pub(crate) rewrapped: u64,
    pub(crate) failed: u64,
    /// `None` at the very beginning.
    pub(crate) cursor: Option<RewrapCursor>,
}

/// The last place that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RewrapCursor {
    pub(crate) bucket: BucketName,
    pub(crate) id: BucketId,
    /// Uploads in progress come first: what is completed meanwhile is met again as an object.
    pub(crate) table: Table,
    /// Partition and suffix of the last record; `None` before the first of the table.
    pub(crate) after: Option<(Vec<u8>, Vec<u8>)>,
}

impl RewrapRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(LAYOUT);
        encoder.u64(self.begun.as_millis()).u32(self.rate).u64(self.total);
        encoder.u64(self.looked_at).u64(self.rewrapped).u64(self.failed);
        match &self.cursor {
            None => {
                encoder.u8(0);
            }
            Some(cursor) => {
                encoder.u8(1).text(cursor.bucket.as_str()).raw(cursor.id.as_bytes()).u8(cursor.table.0);
                match &cursor.after {
                    None => encoder.u8(0),
                    Some((partition, suffix)) => encoder.u8(1).bytes(partition).bytes(suffix),
                };
            }
        }
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(bytes, LAYOUT)?;
        let record = Self {
            begun: Timestamp::from_millis(decoder.u64()?),
            rate: decoder.u32()?,
            total: decoder.u64()?,
            looked_at: decoder.u64()?,
            rewrapped: decoder.u64()?,
            failed: decoder.u64()?,
            cursor: match decoder.u8()? {
                0 => None,
                1 => Some(RewrapCursor::decode(&mut decoder)?),
                _ => return Err(Malformed),
            },
        };
        decoder.finish()?;
        Ok(record)
    }

    pub(crate) fn record_key() -> RecordKey {
        sole(tables::REWRAP)
    }
}

impl RewrapCursor {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            bucket: BucketName::parse(decoder.text()?).map_err(|_| Malformed)?,
            id: BucketId::from_bytes(decoder.array()?),
            table: Some(Table(decoder.u8()?))
                .filter(|table| [tables::UPLOADS, tables::OBJECTS].contains(table))
                .ok_or(Malformed)?,
            after: match decoder.u8()? {
                0 => None,
                1 => Some((decoder.bytes()?.to_vec(), decoder.bytes()?.to_vec())),
                _ => return Err(Malformed),
            },
        })
    }
}
