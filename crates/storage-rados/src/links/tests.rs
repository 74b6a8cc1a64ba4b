//! Who owns a blob after which batch.

use std::sync::Arc;

use bytes::Bytes;
use model::BlobId;
use storage::{Batch, Blobs, CommitError, Error, Metadata, Partition, Precondition, RecordKey, Scope, Table};
use tokio::task::JoinSet;

use crate::blobs::marks::{owners_key, parse_owners};
use crate::collector::tests::{collect_all, on};
use crate::model::{Kind, Model};
use crate::names::OmapTable;
use crate::rados::PoolId;
use crate::store::RadosStore;

const INDEX: PoolId = PoolId(2);

fn partition() -> Partition {
    Partition::new(Scope::bucket(model::BucketId::from_bytes([1; 16])), *b"object")
}

fn key(suffix: &[u8]) -> RecordKey {
    RecordKey::new(Table(3), suffix)
}

async fn written(store: &RadosStore) -> BlobId {
    let mut writer = store.create(&partition()).await.unwrap();
    writer.append(Bytes::from_static(b"bytes")).await.unwrap();
    writer.finish().await.unwrap()
}

fn batch(link: &[BlobId], unlink: &[BlobId]) -> Batch {
    Batch { link: link.to_vec(), unlink: unlink.to_vec(), ..Batch::default() }
}

async fn commit(store: &RadosStore, link: &[BlobId], unlink: &[BlobId]) {
    store.commit(&partition(), batch(link, unlink)).await.unwrap();
}

/// How many own a blob, whether it is garbage, and whether its intent stands.
fn standing(model: &Model, id: BlobId) -> (u32, bool, bool) {
    let object = model.objects(INDEX).into_iter().find(|object| object.starts_with("range.")).unwrap();
    let omap = model.omap(INDEX, &object);
    let has = |table: OmapTable| omap.contains_key(&table.omap_key(b"object", id.as_bytes()));
    let owners = omap.get(&owners_key(b"object", id)).map_or(0, |value| parse_owners(value).unwrap());
    (owners, has(OmapTable::garbage()), has(OmapTable::intents()))
}

fn is_missing(committed: &Result<(), CommitError>, id: BlobId) -> bool {
    matches!(committed, Err(CommitError::Store(Error::NoSuchBlob(missing))) if *missing == id)
}

#[tokio::test(start_paused = true)]
async fn owners_are_counted_exactly() {
    let model = Model::with_pools(1);
    let store = on(&model.gateway()).await;
    let id = written(&store).await;
    assert_eq!(standing(&model, id), (0, false, true));
    commit(&store, &[id, id], &[]).await;
    assert_eq!(standing(&model, id), (2, false, false));
    commit(&store, &[id], &[id]).await;
    assert_eq!(standing(&model, id), (2, false, false));
    commit(&store, &[], &[id]).await;
    assert_eq!(standing(&model, id), (1, false, false));
    commit(&store, &[id], &[id, id]).await;
    assert_eq!(standing(&model, id), (0, true, false));
    assert!(is_missing(&store.commit(&partition(), batch(&[id], &[])).await, id));
}

#[tokio::test(start_paused = true)]
async fn a_fresh_blob_that_is_linked_and_unlinked_at_once_is_garbage() {
    let model = Model::with_pools(1);
    let store = on(&model.gateway()).await;
    let id = written(&store).await;
    commit(&store, &[id], &[id]).await;
    assert_eq!(standing(&model, id), (0, true, false));
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_nobody_owns_does_not_keep_its_record_from_going() {
    let model = Model::with_pools(1);
    let store = on(&model.gateway()).await;
    let unknown = BlobId::from_bytes([9; 16]);
    let put = vec![(key(b"s"), Bytes::from_static(b"1"))];
    store.commit(&partition(), Batch { put, ..Batch::default() }).await.unwrap();
    let delete = Batch { delete: vec![key(b"s")], ..batch(&[], &[unknown]) };
    store.commit(&partition(), delete).await.unwrap();
    assert_eq!(store.get(&partition(), &key(b"s")).await.unwrap(), None);
    assert_eq!(standing(&model, unknown), (0, false, false));
    // Not even in a scope where there never was anything.
    let elsewhere = Partition::new(Scope::bucket(model::BucketId::from_bytes([2; 16])), *b"");
    store.commit(&elsewhere, batch(&[], &[unknown])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_does_not_hold_is_told_before_a_missing_blob_and_neither_changes_anything() {
    let model = Model::with_pools(1);
    let store = on(&model.gateway()).await;
    let collected = written(&store).await;
    collect_all(&model).await;
    let linked = written(&store).await;
    for id in [collected, BlobId::from_bytes([9; 16])] {
        let holds = Batch {
            preconditions: vec![Precondition::Absent(key(b"s"))],
            put: vec![(key(b"s"), Bytes::from_static(b"1"))],
            ..batch(&[linked, id], &[])
        };
        let fails = Batch {
            preconditions: vec![Precondition::Unchanged(key(b"s"), Bytes::from_static(b"2"))],
            ..holds.clone()
        };
        let refused = store.commit(&partition(), fails).await;
        assert!(matches!(refused, Err(CommitError::Conflict(_))), "{refused:?}");
        assert!(is_missing(&store.commit(&partition(), holds).await, id));
        assert_eq!(store.get(&partition(), &key(b"s")).await.unwrap(), None);
        assert_eq!(standing(&model, linked), (0, false, true));
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_link_and_unlink_one_blob_at_once_are_counted() {
    let model = Model::with_pools(1);
    let (here, there) = (Arc::new(on(&model.gateway()).await), Arc::new(on(&model.gateway()).await));
    let id = written(&here).await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let here = here.clone();
        tasks.spawn(async move { commit(&here, &[id], &[]).await });
    }
    tasks.join_all().await;
    assert_eq!(standing(&model, id), (8, false, false));
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let store = if number % 2 == 0 { here.clone() } else { there.clone() };
        tasks.spawn(async move { commit(&store, &[], &[id]).await });
    }
    tasks.join_all().await;
    assert_eq!(standing(&model, id), (0, true, false));
}

#[tokio::test(start_paused = true)]
async fn the_usual_commits_are_one_operation() {
    let model = Model::with_pools(1);
    let gateway = model.gateway();
    let store = on(&gateway).await;
    let (first, second) = (written(&store).await, written(&store).await);
    let before = (gateway.count(Kind::Write), gateway.count(Kind::Read));
    commit(&store, &[first], &[]).await;
    commit(&store, &[second], &[first]).await;
    commit(&store, &[], &[second]).await;
    assert_eq!((gateway.count(Kind::Write), gateway.count(Kind::Read)), (before.0 + 3, before.1));
}
