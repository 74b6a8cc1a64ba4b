//! The life of a blob.
use std::time::Duration;

use bytes::Bytes;
use model::BlobId;

use super::{commit_if, key, must_commit, partition, put};
use crate::{Batch, BlobReader, Blobs, CommitError, Error, Metadata, Precondition};

fn content(length: usize) -> Bytes {
    (0..length).map(|index| (index % 251) as u8).collect()
}

/// A finished blob, written in pieces of `piece` bytes.
async fn written<S: Blobs>(store: &S, bytes: &Bytes, piece: usize) -> BlobId {
    let mut writer = store.create(&partition(b"name")).await.expect("a blob is begun");
    let id = writer.id();
    for start in (0..bytes.len()).step_by(piece) {
        let end = bytes.len().min(start + piece);
        writer.append(bytes.slice(start..end)).await.expect("bytes are taken");
    }
    assert_eq!(writer.finish().await.expect("the blob is finished"), id);
    id
}

async fn link<S: Metadata>(store: &S, id: BlobId) {
    let batch = Batch { link: vec![id], ..put(key(id.as_bytes()), id.as_bytes()) };
    must_commit(store, &partition(b"name"), batch).await;
}

async fn unlink<S: Metadata>(store: &S, id: BlobId) {
    let batch = Batch { unlink: vec![id], delete: vec![key(id.as_bytes())], ..Batch::default() };
    must_commit(store, &partition(b"name"), batch).await;
}

async fn opened<S: Blobs>(store: &S, id: BlobId) -> Box<dyn BlobReader> {
    store.open(id).await.expect("the blob is opened")
}

