//! What policies see of requests, and which rights a request takes.

use s3::TlsVersion;

use crate::support::{Answer, Site, Who};

const PUBLIC: (&str, &str) = ("x-amz-acl", "public-read");

/// The three calls that give an object an ACL, with these headers.
async fn with_acl(site: &Site, who: Who, acl: &[(&str, &str)]) -> [Answer; 3] {
    let copy: Vec<_> = [("x-amz-copy-source", "/bucket/source")].iter().chain(acl).copied().collect();
    [
        site.send(who, "PUT", "/bucket/put", acl, "bytes").await,
        site.send(who, "PUT", "/bucket/copied", &copy, "").await,
        site.send(who, "POST", "/bucket/uploaded?uploads", acl, "").await,
    ]
}

async fn site_with_source() -> Site {
    let site = Site::new().await;
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/source", &[], "bytes").await.status, 200);
    site
}

fn statement(effect: &str, actions: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect":"{effect}","Principal":"*","Action":[{actions}],"Resource":"arn:aws:s3:::bucket/*",
            "Condition":{{{condition}}}}}"#
    )
}

#[tokio::test]
async fn the_owner_may_make_a_public_object() {
    let site = site_with_source().await;
    for answer in with_acl(&site, Who::Owner, &[PUBLIC]).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn a_public_object_takes_the_right_to_set_an_acl() {
    let site = site_with_source().await;
    let rights = r#""s3:GetObject","s3:PutObject""#;
    site.set_policy(&[&statement("Allow", rights, "")]).await;
    for answer in with_acl(&site, Who::Other, &[PUBLIC]).await {
        assert_eq!(answer.error(), (403, "AccessDenied"));
    }
    for acl in [&[][..], &[("x-amz-acl", "private")]] {
        for answer in with_acl(&site, Who::Other, acl).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    site.set_policy(&[&statement("Allow", &format!(r#"{rights},"s3:PutObjectAcl""#), "")]).await;
    for answer in with_acl(&site, Who::Other, &[PUBLIC]).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn a_deny_of_acls_denies_public_objects_to_the_owner_too() {
    let site = site_with_source().await;
    site.set_policy(&[&statement("Deny", r#""s3:PutObjectAcl""#, "")]).await;
    for answer in with_acl(&site, Who::Owner, &[PUBLIC]).await {
        assert_eq!(answer.error(), (403, "AccessDenied"));
    }
    for answer in with_acl(&site, Who::Owner, &[]).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn the_way_of_signing_cannot_be_forged_by_spelling() {
    let site = site_with_source().await;
    let condition = r#""StringNotEquals":{"s3:authType":"REST-QUERY-STRING","s3:signatureversion":"AWS4-HMAC-SHA256"}"#;
    site.set_policy(&[&statement("Deny", r#""s3:GetObject""#, condition)]).await;
    for query in ["", "?x=X-Amz-Signature=1", "?xSignature=1"] {
        let answer = site.send(Who::Owner, "GET", &format!("/bucket/source{query}"), &[], "").await;
        assert_eq!(answer.error(), (403, "AccessDenied"), "{query}");
    }
    let header = r#""StringEquals":{"s3:authType":"REST-HEADER","s3:signatureversion":"AWS"}"#;
    site.set_policy(&[&statement("Allow", r#""s3:GetObject""#, header)]).await;
    assert_eq!(site.send(Who::Other, "GET", "/bucket/source", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_copy_source_is_compared_in_one_spelling() {
    let site = site_with_source().await;
    let condition = r#""StringEquals":{"s3:x-amz-copy-source":"bucket/source"}"#;
    site.set_policy(&[&statement("Deny", r#""s3:PutObject""#, condition)]).await;
    for source in ["bucket/source", "/bucket/source", "bucket%2Fsource", "/bucket/s%6furce?versionId=null"] {
        let answer = site.send(Who::Owner, "PUT", "/bucket/target", &[("x-amz-copy-source", source)], "").await;
        assert_eq!(answer.error(), (403, "AccessDenied"), "{source}");
    }
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/other", &[], "x").await.status, 200);
    let other = [("x-amz-copy-source", "bucket/other")];
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/target", &other, "").await.status, 200);
}

#[tokio::test]
async fn a_policy_can_demand_that_nothing_is_overwritten() {
    let site = site_with_source().await;
    let condition = r#""Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}"#;
    site.set_policy(&[&statement("Deny", r#""s3:PutObject""#, condition)]).await;
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/fresh", &[], "x").await.error(), (403, "AccessDenied"));
    let only_new = [("if-none-match", "*")];
    assert_eq!(site.send(Who::Owner, "PUT", "/bucket/fresh", &only_new, "x").await.status, 200);
    let begun = site.send(Who::Owner, "POST", "/bucket/parts?uploads", &[], "").await;
    let part = format!("/bucket/parts?partNumber=1&uploadId={}", begun.element("UploadId"));
    assert_eq!(site.send(Who::Owner, "PUT", &part, &[], "x").await.status, 200);
    let list =
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>";
    let complete = format!("/bucket/parts?uploadId={}", begun.element("UploadId"));
    assert_eq!(site.send(Who::Owner, "POST", &complete, &[], list).await.error(), (403, "AccessDenied"));
    assert_eq!(site.send(Who::Owner, "POST", &complete, &only_new, list).await.error(), (400, "InvalidPart"));
}

#[tokio::test]
async fn a_policy_can_demand_a_version_of_tls() {
    let mut site = site_with_source().await;
    site.set_policy(&[&statement("Deny", r#""s3:GetObject""#, r#""NumericLessThan":{"s3:TlsVersion":"1.3"}"#)]).await;
    for (tls, status) in [(Some(TlsVersion::V1_2), 403), (Some(TlsVersion::V1_3), 200), (None, 200)] {
        site.tls = tls;
        assert_eq!(site.send(Who::Owner, "GET", "/bucket/source", &[], "").await.status, status, "{tls:?}");
    }
}
