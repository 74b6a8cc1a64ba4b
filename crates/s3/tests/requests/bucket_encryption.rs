//! The default encryption of a bucket: its document, its rights, and what becomes of objects.

use s3::{Compatibility, UnconfiguredEncryption};

use crate::support::{Answer, Site, Who, borrowed, customer_key};

const AES256: &str = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
                      </ApplyServerSideEncryptionByDefault>";
const KMS: &str = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
                   <KMSMasterKeyID>k1</KMSMasterKeyID></ApplyServerSideEncryptionByDefault>\
                   <BucketKeyEnabled>true</BucketKeyEnabled>";
const BLOCK: &str = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>";
const UNBLOCK: &str = "<BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType></BlockedEncryptionTypes>";

async fn put(site: &Site, who: Who, rule: &str) -> Answer {
    let document = format!(
        "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>{rule}</Rule>\
         </ServerSideEncryptionConfiguration>"
    );
    site.send(who, "PUT", "/bucket?encryption", &[], document).await
}

async fn get(site: &Site, who: Who) -> Answer {
    site.send(who, "GET", "/bucket?encryption", &[], "").await
}

#[tokio::test]
async fn a_configuration_is_put_shown_and_deleted() {
    let site = Site::new().await;
    assert_eq!(get(&site, Who::Owner).await.element("SSEAlgorithm"), "AES256", "what happens without one");
    assert_eq!(put(&site, Who::Owner, KMS).await.status, 200);
    let shown = get(&site, Who::Owner).await;
    assert_eq!((shown.element("SSEAlgorithm"), shown.element("KMSMasterKeyID")), ("aws:kms", "k1"));
    assert_eq!(shown.element("BucketKeyEnabled"), "true");
    assert!(!shown.text.contains("BlockedEncryptionTypes"));
    assert_eq!(put(&site, Who::Owner, &format!("{AES256}{UNBLOCK}")).await.status, 200);
    let shown = get(&site, Who::Owner).await;
    assert_eq!((shown.element("SSEAlgorithm"), shown.element("EncryptionType")), ("AES256", "NONE"));
    for _ in 0..2 {
        assert_eq!(site.send(Who::Owner, "DELETE", "/bucket?encryption", &[], "").await.status, 204);
    }
    assert!(!get(&site, Who::Owner).await.text.contains("EncryptionType"));
    for (rule, error) in [
        ("<Unknown/>", (400, "MalformedXML")),
        ("</Rule><Rule>", (400, "MalformedXML")),
        (&AES256.replace("</SSE", "x</SSE"), (400, "MalformedXML")),
        (&KMS.replace("aws:kms", "AES256"), (400, "InvalidArgument")),
    ] {
        assert_eq!(put(&site, Who::Owner, rule).await.error(), error, "{rule}");
    }
    let no_bucket = site.send(Who::Owner, "GET", "/nothing-here?encryption", &[], "").await;
    assert_eq!(no_bucket.error(), (404, "NoSuchBucket"));
}

#[tokio::test]
async fn what_an_unconfigured_bucket_answers_is_a_setting() {
    let unconfigured_encryption = UnconfiguredEncryption::NotFound;
    let site = Site::with(Compatibility { unconfigured_encryption, ..Compatibility::default() }).await;
    let not_found = (404, "ServerSideEncryptionConfigurationNotFoundError");
    assert_eq!(get(&site, Who::Owner).await.error(), not_found);
    assert_eq!(put(&site, Who::Owner, AES256).await.status, 200);
    assert_eq!(get(&site, Who::Owner).await.element("SSEAlgorithm"), "AES256");
    assert_eq!(site.send(Who::Owner, "DELETE", "/bucket?encryption", &[], "").await.status, 204);
    assert_eq!(get(&site, Who::Owner).await.error(), not_found);
}

