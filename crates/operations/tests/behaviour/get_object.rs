use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use model::{BlobId, ETag, PartNumber, RangeSpec, Timestamp};
use operations::{GetObject, ReadConditions, ReadError, TagMatch};
use storage::faults::Faults;
use storage::memory::MemoryStore;
use storage::{BlobReader, BlobWriter, Blobs, Error, Partition};

use crate::multipart::{PART_LEN_MIN, upload_object};
use crate::support::{MODES, Random, Site, collect, customer_key, pattern, with_seed};

const CHUNK: usize = 65_536;

fn ranged(range: RangeSpec, seed: Option<u8>) -> GetObject {
    GetObject { range: Some(range), ..with_seed(seed) }
}

/// Compares every shape of range between the edges with the slice that it means.
async fn assert_ranges(site: &Site, object: &str, bytes: &[u8], edges: &[usize], seed: Option<u8>) {
    let size = bytes.len();
    for &first in edges.iter().filter(|first| **first < size) {
        for &last in edges.iter().filter(|last| **last >= first) {
            let range = RangeSpec::Bounded { first: first as u64, last: last as u64 };
            let got = site.get_with(object, ranged(range, seed)).await.unwrap();
            assert!(got == bytes[first..(last + 1).min(size)], "{first} to {last} of {size}");
        }
        let got = site.get_with(object, ranged(RangeSpec::From { first: first as u64 }, seed)).await.unwrap();
        assert!(got == bytes[first..], "from {first} of {size}");
    }
    for &length in edges.iter().filter(|length| **length > 0) {
        let got = site.get_with(object, ranged(RangeSpec::Suffix { length: length as u64 }, seed)).await.unwrap();
        assert!(got == bytes[size.saturating_sub(length)..], "the last {length} of {size}");
    }
}

#[tokio::test]
async fn every_range_across_chunk_edges_gives_its_slice() {
    let site = Site::new().await;
    for (size, seed) in [(1, None), (4_000, Some(1)), (CHUNK, None), (5 * CHUNK, Some(1)), (5 * CHUNK + 5, None)] {
        let bytes = pattern(size, 1);
        site.put("object", &bytes, seed).await.unwrap();
        let mut edges = vec![0, 1, 100, size - 1, size, size + 1, usize::MAX / 2];
        for chunk in [1, 2, 4, 5] {
            edges.extend([chunk * CHUNK - 1, chunk * CHUNK, chunk * CHUNK + 1]);
        }
        assert_ranges(&site, "object", &bytes, &edges, seed).await;
    }
}