/// Waits until the blob cannot be opened: unlinked ones go in the background.
async fn wait_until_gone<S: Blobs>(store: &S, id: BlobId) {
    for _ in 0..1000 {
        match store.open(id).await {
            Err(Error::NoSuchBlob(gone)) => return assert_eq!(gone, id),
            Err(error) => panic!("neither there nor gone: {error}"),
            Ok(reader) => drop(reader),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the blob is still there after ten seconds");
}

/// Blobs of many lengths, written in pieces of many lengths.
pub async fn a_linked_blob_is_read_in_any_range<S: Metadata + Blobs>(store: &S) {
    for (length, piece) in [(0, 1), (1, 1), (5000, 7), (65_536, 65_536), (262_144, 65_552), (1_000_003, 300_000)] {
        let bytes = content(length);
        let id = written(store, &bytes, piece).await;
        link(store, id).await;
        let reader = opened(store, id).await;
        assert_eq!(reader.read(0, length).await.expect("all of it"), bytes);
        for (start, end) in [(0, length.min(1)), (length / 2, length), (length / 3, length / 2), (length, length)] {
            let read = reader.read(start as u64, end - start).await.expect("a range inside");
            assert_eq!(read, bytes.slice(start..end));
        }
    }
}

/// A range that the blob does not reach is an error, however absurd.
pub async fn a_range_behind_the_end_is_too_short<S: Metadata + Blobs>(store: &S) {
    let id = written(store, &content(100), 100).await;
    link(store, id).await;
    let reader = opened(store, id).await;
    for (offset, length) in [(0, 101), (100, 1), (99, 2), (101, 0), (u64::MAX, 1), (1 << 40, 1), (0, 1 << 40)] {
        let read = reader.read(offset, length).await;
        assert!(matches!(read, Err(Error::BlobTooShort(short)) if short == id), "{offset} {length}: {read:?}");
    }
}

/// Unknown and unfinished blobs are refused, and nothing else of the batch happens.
pub async fn only_a_finished_blob_can_be_linked<S: Metadata + Blobs>(store: &S) {
    let mut writer = store.create(&partition(b"name")).await.expect("a blob is begun");
    writer.append(content(300_000)).await.expect("bytes are taken");
    let unknown = BlobId::from_bytes([0xee; 16]);
    for id in [unknown, writer.id()] {
        assert!(matches!(store.open(id).await, Err(Error::NoSuchBlob(missing)) if missing == id));
        let batch = Batch { link: vec![id], ..put(key(b"s"), b"1") };
        let refused = store.commit(&partition(b"name"), batch).await;
        assert!(matches!(refused, Err(CommitError::Store(Error::NoSuchBlob(missing))) if missing == id));
        assert_eq!(super::value(store, &partition(b"name"), &key(b"s")).await, None);
    }
    let id = writer.finish().await.expect("the blob is finished");
    link(store, id).await;
    assert_eq!(opened(store, id).await.read(0, 300_000).await.expect("all of it"), content(300_000));
}

/// A writer that lost a race links the same blob in its next attempt.
pub async fn a_blob_of_a_failed_batch_can_be_linked_by_the_next<S: Metadata + Blobs>(store: &S) {
    let id = written(store, &content(10), 10).await;
    must_commit(store, &partition(b"name"), put(key(b"s"), b"1")).await;
    let batch = Batch { link: vec![id], ..put(key(b"s"), b"2") };
    assert!(!commit_if(store, &partition(b"name"), Precondition::Absent(key(b"s")), batch.clone()).await);
    let unchanged = Precondition::Unchanged(key(b"s"), Bytes::from("1"));
    assert!(commit_if(store, &partition(b"name"), unchanged, batch).await);
    assert_eq!(opened(store, id).await.read(0, 10).await.expect("all of it"), content(10));
}

/// Whatever a client sent before it went away cannot be opened or linked.
pub async fn a_dropped_writer_leaves_nothing_to_open<S: Metadata + Blobs>(store: &S) {
    for length in [0, 10, 1_000_000] {
        let mut writer = store.create(&partition(b"name")).await.expect("a blob is begun");
        let id = writer.id();
        writer.append(content(length)).await.expect("bytes are taken");
        drop(writer);
        assert!(matches!(store.open(id).await, Err(Error::NoSuchBlob(_))));
        let batch = Batch { link: vec![id], ..Batch::default() };
        let refused = store.commit(&partition(b"name"), batch).await;
        assert!(matches!(refused, Err(CommitError::Store(Error::NoSuchBlob(_)))));
    }
}

/// The bytes stay readable for whoever opened the blob before; afterwards the blob goes.
pub async fn a_reader_survives_the_unlink<S: Metadata + Blobs>(store: &S) {
    let bytes = content(500_000);
    let id = written(store, &bytes, 65_536).await;
    link(store, id).await;
    let reader = opened(store, id).await;
    assert_eq!(reader.read(0, 10).await.expect("the first bytes"), bytes.slice(..10));
    unlink(store, id).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(reader.read(10, 499_990).await.expect("the other bytes"), bytes.slice(10..));
    drop(reader);
    wait_until_gone(store, id).await;
}

/// Who reads an object of many blobs opens them one by one, although it is replaced meanwhile.
pub async fn a_reader_keeps_the_other_blobs_of_its_time<S: Metadata + Blobs>(store: &S) {
    let first = written(store, &content(10), 10).await;
    let second = written(store, &content(20), 10).await;
    link(store, first).await;
    link(store, second).await;
    let reader = opened(store, first).await;
    unlink(store, first).await;
    unlink(store, second).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let later = opened(store, second).await;
    assert_eq!(later.read(0, 20).await.expect("all of it"), content(20));
    drop(reader);
    drop(later);
    wait_until_gone(store, first).await;
    wait_until_gone(store, second).await;
}

/// Garbage is never named again.
pub async fn an_unlinked_blob_cannot_be_linked_again<S: Metadata + Blobs>(store: &S) {
    let id = written(store, &content(10), 10).await;
    link(store, id).await;
    let reader = opened(store, id).await;
    unlink(store, id).await;
    let again = store.commit(&partition(b"name"), Batch { link: vec![id], ..put(key(b"s"), b"1") }).await;
    assert!(matches!(again, Err(CommitError::Store(Error::NoSuchBlob(_)))));
    drop(reader);
}

/// A blob with two owners stays when one of them goes.
pub async fn a_blob_lives_until_its_last_owner_is_gone<S: Metadata + Blobs>(store: &S) {
    let id = written(store, &content(10), 10).await;
    link(store, id).await;
    link(store, id).await;
    unlink(store, id).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(opened(store, id).await.read(0, 10).await.expect("all of it"), content(10));
    unlink(store, id).await;
    wait_until_gone(store, id).await;
}
