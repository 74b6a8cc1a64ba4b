//! Damage does not stay for ever: what cannot be read can be deleted, replaced or passed over, and only bytes that
//! nothing names any more are left behind.

use bytes::Bytes;
use operations::{Created, Fault, ListObjects, PutObjectError, ReadError, WriteConditions};
use policy::Action;
use storage::{Scope, Table};

use crate::damage::{Place, places, write};
use crate::multipart::{PART_LEN_MIN, abort, complete, completion, create, listed, upload_object, upload_part};
use crate::support::{MODES, Site, body, bucket_name, caller, owner, pattern, put_request};

const OBJECTS: u8 = 16;
const PARTS_OF_OBJECTS: u8 = 17;
const UPLOADS: u8 = 19;
const UPLOADED_PARTS: u8 = 20;

/// Ways to damage a record: one bit, and all of it.
const DAMAGES: [fn(&Bytes) -> Bytes; 2] = [
    |whole| {
        let mut flipped = whole.to_vec();
        flipped[9] ^= 1;
        flipped.into()
    },
    |_| Bytes::new(),
];

/// Damages the only record of a table.
async fn damage(site: &Site, table: u8, how: fn(&Bytes) -> Bytes) {
    let places = places(site).await;
    let mut found = places.into_iter().filter(|(Place(_, record_key), _)| record_key.table == Table(table));
    let (place, value) = found.next().unwrap();
    assert!(found.next().is_none());
    write(&site.store, &place, Some(how(&value))).await;
}

/// An object whose body is in a record, in a blob, or in two parts.
async fn store_object(site: &Site, kind: usize) {
    match kind {
        0 => drop(site.put("object", b"inline", None).await.unwrap()),
        1 => drop(site.put("object", &pattern(9_000, 1), None).await.unwrap()),
        _ => drop(upload_object(site, "object", &[pattern(PART_LEN_MIN, 1), pattern(7, 2)], None).await),
    }
}

