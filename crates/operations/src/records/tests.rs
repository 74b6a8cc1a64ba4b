//! The layouts of docs/format.md, byte by byte. A record that is encoded otherwise cannot be read by the next version:
//! a new layout gets a new layout byte and a test of its own.

use std::fmt::Debug;

use envelope::{ContextDigest, DataKey, KeyEncryptionKey, Manifest, ObjectIdentity, PartEntry, WrappedDataKey};
use kms::{KmsEnvelope, StoredWrap};
use model::{
    AccountId, BlobId, BucketId, ETag, KmsKeyId, ObjectKey, PartNumber, Principal, Timestamp, UploadId, UserName,
    VersionId,
};
use storage::RecordKey;

use super::upload::PartChecksum;
use super::*;
use crate::bucket_encryption::{BlockedEncryption, BucketEncryption, DefaultEncryption};
use crate::checksum::{ChecksumAlgorithm, StoredChecksum};
use crate::encryption::{RequestedEncryption, RequestedKms};

const AT: Timestamp = Timestamp::from_millis(0x0102);
const AT_BYTES: [u8; 8] = [0, 0, 0, 0, 0, 0, 1, 2];
const ARN: &[u8] = b"\0\0\0\x23arn:aws:iam::111122223333:user/olga";

fn olga() -> Principal {
    Principal::User(AccountId::parse("111122223333").unwrap(), UserName::parse("olga").unwrap())
}

fn wrapped() -> WrappedDataKey {
    let object = ObjectKey::parse("object").unwrap();
    let identity = ObjectIdentity {
        bucket: BucketId::from_bytes([1; 16]),
        object: &object,
        version: VersionId::from_bytes([2; 16]),
    };
    KeyEncryptionKey::generate().wrap(&DataKey::generate(), &identity)
}

fn wrap() -> StoredWrap {
    StoredWrap { wrapped: wrapped(), kms: None }
}

/// The wrap of an object that a KMS holds, and what stands behind the wrapped key in its record.
fn kms_wrap() -> (StoredWrap, Vec<u8>) {
    let (key, object) = (KeyEncryptionKey::generate(), ObjectKey::parse("testfile").unwrap());
    let identity = ObjectIdentity {
        bucket: BucketId::from_bytes([1; 16]),
        object: &object,
        version: VersionId::from_bytes([2; 16]),
    };
    let context = ContextDigest::from_bytes([4; 32]);
    let kms =
        KmsEnvelope { kms_key: KmsKeyId::parse("k1").unwrap(), context, bucket_key: true, sealed_key: vec![8; 3] };
    let wrapped = key.wrap_for_kms(&DataKey::generate(), &identity, context);
    let behind = [b"\0\0\0\x02k1".as_slice(), &[4; 32], &[1], b"\0\0\0\x03\x08\x08\x08"].concat();
    (StoredWrap { wrapped, kms: Some(kms) }, behind)
}

#[test]
fn an_object_and_an_upload_for_a_kms_are_laid_out_as_drawn() {
    let (wrap, behind) = kms_wrap();
    let record = ObjectRecord {
        version: VersionId::from_bytes([2; 16]),
        last_modified: AT,
        size: 0,
        acl: CannedAcl::Private,
        etag: StoredETag::Opaque(ETag::with_parts([5; 16], 1)),
        wrap: wrap.clone(),
        sealed_metadata: vec![9; 2],
        body: BodyPlace::Parts,
    };
    let etag = [&[1, 0, 1][..], &[5; 16]].concat();
    let head = [&[2][..], &[2; 16], &AT_BYTES, &[0; 8], &[0], &etag, &[0, 0, 0, 130], &wrap.wrapped.encode()].concat();
    let expected = [&head[..], &behind, b"\0\0\0\x02\x09\x09", &[3]].concat();
    assert_eq!(record.encode(), expected);
    assert_exact(&expected, ObjectRecord::decode);

    for (key_id, text) in [(None, &b"\0\0\0\0"[..]), (Some("alias/k1".to_owned()), b"\0\0\0\x08alias/k1")] {
        let record = UploadRecord {
            version: VersionId::from_bytes([2; 16]),
            begun: AT,
            acl: CannedAcl::Private,
            requested: RequestedEncryption { kms: Some(RequestedKms { key_id }), ..RequestedEncryption::default() },
            checksum: None,
            full_object_checksum: false,
            wrap: wrap.clone(),
            sealed_metadata: vec![9; 2],
        };
        let head = [&[2][..], &[2; 16], &AT_BYTES, &[0, 4, 0, 0], &[0, 0, 0, 130], &wrap.wrapped.encode()].concat();
        let expected = [&head[..], &behind, b"\0\0\0\x02\x09\x09", text].concat();
        assert_eq!(record.encode(), expected);
        assert_exact(&expected, UploadRecord::decode);
    }
}

