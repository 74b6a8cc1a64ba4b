//! Below the reserve nothing new is taken, and everything else goes on.
mod common;

use canopic_storage_embedded::{Config, EmbeddedStore};
use common::{blob_files, linked_blob, put, record, unlink, value};
use storage::{Batch, Blobs as _, CommitError, Error, Metadata as _};

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_and_keeps_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = common::open(dir.path());
    let (kept, doomed) = (linked_blob(&store, "kept", 10).await, linked_blob(&store, "doomed", 10).await);
    drop(store);

    let full = Config { reserve_bytes: u64::MAX, ..Config::default() };
    let store = EmbeddedStore::open(dir.path(), &full).unwrap();
    assert!(matches!(store.create(&record("a").0).await, Err(Error::Full)));
    let refused = store.commit(&record("a").0, put("a", b"1")).await;
    assert!(matches!(refused, Err(CommitError::Store(Error::Full))));
    assert_eq!(value(&store, "a").await, None);
    // A failed precondition is still reported as what it is.
    let conflict = storage::Precondition::Absent(record("kept").1);
    let refused = store.commit(&record("a").0, Batch { preconditions: vec![conflict], ..put("a", b"1") }).await;
    assert!(matches!(refused, Err(CommitError::Conflict(_))));

    assert_eq!(store.open(kept).await.unwrap().read(0, 10).await.unwrap(), common::blob_content(10));
    unlink(&store, "doomed", doomed).await;
    store.collect_garbage().await;
    assert_eq!(blob_files(dir.path()), [kept.to_string()]);
    drop(store);

    let store = common::open(dir.path());
    assert_eq!(value(&store, "doomed").await, None);
    linked_blob(&store, "new", 10).await;
}
