mod checksums;
mod listing;

use bytes::Bytes;
use md5::{Digest, Md5};
use model::{ETag, PartNumber, RangeSpec, UploadId};
use operations::{
    AbortError, CannedAcl, ChecksumAlgorithm, CompleteError, CompleteMultipartUpload, CompletedPart, CopySource,
    CreateMultipartUpload, EncryptionMode, GetObject, ObjectMetadata, PutObjectOutput, RequestedEncryption, TagMatch,
    UploadPart, UploadPartCopy, UploadPartError, UploadPartOutput, WriteBodyError, WriteConditions,
};
use policy::Action;

use crate::support::{
    KeySeed, MODES, Site, body, body_in, broken_body, customer_key, encryption, pattern, with_md5, with_seed,
};

/// The least that a part has, unless it is the last.
pub(crate) const PART_LEN_MIN: usize = 5 << 20;

pub(crate) async fn create(site: &Site, object: &str, seed: KeySeed) -> UploadId {
    create_with(site, object, seed, None, false).await
}

pub(crate) async fn create_with(
    site: &Site,
    object: &str,
    seed: KeySeed,
    checksum: Option<ChecksumAlgorithm>,
    full_object_checksum: bool,
) -> UploadId {
    let create = CreateMultipartUpload {
        metadata: ObjectMetadata { user: vec![("name".to_owned(), "value".to_owned())], ..ObjectMetadata::default() },
        acl: CannedAcl::Private,
        encryption: encryption(seed),
        requested: RequestedEncryption { server_header: seed.is_none(), customer_header: seed.is_some(), kms: None },
        checksum,
        full_object_checksum,
    };
    let granted = site.grant(Action::PutObject, object).await;
    site.operations.uploads.create(&granted, create).await.unwrap().upload
}

pub(crate) async fn upload_part(
    site: &Site,
    object: &str,
    upload: UploadId,
    number: i64,
    bytes: &[u8],
    seed: KeySeed,
) -> Result<UploadPartOutput, UploadPartError> {
    let part = UploadPart {
        upload,
        number: PartNumber::new(number).unwrap(),
        customer_key: seed.map(customer_key),
        body: body(bytes),
    };
    site.operations.uploads.upload_part(&site.grant(Action::PutObject, object).await, part).await
}

pub(crate) fn listed(number: i64, etag: &ETag) -> CompletedPart {
    CompletedPart { number: PartNumber::new(number).unwrap(), etag: Some(etag.clone()), checksum: None }
}

pub(crate) fn completion(upload: UploadId, parts: Vec<CompletedPart>, seed: KeySeed) -> CompleteMultipartUpload {
    CompleteMultipartUpload {
        upload,
        parts,
        customer_key: seed.map(customer_key),
        conditions: WriteConditions::default(),
        checksum: None,
        full_object_checksum: None,
        size: None,
    }
}

pub(crate) async fn complete(
    site: &Site,
    object: &str,
    complete: CompleteMultipartUpload,
) -> Result<PutObjectOutput, CompleteError> {
    site.operations.uploads.complete(&site.grant(Action::PutObject, object).await, complete).await
}

pub(crate) async fn abort(site: &Site, object: &str, upload: UploadId) -> Result<(), AbortError> {
    site.operations.uploads.abort(&site.grant(Action::AbortMultipartUpload, object).await, upload).await
}

/// A whole upload of these parts.
pub(crate) async fn upload_object(site: &Site, object: &str, parts: &[Vec<u8>], seed: KeySeed) -> PutObjectOutput {
    let upload = create(site, object, seed).await;
    let mut listing = Vec::new();
    for (number, part) in (1..).zip(parts) {
        let output = upload_part(site, object, upload, number, part, seed).await.unwrap();
        listing.push(listed(number, &output.etag));
    }
    complete(site, object, completion(upload, listing, seed)).await.unwrap()
}