#[test]
fn a_wrap_for_a_kms_and_what_stands_behind_it_come_together_or_not_at_all() {
    let (wrap, behind) = kms_wrap();
    let bytes = |layout: u8, wrapped: &WrappedDataKey, behind: &[u8]| {
        let etag = [&[1, 0, 1][..], &[5; 16]].concat();
        [&[layout][..], &[2; 16], &AT_BYTES, &[0; 8], &[0], &etag, &[0, 0, 0, 130], &wrapped.encode(), behind]
            .concat()
            .into_iter()
            .chain(*b"\0\0\0\x02\x09\x09\x03")
            .collect::<Vec<u8>>()
    };
    assert!(ObjectRecord::decode(&bytes(2, &wrap.wrapped, &behind)).is_ok());
    assert!(ObjectRecord::decode(&bytes(1, &wrapped(), &[])).is_ok());
    assert!(ObjectRecord::decode(&bytes(1, &wrap.wrapped, &[])).is_err());
    assert!(ObjectRecord::decode(&bytes(2, &wrapped(), &behind)).is_err());
}

fn entry() -> PartEntry {
    PartEntry { number: PartNumber::new(0x0203).unwrap(), length: 0x0405, salt: [6; 16] }
}

fn entry_bytes() -> Vec<u8> {
    [&[2, 3][..], &[0, 0, 0, 0, 0, 0, 4, 5], &[6; 16]].concat()
}

/// The bytes decode; cut, extended or of another layout they do not.
fn assert_exact<T, E: Debug>(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<T, E>) {
    decode(bytes).map(|_| ()).unwrap();
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "{length} bytes of {}", bytes.len());
    }
    assert!(decode(&[bytes, &[0]].concat()).is_err(), "a byte too many");
    for layout in [0, bytes[0] + 1, u8::MAX] {
        assert!(decode(&[&[layout], &bytes[1..]].concat()).is_err(), "layout {layout}");
    }
}

#[test]
fn a_bucket_is_laid_out_as_drawn() {
    let record = BucketRecord {
        id: BucketId::from_bytes([1; 16]),
        owner: olga(),
        created: AT,
        acl: CannedAcl::PublicRead,
        location: "eu".to_owned(),
        policy: b"{}".to_vec(),
        encryption: None,
    };
    let common = [&[1; 16][..], ARN, &AT_BYTES, &[1], b"\0\0\0\x02eu", b"\0\0\0\x02{}"].concat();
    let plain = [&[1][..], &common].concat();
    assert_eq!(record.encode(), plain);
    assert_eq!(BucketRecord::decode(&plain).as_ref(), Ok(&record));
    let configured = |default, bucket_key, blocked| BucketEncryption { default, bucket_key, blocked };
    let key = DefaultEncryption::Kms(Some(KmsKeyId::parse("k").unwrap()));
    for (encryption, bytes) in [
        (configured(DefaultEncryption::Server, false, BlockedEncryption::CustomerKeys), &b"\x01\0\x02"[..]),
        (configured(DefaultEncryption::Kms(None), true, BlockedEncryption::Nothing), b"\x02\0\0\0\0\x01\x01"),
        (configured(key, true, BlockedEncryption::Unsaid), b"\x02\0\0\0\x01k\x01\0"),
    ] {
        let record = BucketRecord { encryption: Some(encryption), ..record.clone() };
        let expected = [&[2][..], &common, bytes].concat();
        assert_eq!(record.encode(), expected);
        assert_eq!(BucketRecord::decode(&expected), Ok(record));
        assert_exact(&expected, BucketRecord::decode);
    }
}

