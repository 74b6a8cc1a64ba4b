//! SSE-KMS on every operation: what is repeated, what policies see, what goes wrong.

use s3::{Compatibility, PolicyVersions, SseCWithAes256, WrongKeyStatus};

use crate::support::{Answer, Site, Who, borrowed, customer_key};

const MODE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const KMS: (&str, &str) = (MODE, "aws:kms");

/// Mode, key, context and bucket key, as the answer tells them.
fn told(answer: &Answer) -> [&str; 4] {
    assert!(answer.status < 300, "{answer:?}");
    [MODE, KEY_ID, CONTEXT, BUCKET_KEY].map(|name| answer.header(name))
}

#[tokio::test]
async fn each_operation_tells_of_the_mode_what_aws_tells() {
    let site = Site::new().await;
    site.kms_key("k1").await;
    let send = async |method: &str, uri: &str, headers: &[(&str, &str)], body: &str| {
        site.send(Who::Owner, method, uri, headers, body).await
    };
    // {"a":"b"}
    let asked = [KMS, (KEY_ID, "k1"), (CONTEXT, "eyJhIjoiYiJ9"), (BUCKET_KEY, "true")];
    let with_context = ["aws:kms", "k1", "eyJhIjoiYiJ9", "true"];
    let without = ["aws:kms", "k1", "", "true"];
    assert_eq!(told(&send("PUT", "/bucket/o", &asked, "hello").await), with_context);
    for method in ["GET", "HEAD"] {
        assert_eq!(told(&send(method, "/bucket/o", &[], "").await), without, "{method}");
    }
    let copy = [&[("x-amz-copy-source", "bucket/o")][..], &asked].concat();
    assert_eq!(told(&send("PUT", "/bucket/copy", &copy, "").await), with_context);
    let begun = send("POST", "/bucket/parts?uploads", &asked, "").await;
    assert_eq!(told(&begun), with_context);
    let upload = begun.element("UploadId");
    let part = send("PUT", &format!("/bucket/parts?partNumber=1&uploadId={upload}"), &[], "part").await;
    assert_eq!(told(&part), without);
    let source = [("x-amz-copy-source", "bucket/o")];
    let copied = send("PUT", &format!("/bucket/parts?partNumber=1&uploadId={upload}"), &source, "").await;
    assert_eq!(told(&copied), without);
    let etag = copied.element("ETag");
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    assert_eq!(told(&send("POST", &format!("/bucket/parts?uploadId={upload}"), &[], &list).await), without);
    assert_eq!(send("GET", "/bucket/parts", &[], "").await.text, "hello");
    let without_key = send("PUT", "/bucket/o", &[KMS], "hello").await;
    assert_eq!(told(&without_key), ["aws:kms", "aws/s3", "", ""], "the default key is made on first use");
}

#[tokio::test]
async fn what_a_client_asks_wrongly_is_told() {
    let site = Site::new().await;
    let customer = customer_key(1);
    let put = async |headers: &[(&str, &str)]| site.send(Who::Owner, "PUT", "/bucket/o", headers, "hello").await;
    for (headers, error) in [
        (&[KMS, (KEY_ID, "absent")][..], (400, "KMS.NotFoundException")),
        (&[KMS, (KEY_ID, "a key")], (400, "InvalidArgument")),
        (&[KMS, (CONTEXT, "{}")], (400, "InvalidArgument")),
        (&[KMS, (BUCKET_KEY, "yes")], (400, "InvalidArgument")),
        (&[&borrowed(&customer)[..], &[(BUCKET_KEY, "true")]].concat(), (400, "InvalidArgument")),
        (&[(KEY_ID, "k1")], (400, "InvalidArgument")),
        (&[(MODE, "AES256"), (KEY_ID, "k1")], (400, "InvalidArgument")),
        (&[(MODE, "aws:kms:dsse")], (501, "NotImplemented")),
        (&[(MODE, "aes:kms"), (KEY_ID, "k1")], (400, "InvalidArgument")),
    ] {
        assert_eq!(put(headers).await.error(), error, "{headers:?}");
    }
    for name in [MODE, KEY_ID, CONTEXT, BUCKET_KEY] {
        let read = site.send(Who::Owner, "GET", "/bucket/o", &[(name, "x")], "").await;
        assert_eq!(read.error(), (400, "InvalidArgument"), "{name}");
    }
    site.kms_key("k1").await;
    assert_eq!(put(&[KMS, (KEY_ID, "k1")]).await.status, 200);
    site.disable_kms_key("k1").await;
    assert_eq!(put(&[KMS, (KEY_ID, "k1")]).await.error(), (400, "KMS.DisabledException"));
    let read = site.send(Who::Owner, "GET", "/bucket/o", &[], "").await;
    assert_eq!(read.error(), (400, "KMS.DisabledException"));
}

