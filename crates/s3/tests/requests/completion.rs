//! What a completion is held to.

use crate::support::{Site, Who, borrowed, customer_key};

#[tokio::test]
async fn a_completion_is_held_to_the_size_and_the_checksum_type_that_it_names() {
    let site = Site::new().await;
    let begun = site.send(Who::Owner, "POST", "/bucket/parts?uploads", &[], "").await;
    let upload = begun.element("UploadId");
    let part = format!("/bucket/parts?partNumber=1&uploadId={upload}");
    assert_eq!(site.send(Who::Owner, "PUT", &part, &[], "part").await.status, 200);
    // The MD5 of the part.
    let etag = "f4c9385f1902f7334b00b9b4ecd164de";
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = format!("/bucket/parts?uploadId={upload}");
    for (name, value) in [
        ("x-amz-mp-object-size", "5"),
        ("x-amz-mp-object-size", "-1"),
        ("x-amz-checksum-type", "COMPOSITE"),
        ("x-amz-checksum-type", "PARTIAL"),
    ] {
        let answer = site.send(Who::Owner, "POST", &complete, &[(name, value)], &list).await;
        assert_eq!(answer.error(), (400, "InvalidRequest"), "{name}: {value}");
    }
    let answer = site.send(Who::Owner, "POST", &complete, &[("x-amz-mp-object-size", "4")], &list).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_completion_that_is_asked_for_again_is_judged_by_what_the_upload_became() {
    let site = Site::new().await;
    site.kms_key("k1").await;
    let customer = customer_key(1);
    let customer = borrowed(&customer);
    let server = ("x-amz-server-side-encryption", "AES256");
    let kms = [("x-amz-server-side-encryption", "aws:kms"), ("x-amz-server-side-encryption-aws-kms-key-id", "k1")];
    let deny = |condition: &str| {
        format!(
            r#"{{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*",
                "Condition":{condition}}}"#
        )
    };
    let guide = deny(r#"{"StringNotEquals":{"s3:x-amz-server-side-encryption":"AES256"}}"#);
    let by_customer = deny(r#"{"Null":{"s3:x-amz-server-side-encryption-customer-algorithm":"true"}}"#);
    let by_kms = deny(r#"{"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"k1"}}"#);
    for (policy, headers, key) in [
        (&guide, vec![server], &[][..]),
        (&guide, [&[server][..], &customer].concat(), &customer[..]),
        (&by_customer, customer.clone(), &customer),
        (&by_kms, kms.to_vec(), &[]),
    ] {
        site.set_policy(&[policy]).await;
        let begun = site.send(Who::Owner, "POST", "/bucket/parts?uploads", &headers, "").await;
        let upload = begun.element("UploadId");
        let part = format!("/bucket/parts?partNumber=1&uploadId={upload}");
        let etag = site.send(Who::Owner, "PUT", &part, key, "part").await.header("etag").to_owned();
        let list = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
             </CompleteMultipartUpload>"
        );
        let complete = format!("/bucket/parts?uploadId={upload}");
        let first = site.send(Who::Owner, "POST", &complete, &[], &list).await;
        assert_eq!(first.status, 200, "{policy}: {first:?}");
        let again = site.send(Who::Owner, "POST", &complete, &[], &list).await;
        assert_eq!((again.status, again.element("ETag")), (200, first.element("ETag")), "{policy}: {again:?}");
        let unknown = format!("/bucket/parts?uploadId={}", "0".repeat(upload.len()));
        let unknown = site.send(Who::Owner, "POST", &unknown, &[], &list).await;
        assert_ne!(unknown.status, 200, "{unknown:?}");
    }
}
