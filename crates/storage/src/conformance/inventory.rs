//! What a backend says that it holds.
use bytes::Bytes;

use super::{key, must_commit, partition, put};
use crate::{Batch, Blobs, Held, HeldKind, Inventory, Metadata};

/// Everything that is held, walked in pages of `limit`.
async fn all_held<S: Inventory>(store: &S, limit: usize) -> Vec<Held> {
    let mut all: Vec<Held> = Vec::new();
    loop {
        let after = all.last().map(|held| held.name.clone());
        let page = store.held(after.as_deref(), limit).await.expect("the inventory is read");
        assert!(page.len() <= limit);
        let ends = page.len() < limit;
        all.extend(page);
        if ends {
            return all;
        }
    }
}

/// Linked blobs and unlinked ones are told apart, with their lengths, whatever the length of a page.
pub async fn every_blob_is_held_once_and_as_what_it_is<S: Metadata + Blobs + Inventory>(store: &S) {
    assert_eq!(all_held(store, 10).await, []);
    let mut expected = Vec::new();
    for length in 0..40_u8 {
        let mut writer = store.create(&partition(b"name")).await.expect("a blob is begun");
        writer.append(Bytes::from(vec![length; length.into()])).await.expect("bytes are taken");
        let id = writer.finish().await.expect("the blob is finished");
        let is_linked = length % 3 > 0;
        if is_linked {
            let batch = Batch { link: vec![id], ..put(key(id.as_bytes()), id.as_bytes()) };
            must_commit(store, &partition(b"name"), batch).await;
        }
        let kind = if is_linked { HeldKind::Linked(id) } else { HeldKind::Unlinked(id) };
        expected.push((u64::from(length), kind));
    }
    for limit in [1, 7, 40, 1000] {
        let mut held = all_held(store, limit).await;
        held.sort_by_key(|held| held.length);
        let names: std::collections::HashSet<_> = held.iter().map(|held| &held.name).collect();
        assert_eq!(names.len(), expected.len(), "each has a name of its own");
        let found: Vec<_> = held.iter().map(|held| (held.length, held.kind)).collect();
        assert_eq!(found, expected, "pages of {limit}");
    }
}

/// A blob that was unlinked is garbage for as long as it is there, which it is while somebody reads.
pub async fn an_unlinked_blob_is_garbage_until_it_is_gone<S: Metadata + Blobs + Inventory>(store: &S) {
    let mut writer = store.create(&partition(b"name")).await.expect("a blob is begun");
    writer.append(Bytes::from_static(b"bytes")).await.expect("bytes are taken");
    let id = writer.finish().await.expect("the blob is finished");
    must_commit(store, &partition(b"name"), Batch { link: vec![id], ..put(key(b"s"), b"1") }).await;
    let reader = store.open(id).await.expect("the blob is opened");
    must_commit(store, &partition(b"name"), Batch { unlink: vec![id], delete: vec![key(b"s")], ..Batch::default() })
        .await;
    let held = all_held(store, 10).await;
    assert_eq!(held.iter().map(|held| held.kind).collect::<Vec<_>>(), [HeldKind::Garbage(id)]);
    drop(reader);
}
