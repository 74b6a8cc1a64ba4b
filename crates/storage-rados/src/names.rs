//! How everything is named: objects in pools, and entries in the omap of an index object.
//!
//! No name has a zero byte, because the C library takes the place where a scan begins as a C string. Bytes are escaped so
//! that order stays as it is: 0x00 becomes 0x01 0x02, and 0x01 becomes 0x01 0x03. A partition's name ends in 0x01 0x01,
//! which sorts before everything that a longer name could go on with.
//!
//! ```text
//! 0x20 table, escaped   name, escaped  0x01 0x01  suffix, escaped     a record
//! 0xf0 .. 0xf3          name, escaped  0x01 0x01  suffix, escaped     what the backend keeps beside them
//! ```
//!
//! Every value begins with 0x01: RADOS compares a missing entry as an empty one.

use bytes::{Bytes, BytesMut};
use model::BlobId;
use storage::{Partition, RecordKey, Scan, Scope, Start, Table};

/// Omap keys of one kind: records of one table, or one of the tables of the backend.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OmapTable(Vec<u8>);

impl OmapTable {
    /// The records of a table.
    pub(crate) fn records(table: Table) -> Self {
        let mut prefix = vec![RECORDS];
        escape(&[table.0], &mut prefix);
        Self(prefix)
    }

    /// Blobs that are being written for a partition.
    pub(crate) fn intents() -> Self {
        Self(vec![0xf0])
    }

    /// Blobs that records of a partition name.
    pub(crate) fn owners() -> Self {
        Self(vec![0xf1])
    }

    /// Blobs that nothing names any more.
    pub(crate) fn garbage() -> Self {
        Self(vec![0xf2])
    }

    /// Names that changed since a split began to copy.
    pub(crate) fn dirty() -> Self {
        Self(vec![0xf3])
    }

    /// The table that an omap key belongs to; `None` for bytes that no key of ours has.
    pub(crate) fn of(omap_key: &[u8]) -> Option<Self> {
        match *omap_key.first()? {
            RECORDS => {
                let escaped = if *omap_key.get(1)? == ESCAPE { 2 } else { 1 };
                Some(Self(omap_key.get(..=escaped)?.to_vec()))
            }
            0xf0..=0xf3 => Some(Self(omap_key[..1].to_vec())),
            _ => None,
        }
    }

    /// What all keys of the table begin with, and no other.
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.0
    }

    /// The omap key of one entry.
    pub(crate) fn omap_key(&self, name: &[u8], suffix: &[u8]) -> Vec<u8> {
        let mut omap_key = self.named(name, END_OF_NAME);
        escape(suffix, &mut omap_key);
        omap_key
    }

    /// What all entries of the partition with exactly this name begin with, and no other.
    pub(crate) fn within(&self, name: &[u8]) -> Vec<u8> {
        self.named(name, END_OF_NAME)
    }

    /// Before all entries of partitions with this name or one behind it, and behind all others. No entry has this key.
    pub(crate) fn before(&self, name: &[u8]) -> Vec<u8> {
        self.named(name, &[ESCAPE])
    }

    /// Behind all entries of the partition with exactly this name. No entry has this key.
    pub(crate) fn behind(&self, name: &[u8]) -> Vec<u8> {
        self.named(name, &[ESCAPE, ESCAPED_ZERO])
    }

    /// Behind all entries of the table. No entry has this key.
    pub(crate) fn end(&self) -> Vec<u8> {
        let mut end = self.0.clone();
        let last = end.last_mut().expect("a prefix has a byte");
        // One table's number is 0xff: longer than any key of it, all ones sort behind them.
        match last.checked_add(1) {
            Some(next) => *last = next,
            None => end.extend_from_slice(&[u8::MAX; 2100]),
        }
        end
    }

    /// The partition's name and the suffix in a key of this table; `None` for bytes that no key has.
    pub(crate) fn parse(&self, omap_key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let rest = omap_key.strip_prefix(self.0.as_slice())?;
        let end = end_of_name(rest)?;
        Some((unescape(&rest[..end])?, unescape(&rest[end + END_OF_NAME.len()..])?))
    }

    fn named(&self, name: &[u8], end: &[u8]) -> Vec<u8> {
        let mut omap_key = Vec::with_capacity(self.0.len() + name.len() + end.len() + 24);
        omap_key.extend_from_slice(&self.0);
        escape(name, &mut omap_key);
        omap_key.extend_from_slice(end);
        omap_key
    }
}

