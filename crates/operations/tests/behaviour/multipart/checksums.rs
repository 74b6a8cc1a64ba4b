//! Checksums of the parts and of the whole, compared with values that are computed here in one go.

use crc_fast::{CrcAlgorithm, checksum};
use model::PartNumber;
use operations::{
    ChecksumAlgorithm, ChecksumSource, CompleteError, CompletedPart, StoredChecksum, UploadPart, UploadPartError,
};
use policy::Action;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{PART_LEN_MIN, complete, completion, create, create_with, listed, upload_part};
use crate::support::{KeySeed, MODES, Site, body, pattern, with_checksum};

fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Vec<u8> {
    let crc = |algorithm, length: usize| checksum(algorithm, bytes).to_be_bytes()[8 - length..].to_vec();
    match algorithm {
        ChecksumAlgorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc, 4),
        ChecksumAlgorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi, 4),
        ChecksumAlgorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme, 8),
        ChecksumAlgorithm::Sha1 => Sha1::digest(bytes).to_vec(),
        ChecksumAlgorithm::Sha256 => Sha256::digest(bytes).to_vec(),
    }
}

fn is_crc(algorithm: ChecksumAlgorithm) -> bool {
    !matches!(algorithm, ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256)
}

#[tokio::test]
async fn composite_and_full_object_checksums_are_what_one_pass_would_give() {
    let site = Site::new().await;
    let parts = [pattern(PART_LEN_MIN, 1), pattern(PART_LEN_MIN + 1, 2), pattern(1000, 3)];
    for (round, algorithm) in ChecksumAlgorithm::ALL.into_iter().enumerate() {
        let seed = MODES[round % 2];
        for full in [false, true] {
            if full && !is_crc(algorithm) {
                continue;
            }
            let upload = create_with(&site, "object", seed, Some(algorithm), full).await;
            let (mut listing, mut joined) = (Vec::new(), Vec::new());
            for (number, part) in (1..).zip(&parts) {
                let output = upload_part(&site, "object", upload, number, part, seed).await.unwrap();
                let value = of(algorithm, part);
                assert_eq!(output.checksum.unwrap().value, value);
                joined.extend_from_slice(&value);
                listing.push(CompletedPart { checksum: Some((algorithm, value)), ..listed(number, &output.etag) });
            }
            let value = if full { of(algorithm, &parts.concat()) } else { of(algorithm, &joined) };
            let mut claimed = completion(upload, listing.clone(), seed);
            claimed.checksum = Some((algorithm, vec![0; value.len()]));
            assert!(matches!(complete(&site, "object", claimed).await, Err(CompleteError::Checksum(_))));
            let mut claimed = completion(upload, listing, seed);
            claimed.checksum = Some((algorithm, value.clone()));
            let output = complete(&site, "object", claimed).await.unwrap();
            let expected = StoredChecksum { algorithm, parts: (!full).then_some(3), value };
            assert_eq!(output.checksum.as_ref(), Some(&expected), "{algorithm:?}, full: {full}");
            assert_eq!(site.head("object", seed).await.unwrap().metadata.checksums, [expected]);
        }
    }
}

#[tokio::test]
async fn hashes_cannot_be_combined_to_one_of_the_whole_object() {
    let site = Site::new().await;
    let upload = create_with(&site, "object", None, Some(ChecksumAlgorithm::Sha256), true).await;
    let etag = upload_part(&site, "object", upload, 1, b"part", None).await.unwrap().etag;
    let refused = complete(&site, "object", completion(upload, vec![listed(1, &etag)], None)).await;
    assert!(matches!(refused, Err(CompleteError::Checksum(_))));
}

#[tokio::test]
async fn a_part_whose_checksum_is_another_than_listed_is_invalid() {
    let site = Site::new().await;
    let seed: KeySeed = Some(1);
    let crc32 = ChecksumAlgorithm::Crc32;
    let upload = create_with(&site, "object", seed, Some(crc32), false).await;
    let etag = upload_part(&site, "object", upload, 1, b"part", seed).await.unwrap().etag;
    let wrong = [(crc32, vec![0; 4]), (ChecksumAlgorithm::Sha1, of(crc32, b"part")), (crc32, Vec::new())];
    for checksum in wrong {
        let listing = vec![CompletedPart { checksum: Some(checksum), ..listed(1, &etag) }];
        let refused = complete(&site, "object", completion(upload, listing, seed)).await;
        assert!(matches!(refused, Err(CompleteError::InvalidPart(_))));
    }
}

#[tokio::test]
async fn a_part_with_another_checksum_than_its_upload_is_refused() {
    let site = Site::new().await;
    let upload = create_with(&site, "object", None, Some(ChecksumAlgorithm::Sha256), false).await;
    let body = with_checksum(body(b"part"), ChecksumAlgorithm::Crc32, ChecksumSource::Computed);
    let part = UploadPart { upload, number: PartNumber::ONE, customer_key: None, body };
    let granted = site.grant(Action::PutObject, "object").await;
    let outcome = site.operations.uploads.upload_part(&granted, part).await;
    assert!(matches!(outcome, Err(UploadPartError::OtherChecksum(_))));
    assert_eq!(site.store.blob_count(), 0);
}

#[tokio::test]
async fn a_claim_on_the_whole_that_nothing_can_check_is_not_passed_over() {
    let site = Site::new().await;
    let upload = create(&site, "object", None).await;
    let part = upload_part(&site, "object", upload, 1, b"part", None).await.unwrap();
    let mut complete = completion(upload, vec![listed(1, &part.etag)], None);
    complete.checksum = Some((ChecksumAlgorithm::Crc32, vec![0; 4]));
    let granted = site.grant(Action::PutObject, "object").await;
    let outcome = site.operations.uploads.complete(&granted, complete).await;
    assert!(matches!(outcome, Err(CompleteError::Checksum(_))));
}