#[test]
fn users_and_the_installation_are_laid_out_as_drawn() {
    let user = [&[1][..], &AT_BYTES].concat();
    assert_eq!(UserRecord { created: AT }.encode(), user);
    assert_exact(&user, UserRecord::decode);
    let record = InstallationRecord { account: AccountId::parse("111122223333").unwrap(), created: AT };
    let installation = [&[1][..], b"\0\0\0\x0c111122223333", &AT_BYTES].concat();
    assert_eq!(record.encode(), installation);
    assert_exact(&installation, InstallationRecord::decode);
}

#[test]
fn access_keys_and_tokens_are_laid_out_as_drawn() {
    let record = AccessKeyRecord { principal: olga(), created: AT, expires: Some(AT), sealed_secret: vec![9; 3] };
    let expected = [&[1][..], ARN, &AT_BYTES, &AT_BYTES, b"\0\0\0\x03\x09\x09\x09"].concat();
    assert_eq!(record.encode(), expected);
    assert_exact(&expected, AccessKeyRecord::decode);
    let record = TokenRecord { digest: [8; 32], principal: olga(), created: AT, expires: None };
    let expected = [&[1][..], &[8; 32], ARN, &AT_BYTES, &[0; 8]].concat();
    assert_eq!(record.encode(), expected);
    assert_eq!(TokenRecord::decode(&expected).unwrap().expires, None);
    assert_exact(&expected, TokenRecord::decode);
}

#[test]
fn an_object_is_laid_out_as_drawn_wherever_its_body_is() {
    let blob = BlobId::from_bytes([7; 16]);
    let places = [
        (BodyPlace::Inline(entry()), [&[1][..], &entry_bytes()].concat()),
        (BodyPlace::Blob(entry(), blob), [&[2][..], &entry_bytes(), &[7; 16]].concat()),
        (BodyPlace::Parts, vec![3]),
    ];
    let tags = [
        (StoredETag::Opaque(ETag::with_parts([5; 16], 1)), [&[1, 0, 1][..], &[5; 16]].concat()),
        (
            StoredETag::Sealed { unique: [6; 16], digest: [5; 32], parts: None },
            [&[2, 0, 0][..], &[6; 16], &[5; 32]].concat(),
        ),
    ];
    for (body, body_bytes) in places {
        for (etag, etag_bytes) in tags.clone() {
            let record = ObjectRecord {
                version: VersionId::from_bytes([2; 16]),
                last_modified: AT,
                size: 0x0405,
                acl: CannedAcl::Private,
                etag,
                wrap: wrap(),
                sealed_metadata: vec![9; 2],
                body: body.clone(),
            };
            let expected = [
                &[1][..],
                &[2; 16],
                &AT_BYTES,
                &[0, 0, 0, 0, 0, 0, 4, 5],
                &[0],
                &etag_bytes,
                &[0, 0, 0, 130],
                &record.wrap.wrapped.encode(),
                b"\0\0\0\x02\x09\x09",
                &body_bytes,
            ]
            .concat();
            assert_eq!(record.encode(), expected);
            assert_exact(&expected, ObjectRecord::decode);
        }
    }
}

#[test]
fn the_parts_of_an_object_are_laid_out_as_drawn() {
    let manifest = Manifest::new(vec![entry()], None).unwrap();
    let record = PartsRecord { manifest: manifest.clone(), blobs: vec![BlobId::from_bytes([7; 16])] };
    let expected = [&[1][..], &[0, 0, 0, 30], &manifest.encode(), &[7; 16]].concat();
    assert_eq!(record.encode(), expected);
    assert_exact(&expected, PartsRecord::decode);
}

