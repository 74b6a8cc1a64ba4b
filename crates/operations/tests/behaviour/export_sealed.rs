//! An export holds what stands in the store, framed; damage is told, and exported only as what it is.

use std::sync::Arc;

use bytes::Bytes;
use operations::{ExportDamage, ExportError, HeldBy, SealedExport, SealedExporter};
use sha2::{Digest, Sha256};
use storage::{Batch, Partition, RecordKey, Scope, Table};

use crate::damage::{Place, blob_bytes, places, write};
use crate::multipart::upload_object;
use crate::support::{BUCKET, MODES, Site, bucket_name, object_key, pattern};

async fn export(site: &Site, object: &str, with_key: bool) -> Result<SealedExport, ExportError> {
    let store_key = with_key.then_some(site.store_key.as_ref());
    let exporter = SealedExporter::new(Arc::new(site.store.clone()), Arc::new(site.store.clone()), store_key);
    exporter.prepare(&bucket_name(BUCKET), &object_key(object)).await
}

async fn file_of(export: SealedExport) -> Vec<u8> {
    let (mut file, mut pieces) = (Vec::new(), export.into_pieces());
    while let Some(piece) = pieces.next().await.unwrap() {
        assert!(piece.len() <= 1 << 20, "memory is bounded");
        file.extend_from_slice(&piece);
    }
    file
}

/// The sections of a file whose head and digest are right.
fn sections(file: &[u8]) -> Vec<(u8, &[u8])> {
    let (content, digest) = file.split_at(file.len() - 32);
    assert_eq!(Sha256::digest(content)[..], *digest);
    let mut rest = content.strip_prefix(b"canopic-export\r\n\x01").unwrap();
    let mut found = Vec::new();
    while let Some((kind, behind)) = rest.split_first() {
        let (length, behind) = behind.split_first_chunk().unwrap();
        let (section, behind) = behind.split_at(usize::try_from(u64::from_be_bytes(*length)).unwrap());
        found.push((*kind, section));
        rest = behind;
    }
    found
}

async fn record(site: &Site, table: u8, object: &str) -> (Place, Bytes) {
    let is_it =
        |Place(partition, record_key): &Place| partition.name == object.as_bytes() && record_key.table == Table(table);
    places(site).await.into_iter().find(|(place, _)| is_it(place)).unwrap()
}

async fn blob_of(site: &Site, object: &str) -> model::BlobId {
    let (_, raw) = record(site, 16, object).await;
    let payload = &raw[..raw.len() - 32];
    model::BlobId::from_bytes(payload[payload.len() - 16..].try_into().unwrap())
}

