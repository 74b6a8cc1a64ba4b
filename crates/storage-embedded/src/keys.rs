//! How everything is named in the engine's one ordered key space.
//!
//! ```text
//! 0x00                                                    format version, 1 byte
//! 0x00  0x00                                              rewritten by each checkpoint, empty
//! 0x01  table(1)  scope(16)  name, escaped  0x00 0x01  suffix    a record
//! 0x02  scope(16)                                         a retired scope, empty
//! 0x03  blob id(16)                                       owners of a linked blob, u32 little endian
//! 0x04  blob id(16)                                       a blob to be deleted, empty
//! ```
//!
//! In an escaped name each 0x00 is followed by 0xFF, so that the terminator 0x00 0x01 cannot occur inside and sorts
//! before every continuation: the order of engine keys is the order of (table, scope, name, suffix). The suffix is the
//! last part and needs no escape.
use model::BlobId;
use storage::{Partition, RecordKey, Scan, Scope, Start, Table};

/// The one key under which the format version is kept.
pub(crate) const FORMAT: &[u8] = &[0x00];

/// A key whose only purpose is to be written.
pub(crate) const CHECKPOINT: &[u8] = &[0x00, 0x00];

const RECORD: u8 = 0x01;
const RETIRED: u8 = 0x02;
const BLOB: u8 = 0x03;
const GARBAGE: u8 = 0x04;

const ZERO: u8 = 0x00;
const ESCAPED_ZERO: u8 = 0xFF;
const END_OF_NAME: u8 = 0x01;
/// Sorts behind every key of one name and before every longer name.
const BEHIND_NAME: u8 = 0x02;

const PREFIX_LEN: usize = 1 + 1 + 16;

/// The key of one record.
pub(crate) fn record(partition: &Partition, key: &RecordKey) -> Vec<u8> {
    let mut bytes = name_end(key.table, partition.scope, &partition.name, END_OF_NAME, key.suffix.len());
    bytes.extend_from_slice(&key.suffix);
    bytes
}

/// The half-open range of engine keys that a scan walks.
pub(crate) fn scan_range(scan: &Scan) -> (Vec<u8>, Vec<u8>) {
    let (table, scope) = (scan.table, scan.scope);
    let from = match &scan.start {
        Start::AtPartition(name) => name_end(table, scope, name, END_OF_NAME, 0),
        Start::AfterPartition(name) => name_end(table, scope, name, BEHIND_NAME, 0),
        Start::AfterRecord(name, suffix) => {
            let mut bytes = name_end(table, scope, name, END_OF_NAME, suffix.len() + 1);
            bytes.extend_from_slice(suffix);
            // The smallest key behind a key is that key and a zero byte.
            bytes.push(0);
            bytes
        }
    };
    let to = match &scan.end {
        Some(name) => name_end(table, scope, name, END_OF_NAME, 0),
        None => behind_prefix(&prefix(table, scope, 0)),
    };
    (from, to)
}

/// The half-open range of all records of one table and scope.
pub(crate) fn scope_range(table: Table, scope: Scope) -> (Vec<u8>, Vec<u8>) {
    let first = prefix(table, scope, 0);
    let behind = behind_prefix(&first);
    (first, behind)
}

/// The partition name and the suffix in a record's key; `None` for bytes that no record's key has.
pub(crate) fn parse_record(key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut rest = key.get(PREFIX_LEN..).filter(|_| key.first() == Some(&RECORD))?;
    let mut name = Vec::with_capacity(rest.len());
    loop {
        let zero = rest.iter().position(|byte| *byte == ZERO)?;
        name.extend_from_slice(&rest[..zero]);
        match *rest.get(zero + 1)? {
            END_OF_NAME => return Some((name, rest[zero + 2..].to_vec())),
            ESCAPED_ZERO => name.push(ZERO),
            _ => return None,
        }
        rest = &rest[zero + 2..];
    }
}

/// The key that says that a scope is retired.
pub(crate) fn retired(scope: Scope) -> Vec<u8> {
    [&[RETIRED][..], scope.as_bytes()].concat()
}

/// The key of the owner count of a linked blob.
pub(crate) fn blob(id: BlobId) -> Vec<u8> {
    [&[BLOB][..], id.as_bytes()].concat()
}

/// The key that says that a blob is garbage.
pub(crate) fn garbage(id: BlobId) -> Vec<u8> {
    [&[GARBAGE][..], id.as_bytes()].concat()
}

/// The half-open range of all garbage.
pub(crate) fn garbage_range() -> (Vec<u8>, Vec<u8>) {
    (vec![GARBAGE], vec![GARBAGE + 1])
}

/// Whether `key` was made by [`garbage`].
pub(crate) fn is_garbage(key: &[u8]) -> bool {
    key.first() == Some(&GARBAGE)
}