#[tokio::test]
async fn a_damaged_object_is_told_as_damaged_until_it_is_deleted() {
    for (kind, leaked_blobs) in [(0, 0), (1, 1), (2, 0)] {
        for how in DAMAGES {
            let site = Site::new().await;
            store_object(&site, kind).await;
            damage(&site, OBJECTS, how).await;
            assert!(matches!(site.get("object", None).await, Err(ReadError::Fault(Fault::Damaged(_)))));
            let granted = site.bucket_grant(Action::ListBucket).await;
            let list = ListObjects { limit: 9, ..ListObjects::default() };
            let page = site.operations.objects.list_objects(&granted, &list).await;
            assert!(matches!(page, Err(Fault::Damaged(_))));

            site.delete("object").await;
            assert!(matches!(site.get("object", None).await, Err(ReadError::NoSuchKey(_))));
            assert!(site.operations.objects.list_objects(&granted, &list).await.unwrap().objects.is_empty());
            assert_eq!((site.store.record_count(), site.store.blob_count()), (1, leaked_blobs));
            let granted = site.bucket_grant(Action::DeleteBucket).await;
            site.operations.buckets.delete(&granted).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_put_replaces_a_damaged_object_unless_a_condition_cannot_be_judged() {
    for (kind, leaked_blobs) in [(0, 0), (1, 1), (2, 0)] {
        for how in DAMAGES {
            let site = Site::new().await;
            store_object(&site, kind).await;
            damage(&site, OBJECTS, how).await;
            let conditions = WriteConditions { if_none_match: true, ..WriteConditions::default() };
            let put = operations::PutObject { conditions, ..put_request(body(b"new"), None) };
            let refused = site.put_with("object", put).await;
            assert!(matches!(refused, Err(PutObjectError::Fault(Fault::Damaged(_)))));
            site.put("object", b"new", None).await.unwrap();
            assert_eq!(site.get("object", None).await.unwrap(), b"new");
            assert_eq!((site.store.record_count(), site.store.blob_count()), (3, leaked_blobs));
        }
    }
}

#[tokio::test]
async fn an_object_whose_list_of_parts_is_damaged_is_deleted_and_replaced() {
    for how in DAMAGES {
        let site = Site::new().await;
        for replaces in [false, true] {
            let leaked = site.store.blob_count();
            store_object(&site, 2).await;
            damage(&site, PARTS_OF_OBJECTS, how).await;
            assert!(matches!(site.get("object", None).await, Err(ReadError::Fault(Fault::Damaged(_)))));
            if replaces {
                site.put("object", b"new", None).await.unwrap();
                assert_eq!(site.get("object", None).await.unwrap(), b"new");
            }
            site.delete("object").await;
            assert_eq!((site.store.record_count(), site.store.blob_count()), (1, leaked + 2));
        }
    }
}

#[tokio::test]
async fn a_completion_replaces_an_object_whose_list_of_parts_is_damaged() {
    let site = Site::new().await;
    store_object(&site, 2).await;
    damage(&site, PARTS_OF_OBJECTS, DAMAGES[0]).await;
    upload_object(&site, "object", &[b"new".to_vec()], None).await;
    assert_eq!(site.get("object", None).await.unwrap(), b"new");
}

#[tokio::test]
async fn a_damaged_upload_is_aborted_and_a_damaged_part_of_it_goes_too() {
    for how in DAMAGES {
        for (table, leaked_blobs) in [(UPLOADS, 0), (UPLOADED_PARTS, 1)] {
            for seed in MODES {
                let site = Site::new().await;
                let upload = create(&site, "object", seed).await;
                upload_part(&site, "object", upload, 1, b"part", seed).await.unwrap();
                damage(&site, table, how).await;
                abort(&site, "object", upload).await.unwrap();
                assert_eq!((site.store.record_count(), site.store.blob_count()), (1, leaked_blobs));
            }
        }
    }
}

#[tokio::test]
async fn a_bucket_is_deleted_with_damaged_uploads_and_parts_in_it() {
    for how in DAMAGES {
        let site = Site::new().await;
        let upload = create(&site, "object", None).await;
        upload_part(&site, "object", upload, 1, b"part", None).await.unwrap();
        damage(&site, UPLOADS, how).await;
        damage(&site, UPLOADED_PARTS, how).await;
        upload_part(&site, "object", create(&site, "object", None).await, 1, b"part", None).await.unwrap();
        let granted = site.bucket_grant(Action::DeleteBucket).await;
        site.operations.buckets.delete(&granted).await.unwrap();
        assert_eq!((site.store.record_count(), site.store.blob_count()), (0, 1));
    }
}

#[tokio::test]
async fn a_sweep_goes_on_behind_a_damaged_part_and_a_damaged_bucket() {
    let site = Site::new().await;
    // The first of these parts is damaged, the others lose their upload; the bucket comes behind a damaged one.
    let mut kept = Vec::new();
    for object in ["a", "b", "c"] {
        let upload = create(&site, object, None).await;
        upload_part(&site, object, upload, 1, object.as_bytes(), None).await.unwrap();
        kept.push(upload);
    }
    for (place, value) in places(&site).await {
        match (place.1.table.0, place.0.name.as_slice()) {
            (UPLOADED_PARTS, b"a") => write(&site.store, &place, Some(DAMAGES[0](&value))).await,
            (UPLOADS, b"b") => write(&site.store, &place, None).await,
            _ => {}
        }
    }
    assert_eq!(site.create_bucket("a-bucket").await, Created::New);
    for (place, value) in places(&site).await {
        if place.0.scope == Scope::SYSTEM && place.0.name == b"a-bucket" {
            write(&site.store, &place, Some(DAMAGES[0](&value))).await;
        }
    }
    assert_eq!(site.store.blob_count(), 3);
    site.operations.uploads.sweep(&site.operations.buckets).await.unwrap();
    assert_eq!(site.store.blob_count(), 2, "the part without its upload is gone, the damaged one stays");
    let etag = upload_part(&site, "c", kept[2], 1, b"again", None).await.unwrap().etag;
    complete(&site, "c", completion(kept[2], vec![listed(1, &etag)], None)).await.unwrap();
}

#[tokio::test]
async fn a_damaged_bucket_is_left_out_of_lists_and_hides_no_other() {
    let site = Site::new().await;
    for name in ["apple", "zebra"] {
        site.create_bucket(name).await;
    }
    for (place, value) in places(&site).await {
        if place.0.name == b"apple" {
            write(&site.store, &place, Some(DAMAGES[0](&value))).await;
        }
    }
    let granted = site.operations.authorizer.service(&caller(&owner()), Action::ListAllMyBuckets).unwrap();
    let listed = site.operations.buckets.list(&granted).await.unwrap();
    assert_eq!(listed.iter().map(|bucket| bucket.name.as_str()).collect::<Vec<_>>(), ["bucket", "zebra"]);
    let (damaged, another) = (bucket_name("apple"), bucket_name("another"));
    let asked = site.operations.authorizer.bucket(&caller(&owner()), Action::ListBucket, &damaged).await;
    assert!(matches!(asked, Err(operations::AuthorizeError::Fault(Fault::Damaged(_)))));
    site.create_bucket(another.as_str()).await;
}
