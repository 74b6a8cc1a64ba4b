//! GetObjectAttributes: who may, with which key, and what it tells.

use crate::support::{Answer, Site, Who, borrowed, customer_key};

const ALL: (&str, &str) = ("x-amz-object-attributes", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize");

async fn attributes(site: &Site, who: Who, object: &str, headers: &[(&str, &str)]) -> Answer {
    site.send(who, "GET", &format!("/bucket/{object}?attributes"), &[&[ALL], headers].concat(), "").await
}

#[tokio::test]
async fn it_tells_what_was_asked_for() {
    let site = Site::new().await;
    let checksum = [("x-amz-checksum-crc32", "NhCmhg==")];
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/o", &checksum, "hello").await.status, 200);
    let all = attributes(&site, Who::Owner, "o", &[]).await;
    assert_eq!(all.status, 200, "{all:?}");
    assert_eq!(all.element("ETag"), "5d41402abc4b2a76b9719d911017c592");
    assert_eq!((all.element("ChecksumCRC32"), all.element("ChecksumType")), ("NhCmhg==", "FULL_OBJECT"));
    assert_eq!((all.element("StorageClass"), all.element("ObjectSize")), ("STANDARD", "5"));
    assert!(!all.text.contains("ObjectParts"), "it was put in one piece");
    assert_eq!(all.header("last-modified"), "Sun, 13 Sep 2020 12:26:40 GMT");
    assert_eq!(all.header("x-amz-server-side-encryption"), "");
    let one = [("x-amz-object-attributes", "ObjectSize")];
    let size = site.send(Who::Owner, "GET", "/bucket/o?attributes", &one, "").await;
    assert!(size.text.ends_with("<ObjectSize>5</ObjectSize></GetObjectAttributesResponse>"), "{size:?}");
    assert!(!size.text.contains("ETag"));
    for (headers, uri, error) in [
        (&[][..], "/bucket/o?attributes", (400, "InvalidArgument")),
        (&[("x-amz-object-attributes", "Everything")], "/bucket/o?attributes", (400, "InvalidArgument")),
        (&[ALL], "/bucket/absent?attributes", (404, "NoSuchKey")),
        (&[ALL], "/nothing-here/o?attributes", (404, "NoSuchBucket")),
        (&[ALL], "/bucket/o?attributes&versionId=x", (404, "NoSuchVersion")),
        (&[ALL, ("x-amz-server-side-encryption", "AES256")], "/bucket/o?attributes", (400, "InvalidArgument")),
    ] {
        assert_eq!(site.send(Who::Owner, "GET", uri, headers, "").await.error(), error, "{uri} {headers:?}");
    }
}

#[tokio::test]
async fn it_needs_the_customer_key_and_does_not_repeat_it() {
    let site = Site::new().await;
    let (right, wrong) = (customer_key(1), customer_key(2));
    let (right, wrong) = (borrowed(&right), borrowed(&wrong));
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/o", &right, "hello").await.status, 200);
    assert_eq!(attributes(&site, Who::Owner, "o", &[]).await.error(), (400, "InvalidRequest"));
    assert_eq!(attributes(&site, Who::Owner, "o", &wrong).await.error(), (403, "AccessDenied"));
    let told = attributes(&site, Who::Owner, "o", &right).await;
    assert_eq!((told.status, told.element("ObjectSize")), (200, "5"));
    assert!(told.headers.keys().all(|name| !name.as_str().contains("encryption")), "{told:?}");
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/plain", &[], "hello").await.status, 200);
    assert_eq!(attributes(&site, Who::Owner, "plain", &right).await.error(), (400, "InvalidRequest"));
}

#[tokio::test]
async fn it_takes_both_rights() {
    let site = Site::new().await;
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/o", &[], "hello").await.status, 200);
    let allow = |actions: &str| {
        format!(r#"{{"Effect":"Allow","Principal":"*","Action":[{actions}],"Resource":"arn:aws:s3:::bucket/*"}}"#)
    };
    for (actions, status) in [
        (r#""s3:GetObject""#, 403),
        (r#""s3:GetObjectAttributes""#, 403),
        (r#""s3:GetObject","s3:GetObjectAttributes""#, 200),
    ] {
        site.set_policy(&[&allow(actions)]).await;
        assert_eq!(attributes(&site, Who::Other, "o", &[]).await.status, status, "{actions}");
    }
    // Absent looks like forbidden without the right to list, as on a read.
    assert_eq!(attributes(&site, Who::Other, "absent", &[]).await.error(), (403, "AccessDenied"));
}

#[tokio::test]
async fn the_parts_of_an_upload_are_told_in_pages() {
    let site = Site::new().await;
    let begun = site.send(Who::Owner, "POST", "/bucket/o?uploads", &[], "").await;
    let upload = begun.element("UploadId");
    let bodies = ["x".repeat(5 << 20), "end".to_owned()];
    let mut list = String::new();
    for (index, body) in bodies.iter().enumerate() {
        let number = 2 * index + 3;
        let uri = format!("/bucket/o?partNumber={number}&uploadId={upload}");
        let etag = site.send(Who::Owner, "PUT", &uri, &[], body).await.header("etag").to_owned();
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    let uri = format!("/bucket/o?uploadId={upload}");
    assert_eq!(site.send(Who::Owner, "POST", &uri, &[], list).await.status, 200);
    let all = attributes(&site, Who::Owner, "o", &[]).await;
    assert_eq!((all.element("PartsCount"), all.element("IsTruncated")), ("2", "false"));
    assert!(all.text.contains("<Part><PartNumber>1</PartNumber><Size>5242880</Size></Part>"), "{all:?}");
    assert!(all.text.contains("<Part><PartNumber>2</PartNumber><Size>3</Size></Part>"));
    let page = [("x-amz-max-parts", "1"), ("x-amz-part-number-marker", "1")];
    let second = attributes(&site, Who::Owner, "o", &page).await;
    assert_eq!((second.element("PartNumber"), second.element("Size")), ("2", "3"));
    assert_eq!((second.element("PartsCount"), second.element("IsTruncated")), ("2", "false"));
    let first = attributes(&site, Who::Owner, "o", &page[..1]).await;
    assert_eq!((first.element("NextPartNumberMarker"), first.element("IsTruncated")), ("1", "true"));
    let nothing = attributes(&site, Who::Owner, "o", &[("x-amz-max-parts", "0")]).await;
    assert_eq!(nothing.element("IsTruncated"), "false", "the next page would be this one");
}