/// The omap key of a record.
pub(crate) fn record(partition: &Partition, record_key: &RecordKey) -> Vec<u8> {
    OmapTable::records(record_key.table).omap_key(&partition.name, &record_key.suffix)
}

/// Where a scan begins (exclusive) and ends (exclusive).
pub(crate) fn scan_bounds(scan: &Scan) -> (Vec<u8>, Option<Vec<u8>>) {
    let table = OmapTable::records(scan.table);
    let after = match &scan.start {
        Start::AtPartition(name) => table.before(name),
        Start::AfterPartition(name) => table.behind(name),
        Start::AfterRecord(name, suffix) => table.omap_key(name, suffix),
    };
    (after, scan.end.as_ref().map(|name| table.before(name)))
}

/// What stands in the omap for a value.
pub(crate) fn value(bytes: &[u8]) -> Bytes {
    let mut value = BytesMut::with_capacity(1 + bytes.len());
    value.extend_from_slice(&[PRESENT]);
    value.extend_from_slice(bytes);
    value.freeze()
}

/// The bytes in a value of the omap; `None` for what is no value of ours.
pub(crate) fn open_value(value: &Bytes) -> Option<Bytes> {
    (*value.first()? == PRESENT).then(|| value.slice(1..))
}

/// The object with the map of a scope.
pub(crate) fn scope_object(scope: Scope) -> String {
    format!("{SCOPE_OBJECTS}{}", hex::encode(scope.as_bytes()))
}

/// An index object of a scope.
pub(crate) fn range_object(scope: Scope, id: u64) -> String {
    format!("{RANGE_OBJECTS}{}.{id:016x}", hex::encode(scope.as_bytes()))
}

/// The scope and the id in the name of an index object.
pub(crate) fn parse_range_object(object: &str) -> Option<(Scope, u64)> {
    let (scope, id) = object.strip_prefix(RANGE_OBJECTS)?.split_once('.')?;
    Some((parse_scope(scope)?, u64::from_str_radix(id, 16).ok()?))
}

/// The scope in the name of its map.
pub(crate) fn parse_scope_object(object: &str) -> Option<Scope> {
    parse_scope(object.strip_prefix(SCOPE_OBJECTS)?)
}

fn parse_scope(text: &str) -> Option<Scope> {
    let mut scope = [0; 16];
    hex::decode_to_slice(text, &mut scope).ok()?;
    Some(Scope::bucket(model::BucketId::from_bytes(scope)))
}

/// A stripe of a blob.
pub(crate) fn stripe_object(id: BlobId, stripe: u64) -> String {
    format!("{BLOB_OBJECTS}{}.{stripe:08x}", hex::encode(id.as_bytes()))
}

/// The blob and the number in the name of a stripe.
#[cfg(test)]
pub(crate) fn parse_stripe_object(object: &str) -> Option<(BlobId, u64)> {
    let (id, stripe) = object.strip_prefix(BLOB_OBJECTS)?.split_once('.')?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(id, &mut bytes).ok()?;
    Some((BlobId::from_bytes(bytes), u64::from_str_radix(stripe, 16).ok()?))
}

/// The omap key in a scope's map of the range that ends before `upper`; `None` for the last range.
pub(crate) fn map_key(upper: Option<&[u8]>) -> Vec<u8> {
    let Some(upper) = upper else { return vec![LAST_RANGE] };
    let mut omap_key = vec![BOUNDED_RANGE];
    escape(upper, &mut omap_key);
    omap_key
}

/// The upper bound in a key made by [`map_key`].
pub(crate) fn parse_map_key(omap_key: &[u8]) -> Option<Option<Vec<u8>>> {
    match omap_key.split_first()? {
        (&LAST_RANGE, []) => Some(None),
        (&BOUNDED_RANGE, escaped) => Some(Some(unescape(escaped)?)),
        _ => None,
    }
}

