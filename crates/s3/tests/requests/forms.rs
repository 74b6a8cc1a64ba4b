//! Forms that reach the operations: bucket policies and encryption hold on them as on any put.

use crate::support::{Answer, Site, Who, borrowed, customer_key};

const EVERYBODY: &str = r#"{"Effect":"Allow","Principal":"*","Action":["s3:PutObject","s3:GetObject"],
    "Resource":"arn:aws:s3:::bucket/*"}"#;
const SERVER: (&str, &str) = ("x-amz-server-side-encryption", "AES256");

async fn post(site: &Site, fields: &[(&str, &str)], file: &str) -> Answer {
    let mut body = String::new();
    for (name, value) in [("key", "form")].iter().chain(fields) {
        body += &format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += &format!("--xx\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n{file}\r\n--xx--\r\n");
    let headers = [("content-type", "multipart/form-data; boundary=xx")];
    site.send(Who::Anonymous, "POST", "/bucket", &headers, body).await
}

#[tokio::test]
async fn nobody_posts_to_a_bucket_that_does_not_let_everybody_in() {
    let site = Site::new().await;
    assert_eq!(post(&site, &[], "hello").await.error(), (403, "AccessDenied"));
    site.set_policy(&[EVERYBODY]).await;
    let answer = post(&site, &[], "hello").await;
    assert_eq!((answer.status, answer.header("x-amz-server-side-encryption")), (204, "AES256"));
    assert_eq!(answer.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(site.send(Who::Anonymous, "GET", "/bucket/form", &[], "").await.text, "hello");
    assert_eq!(post(&site, &[("acl", "public-read")], "hello").await.error(), (403, "AccessDenied"));
}

#[tokio::test]
async fn the_policy_of_the_guide_holds_on_forms() {
    let site = Site::new().await;
    let guide = r#"{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*",
        "Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"AES256"}}}"#;
    site.set_policy(&[EVERYBODY, guide]).await;
    let customer_key = customer_key(7);
    let customer = borrowed(&customer_key);
    assert_eq!(post(&site, &[], "hello").await.error(), (403, "AccessDenied"));
    assert_eq!(post(&site, &customer, "hello").await.error(), (403, "AccessDenied"));
    assert_eq!(post(&site, &[SERVER], "hello").await.status, 204);
    assert_eq!(post(&site, &[customer.as_slice(), &[SERVER]].concat(), "hello").await.status, 204);
    let by_header = site.send(Who::Owner, "PUT", "/bucket/form", &[], "hello").await;
    assert_eq!(by_header.error(), (403, "AccessDenied"), "as on any put");
}

#[tokio::test]
async fn a_form_with_a_customer_key_seals_under_it() {
    let site = Site::new().await;
    site.set_policy(&[EVERYBODY]).await;
    let (right, wrong) = (customer_key(7), customer_key(8));
    let posted = post(&site, &borrowed(&right), "hello").await;
    assert_eq!(posted.status, 204);
    assert_eq!(posted.header("x-amz-server-side-encryption-customer-algorithm"), "AES256");
    assert_eq!(posted.header("x-amz-server-side-encryption-customer-key-md5"), right[2].1);
    assert_eq!(posted.header("x-amz-server-side-encryption"), "");
    let get = async |headers: &[(&str, &str)]| site.send(Who::Owner, "GET", "/bucket/form", headers, "").await;
    assert_eq!(get(&borrowed(&right)).await.text, "hello");
    assert_eq!(get(&borrowed(&wrong)).await.error(), (403, "AccessDenied"));
    assert_eq!(get(&[]).await.error(), (400, "InvalidRequest"));
    for at in 0..3 {
        let mut incomplete = borrowed(&right);
        incomplete.remove(at);
        assert_eq!(post(&site, &incomplete, "hello").await.error(), (400, "InvalidArgument"), "without {at}");
    }
}

#[tokio::test]
async fn digests_in_a_form_are_checked_before_anything_is_stored() {
    let site = Site::new().await;
    site.set_policy(&[EVERYBODY]).await;
    for (name, right, wrong) in [
        ("Content-MD5", "XUFAKrxLKna5cZ2REBfFkg==", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("x-amz-checksum-crc32", "NhCmhg==", "AAAAAA=="),
        (
            "x-amz-checksum-sha256",
            "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ),
    ] {
        assert_eq!(post(&site, &[(name, wrong)], "hello").await.error(), (400, "BadDigest"), "{name}");
        assert_eq!(site.send(Who::Owner, "GET", "/bucket/form", &[], "").await.error(), (404, "NoSuchKey"));
        let answer = post(&site, &[(name, right)], "hello").await;
        assert_eq!(answer.status, 204, "{name}: {answer:?}");
        assert_eq!(site.send(Who::Owner, "DELETE", "/bucket/form", &[], "").await.status, 204);
    }
}

#[tokio::test]
async fn what_a_form_says_of_its_object_is_kept() {
    let site = Site::new().await;
    site.set_policy(&[EVERYBODY]).await;
    let fields = [
        ("Content-Type", "text/x-form"),
        ("Cache-Control", "no-store"),
        ("Content-Disposition", "inline"),
        ("x-amz-meta-colour", "blue"),
        ("success_action_status", "201"),
    ];
    let posted = post(&site, &fields, "").await;
    assert_eq!(posted.status, 201);
    assert_eq!((posted.element("Bucket"), posted.element("Key")), ("bucket", "form"));
    let got = site.send(Who::Owner, "GET", "/bucket/form", &[], "").await;
    assert_eq!((got.status, got.text.as_str()), (200, ""));
    for (name, value) in [
        ("content-type", "text/x-form"),
        ("cache-control", "no-store"),
        ("content-disposition", "inline"),
        ("x-amz-meta-colour", "blue"),
    ] {
        assert_eq!(got.header(name), value);
    }
}

#[tokio::test]
async fn a_form_to_no_bucket_is_answered_so() {
    let site = Site::new().await;
    let headers = [("content-type", "multipart/form-data; boundary=xx")];
    let body = "--xx\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na\r\n\
                --xx\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--xx--";
    let answer = site.send(Who::Anonymous, "POST", "/nothing-here", &headers, body).await;
    assert_eq!(answer.error(), (404, "NoSuchBucket"));
}