#[test]
fn an_upload_is_laid_out_as_drawn() {
    for (full_object_checksum, flag) in [(false, 0), (true, 1)] {
        let record = UploadRecord {
            version: VersionId::from_bytes([2; 16]),
            begun: AT,
            acl: CannedAcl::Private,
            requested: RequestedEncryption { customer_header: true, ..RequestedEncryption::default() },
            checksum: Some(ChecksumAlgorithm::Crc64Nvme),
            full_object_checksum,
            wrap: wrap(),
            sealed_metadata: vec![9; 2],
        };
        let head = [&[1][..], &[2; 16], &AT_BYTES, &[0, 2, 3, flag], &[0, 0, 0, 130]].concat();
        let expected = [&head[..], &record.wrap.wrapped.encode(), b"\0\0\0\x02\x09\x09"].concat();
        assert_eq!(record.encode(), expected);
        assert_exact(&expected, UploadRecord::decode);
    }
}

#[test]
fn an_uploaded_part_is_laid_out_as_drawn() {
    let record = PartRecord {
        entry: entry(),
        blob: BlobId::from_bytes([7; 16]),
        uploaded: AT,
        etag: StoredETag::Opaque(ETag::of_digest([5; 16])),
        sealed_checksum: Vec::new(),
    };
    let expected = [&[1][..], &entry_bytes(), &[7; 16], &AT_BYTES, &[1, 0, 0], &[5; 16], &[0; 4]].concat();
    assert_eq!(record.encode(), expected);
    assert_exact(&expected, PartRecord::decode);
}

#[test]
fn what_is_sealed_as_metadata_is_laid_out_as_drawn_and_tells_its_kind() {
    let checksum = |parts| StoredChecksum { algorithm: ChecksumAlgorithm::Crc32, parts, value: vec![1, 2, 3, 4] };
    let metadata = ObjectMetadata {
        headers: vec![("a".to_owned(), "b".to_owned())],
        user: vec![("c".to_owned(), String::new())],
        checksums: vec![checksum(Some(2))],
        md5: Some([5; 16]),
    };
    let expected = [
        &[1][..],
        b"\0\x01\0\0\0\x01a\0\0\0\x01b",
        b"\0\x01\0\0\0\x01c\0\0\0\0",
        b"\x01\x01\0\x02\0\0\0\x04\x01\x02\x03\x04",
        b"\x01",
        &[5; 16],
    ]
    .concat();
    assert_eq!(metadata.encode(), expected);
    assert_eq!(ObjectMetadata::decode(&expected), Ok(metadata));
    assert_exact(&expected, ObjectMetadata::decode);

    let part = PartChecksum::encode(&checksum(None));
    assert_eq!(part, [2, 1, 1, 2, 3, 4]);
    let decoded = PartChecksum { algorithm: ChecksumAlgorithm::Crc32, value: vec![1, 2, 3, 4] };
    assert_eq!(PartChecksum::decode(&part), Ok(decoded));
    assert_exact(&part, PartChecksum::decode);
    assert!(ObjectMetadata::decode(&part).is_err() && PartChecksum::decode(&expected).is_err());
}

#[test]
fn records_stand_where_drawn() {
    let (version, upload) = (VersionId::from_bytes([2; 16]), UploadId::from_bytes([3; 16]));
    assert_eq!(ObjectRecord::inline_key(version), RecordKey::new(Table(18), [2; 16]));
    assert_eq!(ObjectRecord::parts_key(version), RecordKey::new(Table(17), [2; 16]));
    assert_eq!(UploadRecord::record_key(upload), RecordKey::new(Table(19), [3; 16]));
    let part = PartRecord::record_key(upload, PartNumber::new(0x0203).unwrap());
    assert_eq!(part, RecordKey::new(Table(20), [&[3; 16][..], &[2, 3]].concat()));
    let others = [tables::BUCKETS, tables::USERS, tables::ACCESS_KEYS, tables::TOKENS, tables::INSTALLATION];
    assert_eq!(others, [1, 2, 3, 4, 5].map(Table));
    assert_eq!(tables::OBJECTS, Table(16));
}