#[tokio::test]
async fn a_policy_can_demand_a_kms_key_and_parts_are_judged_by_their_beginning() {
    let site = Site::new().await;
    for id in ["k1", "k2"] {
        site.kms_key(id).await;
    }
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*",
        "Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"k1"}}}"#;
    site.set_policy(&[deny]).await;
    let begin = async |headers: &[(&str, &str)]| site.send(Who::Owner, "POST", "/bucket/o?uploads", headers, "").await;
    for refused in [&[][..], &[KMS], &[KMS, (KEY_ID, "k2")], &[(MODE, "AES256")]] {
        assert_eq!(begin(refused).await.error(), (403, "AccessDenied"), "{refused:?}");
        let put = site.send(Who::Owner, "PUT", "/bucket/o", refused, "x").await;
        assert_eq!(put.error(), (403, "AccessDenied"), "{refused:?}");
    }
    let begun = begin(&[KMS, (KEY_ID, "k1")]).await;
    let part = format!("/bucket/o?partNumber=1&uploadId={}", begun.element("UploadId"));
    let etag = site.send(Who::Owner, "PUT", &part, &[], "part").await.header("etag").to_owned();
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = format!("/bucket/o?uploadId={}", begun.element("UploadId"));
    assert_eq!(site.send(Who::Owner, "POST", &complete, &[], &list).await.status, 200);
}

#[tokio::test]
async fn what_a_policy_demands_of_a_write_binds_a_change_in_place() {
    let site = Site::new().await;
    for id in ["k1", "k2"] {
        site.kms_key(id).await;
    }
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/o", &[KMS, (KEY_ID, "k1")], "x").await.status, 200);
    let update = async |who: Who, object: &str, headers: &[(&str, &str)], inner: &str| {
        let document = format!("<ObjectEncryption>{inner}</ObjectEncryption>");
        site.send(who, "PUT", &format!("/bucket/{object}?encryption"), headers, document).await
    };
    let kms = |id: &str| format!("<SSE-KMS><KMSKeyArn>{id}</KMSKeyArn></SSE-KMS>");
    for action in ["s3:PutObject", "s3:UpdateObjectEncryption"] {
        let deny = format!(
            r#"{{"Effect":"Deny","Principal":"*","Action":"{action}","Resource":"arn:aws:s3:::bucket/*",
            "Condition":{{"StringNotEquals":{{"s3:x-amz-server-side-encryption-aws-kms-key-id":"k1"}}}}}}"#
        );
        site.set_policy(&[&deny]).await;
        for refused in ["<SSE-S3/>", &kms("k2"), &kms("arn:aws:kms:::key/k2")] {
            let answer = update(Who::Owner, "o", &[], refused).await;
            assert_eq!(answer.error(), (403, "AccessDenied"), "{action} {refused}");
        }
        for spelled in ["k1", "alias/k1", "arn:aws:kms:us-east-1:111122223333:key/k1"] {
            assert_eq!(update(Who::Owner, "o", &[], &kms(spelled)).await.status, 200, "{action} {spelled}");
        }
    }
    // A header says to a policy what the document does not.
    let customer = customer_key(1);
    for headers in [&[KMS, (KEY_ID, "k1")][..], &[(CONTEXT, "e30=")], &borrowed(&customer)] {
        let answer = update(Who::Owner, "o", headers, "<SSE-S3/>").await;
        assert_eq!(answer.error(), (400, "InvalidArgument"), "{headers:?}");
    }
    let allow = |action: &str| {
        format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":[{action}],"Resource":"arn:aws:s3:::bucket/*"}}"#,
            Who::Other.arn()
        )
    };
    for (actions, error) in [
        (r#""s3:UpdateObjectEncryption""#, (403, "AccessDenied")),
        (r#""s3:PutObject""#, (403, "AccessDenied")),
        (r#""s3:UpdateObjectEncryption","s3:PutObject""#, (200, "")),
    ] {
        site.set_policy(&[&allow(actions)]).await;
        assert_eq!(update(Who::Other, "o", &[], "<SSE-S3/>").await.error(), error, "{actions}");
    }
    let absent = update(Who::Other, "absent", &[], "<SSE-S3/>").await;
    assert_eq!(absent.error(), (403, "AccessDenied"), "who may not list is not told what is there");
}

#[tokio::test]
async fn a_policy_sees_a_kms_key_by_its_id_however_either_spells_it() {
    let site = Site::new().await;
    for id in ["k1", "k2"] {
        site.kms_key(id).await;
    }
    let spellings = ["k1", "key/k1", "alias/k1", "arn:aws:kms:us-east-1:111122223333:key/k1", "arn:aws:kms:::alias/k1"];
    for (operator, written) in [
        ("StringEquals", "k1"),
        ("StringEquals", "alias/k1"),
        ("StringEquals", "arn:aws:kms:us-east-1:111122223333:key/k1"),
        ("StringLike", "arn:aws:kms:*:key/k1"),
        ("StringLike", "*/k1"),
        ("ArnEquals", "arn:aws:kms:us-east-1:111122223333:key/k1"),
    ] {
        let deny = format!(
            r#"{{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*",
            "Condition":{{"{operator}":{{"s3:x-amz-server-side-encryption-aws-kms-key-id":"{written}"}}}}}}"#
        );
        site.set_policy(&[&deny]).await;
        for spelled in spellings {
            let put = site.send(Who::Owner, "PUT", "/bucket/o", &[KMS, (KEY_ID, spelled)], "x").await;
            assert_eq!(put.error(), (403, "AccessDenied"), "{operator} {written}: {spelled}");
        }
        let other = site.send(Who::Owner, "PUT", "/bucket/o", &[KMS, (KEY_ID, "k2")], "x").await;
        assert_eq!(other.status, 200, "{operator} {written}");
    }
}

