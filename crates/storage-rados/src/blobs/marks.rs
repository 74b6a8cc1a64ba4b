//! The entries that stand beside records for their blobs: intents, owners, garbage.

use bytes::{BufMut as _, Bytes, BytesMut};
use model::BlobId;
use storage::Partition;

use crate::change::Change;
use crate::clock;
use crate::names::{self, OmapTable};
use crate::status::take_u64;

/// An entry that says that a blob is being written for a partition: the exact value is what a commit demands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Intent {
    omap_key: Vec<u8>,
    value: Bytes,
}

impl Intent {
    /// Of a gateway, from now.
    pub(crate) fn now(partition: &Partition, id: BlobId, gateway: u64) -> Self {
        let mut value = BytesMut::with_capacity(16);
        value.put_u64(clock::now());
        value.put_u64(gateway);
        Self { omap_key: intent_key(&partition.name, id), value: names::value(&value) }
    }

    /// As it was found.
    pub(crate) fn found(omap_key: Vec<u8>, value: Bytes) -> Self {
        Self { omap_key, value }
    }

    /// The place and the value of the entry.
    pub(crate) fn entry(&self) -> (Vec<u8>, Bytes) {
        (self.omap_key.clone(), self.value.clone())
    }

    /// Writes it.
    pub(crate) fn begin(&self) -> Change {
        Change { set: vec![self.entry()], puts: true, ..Change::default() }
    }

    /// Writes it in the place of an older one of the same blob, if that still stands.
    pub(crate) fn renew(&self, older: &Self) -> Change {
        Change { compare: vec![older.entry()], set: vec![self.entry()], puts: true, ..Change::default() }
    }

    /// Removes it, if it still stands.
    pub(crate) fn withdraw(&self) -> Change {
        Change { compare: vec![self.entry()], remove: vec![self.omap_key.clone()], ..Change::default() }
    }

    /// Turns it into garbage, if it still stands.
    pub(crate) fn give_up(&self, garbage: &Garbage) -> Change {
        Change { set: vec![garbage.entry()], ..self.withdraw() }
    }
}

/// An entry that says that nothing names a blob any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Garbage {
    omap_key: Vec<u8>,
    value: Bytes,
}

impl Garbage {
    /// From now.
    pub(crate) fn now(name: &[u8], id: BlobId) -> Self {
        let omap_key = OmapTable::garbage().omap_key(name, id.as_bytes());
        Self { omap_key, value: names::value(&clock::now().to_be_bytes()) }
    }

    /// As it was found.
    pub(crate) fn found(omap_key: Vec<u8>, value: Bytes) -> Self {
        Self { omap_key, value }
    }

    /// The place and the value of the entry.
    pub(crate) fn entry(&self) -> (Vec<u8>, Bytes) {
        (self.omap_key.clone(), self.value.clone())
    }

    /// Removes it, if it is what it was: the bytes are gone.
    pub(crate) fn forget(&self) -> Change {
        Change { compare: vec![self.entry()], remove: vec![self.omap_key.clone()], ..Change::default() }
    }
}

/// Where the intent of a blob stands.
pub(crate) fn intent_key(name: &[u8], id: BlobId) -> Vec<u8> {
    OmapTable::intents().omap_key(name, id.as_bytes())
}

/// Where the number of owners of a blob stands.
pub(crate) fn owners_key(name: &[u8], id: BlobId) -> Vec<u8> {
    OmapTable::owners().omap_key(name, id.as_bytes())
}

/// The value of a number of owners.
pub(crate) fn owners_value(count: u32) -> Bytes {
    names::value(&count.to_be_bytes())
}

/// `None` for bytes that no number of owners has.
pub(crate) fn parse_owners(value: &Bytes) -> Option<u32> {
    let count = names::open_value(value)?;
    Some(u32::from_be_bytes(count.as_ref().try_into().ok()?))
}

/// Since when an intent or garbage stands, in milliseconds since 1970; `None` for bytes that neither has.
pub(crate) fn since(value: &Bytes) -> Option<u64> {
    let value = names::open_value(value)?;
    take_u64(&value).map(|(millis, _)| millis)
}

/// The partition's name and the blob of an entry of one of the tables here.
pub(crate) fn parse_key(table: &OmapTable, omap_key: &[u8]) -> Option<(Vec<u8>, BlobId)> {
    let (name, suffix) = table.parse(omap_key)?;
    Some((name, BlobId::from_bytes(suffix.try_into().ok()?)))
}
