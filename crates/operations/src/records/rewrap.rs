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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(cursor: Option<RewrapCursor>) -> RewrapRecord {
        let begun = Timestamp::from_millis(1);
        RewrapRecord { begun, rate: 2, total: 3, looked_at: 4, rewrapped: 5, failed: 6, cursor }
    }

    fn cursor(table: Table, after: Option<(Vec<u8>, Vec<u8>)>) -> RewrapCursor {
        RewrapCursor { bucket: BucketName::parse("bucket").unwrap(), id: BucketId::from_bytes([7; 16]), table, after }
    }

    #[test]
    fn a_rewrap_is_laid_out_as_drawn() {
        let head = [&[1][..], &[0, 0, 0, 0, 0, 0, 0, 1], &[0, 0, 0, 2]].concat();
        let counts: Vec<u8> = [3, 4, 5, 6].iter().flat_map(|count| [0, 0, 0, 0, 0, 0, 0, *count]).collect();
        let place = [&b"\x01\0\0\0\x06bucket"[..], &[7; 16]].concat();
        let after = Some((b"key".to_vec(), vec![9]));
        for (cursor, drawn) in [
            (None, vec![0]),
            (Some(cursor(tables::UPLOADS, None)), [&place[..], &[19, 0]].concat()),
            (Some(cursor(tables::OBJECTS, after)), [&place[..], b"\x10\x01\0\0\0\x03key\0\0\0\x01\x09"].concat()),
        ] {
            let expected = [head.as_slice(), &counts, &drawn].concat();
            assert_eq!(record(cursor.clone()).encode(), expected);
            assert_eq!(RewrapRecord::decode(&expected), Ok(record(cursor)));
            for length in 0..expected.len() {
                assert!(RewrapRecord::decode(&expected[..length]).is_err(), "{length} bytes");
            }
            assert!(RewrapRecord::decode(&[expected.as_slice(), &[0]].concat()).is_err());
        }
    }

    #[test]
    fn a_place_in_another_table_is_refused() {
        let record = record(Some(cursor(tables::USERS, None)));
        assert_eq!(RewrapRecord::decode(&record.encode()), Err(Malformed));
    }
}