#[tokio::test]
async fn an_object_changes_between_server_held_keys_in_place() {
    let site = Site::new().await;
    site.kms_key("k1").await;
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/o", &[], "hello").await.status, 200);
    let update = async |who: Who, object: &str, inner: &str| {
        let document = format!("<ObjectEncryption>{inner}</ObjectEncryption>");
        site.send(who, "PUT", &format!("/bucket/{object}?encryption"), &[], document).await
    };
    let kms = "<SSE-KMS><KMSKeyArn>arn:aws:kms:us-east-1:111122223333:key/k1</KMSKeyArn>\
               <BucketKeyEnabled>true</BucketKeyEnabled></SSE-KMS>";
    assert_eq!(update(Who::Owner, "o", kms).await.status, 200);
    let read = site.send(Who::Owner, "GET", "/bucket/o", &[], "").await;
    assert_eq!((told(&read), read.text.as_str()), (["aws:kms", "k1", "", "true"], "hello"));
    assert_eq!(update(Who::Owner, "o", "<SSE-S3/>").await.status, 200);
    let read = site.send(Who::Owner, "GET", "/bucket/o", &[], "").await;
    assert_eq!((told(&read), read.text.as_str()), (["AES256", "", "", ""], "hello"));
    assert_eq!(read.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(update(Who::Other, "o", kms).await.error(), (403, "AccessDenied"));
    assert_eq!(update(Who::Owner, "absent", kms).await.error(), (404, "NoSuchKey"));
    assert_eq!(update(Who::Owner, "o", "<SSE-C/>").await.error(), (400, "MalformedXML"));
    assert_eq!(update(Who::Owner, "o", &kms.replace("key/k1", "key/k9")).await.error(), (400, "KMS.NotFoundException"));
    let customer = customer_key(1);
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/c", &borrowed(&customer), "hello").await.status, 200);
    assert_eq!(update(Who::Owner, "c", kms).await.error(), (400, "InvalidRequest"));
}

#[tokio::test]
async fn strictness_is_a_setting() {
    let site = Site::with(Compatibility {
        sse_c_with_aes256: SseCWithAes256::Refuse,
        wrong_key_status: WrongKeyStatus::BadRequest,
        policy_versions: PolicyVersions::Strict,
        ..Compatibility::default()
    })
    .await;
    let (right, wrong) = (customer_key(1), customer_key(2));
    let (right, wrong) = (borrowed(&right), borrowed(&wrong));
    let mixed = [&[(MODE, "AES256")], right.as_slice()].concat();
    let put = async |headers: &[(&str, &str)]| site.send(Who::Owner, "PUT", "/bucket/o", headers, "hello").await;
    assert_eq!(put(&mixed).await.error(), (400, "InvalidArgument"));
    assert_eq!(put(&right).await.status, 200);
    let read = site.send(Who::Owner, "GET", "/bucket/o", &wrong, "").await;
    assert_eq!(read.error(), (400, "InvalidRequest"));
    let from_it = [("x-amz-copy-source", "bucket/o")]
        .into_iter()
        .chain(wrong.iter().copied())
        .map(|(name, value)| (name.replacen("x-amz-server", "x-amz-copy-source-server", 1), value));
    let from_it: Vec<_> = from_it.collect();
    let from_it: Vec<_> = from_it.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let copied = site.send(Who::Owner, "PUT", "/bucket/copy", &from_it, "").await;
    assert_eq!(copied.error(), (400, "InvalidRequest"));
    let policy = |version: &str| {
        format!(
            r#"{{"Version":"{version}","Statement":[{{"Effect":"Deny","Principal":"*","Action":"s3:PutObject",
                "Resource":"arn:aws:s3:::bucket/*"}}]}}"#
        )
    };
    let set = async |version: &str| site.send(Who::Owner, "PUT", "/bucket?policy", &[], policy(version)).await;
    assert_eq!(set("2018-05-24").await.error(), (400, "MalformedPolicy"));
    assert_eq!(put(&right).await.status, 200, "it was not set");
    assert_eq!(set("2012-10-17").await.status, 204);
    assert_eq!(put(&right).await.error(), (403, "AccessDenied"));
}
