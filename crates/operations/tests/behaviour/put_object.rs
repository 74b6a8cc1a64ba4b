use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use md5::{Digest, Md5};
use model::ETag;
use operations::{
    BodyError, ChecksumAlgorithm, ChecksumSource, EncryptionMode, ObjectMetadata, PutObjectError, TagMatch,
    WriteBodyError, WriteConditions,
};
use policy::Action;

use crate::support::{
    INLINE_LEN_MAX, MODES, Random, Site, body, body_in, broken_body, contains, endless_body, pattern, put_request,
    with_checksum, with_md5, with_seed,
};

const CHUNK: usize = 65_536;

/// Around every edge: nothing, one byte, the inline limit, one chunk, an append of several, an end of none.
const SIZES: [usize; 15] = [
    0,
    1,
    INLINE_LEN_MAX - 1,
    INLINE_LEN_MAX,
    INLINE_LEN_MAX + 1,
    CHUNK - 1,
    CHUNK,
    CHUNK + 1,
    2 * CHUNK,
    4 * CHUNK - 1,
    4 * CHUNK,
    4 * CHUNK + 1,
    8 * CHUNK,
    (1 << 20) + 1,
    (1 << 20) + 3 * CHUNK,
];

/// Sizes that are kept in a record, in a blob of one append, and in one of several.
const PLACES: [usize; 3] = [100, INLINE_LEN_MAX + 1, 6 * CHUNK + 7];

#[tokio::test]
async fn every_size_comes_back_in_both_modes() {
    let site = Site::new().await;
    for seed in MODES {
        for size in SIZES {
            let bytes = pattern(size, size as u64);
            let output = site.put("object", &bytes, seed).await.unwrap();
            assert_eq!(output.size, size as u64);
            assert!(site.get("object", seed).await.unwrap() == bytes, "{size} bytes, {seed:?}");
            assert_eq!(site.head("object", seed).await.unwrap().size, size as u64);
            assert_eq!(site.store.blob_count(), usize::from(size > INLINE_LEN_MAX), "{size} bytes");
        }
    }
    site.delete("object").await;
    site.assert_nothing_is_stored();
}

#[tokio::test]
async fn it_does_not_matter_how_a_body_is_cut_into_pieces() {
    let site = Site::new().await;
    let mut random = Random::new(1);
    for size in SIZES {
        let bytes = pattern(size, 7);
        for longest in [3_000, 70_000, 300_000] {
            let mut pieces = Vec::new();
            let mut rest = Bytes::from(bytes.clone());
            while !rest.is_empty() {
                pieces.push(rest.split_to((random.below(longest)).min(rest.len())));
            }
            let length = random.chance(2).then_some(size as u64);
            site.put_with("object", put_request(body_in(pieces, length), Some(1))).await.unwrap();
            assert!(site.get("object", Some(1)).await.unwrap() == bytes, "{size} bytes in pieces below {longest}");
        }
    }
}

#[tokio::test]
async fn the_tag_is_the_md5_or_for_a_customer_nothing_at_all() {
    let site = Site::new().await;
    for size in PLACES {
        let bytes = pattern(size, 1);
        let md5: [u8; 16] = Md5::digest(&bytes).into();
        let server = site.put("server", &bytes, None).await.unwrap();
        assert_eq!((server.etag.clone(), server.encryption), (ETag::of_digest(md5), EncryptionMode::Server));
        assert_eq!(site.head("server", None).await.unwrap().etag, server.etag);

        let first = site.put("customer", &bytes, Some(1)).await.unwrap();
        let second = site.put("customer", &bytes, Some(1)).await.unwrap();
        assert_eq!((first.etag.parts(), second.etag.parts()), (Some(1), Some(1)));
        assert_ne!(first.etag, second.etag);
        assert_ne!(second.etag.digest(), md5);
        assert_eq!(site.head("customer", Some(1)).await.unwrap().etag, second.etag);
    }
}

