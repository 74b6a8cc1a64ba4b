//! What every answer looks like, and what never reaches an operation.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use s3s::Body;

use super::sign::{V4, v2, v2_as, v4};
use super::support::{Draft, TOKEN, World};

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let world = World::new();
    let mut ids = Vec::new();
    for draft in [Draft::new("GET", "/"), Draft::new("GET", "/x"), Draft::new("GET", "/-/health/live")] {
        let answer = world.send(draft).await;
        let id = answer.headers["x-amz-request-id"].to_str().unwrap().to_owned();
        assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)));
        assert!(answer.headers.contains_key("x-amz-id-2"));
        assert_eq!(answer.summary.request_id, id);
        ids.push(id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn every_error_has_the_same_form() {
    let world = World::new();
    let mut wrong = v4(Draft::new("GET", "/bucket/a%20%3Cb%3E"));
    wrong.uri = "/bucket/c%20%3Cb%3E".into();
    for (draft, resource) in [
        (Draft::new("DELETE", "/bucket?lifecycle"), "/bucket"),
        (Draft::new("GET", "/B_/x"), "/B_/x"),
        (wrong, "/bucket/c%20%3Cb%3E"),
        (Draft::new("GET", "/key?acl&policy").with("host", "b.s3.example"), "/b/key"),
    ] {
        let answer = world.send(draft).await;
        assert_eq!(answer.headers["content-type"], "application/xml");
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>";
        assert!(answer.text.starts_with(start) && answer.text.ends_with("</HostId></Error>"), "{}", answer.text);
        assert!(answer.text.contains(&format!("<Resource>{resource}</Resource>")), "{}", answer.text);
        assert!(answer.text.contains(&format!("<RequestId>{}</RequestId>", answer.summary.request_id)));
        assert!(!answer.text.contains("<Message></Message>") && answer.text.contains("<Message>"));
        assert_eq!(answer.headers["content-length"], answer.text.len().to_string());
        assert_eq!(answer.summary.error.as_deref(), Some(answer.error().1));
    }
}

#[tokio::test]
async fn errors_of_head_have_no_body() {
    let world = World::new();
    for uri in ["/bucket?unknown", "/B_", "/bucket/key?versionId=x"] {
        let answer = world.send(Draft::new("HEAD", uri)).await;
        assert!(answer.status >= 400 && answer.text.is_empty(), "{answer:?}");
        assert!(answer.headers.contains_key("x-amz-request-id"));
    }
}

#[tokio::test]
async fn unknown_subresources_reach_no_operation() {
    let world = World::new();
    let not_implemented = refused(501, "NotImplemented");
    for (method, uri) in [
        ("DELETE", "/bucket?lifecycle"),
        ("DELETE", "/bucket?unknown"),
        ("PUT", "/bucket/key?unknown"),
        ("PUT", "/bucket?versioning"),
        ("GET", "/bucket?versions"),
        ("GET", "/bucket/key?torrent"),
        ("POST", "/bucket/key?select&select-type=2"),
    ] {
        assert_eq!(world.refused(v2(Draft::new(method, uri))).await, not_implemented, "{method} {uri}");
        assert_eq!(world.refused(v4(Draft::new(method, uri))).await, not_implemented, "{method} {uri}");
    }
    assert_eq!(world.served(v2(Draft::new("DELETE", "/bucket"))).await.operation, "delete_bucket");
    assert_eq!(world.refused(Draft::new("PATCH", "/bucket/key")).await, refused(405, "MethodNotAllowed"));
}

#[tokio::test]
async fn a_preflight_finds_no_rule() {
    let world = World::new();
    let preflight = Draft::new("OPTIONS", "/bucket/key");
    assert_eq!(world.refused(preflight.clone()).await, refused(400, "BadRequest"));
    let preflight = preflight.with("origin", "https://example.org");
    assert_eq!(world.refused(preflight.clone()).await, refused(400, "BadRequest"));
    let preflight = preflight.with("access-control-request-method", "GET");
    assert_eq!(world.refused(preflight).await, refused(403, "AccessForbidden"));
}

#[tokio::test]
async fn features_that_we_lack_reach_no_operation() {
    let world = World::new();
    for (name, value) in
        [("x-amz-object-lock-mode", "COMPLIANCE"), ("x-amz-tagging", "a=b"), ("x-amz-grant-read", "id=1")]
    {
        let draft = Draft::new("PUT", "/bucket/key").with(name, value);
        assert_eq!(world.refused(v4(draft)).await, refused(501, "NotImplemented"));
    }
}

/// A body that must not be touched.
struct Untouchable;

impl http_body::Body for Untouchable {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        panic!("the body was read")
    }
}

