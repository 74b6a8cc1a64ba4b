//! What a store finds when it is opened again: after a clean end, and as a killed process leaves it.
mod common;

use canopic_storage_embedded::{Config, EmbeddedStore, OpenError};
use common::{blob_files, copy_dir, linked_blob, put, record, unlink, value};
use storage::{Batch, Blobs as _, CommitError, Error, Metadata as _, Partition, RetireError, Scope, Table};
use tempfile::tempdir;

#[tokio::test]
async fn everything_is_there_after_a_clean_end() {
    let dir = tempdir().unwrap();
    let closed = Scope::bucket(model::BucketId::from_bytes([9; 16]));
    let store = common::open(dir.path());
    let (kept, shared) = (linked_blob(&store, "kept", 100_000).await, linked_blob(&store, "shared", 10).await);
    store.commit(&record("shared").0, Batch { link: vec![shared], ..put("other", b"1") }).await.unwrap();
    store.retire(closed, &[Table(1)]).await.unwrap();
    drop(store);

    let store = common::open(dir.path());
    assert_eq!(value(&store, "kept").await.unwrap(), kept.as_bytes().as_slice());
    assert_eq!(store.open(kept).await.unwrap().read(99_999, 1).await.unwrap().len(), 1);
    let refused = store.commit(&Partition::new(closed, "x"), put("x", b"1")).await;
    assert!(matches!(refused, Err(CommitError::Retired(_))));
    // Of the two owners one goes.
    unlink(&store, "shared", shared).await;
    store.collect_garbage().await;
    store.open(shared).await.unwrap();
    unlink(&store, "other", shared).await;
    store.collect_garbage().await;
    assert!(matches!(store.open(shared).await, Err(Error::NoSuchBlob(_))));
    assert_eq!(blob_files(dir.path()), [kept.to_string()]);
}

#[tokio::test]
async fn a_killed_process_leaves_what_it_acknowledged_and_nothing_else() {
    let (dir, other) = (tempdir().unwrap(), tempdir().unwrap());
    let store = common::open(dir.path());
    let kept = linked_blob(&store, "kept", 300_000).await;
    let replaced = linked_blob(&store, "replaced", 10).await;
    let holder = store.open(kept).await.unwrap();
    // Unlinked, but a reader of that time keeps the file from being deleted.
    unlink(&store, "replaced", replaced).await;
    store.collect_garbage().await;
    let mut writer = store.create(&record("torn").0).await.unwrap();
    writer.append(vec![1; 500_000].into()).await.unwrap();
    let mut finished = store.create(&record("unlinked").0).await.unwrap();
    finished.append(vec![1; 10].into()).await.unwrap();
    finished.finish().await.unwrap();
    assert_eq!(blob_files(dir.path()).len(), 4);
    // Nothing is being written now, so a copy is what a kill at this instant would leave.
    copy_dir(dir.path(), other.path());

    let revived = common::open(other.path());
    revived.collect_garbage().await;
    assert_eq!(blob_files(other.path()), [kept.to_string()]);
    assert_eq!(value(&revived, "kept").await.unwrap(), kept.as_bytes().as_slice());
    assert_eq!(value(&revived, "replaced").await, None);
    assert_eq!(revived.open(kept).await.unwrap().read(0, 300_000).await.unwrap().len(), 300_000);
    drop(holder);
    drop(writer);
}

#[tokio::test]
async fn writers_and_readers_leave_no_files_behind() {
    let dir = tempdir().unwrap();
    let config = Config { unlinked_age_max: std::time::Duration::ZERO, ..Config::default() };
    let store = EmbeddedStore::open(dir.path(), &config).unwrap();
    let mut writer = store.create(&record("a").0).await.unwrap();
    writer.append(vec![1; 500_000].into()).await.unwrap();
    assert_eq!(blob_files(dir.path()).len(), 1);
    drop(writer);
    let mut forgotten = store.create(&record("a").0).await.unwrap();
    forgotten.append(vec![1; 10].into()).await.unwrap();
    let forgotten = forgotten.finish().await.unwrap();
    store.collect_garbage().await;
    assert_eq!(blob_files(dir.path()), [""; 0]);
    let late = store.commit(&record("a").0, Batch { link: vec![forgotten], ..put("a", b"1") }).await;
    assert!(matches!(late, Err(CommitError::Store(Error::NoSuchBlob(_)))));
}

