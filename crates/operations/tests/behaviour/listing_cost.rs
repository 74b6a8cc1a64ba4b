//! What a page costs: the records read are bounded by the lines shown, whatever stands under the common prefixes.

use bytes::Bytes;
use operations::{ListObjects, ListUploads};
use policy::Action;
use storage::{Batch, Metadata, Partition, RecordKey, Scope, Table};

use crate::multipart::create;
use crate::support::{Counts, Site};

const OBJECTS: Table = Table(16);
const UPLOADS: Table = Table(19);

/// Records in place of many objects or uploads. What is rolled up is not opened, so they need not be whole.
async fn fill(site: &Site, table: Table, names: impl Iterator<Item = String>) {
    let scope = Scope::bucket(site.bucket().await.id);
    let suffix = if table == UPLOADS { vec![7; 16] } else { Vec::new() };
    for name in names {
        let put = vec![(RecordKey::new(table, suffix.clone()), Bytes::from_static(b"not opened"))];
        site.store.commit(&Partition::new(scope, name), Batch { put, ..Batch::default() }).await.unwrap();
    }
}

/// The common prefixes of a page of either listing.
async fn page(site: &Site, table: Table, after: &str, limit: usize) -> (Vec<String>, Option<String>) {
    let (delimiter, after) = ("/".to_owned(), after.to_owned());
    if table == OBJECTS {
        let list = ListObjects { delimiter, after, limit, ..ListObjects::default() };
        let page = site.operations.objects.list_objects(&site.bucket_grant(Action::ListBucket).await, &list).await;
        let page = page.unwrap();
        return (page.common_prefixes, page.next);
    }
    let granted = site.bucket_grant(Action::ListBucketMultipartUploads).await;
    let list = ListUploads { delimiter, after, limit, ..ListUploads::default() };
    let page = site.operations.uploads.list(&granted, &list).await.unwrap();
    (page.common_prefixes, page.next.map(|next| next.0))
}

/// Walks all pages and holds each to the bound.
async fn walk(site: &Site, counts: &Counts, table: Table, limit: usize) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        counts.take_scans();
        let (mut prefixes, next) = page(site, table, &after, limit).await;
        let (scans, scanned) = counts.take_scans();
        let lines = prefixes.len() + 1;
        assert!(scanned < 20 * lines && scans <= lines, "{scans} scans of {scanned} records for {lines} lines");
        found.append(&mut prefixes);
        let Some(next) = next else { return found };
        after = next;
    }
}

#[tokio::test]
async fn a_page_of_common_prefixes_reads_little_however_much_stands_under_each() {
    for table in [OBJECTS, UPLOADS] {
        // Folders of one size, and folders that grow, shrink and alternate.
        let sizes: [fn(usize) -> usize; 5] = [|_| 300, |n| 1 + n, |n| 300 - n, |n| 1 + n % 2 * 299, |_| 1];
        for size in sizes {
            let (site, counts) = Site::counting().await;
            let folders = (0..200).flat_map(|n| (0..size(n)).map(move |object| format!("{n:03}/{object:03}")));
            fill(&site, table, folders).await;
            let expected: Vec<String> = (0..200).map(|n| format!("{n:03}/")).collect();
            for limit in [1, 7, 100, 1000] {
                assert_eq!(walk(&site, &counts, table, limit).await, expected);
            }
        }
    }
}

#[tokio::test]
async fn a_page_of_objects_is_one_scan_and_with_a_delimiter_few() {
    let (site, counts) = Site::counting().await;
    for number in 0..150 {
        site.put(&format!("{number:03}"), b"", None).await.unwrap();
        create(&site, &format!("{number:03}"), None).await;
    }
    for (delimiter, scans_max) in [("", 1), ("/", 4)] {
        let list = ListObjects { delimiter: delimiter.to_owned(), limit: 100, ..ListObjects::default() };
        counts.take_scans();
        let page = site.operations.objects.list_objects(&site.bucket_grant(Action::ListBucket).await, &list).await;
        assert_eq!(page.unwrap().objects.len(), 100);
        let (scans, scanned) = counts.take_scans();
        assert!(scans <= scans_max && scanned == 101, "{scans} scans of {scanned} records");

        let granted = site.bucket_grant(Action::ListBucketMultipartUploads).await;
        let list = ListUploads { delimiter: delimiter.to_owned(), limit: 100, ..ListUploads::default() };
        assert_eq!(site.operations.uploads.list(&granted, &list).await.unwrap().uploads.len(), 100);
        let (scans, scanned) = counts.take_scans();
        assert!(scans <= scans_max && scanned == 101, "{scans} scans of {scanned} records");
    }
}
