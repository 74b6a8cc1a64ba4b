//! An object that changes hands: one record is written, and no byte of the body is read or moved.

use md5::{Digest as _, Md5};
use model::ETag;
use operations::{
    CannedAcl, ChecksumAlgorithm, ChecksumSource, CopyError, CopyObject, CopySource, EncryptionMode, MetadataDirective,
    ObjectMetadata, PutObjectOutput, ReadError, TagMatch, UpdateObjectEncryptionError, WriteConditions,
    WriteEncryption,
};
use policy::Action;
use storage::faults::{Fault as Injected, Operation};

use crate::multipart::{PART_LEN_MIN, upload_object};
use crate::support::{KeySeed, Site, body, encryption, pattern, put_request, with_checksum, with_seed};

fn request(to: KeySeed) -> CopyObject {
    CopyObject {
        metadata: MetadataDirective::Copy,
        acl: CannedAcl::Private,
        encryption: encryption(to),
        changes_something: true,
        conditions: WriteConditions::default(),
        checksum: None,
    }
}

async fn onto_itself(site: &Site, object: &str, from: KeySeed, copy: CopyObject) -> Result<PutObjectOutput, CopyError> {
    let from_grant = site.grant(Action::GetObject, object).await;
    let granted = site.grant(Action::PutObject, object).await;
    let source = CopySource { granted: &from_grant, get: with_seed(from) };
    Ok(site.operations.objects.copy_object(&granted, source, copy).await?.0)
}

#[tokio::test]
async fn a_copy_onto_itself_changes_the_key_and_moves_no_byte() {
    let site = Site::new().await;
    let mut at = 1_700_000_100_000;
    for size in [0, 100, 70_000, 400_000] {
        let bytes = pattern(size, 1);
        let mut before = site.put("object", &bytes, Some(9)).await.unwrap();
        let version = site.head("object", Some(9)).await.unwrap().version;
        let blobs = site.store.blob_count();
        let mut from = Some(9);
        for to in [Some(1), Some(2), None, None, Some(2), Some(2)] {
            at += 1000;
            site.clock.set(at);
            let output = onto_itself(&site, "object", from, request(to)).await.unwrap();
            let info = site.head("object", to).await.unwrap();
            assert_eq!((info.version, &info.etag), (version, &output.etag), "{size} bytes to {to:?}");
            assert!(info.last_modified > before.last_modified, "{size} bytes to {to:?}");
            assert_eq!(site.store.blob_count(), blobs, "{size} bytes to {to:?}");
            assert!(site.get("object", to).await.unwrap() == bytes, "{size} bytes to {to:?}");
            if from != to {
                assert!(site.get("object", from).await.is_err(), "{size} bytes to {to:?}: the old key is out");
            }
            let taken_over = from.is_none() && to.is_some();
            assert_eq!(output.etag != before.etag, taken_over, "{size} bytes, {from:?} to {to:?}");
            (from, before) = (to, output);
        }
    }
    site.delete("object").await;
    site.assert_nothing_is_stored();
}

#[tokio::test]
async fn an_md5_does_not_survive_under_a_customer_key() {
    let site = Site::new().await;
    let parts = [pattern(PART_LEN_MIN, 1), pattern(9, 2)];
    site.put("single", b"bytes", None).await.unwrap();
    upload_object(&site, "multipart", &parts, None).await;
    for (object, expected_parts) in [("single", 1), ("multipart", 2)] {
        let before = site.head(object, None).await.unwrap();
        onto_itself(&site, object, None, request(Some(1))).await.unwrap();
        let taken = site.head(object, Some(1)).await.unwrap();
        assert_eq!((taken.etag.parts(), taken.parts), (Some(expected_parts), before.parts));
        assert_ne!(taken.etag.digest(), before.etag.digest());
        onto_itself(&site, object, Some(1), request(None)).await.unwrap();
        assert_eq!(site.head(object, None).await.unwrap().etag, taken.etag, "it keeps the tag on its way back");
    }
    assert!(site.head("single", None).await.unwrap().etag != ETag::of_digest(Md5::digest(b"bytes").into()));
    assert!(site.get("multipart", None).await.unwrap() == parts.concat());
}

#[tokio::test]
async fn parts_and_checksums_stay_and_metadata_may_be_replaced() {
    let site = Site::new().await;
    let named =
        |name: &str| ObjectMetadata { user: vec![("name".to_owned(), name.to_owned())], ..ObjectMetadata::default() };
    let claims = with_checksum(body(b"bytes"), ChecksumAlgorithm::Crc32, ChecksumSource::Computed);
    let put = operations::PutObject { metadata: named("old"), ..put_request(claims, Some(1)) };
    let checksum = site.put_with("object", put).await.unwrap().checksum.unwrap();

    let output = onto_itself(&site, "object", Some(1), request(Some(2))).await.unwrap();
    assert_eq!(output.checksum, Some(checksum.clone()));
    let kept = site.head("object", Some(2)).await.unwrap().metadata;
    assert_eq!(kept, ObjectMetadata { checksums: vec![checksum.clone()], ..named("old") });

    // What a request claims of checksums in its metadata must not get in.
    let forged = ObjectMetadata { md5: Some([0; 16]), checksums: Vec::new(), ..named("new") };
    let replacing = CopyObject { metadata: MetadataDirective::Replace(forged), ..request(None) };
    onto_itself(&site, "object", Some(2), replacing).await.unwrap();
    let replaced = site.head("object", None).await.unwrap().metadata;
    assert_eq!(replaced, ObjectMetadata { checksums: vec![checksum], ..named("new") });
}