#[tokio::test]
async fn blobs_in_flight_survive_the_sweep_for_orphans() {
    let dir = tempdir().unwrap();
    let store = common::open(dir.path());
    let mut writer = store.create(&record("a").0).await.unwrap();
    writer.append(vec![7; 500_000].into()).await.unwrap();
    store.collect_garbage().await;
    let id = writer.finish().await.unwrap();
    store.collect_garbage().await;
    store.commit(&record("a").0, Batch { link: vec![id], ..put("a", b"1") }).await.unwrap();
    store.collect_garbage().await;
    assert_eq!(store.open(id).await.unwrap().read(499_999, 1).await.unwrap(), &[7][..]);
}

#[tokio::test]
async fn files_that_are_not_ours_are_left_alone() {
    let dir = tempdir().unwrap();
    drop(common::open(dir.path()));
    let foreign = dir.path().join("blobs/00/notes.txt");
    std::fs::File::create(&foreign).unwrap();
    common::open(dir.path()).collect_garbage().await;
    assert!(foreign.exists());
}

#[tokio::test]
async fn a_missing_file_is_damage_and_does_not_stop_the_start() {
    let dir = tempdir().unwrap();
    let store = common::open(dir.path());
    let (lost, kept) = (linked_blob(&store, "lost", 10).await, linked_blob(&store, "kept", 10).await);
    drop(store);
    std::fs::remove_file(common::blob_path(dir.path(), lost)).unwrap();

    let store = common::open(dir.path());
    assert!(matches!(store.open(lost).await, Err(Error::Damaged(_))));
    store.open(kept).await.unwrap();
    unlink(&store, "lost", lost).await;
    store.collect_garbage().await;
    assert!(matches!(store.open(lost).await, Err(Error::NoSuchBlob(_))));
}

#[tokio::test]
async fn only_one_store_opens_a_data_directory() {
    let dir = tempdir().unwrap();
    let store = common::open(dir.path());
    let refused = EmbeddedStore::open(dir.path(), &Config::default());
    assert!(matches!(refused, Err(OpenError::InUse(_))));
    drop(store);
    common::open(dir.path());
}

#[tokio::test]
async fn blobs_without_their_records_are_not_taken_for_orphans() {
    let dir = tempdir().unwrap();
    let store = common::open(dir.path());
    let id = linked_blob(&store, "kept", 10).await;
    drop(store);
    std::fs::remove_file(dir.path().join("records.redb")).unwrap();
    let refused = EmbeddedStore::open(dir.path(), &Config::default());
    assert!(matches!(refused, Err(OpenError::RecordsMissing(_))));
    assert_eq!(blob_files(dir.path()), [id.to_string()]);
}

#[tokio::test]
async fn what_is_queued_when_the_store_is_dropped_is_committed_or_unanswered() {
    let dir = tempdir().unwrap();
    let store = common::open(dir.path());
    let partition = record("a").0;
    let mut queued = store.commit(&partition, put("a", b"1"));
    // Polled once: the batch is in the queue, and the answer is not awaited.
    let _ = futures_poll_once(&mut queued).await;
    drop(queued);
    drop(store);
    let found = value(&common::open(dir.path()), "a").await;
    assert!(found.is_none_or(|found| found == "1"));
}

async fn futures_poll_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    std::future::poll_fn(|context| {
        use std::pin::Pin;
        use std::task::Poll;
        match Pin::new(&mut *future).poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => Poll::Ready(None),
        }
    })
    .await
}

#[tokio::test]
async fn a_retired_scope_that_is_not_empty_stays_open_after_reopening() {
    let dir = tempdir().unwrap();
    let store = common::open(dir.path());
    store.commit(&record("a").0, put("a", b"1")).await.unwrap();
    let kept = store.retire(common::SCOPE, &[common::TABLE]).await;
    assert!(matches!(kept, Err(RetireError::NotEmpty(_))));
    drop(store);
    common::open(dir.path()).commit(&record("b").0, put("b", b"1")).await.unwrap();
}