#[tokio::test]
async fn parts_may_come_in_any_order_and_again_and_the_last_attempt_counts() {
    let site = Site::new().await;
    for seed in MODES {
        let upload = create(&site, "object", seed).await;
        let parts = [pattern(PART_LEN_MIN, 1), pattern(PART_LEN_MIN + 7, 2), pattern(5, 3)];
        let mut tags = vec![None; 3];
        for (index, number) in [(2, 90), (0, 2), (1, 7)] {
            upload_part(&site, "object", upload, number, b"an earlier attempt", seed).await.unwrap();
            let output = upload_part(&site, "object", upload, number, &parts[index], seed).await.unwrap();
            tags[index] = Some(output.etag);
        }
        assert_eq!(site.store.blob_count(), 3, "what was replaced is gone");
        let tags: Vec<ETag> = tags.into_iter().flatten().collect();
        let listing = [2, 7, 90].iter().zip(&tags).map(|(number, etag)| listed(*number, etag)).collect();
        let output = complete(&site, "object", completion(upload, listing, seed)).await.unwrap();

        let joined: Vec<u8> = tags.iter().flat_map(ETag::digest).collect();
        assert_eq!(output.etag, ETag::with_parts(Md5::digest(&joined).into(), 3));
        assert!(site.get("object", seed).await.unwrap() == parts.concat());
        let info = site.head("object", seed).await.unwrap();
        assert_eq!((info.etag, info.parts), (output.etag, Some(3)));
        assert_eq!(info.metadata.user, [("name".to_owned(), "value".to_owned())]);
        for (tag, part) in tags.iter().zip(&parts) {
            let md5: [u8; 16] = Md5::digest(part).into();
            assert_eq!(*tag == ETag::of_digest(md5), seed.is_none(), "a customer's part shows no MD5");
        }
        site.delete("object").await;
        site.assert_nothing_is_stored();
    }
}

#[tokio::test]
async fn parts_that_are_not_listed_go_with_the_upload() {
    let site = Site::new().await;
    let upload = create(&site, "object", None).await;
    upload_part(&site, "object", upload, 1, b"unlisted", None).await.unwrap();
    let kept = upload_part(&site, "object", upload, 2, b"listed", None).await.unwrap();
    upload_part(&site, "object", upload, 3, b"unlisted", None).await.unwrap();
    complete(&site, "object", completion(upload, vec![listed(2, &kept.etag)], None)).await.unwrap();
    assert_eq!(site.get("object", None).await.unwrap(), b"listed");
    assert_eq!((site.store.record_count(), site.store.blob_count()), (3, 1));
    site.delete("object").await;
    site.assert_nothing_is_stored();
}

#[tokio::test]
async fn a_list_that_does_not_fit_changes_nothing() {
    let site = Site::new().await;
    site.put("object", b"old", None).await.unwrap();
    let upload = create(&site, "object", None).await;
    let first = upload_part(&site, "object", upload, 1, b"too small", None).await.unwrap().etag;
    let second = upload_part(&site, "object", upload, 2, b"last", None).await.unwrap().etag;
    let held = (site.store.record_count(), site.store.blob_count());
    let attempt = async |parts| complete(&site, "object", completion(upload, parts, None)).await;

    let no_tag = CompletedPart { etag: None, ..listed(1, &first) };
    assert!(matches!(attempt(vec![no_tag]).await, Err(CompleteError::InvalidPart(part)) if part.0 == 1));
    assert!(matches!(attempt(vec![listed(1, &second)]).await, Err(CompleteError::InvalidPart(_))));
    assert!(matches!(attempt(vec![listed(3, &first)]).await, Err(CompleteError::InvalidPart(part)) if part.0 == 3));
    let wrong_order = vec![listed(2, &second), listed(1, &first)];
    assert!(matches!(attempt(wrong_order).await, Err(CompleteError::Order(_))));
    assert!(matches!(attempt(vec![listed(1, &first), listed(1, &first)]).await, Err(CompleteError::Order(_))));
    assert!(matches!(attempt(Vec::new()).await, Err(CompleteError::Order(_))));
    let small = attempt(vec![listed(1, &first), listed(2, &second)]).await;
    assert!(matches!(small, Err(CompleteError::TooSmall(part)) if part.0 == 1));
    let elsewhere = complete(&site, "other", completion(upload, vec![listed(2, &second)], None)).await;
    assert!(matches!(elsewhere, Err(CompleteError::NoSuchUpload(_))));
    let mut conditional = completion(upload, vec![listed(2, &second)], None);
    conditional.conditions.if_none_match = true;
    assert!(matches!(complete(&site, "object", conditional).await, Err(CompleteError::Precondition(_))));
    let mut conditional = completion(upload, vec![listed(2, &second)], None);
    conditional.conditions.if_match = Some(TagMatch::Tags(Vec::new()));
    assert!(matches!(complete(&site, "object", conditional).await, Err(CompleteError::Precondition(_))));

    assert_eq!(held, (site.store.record_count(), site.store.blob_count()));
    assert_eq!(site.get("object", None).await.unwrap(), b"old");
    attempt(vec![listed(2, &second)]).await.unwrap();
    assert_eq!(site.get("object", None).await.unwrap(), b"last");
}