#[tokio::test]
async fn another_checksum_takes_the_bytes() {
    let site = Site::new().await;
    let bytes = pattern(400_000, 1);
    site.put("object", &bytes, Some(1)).await.unwrap();
    let version = site.head("object", Some(1)).await.unwrap().version;
    let wanting = CopyObject { checksum: Some(ChecksumAlgorithm::Sha1), ..request(Some(2)) };
    let output = onto_itself(&site, "object", Some(1), wanting).await.unwrap();
    assert_eq!(output.checksum.unwrap().algorithm, ChecksumAlgorithm::Sha1);
    assert_ne!(site.head("object", Some(2)).await.unwrap().version, version);
    assert!(site.get("object", Some(2)).await.unwrap() == bytes);
    assert_eq!(site.store.blob_count(), 1);
}

#[tokio::test]
async fn a_wrong_key_or_an_unmet_condition_leaves_the_object_as_it_was() {
    let site = Site::new().await;
    site.put("object", b"bytes", Some(1)).await.unwrap();
    let wrong = onto_itself(&site, "object", Some(2), request(Some(3))).await;
    assert!(matches!(wrong, Err(CopyError::Source(ReadError::WrongKey(_)))));
    let missing = onto_itself(&site, "object", None, request(Some(3))).await;
    assert!(matches!(missing, Err(CopyError::Source(ReadError::KeyRequired(_)))));
    let if_match = Some(TagMatch::Tags(vec![ETag::of_digest([0; 16])]));
    let conditions = WriteConditions { if_match, ..WriteConditions::default() };
    let unmet = onto_itself(&site, "object", Some(1), CopyObject { conditions, ..request(Some(3)) }).await;
    assert!(matches!(unmet, Err(CopyError::Put(operations::PutObjectError::Precondition(_)))));
    assert_eq!(site.get("object", Some(1)).await.unwrap(), b"bytes");
}

#[tokio::test]
async fn whatever_fails_on_the_way_exactly_one_of_the_two_keys_opens_the_object() {
    let site = Site::new().await;
    for size in [100, 5_000] {
        let bytes = pattern(size, 1);
        site.put("object", &bytes, Some(1)).await.unwrap();
        let (mut now, mut other, mut failures) = (Some(1), Some(2), 0);
        for call in [Operation::Get, Operation::Commit] {
            for passes in 0..4 {
                for fault in [Injected::Full, Injected::Unavailable, Injected::LostAnswer] {
                    let from_grant = site.grant(Action::GetObject, "object").await;
                    let granted = site.grant(Action::PutObject, "object").await;
                    let source = CopySource { granted: &from_grant, get: with_seed(now) };
                    site.faults.fail_once(call, passes, fault);
                    let outcome = site.operations.objects.copy_object(&granted, source, request(other)).await;
                    site.faults.heal();
                    let (by_now, by_other) = (site.get("object", now).await, site.get("object", other).await);
                    assert!(by_now.is_ok() != by_other.is_ok(), "{call:?} {passes} {fault:?}");
                    match outcome {
                        Ok(_) => assert!(by_other.is_ok(), "{call:?} {passes} {fault:?}: an answer of success is true"),
                        Err(_) => failures += 1,
                    }
                    if by_other.is_ok() {
                        std::mem::swap(&mut now, &mut other);
                    }
                    assert!(site.get("object", now).await.unwrap() == bytes);
                }
            }
        }
        assert!(failures > 5, "the injections hit: {failures}");
        site.put("object", &bytes, Some(1)).await.unwrap();
    }
}

#[tokio::test]
async fn of_many_who_rekey_at_once_one_succeeds_and_the_others_find_their_key_gone() {
    for round in 0..50 {
        let site = Site::dawdling(round).await;
        site.put("object", b"bytes", Some(1)).await.unwrap();
        let rekey = async |seed: u8| onto_itself(&site, "object", Some(1), request(Some(seed))).await.map(|_| seed);
        let outcomes = futures::future::join_all((10..16).map(rekey)).await;
        let mut winners = Vec::new();
        for outcome in outcomes {
            match outcome {
                Ok(seed) => winners.push(seed),
                Err(error) => assert!(matches!(error, CopyError::Source(ReadError::WrongKey(_))), "{error}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(site.get("object", Some(winners[0])).await.unwrap(), b"bytes", "round {round}");
    }
}

#[tokio::test]
async fn an_update_keeps_everything_but_the_holder_and_leaves_customers_alone() {
    let site = Site::new().await;
    site.put("object", b"bytes", None).await.unwrap();
    site.put("customers", b"bytes", Some(1)).await.unwrap();
    let before = site.head("object", None).await.unwrap();
    site.clock.set(1_800_000_000_000);
    let update = async |object: &str, to: WriteEncryption| {
        let granted = site.grant(Action::UpdateObjectEncryption, object).await;
        site.operations.objects.update_object_encryption(&granted, to).await
    };
    assert_eq!(update("object", WriteEncryption::Server).await.unwrap(), EncryptionMode::Server);
    let after = site.head("object", None).await.unwrap();
    assert_eq!((after.etag, after.last_modified, after.version), (before.etag, before.last_modified, before.version));

    let refused = update("customers", WriteEncryption::Server).await;
    assert!(matches!(refused, Err(UpdateObjectEncryptionError::NotForCustomerKeys(_))));
    let refused = update("object", encryption(Some(1))).await;
    assert!(matches!(refused, Err(UpdateObjectEncryptionError::NotForCustomerKeys(_))));
    let refused = update("nothing", WriteEncryption::Server).await;
    assert!(matches!(refused, Err(UpdateObjectEncryptionError::NoSuchKey(_))));
    assert_eq!(site.get("customers", Some(1)).await.unwrap(), b"bytes");
}
