//! Order, starts, ends and pages of scans.
use bytes::Bytes;

use super::{TABLE, must_commit, scope, tricky_names};
use crate::{Batch, Entry, Metadata, Partition, RecordKey, Scan, Start, Table};

/// Names × suffixes in the scanned table, and the same in its neighbours, which must never show up.
async fn fill<S: Metadata>(store: &S) -> Vec<Entry> {
    let mut expected = Vec::new();
    for name in tricky_names() {
        for number in [0, 1, 2, 0xff] {
            let mut batch = Batch::default();
            for suffix in tricky_suffixes() {
                for table in [Table(2), TABLE, Table(4)] {
                    let value = Bytes::from(format!("{number} {table:?} {name:x?} {suffix:x?}"));
                    batch.put.push((RecordKey::new(table, suffix.clone()), value.clone()));
                    if (number, table) == (1, TABLE) {
                        expected.push(Entry { partition: name.clone(), suffix: suffix.clone(), value });
                    }
                }
            }
            must_commit(store, &Partition::new(scope(number), name.clone()), batch).await;
        }
    }
    expected.sort_by(|left, right| (&left.partition, &left.suffix).cmp(&(&right.partition, &right.suffix)));
    expected
}

fn tricky_suffixes() -> [Vec<u8>; 5] {
    [vec![], vec![0], vec![0, 1], vec![b'a'; 64], vec![0xff]]
}

async fn page<S: Metadata>(store: &S, start: Start, end: Option<Vec<u8>>, limit: usize) -> Vec<Entry> {
    let scan = Scan { scope: scope(1), table: TABLE, start, end, limit };
    store.scan(scan).await.expect("the scan is answered")
}

/// Every kind of start, with every kind of end, finds exactly the records that the order of bytes says.
pub async fn every_start_and_end_finds_what_the_order_says<S: Metadata>(store: &S) {
    let all = fill(store).await;
    let mut ends: Vec<Option<Vec<u8>>> = tricky_names().into_iter().map(Some).collect();
    ends.push(None);
    for name in tricky_names() {
        for end in &ends {
            let inside = |entry: &&Entry| end.as_ref().is_none_or(|end| entry.partition < *end);
            let expected: Vec<_> = all.iter().filter(|e| e.partition >= name).filter(inside).cloned().collect();
            assert_eq!(page(store, Start::AtPartition(name.clone()), end.clone(), usize::MAX).await, expected);
            let expected: Vec<_> = all.iter().filter(|e| e.partition > name).filter(inside).cloned().collect();
            assert_eq!(page(store, Start::AfterPartition(name.clone()), end.clone(), usize::MAX).await, expected);
        }
        for suffix in tricky_suffixes() {
            let behind = |e: &&Entry| (&e.partition, &e.suffix) > (&name, &suffix);
            let expected: Vec<_> = all.iter().filter(behind).cloned().collect();
            let start = Start::AfterRecord(name.clone(), suffix.clone());
            assert_eq!(page(store, start, None, usize::MAX).await, expected);
        }
    }
}

/// Resumed behind its last entry, a scan of any page length meets every record once; a short page is the last.
pub async fn pages_of_any_length_walk_the_whole_scope<S: Metadata>(store: &S) {
    let all = fill(store).await;
    assert_eq!(page(store, Start::AtPartition(Vec::new()), None, 0).await, []);
    for limit in [1, 2, 7, 17, all.len(), all.len() + 1] {
        let mut walked = Vec::new();
        let mut start = Start::AtPartition(Vec::new());
        loop {
            let entries = page(store, start, None, limit).await;
            assert!(entries.len() <= limit);
            let Some(last) = entries.last() else { break };
            start = Start::AfterRecord(last.partition.clone(), last.suffix.clone());
            let is_last = entries.len() < limit;
            walked.extend(entries);
            if is_last {
                break;
            }
        }
        assert_eq!(walked, all);
    }
}

/// A page of the usual length, in one go, over records of which some were deleted.
pub async fn a_thousand_records_come_in_one_page<S: Metadata>(store: &S) {
    let name = |number: u32| format!("photo-{number:05}").into_bytes();
    let key = |version: u32| RecordKey::new(TABLE, version.to_be_bytes());
    let mut expected = Vec::new();
    for number in 0..110 {
        let place = Partition::new(scope(1), name(number));
        let put = (0..11).map(|version| (key(version), Bytes::copy_from_slice(&number.to_le_bytes()))).collect();
        must_commit(store, &place, Batch { put, ..Batch::default() }).await;
        let gone = number % 11;
        must_commit(store, &place, Batch { delete: vec![key(gone)], ..Batch::default() }).await;
        expected.extend((0..11).filter(|version| *version != gone).map(|version| (name(number), key(version).suffix)));
    }
    let found = page(store, Start::AtPartition(Vec::new()), None, 1000).await;
    let found: Vec<_> = found.into_iter().map(|entry| (entry.partition, entry.suffix)).collect();
    assert_eq!(found, expected[..1000]);
}
