//! Order, starts, ends and pages of scans.
use bytes::Bytes;

use super::{TABLE, must_commit, put, scope, tricky_names};
use crate::{Batch, Entry, Metadata, Partition, RecordKey, Scan, Start, Table};

/// Names × suffixes in the scanned table, and the same in its neighbours, which must never show up.
async fn fill<S: Metadata>(store: &S) -> Vec<Entry> {
    let mut expected = Vec::new();
    for name in tricky_names() {
        for suffix in tricky_suffixes() {
            for (number, table) in [(1, TABLE), (1, Table(2)), (1, Table(4)), (0, TABLE), (2, TABLE), (0xff, TABLE)] {
                let value = format!("{number} {table:?} {name:x?} {suffix:x?}");
                let place = Partition::new(scope(number), name.clone());
                must_commit(store, &place, put(RecordKey::new(table, suffix.clone()), value.as_bytes())).await;
                if (number, table) == (1, TABLE) {
                    let (partition, suffix) = (name.clone(), suffix.clone());
                    expected.push(Entry { partition, suffix, value: Bytes::from(value) });
                }
            }
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

/// A page of the usual length, in one go.
pub async fn a_thousand_records_come_in_one_page<S: Metadata>(store: &S) {
    let name = |number: u32| format!("photo-{number:05}").into_bytes();
    for number in 0..1100 {
        let place = Partition::new(scope(1), name(number));
        must_commit(store, &place, put(RecordKey::new(TABLE, *b""), &number.to_le_bytes())).await;
    }
    for number in (0..1100).step_by(11) {
        let place = Partition::new(scope(1), name(number));
        let batch = Batch { delete: vec![RecordKey::new(TABLE, *b"")], ..Batch::default() };
        must_commit(store, &place, batch).await;
    }
    let found = page(store, Start::AtPartition(Vec::new()), None, 1000).await;
    let names: Vec<_> = found.into_iter().map(|entry| entry.partition).collect();
    let expected: Vec<_> = (0..1100).filter(|number| number % 11 != 0).map(name).collect();
    assert_eq!(names, expected);
}
