//! Each call to the store fails once, in turn: afterwards the old object or the new one is whole, and whoever asked was
//! told of a fault of ours, or of success.

use operations::{CompleteError, DeleteObjectError, Fault, PutObjectError, WriteBodyError};
use policy::Action;
use storage::faults::{Fault as Injected, Operation};

use crate::multipart::{PART_LEN_MIN, complete, completion, create, listed, upload_object, upload_part};
use crate::support::{KeySeed, Site, body, pattern, put_request, with_seed};

const CALLS: [Operation; 9] = [
    Operation::Get,
    Operation::Commit,
    Operation::Scan,
    Operation::Retire,
    Operation::Create,
    Operation::Append,
    Operation::Finish,
    Operation::Open,
    Operation::Read,
];
const FAULTS: [Injected; 3] = [Injected::Full, Injected::Unavailable, Injected::LostAnswer];
/// Sizes that are kept in a record, in a blob of one append, and in one of several.
const SIZES: [usize; 3] = [100, 5_000, 600_000];

/// Every call, how many of its kind go through before, and how it fails.
fn injections(deepest: u32) -> impl Iterator<Item = (Operation, u32, Injected)> {
    let of = move |call| (0..deepest).flat_map(move |passes| FAULTS.map(|fault| (call, passes, fault)));
    CALLS.into_iter().flat_map(of)
}

async fn is(site: &Site, object: &str, seed: KeySeed, bytes: &[u8]) -> bool {
    matches!(site.get(object, seed).await, Ok(got) if got == bytes)
}

#[tokio::test]
async fn a_put_that_fails_leaves_the_old_object_or_the_new_one() {
    let mut failures = 0;
    for (call, passes, fault) in injections(4) {
        for size in SIZES {
            let site = Site::new().await;
            let (old, new) = (pattern(size, 1), pattern(size + 1, 2));
            site.put("object", &old, Some(1)).await.unwrap();
            let granted = site.grant(Action::PutObject, "object").await;
            site.faults.fail_once(call, passes, fault);
            let put = site.operations.objects.put_object(&granted, put_request(body(&new), Some(1))).await;
            site.faults.heal();
            let (is_old, is_new) = (is(&site, "object", Some(1), &old).await, is(&site, "object", Some(1), &new).await);
            match put {
                Ok(_) => assert!(is_new),
                Err(PutObjectError::Fault(Fault::Store(_)) | PutObjectError::Body(WriteBodyError::Fault(_))) => {
                    failures += 1;
                    let answer_was_lost = (call, fault) == (Operation::Commit, Injected::LostAnswer);
                    assert!(if answer_was_lost { is_new } else { is_old }, "{call:?} {passes} {fault:?} {size}");
                }
                Err(error) => panic!("{error}"),
            }
            site.store.collect_garbage();
            site.delete("object").await;
            site.assert_nothing_is_stored();
        }
    }
    assert!(failures > 20, "the injections hit: {failures}");
}