#[tokio::test]
async fn every_checksum_is_verified_kept_and_told() {
    let site = Site::new().await;
    let bytes = pattern(CHUNK + 1, 1);
    for seed in MODES {
        for algorithm in ChecksumAlgorithm::ALL {
            let computed = with_checksum(body(&bytes), algorithm, ChecksumSource::Computed);
            let output = site.put_with("object", put_request(computed, seed)).await.unwrap();
            let checksum = output.checksum.unwrap();
            assert_eq!((checksum.algorithm, checksum.parts), (algorithm, None));
            assert_eq!(checksum.value.len(), algorithm.value_len());

            let value = checksum.value.clone();
            let claimed = with_checksum(body(&bytes), algorithm, ChecksumSource::Header(value.clone()));
            site.put_with("object", put_request(claimed, seed)).await.unwrap();
            let trailer = ChecksumSource::Trailer(Box::new(move || Some(value)));
            site.put_with("object", put_request(with_checksum(body(&bytes), algorithm, trailer), seed)).await.unwrap();
            assert_eq!(site.head("object", seed).await.unwrap().metadata.checksums, [checksum]);
        }
    }
}

#[tokio::test]
async fn a_wrong_claim_leaves_the_old_object_and_no_blob() {
    let site = Site::new().await;
    site.put("object", b"old", Some(1)).await.unwrap();
    for size in PLACES {
        let bytes = pattern(size, 1);
        let md5: [u8; 16] = Md5::digest(&bytes).into();
        let bad_md5 = with_md5(body(&bytes), [7; 16]);
        let refused = site.put_with("object", put_request(bad_md5, Some(1))).await;
        assert!(matches!(refused, Err(PutObjectError::Body(WriteBodyError::ContentMd5(_)))));
        for algorithm in ChecksumAlgorithm::ALL {
            let sources = [
                ChecksumSource::Header(vec![7; algorithm.value_len()]),
                ChecksumSource::Header(Vec::new()),
                ChecksumSource::Trailer(Box::new(move || Some(vec![7; algorithm.value_len()]))),
                ChecksumSource::Trailer(Box::new(|| None)),
            ];
            for source in sources {
                let bad = with_checksum(with_md5(body(&bytes), md5), algorithm, source);
                let refused = site.put_with("object", put_request(bad, None)).await;
                assert!(matches!(refused, Err(PutObjectError::Body(WriteBodyError::Checksum(_)))));
            }
        }
        assert_eq!(site.store.blob_count(), 0, "{size} bytes");
    }
    assert_eq!(site.get("object", Some(1)).await.unwrap(), b"old");
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_declared_leaves_nothing() {
    let site = Site::new().await;
    for size in PLACES {
        let bytes = Bytes::from(pattern(size, 1));
        for declared in [0, size as u64 - 1, size as u64 + 1, u64::MAX] {
            let refused =
                site.put_with("object", put_request(body_in(vec![bytes.clone()], Some(declared)), None)).await;
            assert!(matches!(refused, Err(PutObjectError::Body(_))), "{size} bytes, {declared} declared");
        }
    }
    site.assert_nothing_is_stored();
}

#[tokio::test]
async fn a_body_is_cut_off_where_it_exceeds_its_declared_length() {
    let site = Site::new().await;
    let pieces = futures::stream::repeat_with(|| Ok(Bytes::from_static(&[0; CHUNK]))).take(1_000);
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut too_long = body(b"");
    too_long.stream = Box::pin(pieces.inspect(move |_| sender.send(()).unwrap()));
    too_long.length = Some(3 * CHUNK as u64);
    let refused = site.put_with("object", put_request(too_long, None)).await;
    assert!(matches!(refused, Err(PutObjectError::Body(WriteBodyError::Body(BodyError::Incomplete)))));
    assert_eq!(receiver.try_iter().count(), 4);
    site.assert_nothing_is_stored();
}

#[tokio::test]
async fn a_client_that_stops_half_way_leaves_nothing() {
    let site = Site::new().await;
    for size in PLACES {
        let bytes = pattern(size, 1);
        let broken = site.put_with("object", put_request(broken_body(&bytes), Some(1))).await;
        assert!(matches!(broken, Err(PutObjectError::Body(WriteBodyError::Body(BodyError::Incomplete)))));

        let granted = site.grant(Action::PutObject, "object").await;
        let put = site.operations.objects.put_object(&granted, put_request(endless_body(&bytes), Some(1)));
        assert!(put.now_or_never().is_none(), "the put waits for more, and is dropped");
    }
    site.assert_nothing_is_stored();
}

#[tokio::test]
async fn what_is_overwritten_or_deleted_lets_go_of_its_bytes() {
    let site = Site::new().await;
    for (round, size) in PLACES.into_iter().chain(PLACES.into_iter().rev()).enumerate() {
        site.put("object", &pattern(size, 1), MODES[round % 2]).await.unwrap();
        let held = (site.store.record_count(), site.store.blob_count());
        let expected = if size > INLINE_LEN_MAX { (2, 1) } else { (3, 0) };
        assert_eq!(held, expected, "{size} bytes");
    }
    site.delete("object").await;
    site.delete("object").await;
    site.assert_nothing_is_stored();
}

#[tokio::test]
async fn conditions_on_the_replaced_object_hold_or_nothing_changes() {
    let site = Site::new().await;
    let put_if = async |conditions| {
        let put = operations::PutObject { conditions, ..put_request(body(&pattern(5_000, 2)), None) };
        site.put_with("object", put).await
    };
    let absent = WriteConditions { if_none_match: true, ..WriteConditions::default() };
    let matches = |tags| WriteConditions { if_match: Some(tags), ..WriteConditions::default() };

    assert!(matches!(put_if(matches(TagMatch::Any)).await, Err(PutObjectError::NoSuchKey(_))));
    site.assert_nothing_is_stored();
    let etag = put_if(absent.clone()).await.unwrap().etag;
    let held = site.store.record_count();
    assert!(matches!(put_if(absent).await, Err(PutObjectError::Precondition(_))));
    let other = TagMatch::Tags(vec![ETag::of_digest([0; 16])]);
    assert!(matches!(put_if(matches(other)).await, Err(PutObjectError::Precondition(_))));
    put_if(matches(TagMatch::Any)).await.unwrap();
    put_if(matches(TagMatch::Tags(vec![ETag::of_digest([0; 16]), etag]))).await.unwrap();
    assert_eq!((site.store.record_count(), site.store.blob_count()), (held, 1));
}

#[tokio::test]
async fn metadata_comes_back_and_an_md5_is_kept_only_where_a_client_sent_it() {
    let site = Site::new().await;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let sent = ObjectMetadata {
        headers: vec![pair("content-type", "text/plain"), pair("cache-control", "")],
        user: vec![pair("colour", "grün"), pair("", "")],
        ..ObjectMetadata::default()
    };
    let bytes = b"some plaintext";
    let md5: [u8; 16] = Md5::digest(bytes).into();
    for seed in MODES {
        for claims_md5 in [false, true] {
            let body = if claims_md5 { with_md5(body(bytes), md5) } else { body(bytes) };
            let put = operations::PutObject { metadata: sent.clone(), ..put_request(body, seed) };
            site.put_with("object", put).await.unwrap();
            let got = site.head("object", seed).await.unwrap().metadata;
            assert_eq!((&got.headers, &got.user), (&sent.headers, &sent.user));
            assert_eq!(got.md5, (claims_md5 && seed.is_some()).then_some(md5));
        }
    }
}

#[tokio::test]
async fn neither_plaintext_nor_digests_nor_keys_nor_metadata_stand_in_the_store() {
    let site = Site::new().await;
    let bytes = pattern(CHUNK + 9, 1);
    let md5: [u8; 16] = Md5::digest(&bytes).into();
    let checksum = ChecksumAlgorithm::Sha256;
    let sha256 = sha2::Sha256::digest(&bytes);
    for seed in MODES {
        for (name, length) in [("small", 3_000), ("large", bytes.len())] {
            let claims = with_checksum(body(&bytes[..length]), checksum, ChecksumSource::Computed);
            let metadata = ObjectMetadata {
                user: vec![("diagnosis".to_owned(), "confidential".to_owned())],
                ..ObjectMetadata::default()
            };
            let put = operations::PutObject { metadata, ..put_request(claims, seed) };
            site.put_with(&format!("{name}-{seed:?}"), put).await.unwrap();
        }
    }
    let stored = site.store.stored_bytes();
    assert!(contains(&stored, b":user/owner"), "the search finds what is there: a bucket's owner is readable");
    for secret in [&bytes[..16], &bytes[CHUNK..], &md5[..], &sha256[..], &[1; 32], b"diagnosis", b"confidential"] {
        assert!(!contains(&stored, secret), "{secret:?}");
    }
    assert!(site.get_with("large-Some(1)", with_seed(Some(1))).await.unwrap() == bytes);
}