#[tokio::test]
async fn a_file_holds_the_records_and_the_bytes_as_they_stand_in_the_store() {
    for seed in MODES {
        let site = Site::new().await;
        site.put("inline", &pattern(300, 1), seed).await.unwrap();
        site.put("blob", &pattern(3_000_000, 2), seed).await.unwrap();
        upload_object(&site, "parts", &[pattern(5 << 20, 3), pattern(70_000, 4)], seed).await;

        for (object, kinds) in [("inline", &[1, 2, 4, 5][..]), ("blob", &[1, 2, 4, 5]), ("parts", &[1, 2, 3, 4, 4, 5])]
        {
            let export = export(&site, object, true).await.unwrap();
            assert_eq!(export.damage(), []);
            assert_eq!(matches!(export.held_by(), Some(HeldBy::Customer)), seed.is_some());
            let file = file_of(export).await;
            let sections = sections(&file);
            assert_eq!(sections.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), kinds);
            let (place, head) = record(&site, 16, object).await;
            assert_eq!(sections[1].1, head);
            assert_eq!(sections[0].1[..16], *place.0.scope.as_bytes());
            assert!(sections[0].1.ends_with(object.as_bytes()));
            match object {
                "inline" => assert_eq!(sections[2].1, record(&site, 18, object).await.1),
                "blob" => {
                    let blob = blob_of(&site, object).await;
                    assert!(sections[2].1 == blob_bytes(&site.store, blob).await);
                }
                _ => {
                    assert_eq!(sections[2].1, record(&site, 17, object).await.1);
                    assert_eq!(sections[3].1.len(), (5 << 20) + 80 * 16);
                    assert_eq!(sections[4].1.len(), 70_000 + 2 * 16);
                }
            }
            assert_eq!(sections.last(), Some(&(5, &b""[..])));
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let site = Site::new().await;
    assert!(matches!(export(&site, "nothing", true).await, Err(ExportError::NoSuchKey(_))));
    let exporter = SealedExporter::new(Arc::new(site.store.clone()), Arc::new(site.store.clone()), None);
    let elsewhere = exporter.prepare(&bucket_name("no-such-bucket"), &object_key("nothing")).await;
    assert!(matches!(elsewhere, Err(ExportError::NoSuchBucket(_))));
}

#[tokio::test]
async fn a_changed_or_moved_record_is_told_where_the_store_key_is_at_hand() {
    let site = Site::new().await;
    upload_object(&site, "parts", &[pattern(300, 1)], None).await;
    upload_object(&site, "other", &[pattern(300, 2)], None).await;
    for (table, what) in [(16, "object"), (17, "parts")] {
        let (place, value) = record(&site, table, "parts").await;
        let mut changed = value.to_vec();
        let at = changed.len() - 1;
        changed[at] ^= 1;
        write(&site.store, &place, Some(changed.into())).await;
        assert_eq!(export(&site, "parts", true).await.unwrap().damage(), [ExportDamage::NotAuthentic(what)]);
        assert_eq!(export(&site, "parts", false).await.unwrap().damage(), []);
        write(&site.store, &place, Some(value)).await;
    }
    let moved = record(&site, 16, "other").await.1;
    let (place, _) = record(&site, 16, "parts").await;
    write(&site.store, &place, Some(moved)).await;
    let damage = export(&site, "parts", true).await.unwrap().damage().to_vec();
    assert_eq!(damage, [ExportDamage::NotAuthentic("object"), ExportDamage::RecordMissing("parts")]);
}

#[tokio::test]
async fn what_cannot_be_read_is_exported_as_far_as_it_goes() {
    let site = Site::new().await;
    site.put("object", &pattern(300, 1), None).await.unwrap();
    upload_object(&site, "parts", &[pattern(300, 1)], None).await;
    let (head, value) = record(&site, 16, "object").await;
    write(&site.store, &head, Some(Bytes::from_static(b"no record"))).await;
    let broken = export(&site, "object", false).await.unwrap();
    assert_eq!((broken.damage(), broken.held_by()), (&[ExportDamage::Unreadable("object")][..], None));
    assert_eq!(sections(&file_of(broken).await).len(), 3);
    write(&site.store, &head, Some(value)).await;

    let (body, _) = record(&site, 18, "object").await;
    write(&site.store, &body, None).await;
    let damage = export(&site, "object", true).await.unwrap().damage().to_vec();
    assert_eq!(
        damage,
        [ExportDamage::RecordMissing("inline body"), ExportDamage::Length { part: 1, found: 0, expected: 316 }]
    );
    let (list, _) = record(&site, 17, "parts").await;
    write(&site.store, &list, Some(Bytes::from_static(b"no record"))).await;
    let broken = export(&site, "parts", false).await.unwrap();
    assert_eq!(broken.damage(), [ExportDamage::Unreadable("parts")]);
}

#[tokio::test]
async fn blobs_of_any_other_length_are_told_and_exported_as_they_are() {
    let site = Site::new().await;
    site.put("object", &pattern(200_000, 1), None).await.unwrap();
    let blob = blob_of(&site, "object").await;
    let sound = blob_bytes(&site.store, blob).await;
    let expected = sound.len() as u64;
    for found in [0, 1, 2, 3, 100_000, expected - 1, expected + 1, 3 * expected] {
        let length = usize::try_from(found).unwrap();
        site.store.overwrite_blob(blob, sound.iter().copied().cycle().take(length).collect());
        let export = export(&site, "object", true).await.unwrap();
        assert_eq!(export.damage(), [ExportDamage::Length { part: 1, found, expected }]);
        assert_eq!(sections(&file_of(export).await)[2].1.len(), length);
    }
    let partition = Partition::new(Scope::bucket(site.bucket().await.id), "object");
    site.store_unlink(&partition, blob).await;
    let export = export(&site, "object", true).await.unwrap();
    assert!(matches!(export.damage(), [ExportDamage::BytesMissing { part: 1, .. }]), "{:?}", export.damage());
    assert_eq!(sections(&file_of(export).await)[2], (4, &b""[..]));
}

impl Site {
    async fn store_unlink(&self, partition: &Partition, blob: model::BlobId) {
        use storage::Metadata as _;
        self.store.commit(partition, Batch { unlink: vec![blob], ..Batch::default() }).await.unwrap();
    }
}

#[tokio::test]
async fn a_bucket_whose_record_was_changed_is_told() {
    let site = Site::new().await;
    site.put("object", &pattern(300, 1), None).await.unwrap();
    let place = Place(Partition::new(Scope::SYSTEM, BUCKET), RecordKey::new(Table(1), Vec::new()));
    let value = places(&site).await.into_iter().find(|(found, _)| *found == place).unwrap().1;
    let mut changed = value.to_vec();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    write(&site.store, &place, Some(changed.into())).await;
    assert_eq!(export(&site, "object", true).await.unwrap().damage(), [ExportDamage::NotAuthentic("bucket")]);
}
