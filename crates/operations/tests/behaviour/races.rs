//! What happens at once. The ports yield at random between their calls, and each seed is another order of events.

use futures::future::join_all;
use operations::{AbortError, CompleteError, DeleteBucketError, PutObjectError, UploadPartError, WriteConditions};
use policy::Action;

use crate::multipart::{completion, create, listed, upload_part};
use crate::support::{MODES, Site, body, pattern, put_request};

const SEEDS: std::ops::Range<u64> = 0..300;

#[tokio::test]
async fn a_put_beside_the_deletion_of_its_bucket_wins_or_finds_no_bucket() {
    let (mut puts, mut deletions) = (0, 0);
    for seed in SEEDS {
        let site = Site::dawdling(seed).await;
        let (put_grant, delete_grant) =
            (site.grant(Action::PutObject, "object").await, site.bucket_grant(Action::DeleteBucket).await);
        let bytes = pattern(if seed % 2 == 0 { 10 } else { 5_000 }, seed);
        let put = site.operations.objects.put_object(&put_grant, put_request(body(&bytes), None));
        let (put, delete) = tokio::join!(put, site.operations.buckets.delete(&delete_grant));
        match (put, delete) {
            (Ok(_), Err(DeleteBucketError::NotEmpty(_))) => {
                puts += 1;
                assert!(site.get("object", None).await.unwrap() == bytes);
            }
            (Err(PutObjectError::NoSuchBucket(_)), Ok(())) => {
                deletions += 1;
                site.store.collect_garbage();
                assert_eq!((site.store.record_count(), site.store.blob_count()), (0, 0));
            }
            (put, delete) => panic!("seed {seed}: {put:?} {delete:?}"),
        }
    }
    assert!(puts > 10 && deletions > 10, "both happen: {puts} {deletions}");
}

#[tokio::test]
async fn the_last_of_many_puts_stays_and_the_others_leave_nothing() {
    for seed in SEEDS {
        let site = Site::dawdling(seed).await;
        let bodies: Vec<_> = (0..4).map(|n| pattern(if n % 2 == 0 { 10 } else { 5_000 }, seed * 4 + n)).collect();
        let mut grants = Vec::new();
        for _ in &bodies {
            grants.push(site.grant(Action::PutObject, "object").await);
        }
        let puts = grants
            .iter()
            .zip(&bodies)
            .map(|(granted, bytes)| site.operations.objects.put_object(granted, put_request(body(bytes), None)));
        assert!(join_all(puts).await.into_iter().all(|put| put.is_ok()));
        let got = site.get("object", None).await.unwrap();
        assert!(bodies.contains(&got));
        let (records, blobs) = if got.len() > 4096 { (2, 1) } else { (3, 0) };
        assert_eq!((site.store.record_count(), site.store.blob_count()), (records, blobs), "seed {seed}");
    }
}

#[tokio::test]
async fn of_many_puts_that_want_to_be_the_first_one_is() {
    for seed in SEEDS {
        let site = Site::dawdling(seed).await;
        let mut grants = Vec::new();
        for _ in 0..4 {
            grants.push(site.grant(Action::PutObject, "object").await);
        }
        let puts = grants.iter().map(|granted| {
            let conditions = WriteConditions { if_none_match: true, ..WriteConditions::default() };
            let put = operations::PutObject { conditions, ..put_request(body(b"bytes"), None) };
            site.operations.objects.put_object(granted, put)
        });
        let outcomes = join_all(puts).await;
        assert_eq!(outcomes.iter().filter(|put| put.is_ok()).count(), 1);
        assert!(outcomes.iter().all(|put| matches!(put, Ok(_) | Err(PutObjectError::Precondition(_)))));
        assert_eq!(site.store.record_count(), 3);
    }
}

#[tokio::test]
async fn a_reader_beside_puts_and_deletions_sees_one_of_the_objects_whole_or_none() {
    for seed in SEEDS {
        let site = Site::dawdling(seed).await;
        let bodies = [pattern(10, 1), pattern(200_000, 2), pattern(70_000, 3)];
        site.put("object", &bodies[0], None).await.unwrap();
        let writer = async {
            for bytes in &bodies {
                site.put("object", bytes, None).await.unwrap();
                if seed % 3 == 0 {
                    site.delete("object").await;
                }
            }
        };
        let reader = async {
            for _ in 0..4 {
                match site.get("object", None).await {
                    Ok(got) => assert!(bodies.contains(&got), "seed {seed}"),
                    Err(operations::ReadError::NoSuchKey(_)) => assert_eq!(seed % 3, 0),
                    Err(error) => panic!("seed {seed}: {error}"),
                }
            }
        };
        tokio::join!(writer, reader);
    }
}

