use md5::{Digest, Md5};
use model::{BlobId, ETag};
use operations::{
    CannedAcl, ChecksumAlgorithm, ChecksumSource, CopyError, CopyObject, CopySource, MetadataDirective, ObjectMetadata,
    PutObject, PutObjectOutput, ReadConditions, ReadError, TagMatch, WriteConditions,
};
use policy::Action;

use crate::multipart::{PART_LEN_MIN, upload_object};
use crate::support::{KeySeed, Site, body, encryption, pattern, put_request, with_checksum, with_md5, with_seed};

fn request(to: KeySeed) -> CopyObject {
    CopyObject {
        metadata: MetadataDirective::Copy,
        acl: CannedAcl::Private,
        encryption: encryption(to),
        changes_something: false,
        conditions: WriteConditions::default(),
        checksum: None,
    }
}

async fn copy(
    site: &Site,
    source: &str,
    from: KeySeed,
    target: &str,
    copy: CopyObject,
) -> Result<PutObjectOutput, CopyError> {
    let from_grant = site.grant(Action::GetObject, source).await;
    let granted = site.grant(Action::PutObject, target).await;
    let source = CopySource { granted: &from_grant, get: with_seed(from) };
    Ok(site.operations.objects.copy_object(&granted, source, copy).await?.0)
}

#[tokio::test]
async fn an_object_can_be_copied_between_any_two_keys() {
    let site = Site::new().await;
    for size in [0, 100, 70_000, 400_000] {
        let bytes = pattern(size, 1);
        for from in [None, Some(1), Some(2)] {
            for to in [None, Some(1), Some(2)] {
                site.put("source", &bytes, from).await.unwrap();
                let output = copy(&site, "source", from, "target", request(to)).await.unwrap();
                assert!(site.get("target", to).await.unwrap() == bytes, "{size} bytes, {from:?} to {to:?}");
                let is_md5 = output.etag == ETag::of_digest(Md5::digest(&bytes).into());
                assert_eq!(is_md5, to.is_none(), "{size} bytes, {from:?} to {to:?}");
            }
        }
    }
    site.delete("source").await;
    site.delete("target").await;
    site.assert_nothing_is_stored();
}

#[tokio::test]
async fn a_multipart_object_becomes_one_of_a_single_piece() {
    let site = Site::new().await;
    let parts = [pattern(PART_LEN_MIN, 1), pattern(9, 2)];
    upload_object(&site, "source", &parts, Some(1)).await;
    copy(&site, "source", Some(1), "target", request(None)).await.unwrap();
    let info = site.head("target", None).await.unwrap();
    assert_eq!((info.parts, info.etag), (None, ETag::of_digest(Md5::digest(parts.concat()).into())));
}

#[tokio::test]
async fn a_copy_to_itself_must_change_something_and_may_change_the_key() {
    let site = Site::new().await;
    for size in [10, 300_000] {
        let bytes = pattern(size, 1);
        site.put("object", &bytes, Some(1)).await.unwrap();
        assert!(matches!(
            copy(&site, "object", Some(1), "object", request(Some(1))).await,
            Err(CopyError::Pointless(_))
        ));
        for (from, to) in [(Some(1), Some(2)), (Some(2), None), (None, Some(1))] {
            let changing = CopyObject { changes_something: true, ..request(to) };
            copy(&site, "object", from, "object", changing).await.unwrap();
            assert!(site.get("object", to).await.unwrap() == bytes);
            assert_eq!(site.store.blob_count(), usize::from(size > 4096));
        }
    }
}

#[tokio::test]
async fn metadata_is_copied_or_replaced_as_asked_and_checksums_are_those_of_the_bytes() {
    let site = Site::new().await;
    let named = |name: &str| ObjectMetadata {
        user: vec![("name".to_owned(), name.to_owned())],
        headers: vec![("content-type".to_owned(), name.to_owned())],
        ..ObjectMetadata::default()
    };
    let md5: [u8; 16] = Md5::digest(b"bytes").into();
    let claims = with_checksum(with_md5(body(b"bytes"), md5), ChecksumAlgorithm::Crc32, ChecksumSource::Computed);
    let put = PutObject { metadata: named("old"), ..put_request(claims, Some(1)) };
    let stored = site.put_with("source", put).await.unwrap().checksum.unwrap();

    copy(&site, "source", Some(1), "target", request(Some(2))).await.unwrap();
    let copied = site.head("target", Some(2)).await.unwrap().metadata;
    assert_eq!(copied, ObjectMetadata { checksums: vec![stored.clone()], ..named("old") });

    // What a request claims of checksums in its metadata must not get in.
    let forged = ObjectMetadata { md5: Some([0; 16]), checksums: vec![stored.clone(), stored], ..named("new") };
    let replacing = CopyObject {
        metadata: MetadataDirective::Replace(forged),
        checksum: Some(ChecksumAlgorithm::Sha1),
        ..request(None)
    };
    let output = copy(&site, "source", Some(1), "target", replacing).await.unwrap();
    let replaced = site.head("target", None).await.unwrap().metadata;
    assert_eq!(replaced, ObjectMetadata { checksums: vec![output.checksum.unwrap()], ..named("new") });
    assert_eq!(replaced.checksums[0].algorithm, ChecksumAlgorithm::Sha1);
}

#[tokio::test]
async fn a_source_that_does_not_open_or_does_not_meet_its_conditions_is_not_copied() {
    let site = Site::new().await;
    site.put("source", b"bytes", Some(1)).await.unwrap();
    let no_key = copy(&site, "source", None, "target", request(None)).await;
    assert!(matches!(no_key, Err(CopyError::Source(ReadError::KeyRequired(_)))));
    let wrong = copy(&site, "source", Some(2), "target", request(None)).await;
    assert!(matches!(wrong, Err(CopyError::Source(ReadError::WrongKey(_)))));
    let absent = copy(&site, "nothing", None, "target", request(None)).await;
    assert!(matches!(absent, Err(CopyError::Source(ReadError::NoSuchKey(_)))));

    let from_grant = site.grant(Action::GetObject, "source").await;
    let granted = site.grant(Action::PutObject, "target").await;
    let mut source = CopySource { granted: &from_grant, get: with_seed(Some(1)) };
    let none = Some(TagMatch::Tags(Vec::new()));
    source.get.conditions = ReadConditions { if_match: none, ..ReadConditions::default() };
    let unmet = site.operations.objects.copy_object(&granted, source, request(None)).await;
    assert!(matches!(unmet, Err(CopyError::Source(ReadError::Precondition(_)))));
    assert_eq!(site.store.record_count(), 3);
}

#[tokio::test]
async fn a_source_that_is_damaged_anywhere_ends_the_copy_and_nothing_is_stored() {
    let site = Site::new().await;
    let bytes = pattern(900_000, 1);
    site.put("source", &bytes, Some(1)).await.unwrap();
    let blob = BlobId::from_bytes(1u128.to_be_bytes());
    let whole = crate::damage::blob_bytes(&site.store, blob).await;
    for at in [0, 65_552, 300_000, whole.len() - 1] {
        let mut damaged = whole.to_vec();
        damaged[at] ^= 1;
        assert!(site.store.overwrite_blob(blob, damaged.into()));
        assert!(copy(&site, "source", Some(1), "target", request(None)).await.is_err(), "byte {at}");
        assert_eq!((site.store.record_count(), site.store.blob_count()), (2, 1));
    }
    assert!(site.store.overwrite_blob(blob, whole));
    copy(&site, "source", Some(1), "target", request(None)).await.unwrap();
}
