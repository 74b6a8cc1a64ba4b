//! A store that gives back other bytes than it was given: a read gives the right bytes or an error of our own, never
//! other bytes, and never blames the client's key.

use bytes::Bytes;
use envelope::{RECORD_TAG_LEN, RecordPlace};
use model::{BlobId, BucketId};
use operations::{AuthorizeError, ReadError};
use policy::Action;
use storage::memory::MemoryStore;
use storage::{Batch, Blobs, Entry, Metadata, Partition, RecordKey, Scan, Scope, Start, Table};

use crate::multipart::{PART_LEN_MIN, complete, completion, create, listed, upload_object, upload_part};
use crate::support::{
    BUCKET, KeySeed, MODES, Site, bucket_name, caller, collect, object_key, owner, pattern, with_seed,
};

pub(crate) async fn blob_bytes(store: &MemoryStore, blob: BlobId) -> Bytes {
    let reader = store.open(blob).await.unwrap();
    let (mut short, mut long) = (0, 1 << 24);
    while short + 1 < long {
        let middle = (short + long) / 2;
        if reader.read(0, middle).await.is_ok() {
            short = middle;
        } else {
            long = middle;
        }
    }
    reader.read(0, short).await.unwrap()
}

fn blob(number: u128) -> BlobId {
    BlobId::from_bytes(number.to_be_bytes())
}

/// Where a record stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place(pub(crate) Partition, pub(crate) RecordKey);

/// Every record of the given scopes.
pub(crate) async fn records(store: &MemoryStore, scopes: &[Scope]) -> Vec<(Scope, Table, Entry)> {
    let mut found = Vec::new();
    for scope in scopes {
        for table in (1..=20).map(Table) {
            let start = Start::AtPartition(Vec::new());
            let scan = Scan { scope: *scope, table, start, end: None, limit: usize::MAX };
            found.extend(store.scan(scan).await.unwrap().into_iter().map(|entry| (*scope, table, entry)));
        }
    }
    found
}

pub(crate) async fn places(site: &Site) -> Vec<(Place, Bytes)> {
    let bucket = site.bucket().await.id;
    let all = records(&site.store, &[Scope::SYSTEM, Scope::bucket(bucket)]).await;
    let place = |scope, table, entry: Entry| {
        (Place(Partition::new(scope, entry.partition), RecordKey::new(table, entry.suffix)), entry.value)
    };
    all.into_iter().map(|(scope, table, entry)| place(scope, table, entry)).collect()
}

pub(crate) async fn write(store: &MemoryStore, Place(partition, record_key): &Place, value: Option<Bytes>) {
    let batch = match value {
        Some(value) => Batch { put: vec![(record_key.clone(), value)], ..Batch::default() },
        None => Batch { delete: vec![record_key.clone()], ..Batch::default() },
    };
    store.commit(partition, batch).await.unwrap();
}

/// A read that may meet damage on its way: the bytes, or a fault.
async fn read(site: &Site, object: &str, seed: KeySeed) -> Option<Vec<u8>> {
    let (name, object) = (bucket_name(BUCKET), object_key(object));
    let granted = match site.operations.authorizer.object(&caller(&owner()), Action::GetObject, &name, &object).await {
        Ok(granted) => granted,
        Err(AuthorizeError::Fault(_) | AuthorizeError::NoSuchBucket(_)) => return None,
        Err(error) => panic!("{error}"),
    };
    let read = async {
        let output = site.operations.objects.get_object(&granted, &with_seed(seed)).await?;
        collect(output.body).await
    };
    match read.await {
        Ok(bytes) => Some(bytes),
        Err(ReadError::Fault(_)) => None,
        Err(error) => panic!("damage is told as the client's fault: {error}"),
    }
}

#[tokio::test]
async fn every_flipped_byte_of_every_record_is_found() {
    for seed in MODES {
        for is_multipart in [false, true] {
            let site = Site::new().await;
            let bytes = pattern(300, 1);
            if is_multipart {
                upload_object(&site, "object", std::slice::from_ref(&bytes), seed).await;
            } else {
                site.put("object", &bytes, seed).await.unwrap();
            }
            let records = places(&site).await;
            assert_eq!(records.len(), 3);
            for (place, value) in records {
                for at in 0..value.len() {
                    let mut flipped = value.to_vec();
                    flipped[at] ^= 1 << (at % 8);
                    write(&site.store, &place, Some(flipped.into())).await;
                    assert_eq!(read(&site, "object", seed).await, None, "byte {at} of {place:?}");
                    if at % 7 == 0 {
                        write(&site.store, &place, Some(value.slice(..at))).await;
                        assert_eq!(read(&site, "object", seed).await, None, "{at} bytes of {place:?}");
                    }
                }
                write(&site.store, &place, Some(value)).await;
                assert_eq!(read(&site, "object", seed).await.as_ref(), Some(&bytes));
            }
        }
    }
}

