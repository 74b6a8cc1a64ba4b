//! Buckets that were parsed before. Every request needs its bucket, and parsing a policy takes longer than reading it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use model::BucketName;

use crate::buckets::Bucket;
use crate::error::Fault;
use crate::records::{BucketRecord, Records, sole, system, tables};

/// Spares the parsing of a bucket's record and policy, never the reading: each use compares the bytes in the store
/// with those that were parsed, so a change by anyone counts at once.
#[derive(Default)]
pub(crate) struct BucketCache {
    parsed: Mutex<Parsed>,
}

impl BucketCache {
    pub(crate) async fn get(&self, records: &Records, name: &BucketName) -> Result<Option<Arc<Bucket>>, Fault> {
        let (partition, record_key) = (system(name.as_str().as_bytes()), sole(tables::BUCKETS));
        let Some(raw) = records.get_raw(&partition, &record_key).await? else { return Ok(None) };
        if let Some((seen, bucket)) = self.lock().buckets.get(name)
            && *seen == raw
        {
            return Ok(Some(bucket.clone()));
        }
        let stored = records.check(&partition, &record_key, raw.clone())?;
        let bucket = Arc::new(Bucket::from_record(name, BucketRecord::decode(stored.payload())?)?);
        self.lock().insert(name, raw, bucket.clone());
        Ok(Some(bucket))
    }

    fn lock(&self) -> MutexGuard<'_, Parsed> {
        // Nothing can panic while it is held, and a stale entry is found by its bytes anyway.
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Parsed {
    buckets: HashMap<BucketName, (Bytes, Arc<Bucket>)>,
    /// The bytes of all records together: what was parsed of them is a small multiple.
    raw_len: usize,
}

impl Parsed {
    fn insert(&mut self, name: &BucketName, raw: Bytes, bucket: Arc<Bucket>) {
        if let Some((stale, _)) = self.buckets.remove(name) {
            self.raw_len -= stale.len();
        }
        if self.buckets.len() >= ENTRIES_MAX || self.raw_len + raw.len() > RAW_LEN_MAX {
            *self = Self::default();
        }
        self.raw_len += raw.len();
        self.buckets.insert(name.clone(), (raw, bucket));
    }
}

/// More buckets than this are forgotten and parsed anew.
const ENTRIES_MAX: usize = 10_000;
/// So are buckets whose records have more bytes than this together.
const RAW_LEN_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use model::{AccountId, BucketId, Principal, Timestamp};

    use super::*;
    use crate::records::CannedAcl;

    fn bucket() -> Arc<Bucket> {
        let record = BucketRecord {
            id: BucketId::from_bytes([1; 16]),
            owner: Principal::Root(AccountId::parse("111122223333").unwrap()),
            created: Timestamp::from_millis(0),
            acl: CannedAcl::Private,
            location: String::new(),
            policy: Vec::new(),
            encryption: None,
        };
        Arc::new(Bucket::from_record(&name(0), record).unwrap())
    }

    fn name(number: usize) -> BucketName {
        BucketName::parse(&format!("bucket-{number}")).unwrap()
    }

    #[test]
    fn what_is_remembered_is_bounded_in_bytes() {
        let (mut parsed, bucket) = (Parsed::default(), bucket());
        let mebibyte = Bytes::from(vec![0; 1 << 20]);
        for number in 0..16 {
            parsed.insert(&name(number), mebibyte.clone(), bucket.clone());
        }
        parsed.insert(&name(0), mebibyte, bucket.clone());
        assert_eq!((parsed.buckets.len(), parsed.raw_len), (16, 16 << 20), "the same bucket anew takes no more");
        parsed.insert(&name(16), Bytes::from_static(b"1"), bucket);
        assert_eq!((parsed.buckets.len(), parsed.raw_len), (1, 1));
    }

    #[test]
    fn what_is_remembered_is_bounded_in_buckets() {
        let (mut parsed, bucket) = (Parsed::default(), bucket());
        for number in 0..ENTRIES_MAX {
            parsed.insert(&name(number), Bytes::from_static(b"1"), bucket.clone());
        }
        assert_eq!(parsed.buckets.len(), ENTRIES_MAX);
        parsed.insert(&name(ENTRIES_MAX), Bytes::from_static(b"1"), bucket);
        assert_eq!((parsed.buckets.len(), parsed.raw_len), (1, 1));
    }
}
