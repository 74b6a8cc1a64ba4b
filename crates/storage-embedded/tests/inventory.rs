//! What stands in the directory, whoever put it there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::{File, create_dir};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use canopic_storage_embedded::{Config, EmbeddedStore};
use storage::{HeldKind, Inventory as _};

fn plant(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

#[tokio::test]
async fn files_that_the_store_never_made_are_found_wherever_they_stand() {
    let temp = tempfile::tempdir().unwrap();
    let store = common::open(temp.path());
    let id = common::linked_blob(&store, "name", 100).await;
    let blobs = temp.path().join("blobs");
    let other_shard = if id.to_string().starts_with("3f") { "40" } else { "3f" };
    let planted = [
        "secret.txt".to_owned(),
        "blobs/secret.txt".to_owned(),
        "blobs/3f/secret.txt".to_owned(),
        format!("blobs/{other_shard}/{id}"),
        format!("blobs/3f/3f{}", "A".repeat(30)),
    ];
    for name in &planted {
        plant(&temp.path().join(name), b"plaintext");
    }
    create_dir(blobs.join("3F")).unwrap();
    symlink("/dev/null", blobs.join(format!("3f/3f{}", "0".repeat(30)))).unwrap();

    let mut all = Vec::new();
    while let Some(held) = store.held(all.last().map(String::as_str), 1).await.unwrap().pop() {
        match held.kind {
            HeldKind::Linked(linked) => assert_eq!((linked, held.length), (id, 100)),
            kind => assert_eq!(kind, HeldKind::Stranger, "{}", held.name),
        }
        all.push(held.name);
    }
    assert_eq!(all.len(), planted.len() + 3, "{all:?}");
    for name in &planted {
        assert!(all.contains(name), "{name} in {all:?}");
    }
    assert!(all.contains(&"blobs/3F/".to_owned()) && all.iter().any(|name| name.ends_with('@')), "{all:?}");
}

#[tokio::test]
async fn a_store_that_does_not_collect_leaves_everything_where_it_is() {
    let temp = tempfile::tempdir().unwrap();
    let id = {
        let store = common::open(temp.path());
        common::linked_blob(&store, "name", 100).await
    };
    let orphan = temp.path().join("blobs/3f").join("3f".repeat(16));
    plant(&orphan, b"left by a crash");
    {
        let store = EmbeddedStore::open(temp.path(), &Config { collects: false, ..Config::default() }).unwrap();
        common::unlink(&store, "name", id).await;
        store.collect_garbage().await;
        let held = store.held(None, 10).await.unwrap();
        let kinds: Vec<_> = held.iter().map(|held| held.kind).collect();
        assert!(kinds.contains(&HeldKind::Garbage(id)) && kinds.len() == 2, "{held:?}");
    }
    assert!(orphan.exists() && common::blob_path(temp.path(), id).exists());

    let store = common::open(temp.path());
    store.collect_garbage().await;
    assert!(!orphan.exists() && !common::blob_path(temp.path(), id).exists());
}
