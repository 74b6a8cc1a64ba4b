use std::collections::BTreeSet;

use model::UploadId;
use operations::{ChecksumAlgorithm, ListParts, ListPartsError, ListUploads, PartsPage, UploadsPage};
use policy::Action;

use super::{create, create_with, upload_part};
use crate::support::{KeySeed, MODES, Site, customer_key};

async fn list_parts(
    site: &Site,
    upload: UploadId,
    after: Option<u16>,
    limit: usize,
    seed: KeySeed,
) -> Result<PartsPage, ListPartsError> {
    let granted = site.grant(Action::ListMultipartUploadParts, "object").await;
    let list = ListParts { upload, after, limit, customer_key: seed.map(customer_key) };
    site.operations.uploads.list_parts(&granted, &list).await
}

#[tokio::test]
async fn pages_of_parts_of_any_size_give_the_same_parts() {
    let site = Site::new().await;
    for seed in MODES {
        let upload = create_with(&site, "object", seed, Some(ChecksumAlgorithm::Crc32), false).await;
        // One that is found behind it, so that its parts must end the listing.
        let mut other = create(&site, "object", seed).await;
        while other < upload {
            other = create(&site, "object", seed).await;
        }
        let mut expected = Vec::new();
        for number in [9, 1, 10_000, 255, 256, 2] {
            let output = upload_part(&site, "object", upload, number, &vec![1; number as usize], seed).await.unwrap();
            upload_part(&site, "object", other, number, b"of another upload", seed).await.unwrap();
            expected.push((number as u16, output.etag, number as u64, output.checksum));
        }
        expected.sort_by_key(|part| part.0);
        for limit in 1..=7 {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = list_parts(&site, upload, after, limit, seed).await.unwrap();
                assert!(page.parts.len() <= limit && page.checksum == Some(ChecksumAlgorithm::Crc32));
                found.extend(page.parts.into_iter().map(|p| (p.number.get(), p.etag, p.size, p.checksum)));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "pages of {limit}");
        }
        let nothing = list_parts(&site, upload, None, 0, seed).await.unwrap();
        assert!(nothing.parts.is_empty() && nothing.next.is_none());
    }
}

#[tokio::test]
async fn checksums_of_a_customer_s_parts_show_with_the_key_only() {
    let site = Site::new().await;
    let upload = create_with(&site, "object", Some(1), Some(ChecksumAlgorithm::Crc32), false).await;
    upload_part(&site, "object", upload, 1, b"part", Some(1)).await.unwrap();
    assert!(list_parts(&site, upload, None, 9, Some(1)).await.unwrap().parts[0].checksum.is_some());
    assert!(list_parts(&site, upload, None, 9, None).await.unwrap().parts[0].checksum.is_none());
    let wrong = list_parts(&site, upload, None, 9, Some(2)).await;
    assert!(matches!(wrong, Err(ListPartsError::WrongKey(_))));
    let unknown = list_parts(&site, UploadId::from_bytes([0; 16]), None, 9, None).await;
    assert!(matches!(unknown, Err(ListPartsError::NoSuchUpload(_))));
}

async fn list_uploads(site: &Site, list: &ListUploads) -> UploadsPage {
    let granted = site.bucket_grant(Action::ListBucketMultipartUploads).await;
    site.operations.uploads.list(&granted, list).await.unwrap()
}

/// All pages: uploads, and common prefixes.
async fn walk(site: &Site, list: &ListUploads) -> (Vec<(String, UploadId)>, Vec<String>) {
    let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
    let mut list = list.clone();
    loop {
        let page = list_uploads(site, &list).await;
        assert!(page.uploads.len() + page.common_prefixes.len() <= list.limit);
        uploads.extend(page.uploads.into_iter().map(|upload| (upload.object, upload.upload)));
        prefixes.extend(page.common_prefixes);
        let Some((after, after_upload)) = page.next else { return (uploads, prefixes) };
        (list.after, list.after_upload) = (after, after_upload);
    }
}

#[tokio::test]
async fn pages_of_uploads_of_any_size_give_the_same_uploads() {
    let site = Site::new().await;
    let objects = ["a", "a", "a", "a/1", "a/2", "a/3/4", "b", "b//", "c/x", "ä/ö", "ä/ü", "ä"];
    let mut all = BTreeSet::new();
    for object in objects {
        all.insert((object.to_owned(), create(&site, object, None).await));
    }
    for (prefix, delimiter) in [("", ""), ("", "/"), ("a", "/"), ("a/", "/"), ("ä", ""), ("b", "//"), ("x", "/")] {
        let (mut uploads, mut prefixes) = (Vec::new(), BTreeSet::new());
        for (object, upload) in all.iter().filter(|(object, _)| object.starts_with(prefix)) {
            match (delimiter, object[prefix.len()..].find(delimiter)) {
                ("", _) | (_, None) => uploads.push((object.clone(), *upload)),
                (_, Some(at)) => {
                    prefixes.insert(object[..prefix.len() + at + delimiter.len()].to_owned());
                }
            }
        }
        for limit in 1..=objects.len() + 1 {
            let list = ListUploads {
                prefix: prefix.to_owned(),
                delimiter: delimiter.to_owned(),
                limit,
                ..ListUploads::default()
            };
            let expected = (uploads.clone(), prefixes.iter().cloned().collect());
            assert_eq!(walk(&site, &list).await, expected, "{prefix:?}, {delimiter:?}, pages of {limit}");
        }
    }
}

#[tokio::test]
async fn a_page_of_uploads_begins_behind_its_markers() {
    let site = Site::new().await;
    let mut uploads = Vec::new();
    for object in ["a", "b", "b", "b", "c"] {
        uploads.push((object.to_owned(), create(&site, object, None).await));
    }
    uploads.sort();
    let list = ListUploads { after: "b".to_owned(), limit: 9, ..ListUploads::default() };
    assert_eq!(walk(&site, &list).await.0, uploads[4..]);
    let list = ListUploads { after_upload: Some(uploads[2].1), ..list };
    assert_eq!(walk(&site, &list).await.0, uploads[3..]);
    assert_eq!(list_uploads(&site, &ListUploads::default()).await, UploadsPage::default());
}