#[tokio::test]
async fn others_need_the_rights_that_aws_names() {
    let site = Site::new().await;
    let delete = async || site.send(Who::Other, "DELETE", "/bucket?encryption", &[], "").await.status;
    for (actions, may_get, may_put) in [
        (r#""s3:GetObject""#, 403, 403),
        (r#""s3:GetEncryptionConfiguration""#, 200, 403),
        (r#""s3:PutEncryptionConfiguration""#, 403, 200),
    ] {
        let resource = if actions.contains("Object") { "arn:aws:s3:::bucket/*" } else { "arn:aws:s3:::bucket" };
        let statement = format!(r#"{{"Effect":"Allow","Principal":"*","Action":[{actions}],"Resource":"{resource}"}}"#);
        site.set_policy(&[&statement]).await;
        assert_eq!(get(&site, Who::Other).await.status, may_get, "{actions}");
        assert_eq!(put(&site, Who::Other, AES256).await.status, may_put, "{actions}");
        assert_eq!(delete().await, if may_put == 200 { 204 } else { 403 }, "{actions}");
    }
}

#[tokio::test]
async fn objects_without_a_mode_get_that_of_their_bucket() {
    let site = Site::new().await;
    site.kms_key("k1").await;
    assert_eq!(put(&site, Who::Owner, KMS).await.status, 200);
    let stored = site.send(Who::Owner, "PUT", "/bucket/o", &[], "hello").await;
    assert_eq!(stored.header("x-amz-server-side-encryption"), "aws:kms");
    assert_eq!(stored.header("x-amz-server-side-encryption-aws-kms-key-id"), "k1");
    assert_eq!(stored.header("x-amz-server-side-encryption-bucket-key-enabled"), "true");
    assert_eq!(site.send(Who::Owner, "GET", "/bucket/o", &[], "").await.text, "hello");
    let begun = site.send(Who::Owner, "POST", "/bucket/parts?uploads", &[], "").await;
    assert_eq!(begun.header("x-amz-server-side-encryption"), "aws:kms");
    let copied = site.send(Who::Owner, "PUT", "/bucket/copy", &[("x-amz-copy-source", "bucket/o")], "").await;
    assert_eq!(copied.header("x-amz-server-side-encryption"), "aws:kms");
    let wish = [("x-amz-server-side-encryption-bucket-key-enabled", "false")];
    let without = site.send(Who::Owner, "PUT", "/bucket/o", &wish, "hello").await;
    assert_eq!(without.header("x-amz-server-side-encryption"), "aws:kms");
    assert_eq!(without.header("x-amz-server-side-encryption-bucket-key-enabled"), "");
    let named = [("x-amz-server-side-encryption", "AES256")];
    let own = site.send(Who::Owner, "PUT", "/bucket/o", &named, "hello").await;
    assert_eq!(own.header("x-amz-server-side-encryption"), "AES256");
    let customer = customer_key(1);
    let own = site.send(Who::Owner, "PUT", "/bucket/o", &borrowed(&customer), "hello").await;
    assert_eq!(own.header("x-amz-server-side-encryption"), "");
    assert_eq!(own.header("x-amz-server-side-encryption-customer-algorithm"), "AES256");
}

#[tokio::test]
async fn a_policy_sees_what_the_client_sent_and_not_the_default() {
    let site = Site::new().await;
    site.kms_key("k1").await;
    assert_eq!(put(&site, Who::Owner, KMS).await.status, 200);
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*",
        "Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}}"#;
    site.set_policy(&[deny]).await;
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/o", &[], "hello").await.error(), (403, "AccessDenied"));
    let named = [("x-amz-server-side-encryption", "aws:kms")];
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/o", &named, "hello").await.status, 200);
}

#[tokio::test]
async fn a_bucket_can_refuse_to_be_written_with_customer_keys_and_is_still_read() {
    let site = Site::new().await;
    let customer = customer_key(1);
    let customer = borrowed(&customer);
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/o", &customer, "hello").await.status, 200);
    let begun = site.send(Who::Owner, "POST", "/bucket/parts?uploads", &customer, "").await;
    let part = format!("/bucket/parts?partNumber=1&uploadId={}", begun.element("UploadId"));
    let etag = site.send(Who::Owner, "PUT", &part, &customer, "x").await.header("etag").to_owned();
    assert_eq!(put(&site, Who::Owner, BLOCK).await.status, 200);
    let copy = [&[("x-amz-copy-source", "bucket/plain")], customer.as_slice()].concat();
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/plain", &[], "hello").await.status, 200);
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = format!("/bucket/parts?uploadId={}", begun.element("UploadId"));
    for (method, uri, headers, body) in [
        ("PUT", "/bucket/o", &customer, "hello"),
        ("PUT", "/bucket/copy", &copy, ""),
        ("POST", "/bucket/other?uploads", &customer, ""),
        ("PUT", &part, &customer, "x"),
        ("POST", &complete, &customer, &list),
    ] {
        let refused = site.send(Who::Owner, method, uri, headers, body).await;
        assert_eq!(refused.error(), (403, "AccessDenied"), "{method} {uri}");
    }
    assert_eq!(site.send(Who::Owner, "GET", "/bucket/o", &customer, "").await.text, "hello");
    assert_eq!(site.send(Who::Owner, "DELETE", "/bucket/o", &[], "").await.status, 204);
    assert_eq!(put(&site, Who::Owner, UNBLOCK).await.status, 200);
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/o", &customer, "hello").await.status, 200);
    assert_eq!(site.send(Who::Owner, "POST", &complete, &customer, &list).await.status, 200);
}