#[tokio::test]
async fn a_customer_key_over_plain_http_is_refused_before_the_body_is_read() {
    let world = World::new();
    for header in
        ["x-amz-server-side-encryption-customer-key", "x-amz-copy-source-server-side-encryption-customer-key-md5"]
    {
        let request = http::Request::put("/bucket/key").header("host", "h").header(header, "AAAA");
        let answer = world.send_raw(request.body(Body::http_body(Untouchable)).unwrap(), false).await;
        assert_eq!(answer.error(), (400, "InvalidRequest"));
        assert!(!answer.text.contains("AAAA"));
    }
    assert_eq!(world.seen(), []);
}

#[tokio::test]
async fn an_anonymous_bucket_is_refused_before_the_body_is_read() {
    let world = World::new();
    let request = http::Request::put("/bucket").header("host", "h").header("content-length", "10");
    // `Expect` keeps the rest of the refused body from being read away.
    let request = request.header("expect", "100-continue").body(Body::http_body(Untouchable)).unwrap();
    assert_eq!(world.send_raw(request, true).await.error(), (403, "AccessDenied"));
    assert_eq!(world.seen(), []);
}

#[tokio::test]
async fn a_customer_key_in_a_url_is_refused_signed_or_not() {
    let world = World::new();
    let draft = || Draft::new("GET", "/bucket/key?x-amz-server-side-encryption-customer-key=AAAA");
    for draft in [draft(), v2(draft()), V4::default().query(draft(), "60")] {
        let answer = world.send(draft).await;
        assert_eq!(answer.error(), (400, "InvalidRequest"));
        assert!(!answer.text.contains("AAAA"));
    }
}

#[tokio::test]
async fn the_servers_own_paths_are_no_bucket() {
    let world = World::new();
    let answer = world.send(Draft::new("GET", "/-/health/live").insecure()).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "live"));
    for (method, uri) in
        [("GET", "/-/health/x"), ("GET", "/-/"), ("GET", "/-/x"), ("PUT", "/-/x/y"), ("GET", "/%2D/health/live")]
    {
        assert_eq!(world.refused(Draft::new(method, uri)).await, refused(404, "NoSuchPath"), "{method} {uri}");
    }
    assert_eq!(world.refused(Draft::new("PUT", "/-/health/live")).await, refused(405, "MethodNotAllowed"));
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(world.refused(v4(Draft::new(method, "/-"))).await, refused(400, "InvalidBucketName"));
    }
    let on_a_bucket = Draft::new("GET", "/-/health/live").with("host", "bucket.s3.example");
    assert_eq!(world.served(v4(on_a_bucket)).await.object, "-/health/live");
}

#[tokio::test]
async fn the_admin_api_wants_a_signature_of_a_pair_over_tls() {
    let world = World::new();
    let call = || Draft::new("POST", "/-/admin/v1/create-user").body("{}");
    let answer = world.send(v4(call())).await;
    let expected = "POST /-/admin/v1/create-user arn:aws:iam::111122223333:user/alice {}";
    assert_eq!((answer.status, answer.text.as_str()), (409, expected));
    assert_eq!(answer.summary.operation.as_deref(), Some("Admin"));
    let denied = refused(403, "AccessDenied");
    assert_eq!(world.refused(call()).await, denied);
    assert_eq!(world.refused(v4(call()).insecure()).await, denied);
    assert_eq!(world.refused(v2_as(call(), TOKEN, "")).await, denied);
    assert_eq!(world.refused(v2(call())).await, denied);
    assert_eq!(world.refused(V4::default().query(call(), "60")).await, denied);
    let wrong = V4 { secret: "x".into(), ..V4::default() };
    assert_eq!(world.refused(wrong.header(call(), "UNSIGNED-PAYLOAD").0).await, refused(403, "SignatureDoesNotMatch"));
    let changed = v4(call()).body("{ }");
    assert_eq!(world.refused(changed).await, refused(400, "XAmzContentSHA256Mismatch"));
    let large = v4(call().body(vec![b' '; (1 << 20) + 1]));
    assert_eq!(world.refused(large).await, refused(400, "MaxMessageLengthExceeded"));
}

#[tokio::test]
async fn the_summary_tells_the_operation_and_who() {
    let world = World::new();
    let answer = world.send(v4(Draft::new("GET", "/bucket/key"))).await;
    assert_eq!(answer.summary.operation.as_deref(), Some("GetObject"));
    assert_eq!(answer.summary.principal.as_deref(), Some("arn:aws:iam::111122223333:user/alice"));
    assert_eq!(answer.summary.error, None);
}

#[tokio::test]
async fn errors_of_operations_keep_their_headers() {
    let world = World::new();
    let answer = world.send(Draft::new("GET", "/bucket/status/416")).await;
    assert_eq!((answer.error(), &answer.headers["etag"]), ((416, "InvalidRange"), &"\"tag\"".parse().unwrap()));
    let answer = world.send(Draft::new("GET", "/bucket/status/304")).await;
    assert_eq!((answer.status, answer.text.as_str()), (304, ""));
    assert_eq!(answer.headers["etag"], "\"tag\"");
    assert!(!answer.headers.contains_key("content-type"));
}