#[tokio::test]
async fn a_part_beside_the_completion_of_its_upload_leaves_no_orphan() {
    let mut late = 0;
    for seed in SEEDS {
        let site = Site::dawdling(seed).await;
        let key_seed = MODES[(seed % 2) as usize];
        let upload = create(&site, "object", key_seed).await;
        let etag = upload_part(&site, "object", upload, 1, b"the part", key_seed).await.unwrap().etag;
        let granted = site.grant(Action::PutObject, "object").await;
        let complete = site.operations.uploads.complete(&granted, completion(upload, vec![listed(1, &etag)], key_seed));
        // The listed part again, or one that no list names.
        let number = if seed % 3 == 0 { 1 } else { 2 };
        let part = upload_part(&site, "object", upload, number, b"late", key_seed);
        let (complete, part) = tokio::join!(complete, part);
        match (complete, part) {
            (Ok(_), Ok(_)) => {}
            (Ok(_), Err(UploadPartError::NoSuchUpload(_))) => late += 1,
            (Err(CompleteError::InvalidPart(_)), Ok(_)) => {
                assert_eq!(number, 1);
                continue;
            }
            (complete, part) => panic!("seed {seed}: {complete:?} {part:?}"),
        }
        assert_eq!(site.get("object", key_seed).await.unwrap(), b"the part");
        site.store.collect_garbage();
        assert_eq!((site.store.record_count(), site.store.linked_blob_count()), (3, 1), "seed {seed}");
    }
    assert!(late > 10, "parts come late: {late}");
}

#[tokio::test]
async fn a_part_beside_the_abort_of_its_upload_leaves_no_orphan() {
    for seed in SEEDS {
        let site = Site::dawdling(seed).await;
        let upload = create(&site, "object", None).await;
        upload_part(&site, "object", upload, 1, b"the part", None).await.unwrap();
        let granted = site.grant(Action::AbortMultipartUpload, "object").await;
        let abort = site.operations.uploads.abort(&granted, upload);
        let part = upload_part(&site, "object", upload, 1 + (seed % 2) as i64, b"late", None);
        let (abort, part) = tokio::join!(abort, part);
        abort.unwrap();
        assert!(matches!(part, Ok(_) | Err(UploadPartError::NoSuchUpload(_))));
        site.store.collect_garbage();
        site.assert_nothing_is_stored();
    }
}

#[tokio::test]
async fn of_an_abort_and_a_completion_one_happens() {
    for seed in SEEDS {
        let site = Site::dawdling(seed).await;
        let upload = create(&site, "object", None).await;
        let etag = upload_part(&site, "object", upload, 1, b"the part", None).await.unwrap().etag;
        let (abort_grant, granted) =
            (site.grant(Action::AbortMultipartUpload, "object").await, site.grant(Action::PutObject, "object").await);
        let abort = site.operations.uploads.abort(&abort_grant, upload);
        let complete = site.operations.uploads.complete(&granted, completion(upload, vec![listed(1, &etag)], None));
        match tokio::join!(abort, complete) {
            (Ok(()), Err(CompleteError::NoSuchUpload(_) | CompleteError::InvalidPart(_))) => {}
            (Err(AbortError::NoSuchUpload(_)), Ok(_)) => {
                assert_eq!(site.get("object", None).await.unwrap(), b"the part");
                site.delete("object").await;
            }
            (abort, complete) => panic!("seed {seed}: {abort:?} {complete:?}"),
        }
        site.assert_nothing_is_stored();
    }
}

#[tokio::test]
async fn two_deletions_of_a_bucket_beside_an_abort_let_go_of_each_blob_once() {
    for seed in SEEDS {
        let site = Site::dawdling(seed).await;
        let upload = create(&site, "object", None).await;
        for number in 1..=3 {
            upload_part(&site, "object", upload, number, b"part", None).await.unwrap();
        }
        let (first, second) =
            (site.bucket_grant(Action::DeleteBucket).await, site.bucket_grant(Action::DeleteBucket).await);
        let abort_grant = site.grant(Action::AbortMultipartUpload, "object").await;
        let buckets = &site.operations.buckets;
        let abort = site.operations.uploads.abort(&abort_grant, upload);
        let (first, second, abort) = tokio::join!(buckets.delete(&first), buckets.delete(&second), abort);
        assert!(first.is_ok() || second.is_ok(), "seed {seed}: {first:?} {second:?}");
        assert!(matches!(abort, Ok(()) | Err(AbortError::NoSuchUpload(_))), "seed {seed}: {abort:?}");
        assert_eq!((site.store.record_count(), site.store.blob_count()), (0, 0));
    }
}