/// The blob that a key made by [`blob`] or [`garbage`] names.
pub(crate) fn parse_blob(key: &[u8]) -> Option<BlobId> {
    let (kind, id) = key.split_first()?;
    let known = matches!(*kind, BLOB | GARBAGE);
    id.try_into().ok().filter(|_| known).map(BlobId::from_bytes)
}

fn prefix(table: Table, scope: Scope, more: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX_LEN + more);
    bytes.extend_from_slice(&[RECORD, table.0]);
    bytes.extend_from_slice(scope.as_bytes());
    bytes
}

fn name_end(table: Table, scope: Scope, name: &[u8], end: u8, more: usize) -> Vec<u8> {
    let mut bytes = prefix(table, scope, name.len() + 2 + more);
    for byte in name {
        bytes.push(*byte);
        if *byte == ZERO {
            bytes.push(ESCAPED_ZERO);
        }
    }
    bytes.extend_from_slice(&[ZERO, end]);
    bytes
}

/// The smallest key that does not begin with `prefix`. The kind in front is below 0xFF, so there is one.
fn behind_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut bytes = prefix.to_vec();
    while bytes.last() == Some(&u8::MAX) {
        bytes.pop();
    }
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use model::BucketId;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Bytes around every special value, so that short random strings meet the escapes.
    fn tricky() -> impl Strategy<Value = Vec<u8>> {
        vec(prop::sample::select(vec![0x00, 0x01, 0x02, b'a', 0xFE, 0xFF]), 0..6)
    }

    type Place = (u8, u8, Vec<u8>, Vec<u8>);

    fn place() -> impl Strategy<Value = Place> {
        let edge = prop::sample::select(vec![0x00, 0x01, 0xFF]);
        (edge.clone(), edge, tricky(), tricky())
    }

    fn scope(byte: u8) -> Scope {
        Scope::bucket(BucketId::from_bytes([byte; 16]))
    }

    fn encode((table, scope_byte, name, suffix): &Place) -> Vec<u8> {
        let partition = Partition::new(scope(*scope_byte), name.clone());
        record(&partition, &RecordKey::new(Table(*table), suffix.clone()))
    }

    proptest! {
        #[test]
        fn engine_keys_order_as_the_tuples_do(left in place(), right in place()) {
            prop_assert_eq!(left.cmp(&right), encode(&left).cmp(&encode(&right)));
        }

        #[test]
        fn names_and_suffixes_round_trip(place in place()) {
            prop_assert_eq!(parse_record(&encode(&place)), Some((place.2, place.3)));
        }

        #[test]
        fn a_scan_range_holds_exactly_the_records_asked_for(
            place in place(), name in tricky(), suffix in tricky(), end in prop::option::of(tricky()), kind in 0..3
        ) {
            let start = match kind {
                0 => Start::AtPartition(name.clone()),
                1 => Start::AfterPartition(name.clone()),
                _ => Start::AfterRecord(name.clone(), suffix.clone()),
            };
            let started = match kind {
                0 => place.2 >= name,
                1 => place.2 > name,
                _ => (&place.2, &place.3) > (&name, &suffix),
            };
            let ended = end.as_ref().is_some_and(|end| place.2 >= *end);
            let asked = Scan { scope: scope(0xFF), table: Table(0x01), start, end, limit: 1 };
            let (from, to) = scan_range(&asked);
            let key = encode(&place);
            let expected = place.0 == 0x01 && place.1 == 0xFF && started && !ended;
            prop_assert_eq!(key >= from && key < to, expected);
        }

        #[test]
        fn foreign_bytes_are_not_taken_for_a_record(bytes in vec(any::<u8>(), 0..40)) {
            if let Some((name, suffix)) = parse_record(&bytes) {
                let scope = Scope::bucket(BucketId::from_bytes(bytes[2..18].try_into().unwrap()));
                let again = record(&Partition::new(scope, name), &RecordKey::new(Table(bytes[1]), suffix));
                prop_assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn the_last_scope_of_the_last_table_ends_before_the_next_kind() {
        let (from, to) = scope_range(Table(0xFF), scope(0xFF));
        assert!(from < to);
        assert!(to <= vec![RETIRED]);
    }

    #[test]
    fn blob_keys_name_their_blob() {
        let id = BlobId::from_bytes([7; 16]);
        assert_eq!(parse_blob(&blob(id)), Some(id));
        assert_eq!(parse_blob(&garbage(id)), Some(id));
        assert_eq!(parse_blob(&retired(Scope::SYSTEM)), None);
        let (from, to) = garbage_range();
        assert!(garbage(id) >= from && garbage(id) < to && blob(id) < from);
    }
}