#[tokio::test]
async fn a_deletion_that_fails_leaves_the_object_whole_or_none() {
    let mut failures = 0;
    for (call, passes, fault) in injections(2) {
        for size in SIZES {
            let site = Site::new().await;
            let bytes = pattern(size, 1);
            site.put("object", &bytes, None).await.unwrap();
            let granted = site.grant(Action::DeleteObject, "object").await;
            site.faults.fail_once(call, passes, fault);
            let delete = site.operations.objects.delete_object(&granted).await;
            site.faults.heal();
            match delete {
                Ok(()) => site.assert_nothing_is_stored(),
                Err(DeleteObjectError::Fault(Fault::Store(_))) => {
                    failures += 1;
                    if !is(&site, "object", None, &bytes).await {
                        assert_eq!((call, fault), (Operation::Commit, Injected::LostAnswer));
                        site.assert_nothing_is_stored();
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(failures >= 12, "the injections hit: {failures}");
}

#[tokio::test]
async fn a_completion_that_fails_leaves_the_old_object_or_the_new_one_and_can_be_repeated() {
    let mut failures = 0;
    let parts = [pattern(PART_LEN_MIN, 1), pattern(7, 2)];
    for (call, passes, fault) in injections(3).filter(|(call, ..)| is_of_records(*call)) {
        let site = Site::new().await;
        upload_object(&site, "object", &[pattern(9, 9)], None).await;
        let upload = create(&site, "object", Some(1)).await;
        let mut listing = Vec::new();
        for (number, part) in (1..).zip(&parts) {
            let output = upload_part(&site, "object", upload, number, part, Some(1)).await.unwrap();
            listing.push(listed(number, &output.etag));
        }
        let granted = site.grant(Action::PutObject, "object").await;
        site.faults.fail_once(call, passes, fault);
        let outcome = site.operations.uploads.complete(&granted, completion(upload, listing.clone(), Some(1))).await;
        site.faults.heal();
        if let Err(error) = outcome {
            failures += 1;
            assert!(matches!(error, CompleteError::Fault(Fault::Store(_))), "{error}");
            if is(&site, "object", None, &pattern(9, 9)).await {
                complete(&site, "object", completion(upload, listing, Some(1))).await.unwrap();
            } else {
                assert_eq!((call, fault), (Operation::Commit, Injected::LostAnswer));
            }
        }
        assert!(is(&site, "object", Some(1), &parts.concat()).await);
        assert_eq!((site.store.record_count(), site.store.blob_count()), (3, 2), "{call:?} {passes} {fault:?}");
    }
    assert!(failures >= 9, "the injections hit: {failures}");
}

fn is_of_records(call: Operation) -> bool {
    matches!(call, Operation::Get | Operation::Commit | Operation::Scan)
}

#[tokio::test]
async fn a_part_that_fails_leaves_the_earlier_attempt_or_the_new_one() {
    for (call, passes, fault) in injections(4) {
        for size in [0, 600_000] {
            let site = Site::new().await;
            let upload = create(&site, "object", None).await;
            let earlier = upload_part(&site, "object", upload, 1, b"earlier", None).await.unwrap().etag;
            let granted = site.grant(Action::PutObject, "object").await;
            let bytes = pattern(size, 1);
            let part = operations::UploadPart {
                upload,
                number: model::PartNumber::ONE,
                customer_key: None,
                body: body(&bytes),
            };
            site.faults.fail_once(call, passes, fault);
            let outcome = site.operations.uploads.upload_part(&granted, part).await;
            site.faults.heal();
            let etag = model::ETag::of_digest(<md5::Md5 as md5::Digest>::digest(&bytes).into());
            let is_new = outcome.is_ok() || (call, fault) == (Operation::Commit, Injected::LostAnswer);
            let (etag, expected) = if is_new { (etag, bytes) } else { (earlier, b"earlier".to_vec()) };
            complete(&site, "object", completion(upload, vec![listed(1, &etag)], None)).await.unwrap();
            assert!(is(&site, "object", None, &expected).await, "{call:?} {passes} {fault:?} {size}");
            site.store.collect_garbage();
            site.delete("object").await;
            site.assert_nothing_is_stored();
        }
    }
}

#[tokio::test]
async fn a_read_that_fails_gives_an_error_and_never_a_short_body() {
    let mut failures = 0;
    for size in SIZES {
        let site = Site::new().await;
        let bytes = pattern(size, 1);
        site.put("object", &bytes, None).await.unwrap();
        for (call, passes, fault) in injections(4) {
            let granted = site.grant(Action::GetObject, "object").await;
            site.faults.fail_once(call, passes, fault);
            let read = async {
                let output = site.operations.objects.get_object(&granted, &with_seed(None)).await?;
                crate::support::collect(output.body).await
            };
            match read.await {
                Ok(got) => assert!(got == bytes),
                Err(operations::ReadError::Fault(_)) => failures += 1,
                Err(error) => panic!("{error}"),
            }
            site.faults.heal();
        }
    }
    assert!(failures >= 20, "the injections hit: {failures}");
}

#[tokio::test]
async fn a_full_store_still_reads_and_deletes() {
    let site = Site::new().await;
    site.put("object", &pattern(5_000, 1), None).await.unwrap();
    for call in [Operation::Create, Operation::Append, Operation::Finish] {
        site.faults.fail_all(call, Injected::Full);
        let refused = site.put("object", &pattern(9_000, 2), None).await;
        let full = |error: &PutObjectError| {
            matches!(error, PutObjectError::Body(WriteBodyError::Fault(Fault::Store(storage::Error::Full))))
        };
        assert!(refused.as_ref().err().is_some_and(full));
        assert!(is(&site, "object", None, &pattern(5_000, 1)).await);
    }
    site.delete("object").await;
    site.assert_nothing_is_stored();
}