#[tokio::test]
async fn a_completion_asked_for_again_is_answered_again_while_its_object_is_current() {
    for seed in MODES {
        let site = Site::new().await;
        let upload = create_with(&site, "object", seed, Some(ChecksumAlgorithm::Sha256), false).await;
        let mut parts = Vec::new();
        for (number, bytes) in [(1, pattern(PART_LEN_MIN, 1)), (2, b"last".to_vec())] {
            let part = upload_part(&site, "object", upload, number, &bytes, seed).await.unwrap();
            parts.push(listed(number, &part.etag));
        }
        let attempt = async |parts, seed| {
            let mut completion = completion(upload, parts, seed);
            completion.conditions.if_none_match = true;
            complete(&site, "object", completion).await
        };
        let first = attempt(parts.clone(), seed).await.unwrap();
        assert!(first.checksum.is_some());
        let held = (site.store.record_count(), site.store.blob_count());
        let again = attempt(parts.clone(), seed).await.unwrap();
        assert_eq!((&again.etag, again.size, &again.checksum), (&first.etag, first.size, &first.checksum));
        assert_eq!(again.last_modified, first.last_modified);
        assert_eq!(held, (site.store.record_count(), site.store.blob_count()));

        assert!(matches!(attempt(parts[1..].to_vec(), seed).await, Err(CompleteError::NoSuchUpload(_))));
        assert!(matches!(attempt(Vec::new(), seed).await, Err(CompleteError::NoSuchUpload(_))));
        if seed.is_some() {
            assert!(matches!(attempt(parts.clone(), Some(99)).await, Err(CompleteError::WrongKey(_))));
            assert_eq!(attempt(parts.clone(), None).await.unwrap().checksum, None);
        }
        site.put("object", b"newer", None).await.unwrap();
        assert!(matches!(attempt(parts, seed).await, Err(CompleteError::NoSuchUpload(_))));
        assert_eq!(site.get("object", None).await.unwrap(), b"newer");
    }
}

#[tokio::test]
async fn a_part_needs_the_key_that_the_upload_was_begun_with() {
    let site = Site::new().await;
    let (server, customer) = (create(&site, "server", None).await, create(&site, "customer", Some(1)).await);
    let held = (site.store.record_count(), site.store.blob_count());
    let none = upload_part(&site, "customer", customer, 1, b"part", None).await;
    assert!(matches!(none, Err(UploadPartError::KeyRequired(_))));
    let other = upload_part(&site, "customer", customer, 1, b"part", Some(2)).await;
    assert!(matches!(other, Err(UploadPartError::WrongKey(_))));
    let needless = upload_part(&site, "server", server, 1, b"part", Some(1)).await;
    assert!(matches!(needless, Err(UploadPartError::KeyNotApplicable(_))));
    let unknown = upload_part(&site, "server", customer, 1, b"part", None).await;
    assert!(matches!(unknown, Err(UploadPartError::NoSuchUpload(_))));
    assert_eq!(held, (site.store.record_count(), site.store.blob_count()));
}

