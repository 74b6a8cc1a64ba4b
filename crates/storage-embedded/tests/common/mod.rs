//! What the tests of this crate share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not see as such")]
use std::path::{Path, PathBuf};

use bytes::Bytes;
use canopic_storage_embedded::{Config, EmbeddedStore};
use model::BlobId;
use storage::{Batch, Blobs as _, Metadata as _, Partition, RecordKey, Scope, Table};

pub const SCOPE: Scope = Scope::SYSTEM;
pub const TABLE: Table = Table(1);

/// Opens the store with the defaults.
pub fn open(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(dir, &Config::default()).unwrap()
}

/// Where the record called `name` is: all in one partition.
pub fn record(name: &str) -> (Partition, RecordKey) {
    (Partition::new(SCOPE, "partition"), RecordKey::new(TABLE, name))
}

/// A batch that puts one record.
pub fn put(name: &str, value: &[u8]) -> Batch {
    Batch { put: vec![(record(name).1, Bytes::copy_from_slice(value))], ..Batch::default() }
}

/// The value of the record called `name`.
pub async fn value(store: &EmbeddedStore, name: &str) -> Option<Bytes> {
    let (partition, key) = record(name);
    store.get(&partition, &key).await.unwrap()
}

/// A blob of `length` bytes, linked by the record `name`, whose value is the blob's id.
pub async fn linked_blob(store: &EmbeddedStore, name: &str, length: usize) -> BlobId {
    let mut writer = store.create(&record(name).0).await.unwrap();
    writer.append(blob_content(length)).await.unwrap();
    let id = writer.finish().await.unwrap();
    store.commit(&record(name).0, Batch { link: vec![id], ..put(name, id.as_bytes()) }).await.unwrap();
    id
}

/// What [`linked_blob`] writes.
pub fn blob_content(length: usize) -> Bytes {
    (0..length).map(|index| (index % 251) as u8).collect()
}

/// Removes the record `name` and its blob.
pub async fn unlink(store: &EmbeddedStore, name: &str, id: BlobId) {
    let batch = Batch { unlink: vec![id], delete: vec![record(name).1], ..Batch::default() };
    store.commit(&record(name).0, batch).await.unwrap();
}

/// Where a blob's file is.
pub fn blob_path(dir: &Path, id: BlobId) -> PathBuf {
    let name = id.to_string();
    dir.join("blobs").join(&name[..2]).join(name)
}

/// The names of all blobs' files, sorted.
pub fn blob_files(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for shard in std::fs::read_dir(dir.join("blobs")).unwrap() {
        for file in std::fs::read_dir(shard.unwrap().path()).unwrap() {
            names.push(file.unwrap().file_name().into_string().unwrap());
        }
    }
    names.sort();
    names
}

/// Copies everything below `from`.
pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
