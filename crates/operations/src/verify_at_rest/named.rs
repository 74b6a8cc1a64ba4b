use std::collections::HashSet;

use model::BlobId;
use storage::{Held, HeldKind, Table};

use super::WalkedBucket;
use super::rows::{Rows, payload_of};
use crate::error::Fault;
use crate::records::{BodyPlace, ObjectRecord, PartRecord, PartsRecord, Records, tables};

/// The blobs that records name, a class of them at a time: so many that they fit in memory, however many there are.
pub(super) struct NamedBlobs {
    class: Class,
    ids: HashSet<BlobId>,
}

/// One of several equal classes of blobs, told apart by their ids, which are random.
#[derive(Clone, Copy)]
pub(super) struct Class {
    number: u64,
    of: u64,
}

impl Class {
    fn has(self, id: BlobId) -> bool {
        let (_, last) = id.as_bytes().split_last_chunk().expect("8 of 16 bytes");
        u64::from_be_bytes(*last) % self.of == self.number
    }
}

impl NamedBlobs {
    /// The classes of so many blobs.
    pub(super) fn classes(blobs: u64) -> impl Iterator<Item = Class> {
        let of = blobs.div_ceil(CLASS_LEN).max(1);
        (0..of).map(move |number| Class { number, of })
    }

    /// Reads what records name, true or not: bytes of an untrue record are its finding, not one of their own.
    pub(super) async fn collect(records: &Records, buckets: &[WalkedBucket], class: Class) -> Result<Self, Fault> {
        let mut named = Self { class, ids: HashSet::new() };
        for bucket in buckets {
            for table in [tables::OBJECTS, tables::PARTS_OF_OBJECTS, tables::UPLOADED_PARTS] {
                let mut rows = Rows::within(records, bucket.scope(), table, "");
                while let Some(page) = rows.next().await? {
                    for entry in page {
                        named
                            .ids
                            .extend(blobs_of(table, payload_of(&entry.value)).into_iter().filter(|id| class.has(*id)));
                    }
                }
            }
        }
        Ok(named)
    }

    /// Whether this is a linked blob of the class that no record names.
    pub(super) fn lacks(&self, held: &Held) -> bool {
        matches!(held.kind, HeldKind::Linked(id) if self.class.has(id) && !self.ids.contains(&id))
    }
}

fn blobs_of(table: Table, payload: &[u8]) -> Vec<BlobId> {
    match table {
        tables::OBJECTS => match ObjectRecord::decode(payload).map(|record| record.body) {
            Ok(BodyPlace::Blob(_, blob)) => vec![blob],
            _ => Vec::new(),
        },
        tables::PARTS_OF_OBJECTS => PartsRecord::decode(payload).map_or_else(|_| Vec::new(), |parts| parts.blobs),
        _ => PartRecord::decode(payload).map_or_else(|_| Vec::new(), |part| vec![part.blob]),
    }
}

/// Ids in memory at a time, some 40 MiB.
const CLASS_LEN: u64 = 1 << 20;