/// The object that all gateways watch, in the index pool of the default placement.
pub(crate) const ROOT_OBJECT: &str = "canopic";

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match *byte {
            0 => out.extend_from_slice(&[ESCAPE, ESCAPED_ZERO]),
            ESCAPE => out.extend_from_slice(&[ESCAPE, ESCAPED_ESCAPE]),
            other => out.push(other),
        }
    }
}

fn unescape(escaped: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match *byte {
            ESCAPE => match *rest.next()? {
                ESCAPED_ZERO => 0,
                ESCAPED_ESCAPE => ESCAPE,
                _ => return None,
            },
            other => other,
        });
    }
    Some(bytes)
}

fn end_of_name(escaped: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let escape = at + escaped.get(at..)?.iter().position(|byte| *byte == ESCAPE)?;
        if escaped.get(escape..escape + END_OF_NAME.len())? == END_OF_NAME {
            return Some(escape);
        }
        at = escape + 2;
    }
}

const RECORDS: u8 = 0x20;
const ESCAPE: u8 = 0x01;
const END_OF_NAME: &[u8] = &[ESCAPE, ESCAPE];
const ESCAPED_ZERO: u8 = 0x02;
const ESCAPED_ESCAPE: u8 = 0x03;
const PRESENT: u8 = 0x01;
const BOUNDED_RANGE: u8 = b'b';
const LAST_RANGE: u8 = b'c';
const SCOPE_OBJECTS: &str = "scope.";
const RANGE_OBJECTS: &str = "range.";
const BLOB_OBJECTS: &str = "blob.";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn omap_keys_sort_like_names_and_suffixes_and_are_read_back(
            one in (proptest::collection::vec(0..4_u8, 0..5), proptest::collection::vec(0..4_u8, 0..4)),
            two in (proptest::collection::vec(0..4_u8, 0..5), proptest::collection::vec(0..4_u8, 0..4)),
            table in any::<u8>(),
        ) {
            let table = OmapTable::records(Table(table));
            let (first, second) = (table.omap_key(&one.0, &one.1), table.omap_key(&two.0, &two.1));
            prop_assert_eq!(first.cmp(&second), one.cmp(&two));
            prop_assert!(!first.contains(&0));
            prop_assert_eq!(OmapTable::of(&first), Some(table.clone()));
            prop_assert_eq!(table.parse(&first), Some(one.clone()));
            prop_assert_eq!(table.before(&two.0) < first, two.0 <= one.0);
            prop_assert_eq!(table.behind(&two.0) < first, two.0 < one.0);
            prop_assert!(first < table.end());
            let upper = map_key(Some(&one.0));
            prop_assert_eq!(upper.cmp(&map_key(Some(&two.0))), one.0.cmp(&two.0));
            prop_assert!(upper < map_key(None));
            prop_assert_eq!(parse_map_key(&upper), Some(Some(one.0)));
        }

        #[test]
        fn no_bytes_make_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(table) = OmapTable::of(&bytes)
                && let Some((name, suffix)) = table.parse(&bytes)
            {
                prop_assert_eq!(table.omap_key(&name, &suffix), bytes.clone());
            }
            parse_map_key(&bytes);
        }
    }

    #[test]
    fn tables_are_apart_from_each_other() {
        let keys: Vec<_> =
            (0..=255).map(|table| OmapTable::records(Table(table)).omap_key(b"\xff\xff", b"\xff")).collect();
        assert!(keys.is_sorted());
        for (table, omap_key) in keys.iter().enumerate() {
            let number = u8::try_from(table).unwrap();
            assert_eq!(OmapTable::of(omap_key), Some(OmapTable::records(Table(number))));
        }
        assert!(*keys.last().unwrap() < OmapTable::intents().before(b""));
    }

    #[test]
    fn names_of_objects_are_read_back() {
        let scope = Scope::bucket(model::BucketId::from_bytes([7; 16]));
        assert_eq!(parse_scope_object(&scope_object(scope)), Some(scope));
        assert_eq!(parse_range_object(&range_object(scope, 5)), Some((scope, 5)));
        assert_eq!(parse_range_object("range.07.5"), None);
    }
}