#[tokio::test]
async fn a_record_that_is_missing_or_from_another_place_is_found() {
    let site = Site::new().await;
    let names = ["first", "second", "third", "fourth"];
    for (seed, name) in names.iter().enumerate() {
        let key_seed = MODES[seed % 2];
        if seed < 2 {
            site.put(name, &pattern(300, seed as u64), key_seed).await.unwrap();
        } else {
            upload_object(&site, name, &[pattern(300, seed as u64)], key_seed).await;
        }
    }
    site.create_bucket("another").await;
    let records = places(&site).await;
    let whole = async |name_seed: usize| {
        let bytes = read(&site, names[name_seed], MODES[name_seed % 2]).await;
        bytes.is_none_or(|bytes| bytes == pattern(300, name_seed as u64))
    };
    for (place, value) in &records {
        for (other, other_value) in &records {
            // The other record in this place, and the two swapped.
            for swaps in [false, true] {
                write(&site.store, place, Some(other_value.clone())).await;
                if swaps {
                    write(&site.store, other, Some(value.clone())).await;
                }
                for name in 0..names.len() {
                    assert!(whole(name).await, "{other:?} in {place:?}");
                }
                write(&site.store, place, Some(value.clone())).await;
                write(&site.store, other, Some(other_value.clone())).await;
            }
        }
    }
    for (place, value) in &records {
        let Place(partition, record_key) = place;
        // The head record of an object, or of a bucket, is what says that it exists.
        if record_key.table == Table(16) || partition.scope == Scope::SYSTEM {
            continue;
        }
        write(&site.store, place, None).await;
        let owner = names.iter().position(|name| name.as_bytes() == partition.name).unwrap();
        assert_eq!(read(&site, names[owner], MODES[owner % 2]).await, None, "without {place:?}");
        write(&site.store, place, Some(value.clone())).await;
    }
}

#[tokio::test]
async fn every_flipped_byte_of_a_blob_is_found() {
    let site = Site::new().await;
    for (number, seed) in [(1, None), (2, Some(1))] {
        let bytes = pattern(4_200, 1);
        site.put("object", &bytes, seed).await.unwrap();
        let whole = blob_bytes(&site.store, blob(number)).await;
        assert_eq!(whole.len(), 4_216);
        for at in 0..whole.len() {
            let mut flipped = whole.to_vec();
            flipped[at] ^= 1 << (at % 8);
            site.store.overwrite_blob(blob(number), flipped.into());
            assert_eq!(read(&site, "object", seed).await, None, "byte {at}");
        }
        site.store.overwrite_blob(blob(number), whole);
        assert_eq!(read(&site, "object", seed).await, Some(bytes));
    }
}

#[tokio::test]
async fn a_blob_that_is_cut_reordered_replaced_or_swapped_never_gives_other_bytes() {
    const SEALED_CHUNK: usize = 65_552;
    let site = Site::new().await;
    let bytes = pattern(4 * 65_536, 1);
    site.put("object", &bytes, Some(1)).await.unwrap();
    site.put("same-bytes", &bytes, Some(1)).await.unwrap();
    site.put("other", &pattern(4 * 65_536, 2), Some(1)).await.unwrap();
    let whole = blob_bytes(&site.store, blob(1)).await;
    let chunk = |index: usize| &whole[index * SEALED_CHUNK..(index + 1) * SEALED_CHUNK];
    let mut bad: Vec<Vec<u8>> = vec![
        Vec::new(),
        whole[..1].to_vec(),
        whole[..SEALED_CHUNK].to_vec(),
        whole[..3 * SEALED_CHUNK].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        whole[1..].to_vec(),
        [chunk(1), chunk(0), chunk(2), chunk(3)].concat(),
        [chunk(0), chunk(0), chunk(2), chunk(3)].concat(),
        [chunk(0), chunk(1), chunk(3), chunk(2)].concat(),
        [chunk(0), chunk(1), chunk(2), chunk(2)].concat(),
    ];
    bad.push(blob_bytes(&site.store, blob(2)).await.to_vec());
    bad.push(blob_bytes(&site.store, blob(3)).await.to_vec());
    for (case, bad) in bad.into_iter().enumerate() {
        site.store.overwrite_blob(blob(1), bad.into());
        assert_eq!(read(&site, "object", Some(1)).await, None, "case {case}");
    }
    let extended = [&whole[..], chunk(3)].concat();
    site.store.overwrite_blob(blob(1), extended.into());
    assert!(read(&site, "object", Some(1)).await.is_none_or(|got| got == bytes));
}