#[tokio::test]
async fn every_range_across_part_edges_gives_its_slice() {
    let site = Site::new().await;
    for seed in MODES {
        let parts = [pattern(PART_LEN_MIN + 1, 1), pattern(PART_LEN_MIN, 2), pattern(3, 3)];
        upload_object(&site, "object", &parts, seed).await;
        let bytes = parts.concat();
        let (second, third) = (parts[0].len(), parts[0].len() + parts[1].len());
        let edges = [0, second - 1, second, second + 1, second + CHUNK, third - 1, third, third + 2, third + 3];
        assert_ranges(&site, "object", &bytes, &edges, seed).await;
        assert!(site.get("object", seed).await.unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_range_without_a_byte_is_not_satisfiable_and_tells_the_size() {
    let site = Site::new().await;
    site.put("ten", &[0; 10], None).await.unwrap();
    site.put("empty", &[], None).await.unwrap();
    let none = [
        ("ten", 10, RangeSpec::From { first: 10 }),
        ("ten", 10, RangeSpec::Suffix { length: 0 }),
        ("ten", 10, RangeSpec::Bounded { first: u64::MAX, last: u64::MAX }),
        ("empty", 0, RangeSpec::From { first: 0 }),
        ("empty", 0, RangeSpec::Suffix { length: 1 }),
    ];
    for (object, size, range) in none {
        let refused = site.get_with(object, ranged(range, None)).await;
        assert!(matches!(refused, Err(ReadError::Range(error)) if error.size == size), "{object} {range:?}");
    }
}

#[tokio::test]
async fn an_object_opens_with_its_own_key_only() {
    let site = Site::new().await;
    for (name, size) in [("small", 10), ("large", 2 * CHUNK)] {
        site.put(name, &pattern(size, 1), Some(1)).await.unwrap();
        assert!(matches!(site.get(name, None).await, Err(ReadError::KeyRequired(_))));
        assert!(matches!(site.get(name, Some(2)).await, Err(ReadError::WrongKey(_))));
        assert!(matches!(site.head(name, None).await, Err(ReadError::KeyRequired(_))));
        assert!(matches!(site.head(name, Some(2)).await, Err(ReadError::WrongKey(_))));
        site.put(name, &pattern(size, 1), None).await.unwrap();
        assert!(matches!(site.get(name, Some(1)).await, Err(ReadError::KeyNotApplicable(_))));
        assert!(matches!(site.head(name, Some(1)).await, Err(ReadError::KeyNotApplicable(_))));
    }
    assert!(matches!(site.get("nothing", Some(1)).await, Err(ReadError::NoSuchKey(_))));
}

#[tokio::test]
async fn without_its_key_an_object_answers_no_condition_and_no_range() {
    let site = Site::new().await;
    let etag = site.put("object", b"0123456789", Some(1)).await.unwrap().etag;
    let conditions = [
        ReadConditions { if_match: Some(TagMatch::Tags(vec![])), ..ReadConditions::default() },
        ReadConditions { if_none_match: Some(TagMatch::Tags(vec![etag])), ..ReadConditions::default() },
        ReadConditions { if_modified_since: Some(Timestamp::from_millis(u64::MAX)), ..ReadConditions::default() },
        ReadConditions { if_unmodified_since: Some(Timestamp::from_millis(0)), ..ReadConditions::default() },
    ];
    for conditions in conditions {
        let ask = async |customer_key, range| {
            let get = GetObject { customer_key, conditions: conditions.clone(), range, ..GetObject::default() };
            site.get_with("object", get).await
        };
        let behind = Some(RangeSpec::From { first: 10 });
        assert!(matches!(ask(None, behind).await, Err(ReadError::KeyRequired(_))));
        assert!(matches!(ask(Some(customer_key(2)), behind).await, Err(ReadError::WrongKey(_))));
        let unmet = ask(Some(customer_key(1)), None).await;
        assert!(matches!(unmet, Err(ReadError::Precondition(_) | ReadError::NotModified(_))));
    }
}

#[tokio::test]
async fn conditions_are_judged_in_the_order_of_the_rfc() {
    let site = Site::new().await;
    site.clock.set(1_000_500);
    let etag = site.put("object", b"bytes", None).await.unwrap().etag;
    let (this, other) = (TagMatch::Tags(vec![etag]), TagMatch::Tags(vec![ETag::of_digest([0; 16])]));
    let at = |seconds: u64| Some(Timestamp::from_millis(seconds * 1000));
    let ask = async |if_match: Option<&TagMatch>, if_none_match: Option<&TagMatch>, unmodified, modified| {
        let conditions = ReadConditions {
            if_match: if_match.cloned(),
            if_none_match: if_none_match.cloned(),
            if_unmodified_since: unmodified,
            if_modified_since: modified,
        };
        match site.get_with("object", GetObject { conditions, ..GetObject::default() }).await {
            Ok(bytes) => (bytes == b"bytes").then_some(200),
            Err(ReadError::Precondition(_)) => Some(412),
            Err(ReadError::NotModified(_)) => Some(304),
            Err(_) => None,
        }
    };
    let (this, other, any) = (Some(&this), Some(&other), Some(&TagMatch::Any));
    assert_eq!(ask(this, None, None, None).await, Some(200));
    assert_eq!(ask(any, None, None, None).await, Some(200));
    assert_eq!(ask(other, None, None, None).await, Some(412));
    assert_eq!(ask(this, None, at(0), None).await, Some(200), "a tag makes its date moot");
    assert_eq!(ask(None, None, at(999), None).await, Some(412));
    assert_eq!(ask(None, None, at(1000), None).await, Some(200), "dates are whole seconds");
    assert_eq!(ask(None, this, None, None).await, Some(304));
    assert_eq!(ask(None, any, None, None).await, Some(304));
    assert_eq!(ask(None, other, None, at(2000)).await, Some(200), "a tag makes its date moot");
    assert_eq!(ask(None, None, None, at(1000)).await, Some(304));
    assert_eq!(ask(None, None, None, at(999)).await, Some(200));
    assert_eq!(ask(other, this, None, None).await, Some(412), "the first that fails is told");
}

#[tokio::test]
async fn a_reader_that_has_begun_finishes_with_the_old_bytes() {
    let site = Site::new().await;
    for seed in MODES {
        let parts = [pattern(PART_LEN_MIN, 1), pattern(PART_LEN_MIN, 2), pattern(9, 3)];
        for (size, is_multipart) in [(100, false), (9 * CHUNK, false), (0, true)] {
            for deletes in [false, true] {
                let old = if is_multipart { parts.concat() } else { pattern(size, 1) };
                if is_multipart {
                    upload_object(&site, "object", &parts, seed).await;
                } else {
                    site.put("object", &old, seed).await.unwrap();
                }
                let mut reader = site.open("object", with_seed(seed)).await.unwrap();
                let first = reader.next().await.unwrap().unwrap();
                site.put("object", &pattern(2 * CHUNK, 9), None).await.unwrap();
                if deletes {
                    site.delete("object").await;
                }
                let rest = collect(reader).await.unwrap();
                assert!([&first[..], &rest].concat() == old, "{size} bytes, {seed:?}, deleted: {deletes}");
            }
        }
        site.delete("object").await;
    }
    site.assert_nothing_is_stored();
}

#[tokio::test]
async fn a_part_is_read_by_its_number_an_empty_one_too() {
    let site = Site::new().await;
    for seed in MODES {
        let parts = [pattern(PART_LEN_MIN, 1), pattern(PART_LEN_MIN + 1, 2), Vec::new()];
        upload_object(&site, "object", &parts, seed).await;
        let ask = async |number| {
            let part = Some(PartNumber::new(number).unwrap());
            site.get_with("object", GetObject { part, ..with_seed(seed) }).await
        };
        for (number, part) in (1..).zip(&parts) {
            assert!(ask(number).await.unwrap() == *part, "part {number}");
        }
        assert!(matches!(ask(4).await, Err(ReadError::Part(error)) if error.parts == 3));
        assert_eq!(site.head("object", seed).await.unwrap().parts, Some(3));
    }
    site.put("single", b"bytes", None).await.unwrap();
    let part = |number| GetObject { part: Some(PartNumber::new(number).unwrap()), ..GetObject::default() };
    assert_eq!(site.get_with("single", part(1)).await.unwrap(), b"bytes");
    assert!(matches!(site.get_with("single", part(2)).await, Err(ReadError::Part(_))));
}

/// Counts the readers that live.
struct Counting {
    inner: MemoryStore,
    live: Arc<AtomicUsize>,
}

struct CountedReader(Box<dyn BlobReader>, Arc<AtomicUsize>);

#[async_trait]
impl Blobs for Counting {
    async fn create(&self, partition: &Partition) -> Result<Box<dyn BlobWriter>, Error> {
        self.inner.create(partition).await
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, Error> {
        let reader = self.inner.open(id).await?;
        self.live.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(CountedReader(reader, self.live.clone())))
    }
}

#[async_trait]
impl BlobReader for CountedReader {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.0.read(offset, length).await
    }
}

impl Drop for CountedReader {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_reader_of_many_parts_holds_two_blobs_open_and_no_more() {
    let (store, live) = (MemoryStore::new(), Arc::new(AtomicUsize::new(0)));
    let blobs = Arc::new(Counting { inner: store.clone(), live: live.clone() });
    let site = Site::over(store.clone(), Faults::default(), Arc::new(store), blobs).await;
    let parts: Vec<_> = (0..6).map(|seed| pattern(PART_LEN_MIN, seed)).collect();
    upload_object(&site, "object", &parts, None).await;
    let mut reader = site.open("object", with_seed(None)).await.unwrap();
    let (mut got, mut most) = (Vec::new(), 0);
    while let Some(piece) = reader.next().await {
        got.extend_from_slice(&piece.unwrap());
        most = most.max(live.load(Ordering::SeqCst));
    }
    drop(reader);
    assert!(got == parts.concat());
    assert_eq!((most, live.load(Ordering::SeqCst)), (2, 0));
}

#[tokio::test]
async fn random_ranges_of_random_objects_give_their_slices() {
    let site = Site::new().await;
    let mut random = Random::new(5);
    for round in 0..60 {
        let size = random.below(4 * CHUNK) + 1;
        let (bytes, seed) = (pattern(size, round), *random.pick(&MODES));
        site.put("object", &bytes, seed).await.unwrap();
        for _ in 0..10 {
            let first = random.below(size);
            let last = first + random.below(size);
            let range = RangeSpec::Bounded { first: first as u64, last: last as u64 };
            let got = site.get_with("object", ranged(range, seed)).await.unwrap();
            assert!(got == bytes[first..(last + 1).min(size)], "{first} to {last} of {size}");
        }
    }
}