#[tokio::test]
async fn a_customer_s_upload_completes_without_its_key_unless_there_are_checksums_to_combine() {
    let site = Site::new().await;
    for checksum in [None, Some(ChecksumAlgorithm::Crc32)] {
        for (seed, completes) in [(None, checksum.is_none()), (Some(1), true), (Some(2), false)] {
            let upload = create_with(&site, "object", Some(1), checksum, false).await;
            let etag = upload_part(&site, "object", upload, 1, b"the part", Some(1)).await.unwrap().etag;
            let output = complete(&site, "object", completion(upload, vec![listed(1, &etag)], seed)).await;
            match (output, seed) {
                (Ok(output), _) => {
                    assert!(completes, "{checksum:?}, {seed:?}");
                    assert_eq!(output.encryption, EncryptionMode::Customer);
                    assert_eq!(site.get("object", Some(1)).await.unwrap(), b"the part");
                    site.delete("object").await;
                }
                (Err(CompleteError::KeyRequired(_)), None) | (Err(CompleteError::WrongKey(_)), Some(2)) => {
                    assert!(!completes);
                    abort(&site, "object", upload).await.unwrap();
                }
                (Err(error), _) => panic!("{error}"),
            }
        }
    }
    let upload = create(&site, "object", None).await;
    let needless = complete(&site, "object", completion(upload, Vec::new(), Some(1))).await;
    assert!(matches!(needless, Err(CompleteError::KeyNotApplicable(_))));
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let site = Site::new().await;
    for seed in MODES {
        let upload = create(&site, "object", seed).await;
        for number in 1..=5 {
            upload_part(&site, "object", upload, number, &pattern(10_000, 1), seed).await.unwrap();
        }
        abort(&site, "object", upload).await.unwrap();
        site.assert_nothing_is_stored();
        assert!(matches!(abort(&site, "object", upload).await, Err(AbortError::NoSuchUpload(_))));
        let late = upload_part(&site, "object", upload, 1, b"late", seed).await;
        assert!(matches!(late, Err(UploadPartError::NoSuchUpload(_))));
        site.assert_nothing_is_stored();
    }
}

#[tokio::test]
async fn a_part_whose_body_is_refused_leaves_the_earlier_attempt() {
    let site = Site::new().await;
    let upload = create(&site, "object", None).await;
    let etag = upload_part(&site, "object", upload, 1, b"earlier", None).await.unwrap().etag;
    let bytes = pattern(300_000, 1);
    let refused = [
        with_md5(body(&bytes), [0; 16]),
        broken_body(&bytes),
        body_in(vec![Bytes::from(bytes.clone())], Some(1)),
        body_in(vec![Bytes::from(bytes.clone())], Some(300_001)),
    ];
    for body in refused {
        let part = UploadPart { upload, number: PartNumber::ONE, customer_key: None, body };
        let granted = site.grant(Action::PutObject, "object").await;
        let refused = site.operations.uploads.upload_part(&granted, part).await;
        assert!(matches!(refused, Err(UploadPartError::Body(WriteBodyError::Body(_) | WriteBodyError::ContentMd5(_)))));
        assert_eq!(site.store.blob_count(), 1);
    }
    complete(&site, "object", completion(upload, vec![listed(1, &etag)], None)).await.unwrap();
    assert_eq!(site.get("object", None).await.unwrap(), b"earlier");
}