#[tokio::test]
async fn an_earlier_attempt_or_a_part_of_another_upload_does_not_pass_for_a_part() {
    let site = Site::new().await;
    let (upload, other) = (create(&site, "object", None).await, create(&site, "object", None).await);
    upload_part(&site, "object", upload, 1, &pattern(100, 1), None).await.unwrap();
    let earlier = blob_bytes(&site.store, blob(1)).await;
    let etag = upload_part(&site, "object", upload, 1, &pattern(100, 2), None).await.unwrap().etag;
    upload_part(&site, "object", other, 1, &pattern(100, 2), None).await.unwrap();
    let elsewhere = blob_bytes(&site.store, blob(3)).await;

    // The record of the other upload's part in the place of this one's: the list is then not what was authenticated.
    let records = places(&site).await;
    let parts: Vec<_> = records.iter().filter(|(Place(_, record_key), _)| record_key.table == Table(20)).collect();
    write(&site.store, &parts[0].0, Some(parts[1].1.clone())).await;
    write(&site.store, &parts[1].0, Some(parts[0].1.clone())).await;
    let swapped = complete(&site, "object", completion(upload, vec![listed(1, &etag)], None)).await;
    assert!(matches!(swapped, Err(operations::CompleteError::Fault(_))));
    for (place, value) in parts {
        write(&site.store, place, Some(value.clone())).await;
    }
    complete(&site, "object", completion(upload, vec![listed(1, &etag)], None)).await.unwrap();
    assert_eq!(read(&site, "object", None).await, Some(pattern(100, 2)));
    for bytes in [earlier, elsewhere] {
        site.store.overwrite_blob(blob(2), bytes);
        assert_eq!(read(&site, "object", None).await, None);
    }
}

#[tokio::test]
async fn an_object_of_another_life_of_its_bucket_does_not_open() {
    let site = Site::new().await;
    site.put("object", b"of the first life", None).await.unwrap();
    let first: BucketId = site.bucket().await.id;
    let old = records(&site.store, &[Scope::bucket(first)]).await;
    site.delete("object").await;
    let granted = site.bucket_grant(Action::DeleteBucket).await;
    site.operations.buckets.delete(&granted).await.unwrap();
    site.create_bucket(BUCKET).await;
    let second = Scope::bucket(site.bucket().await.id);
    for (_, table, entry) in old {
        let place = Place(Partition::new(second, entry.partition), RecordKey::new(table, entry.suffix));
        write(&site.store, &place, Some(entry.value)).await;
    }
    assert_eq!(read(&site, "object", None).await, None);
}

/// Writes a payload as whoever has the store key can.
pub(crate) async fn forge(site: &Site, place: &Place, payload: Vec<u8>) {
    let Place(partition, record_key) = place;
    let at = RecordPlace {
        scope: partition.scope.as_bytes(),
        partition: &partition.name,
        table: record_key.table.0,
        suffix: &record_key.suffix,
    };
    let framed = site.store_key.authenticator().protect(&at, payload);
    write(&site.store, place, Some(framed.into())).await;
}

#[tokio::test]
async fn even_with_the_store_key_no_part_can_be_dropped_from_an_object() {
    let site = Site::new().await;
    let parts = [pattern(PART_LEN_MIN, 1), pattern(7, 2)];
    upload_object(&site, "object", &parts, Some(1)).await;
    let records = places(&site).await;
    let of = |table| records.iter().find(|(Place(_, record_key), _)| record_key.table == Table(table)).unwrap();
    let ((head_place, head), (list_place, list)) = (of(16), of(17));
    let payload = |raw: &Bytes| raw[..raw.len() - RECORD_TAG_LEN].to_vec();
    forge(&site, head_place, payload(head)).await;
    assert!(
        read(&site, "object", Some(1)).await.is_some_and(|got| got == parts.concat()),
        "the forger knows the frame"
    );

    // The head with the size of the first part, the list with its entry and its blob alone, the tag as it was.
    let mut short_head = payload(head);
    short_head[25..33].copy_from_slice(&(PART_LEN_MIN as u64).to_be_bytes());
    let list = payload(list);
    let manifest_len = 4 + 2 * 26 + 32;
    let (manifest, blobs) = list[5..].split_at(manifest_len);
    let short_manifest = [&[1, 0, 1][..], &manifest[3..29], &manifest[55..]].concat();
    let length = u32::try_from(short_manifest.len()).unwrap().to_be_bytes();
    let short_list = [&[1][..], &length, &short_manifest, &blobs[..16]].concat();
    forge(&site, head_place, short_head).await;
    forge(&site, list_place, short_list).await;
    assert_eq!(read(&site, "object", Some(1)).await, None);
}