#[tokio::test]
async fn a_part_can_be_copied_between_any_two_keys() {
    let site = Site::new().await;
    let bytes = pattern(200_000, 1);
    for from in [None, Some(1), Some(2)] {
        for to in [None, Some(1)] {
            site.put("source", &bytes, from).await.unwrap();
            let upload = create(&site, "target", to).await;
            let mut listing = Vec::new();
            let range = RangeSpec::Bounded { first: 65_000, last: 140_000 };
            for (number, range) in [(1, Some(range)), (2, None)] {
                let source_grant = site.grant(Action::GetObject, "source").await;
                let source = CopySource { granted: &source_grant, get: GetObject { range, ..with_seed(from) } };
                let part = UploadPartCopy {
                    upload,
                    number: PartNumber::new(number).unwrap(),
                    customer_key: to.map(customer_key),
                };
                let granted = site.grant(Action::PutObject, "target").await;
                let output = site.operations.uploads.upload_part_copy(&granted, source, part).await.unwrap();
                listing.push((number, output.etag));
            }
            let range_copied = vec![listed(1, &listing[0].1)];
            complete(&site, "target", completion(upload, range_copied, to)).await.unwrap();
            assert!(site.get("target", to).await.unwrap() == bytes[65_000..=140_000], "{from:?} to {to:?}");
            for ((_, etag), copied) in listing.iter().zip([&bytes[65_000..=140_000], &bytes[..]]) {
                assert_eq!(*etag == ETag::of_digest(Md5::digest(copied).into()), to.is_none());
            }
        }
    }
}

#[tokio::test]
async fn a_policy_can_ask_what_an_upload_was_begun_with() {
    let site = Site::new().await;
    let upload = create(&site, "object", Some(1)).await;
    let bucket = site.bucket().await;
    let object = crate::support::object_key("object");
    let facts = site.operations.uploads.facts(&bucket, &object, upload).await.unwrap().unwrap();
    assert!(facts.requested.customer_header && !facts.requested.server_header);
    assert_eq!(facts.encryption, EncryptionMode::Customer);
    let unknown = UploadId::from_bytes([0; 16]);
    assert_eq!(site.operations.uploads.facts(&bucket, &object, unknown).await.unwrap(), None);
}

#[tokio::test]
async fn a_part_without_its_upload_is_swept_and_one_with_it_stays() {
    let site = Site::new().await;
    let (kept, lost) = (create(&site, "kept", None).await, create(&site, "lost", Some(1)).await);
    upload_part(&site, "kept", kept, 1, b"stays", None).await.unwrap();
    upload_part(&site, "lost", lost, 1, b"goes", Some(1)).await.unwrap();
    // What a crash leaves between the end of an upload and the removal of its late parts: table 19 without a record.
    let partition = storage::Partition::new(storage::Scope::bucket(site.bucket().await.id), b"lost".as_slice());
    let upload_key = storage::RecordKey::new(storage::Table(19), *lost.as_bytes());
    let batch = storage::Batch { delete: vec![upload_key], ..storage::Batch::default() };
    storage::Metadata::commit(&site.store, &partition, batch).await.unwrap();
    assert_eq!(site.store.linked_blob_count(), 2);

    site.operations.uploads.sweep(&site.operations.buckets).await.unwrap();

    assert_eq!(site.store.linked_blob_count(), 1);
    let facts = site.operations.uploads.facts(&*site.bucket().await, &crate::support::object_key("kept"), kept).await;
    assert!(facts.unwrap().is_some());
}

#[tokio::test]
async fn an_upload_of_another_size_or_checksum_type_than_expected_does_not_complete() {
    let site = Site::new().await;
    let upload = create_with(&site, "object", None, Some(ChecksumAlgorithm::Crc32), false).await;
    let etag = upload_part(&site, "object", upload, 1, b"part", None).await.unwrap().etag;
    let completion = || completion(upload, vec![listed(1, &etag)], None);
    let refused = complete(&site, "object", CompleteMultipartUpload { size: Some(5), ..completion() }).await;
    assert!(matches!(refused, Err(CompleteError::Size(_))));
    let full = CompleteMultipartUpload { full_object_checksum: Some(true), ..completion() };
    assert!(matches!(complete(&site, "object", full).await, Err(CompleteError::ChecksumType(_))));
    let right = CompleteMultipartUpload { size: Some(4), full_object_checksum: Some(false), ..completion() };
    assert_eq!(complete(&site, "object", right).await.unwrap().size, 4);
}
