//! Bodies: what they are framed in, what they claim to be, and what reaches an operation of them.

use super::sign::{V4, sha256_hex, v2, v2_as, v4};
use super::support::{Draft, TOKEN, World};

fn put() -> Draft {
    Draft::new("PUT", "/bucket/key")
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// A body in one unsigned chunk with a checksum behind it.
fn unsigned_chunk(data: &[u8], draft: Draft) -> Draft {
    let mut body = format!("{:x}\r\n", data.len()).into_bytes();
    body.extend_from_slice(data);
    body.extend_from_slice(b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
    draft
        .with("x-amz-trailer", "x-amz-checksum-crc32")
        .with("x-amz-decoded-content-length", data.len().to_string())
        .with("content-encoding", "aws-chunked")
        .body(body)
}

fn token(draft: Draft) -> Draft {
    v2_as(draft, TOKEN, "")
}

#[tokio::test]
async fn bodies_arrive_whole_whoever_signs() {
    let world = World::new();
    let body = vec![7; 300_000];
    for draft in [
        v2(put().body(body.clone())),
        v4(put().body(body.clone())),
        V4::default().header(put().body(body.clone()), "UNSIGNED-PAYLOAD").0,
        V4::default().query(put(), "60").body(body.clone()),
        token(put().body(body.clone())),
        token(put().body(body.clone()).with("x-amz-content-sha256", sha256_hex(&body))),
        V4::default().chunks(put(), &[&body[..100_000], &body[100_000..]]),
    ] {
        assert_eq!(world.served(draft.pieces(7777)).await.body, body);
    }
    for draft in [v2(put()), v4(put()), token(put()), V4::default().chunks(put(), &[])] {
        assert_eq!(world.served(draft).await.body, "");
    }
}

#[tokio::test]
async fn a_body_with_another_digest_is_refused_before_its_end() {
    let world = World::new();
    let mismatch = refused(400, "XAmzContentSHA256Mismatch");
    let other = sha256_hex("other");
    let body = vec![7; 100_000];
    assert_eq!(world.refused(V4::default().header(put().body(body.clone()), &other).0).await, mismatch);
    assert_eq!(world.refused(token(put().body(body.clone()).with("x-amz-content-sha256", &other))).await, mismatch);
    assert_eq!(world.refused(v2(put().body(body.clone()).with("x-amz-content-sha256", &other))).await, mismatch);
    assert_eq!(world.refused(put().body(body).with("x-amz-content-sha256", &other)).await, mismatch);
    assert_eq!(world.refused(token(put().with("x-amz-content-sha256", &other))).await, mismatch);
    for junk in ["junk", "UNSIGNED", "streaming-unsigned-payload-trailer", &other.to_uppercase()] {
        let draft = token(put().with("x-amz-content-sha256", junk));
        assert_eq!(world.refused(draft).await, refused(400, "InvalidArgument"), "{junk}");
    }
}

#[tokio::test]
async fn a_document_with_another_digest_is_the_clients_mistake() {
    let world = World::new();
    for draft in [Draft::new("POST", "/bucket?delete"), Draft::new("PUT", "/bucket?policy")] {
        let draft = V4::default().header(draft.body("<x/>"), &sha256_hex("other")).0;
        assert_eq!(world.refused(draft).await, refused(400, "XAmzContentSHA256Mismatch"));
    }
}

#[tokio::test]
async fn a_document_has_the_digests_that_its_headers_claim() {
    let world = World::new();
    let list = "<Delete><Object><Key>a</Key></Object></Delete>";
    let delete = || Draft::new("POST", "/bucket?delete").body(list);
    let md5 = || delete().with("content-md5", "aFPqFnlCon58cZ4Qt7zwvQ==");
    let crc32 = || delete().with("x-amz-checksum-crc32", "AAAAAA==");
    for sign in [v2, v4, token, |draft| V4::default().header(draft, "UNSIGNED-PAYLOAD").0] {
        assert_eq!(world.served(sign(md5())).await.operation, "delete_objects");
        assert_eq!(world.refused(sign(md5().with("content-md5", "x"))).await, refused(400, "InvalidDigest"));
        assert_eq!(world.refused(sign(md5().body(list.replace('a', "b")))).await, refused(400, "BadDigest"));
        assert_eq!(world.refused(sign(crc32())).await, refused(400, "BadDigest"));
    }
    assert_eq!(world.refused(v2(delete())).await, refused(400, "InvalidRequest"));
    assert_eq!(world.served(v4(delete())).await.operation, "delete_objects");
    let behind = unsigned_chunk(list.as_bytes(), delete()).with("x-amz-content-sha256", UNSIGNED);
    assert_eq!(world.refused(token(behind)).await, refused(400, "BadDigest"));
}

#[tokio::test]
async fn documents_are_bounded() {
    let world = World::new();
    let draft = v4(Draft::new("PUT", "/bucket?policy").body(vec![b' '; 5 << 20]));
    assert_eq!(world.refused(draft).await, refused(400, "MalformedPolicy"));
    let policy = v4(Draft::new("PUT", "/bucket?policy").body(vec![b' '; 20 << 10]));
    assert_eq!(world.served(policy).await.object.len(), 20 << 10);
    for (method, uri, length) in [
        ("PUT", "/bucket", 64 << 10),
        ("PUT", "/bucket?acl", 64 << 10),
        ("PUT", "/bucket/key?acl", 64 << 10),
        ("POST", "/bucket?delete", 2 << 20),
        ("POST", "/bucket/key?uploadId=u", 4 << 20),
    ] {
        let draft = v4(Draft::new(method, uri).body(vec![b' '; length + 1]));
        assert_eq!(world.refused(draft).await, refused(400, "MaxMessageLengthExceeded"), "{method} {uri}");
    }
    let malformed = v4(Draft::new("POST", "/bucket?delete").body("<Delete><Object></Delete>"));
    assert_eq!(world.refused(malformed).await, refused(400, "MalformedXML"));
}

#[tokio::test]
async fn a_list_of_too_many_entries_is_not_parsed() {
    let world = World::new();
    // The parser would take the end of the list for a mistake as well: it must not come to that.
    let many = |root: &str, entry: &str, count| format!("<{root}>{}</{root}>", entry.repeat(count));
    let draft = |uri, body: String| v4(Draft::new("POST", uri).body(body));
    let parts = |count| draft("/bucket/key?uploadId=u", many("CompleteMultipartUpload", "<Part/>", count));
    assert_eq!(world.refused(parts(10_001)).await, refused(400, "MalformedXML"));
    assert_eq!(world.refused(parts(10_000)).await, refused(501, "NotImplemented"), "the stub has no such operation");
    let objects = |count| draft("/bucket?delete", many("Delete", "<Object><Key>a</Key></Object>", count));
    assert_eq!(world.refused(objects(1_001)).await, refused(400, "MalformedXML"));
    assert_eq!(world.served(objects(1_000)).await.operation, "delete_objects");
}

#[tokio::test]
async fn what_all_documents_hold_is_bounded() {
    let world = World::new();
    let policy = || Draft::new("PUT", "/bucket?policy").body("{}");
    let held = world.hold(64 << 20);
    assert_eq!(world.refused(v4(policy())).await, refused(503, "SlowDown"));
    assert_eq!(world.refused(v2(policy())).await, refused(503, "SlowDown"));
    assert_eq!(world.refused(policy()).await, refused(503, "SlowDown"));
    drop(held);
    for _ in 0..3 {
        assert_eq!(world.served(v4(policy())).await.operation, "put_bucket_policy");
    }
    assert!(world.send(policy()).await.status < 300, "the stub lets anyone");
    drop(world.hold(64 << 20));
}

#[tokio::test]
async fn a_changed_signed_chunk_is_refused() {
    let world = World::new();
    let mut draft = V4::default().chunks(put(), &[&[1; 70_000], &[2; 70_000]]);
    let length = draft.body.len();
    draft.body[length / 4 * 3] ^= 1;
    assert_eq!(world.refused(draft).await, refused(403, "SignatureDoesNotMatch"));
}

#[tokio::test]
async fn signed_chunks_that_stop_early_are_incomplete() {
    let world = World::new();
    let whole = V4::default().chunks(put(), &[&[1; 1000], &[2; 1000]]);
    let last = b"0;chunk-signature=".len() + 64 + 4;
    // In a chunk, between two chunks, and before the last, empty one.
    for cut in [whole.body.len() / 3, whole.body.len() / 2 - last / 2, whole.body.len() - last, 0] {
        let mut draft = whole.clone();
        draft.body.truncate(cut);
        let (status, code) = world.refused(draft.pieces(500)).await;
        assert!(status == 400 && (code == "InvalidRequest" || code == "IncompleteBody"), "{cut}: {status} {code}");
    }
}

#[tokio::test]
async fn a_chunk_too_large_to_be_held_is_refused_at_its_first_line() {
    let world = World::new();
    for size in [4_000_000_000_u64, (1 << 20) + 1] {
        let draft = put().with("x-amz-decoded-content-length", size.to_string());
        let (draft, _) = V4::default().header(draft, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        let body = format!("{size:x};chunk-signature={}\r\nxxxx", "0".repeat(64));
        assert_eq!(world.refused(draft.body(body)).await, refused(400, "InvalidRequest"));
    }
    let largest = vec![7; 1 << 20];
    assert_eq!(world.served(V4::default().chunks(put(), &[&largest, &largest])).await.body.len(), 2 << 20);
}

#[tokio::test]
async fn what_is_held_of_signed_chunks_is_bounded() {
    let world = World::new();
    let chunk = vec![7; 100_000];
    let chunks = || V4::default().chunks(put(), &[&chunk, &chunk, &chunk]);
    let held = world.hold((64 << 20) - 99_999);
    assert_eq!(world.refused(chunks()).await, refused(503, "SlowDown"));
    drop(held);
    // One chunk at a time, and nothing once the request is answered.
    let held = world.hold((64 << 20) - 100_000);
    for _ in 0..2 {
        assert_eq!(world.served(chunks()).await.body.len(), 300_000);
    }
    drop(held);
    drop(world.hold(64 << 20));
}

#[tokio::test]
async fn unsigned_chunks_come_out_with_their_trailers() {
    let world = World::new();
    let data = vec![9; 3 << 20];
    let signed = V4::default().header(unsigned_chunk(&data, put()), UNSIGNED).0;
    let drafts = [
        signed,
        token(unsigned_chunk(&data, put()).with("x-amz-content-sha256", UNSIGNED)),
        v2(unsigned_chunk(&data, put()).with("x-amz-content-sha256", UNSIGNED)),
    ];
    for draft in drafts {
        let seen = world.served(draft.pieces(50_000)).await;
        assert!(seen.body == data);
        assert_eq!(seen.trailers, [("x-amz-checksum-crc32".to_owned(), "AAAAAA==".to_owned())]);
    }
    let answer = world.send(unsigned_chunk(&data, put()).with("x-amz-content-sha256", UNSIGNED)).await;
    assert_eq!(answer.status, 200, "an anonymous client may use trailers as well");
    assert!(world.seen()[0].body == data);
}

#[tokio::test]
async fn chunk_signatures_of_a_token_are_read_past() {
    let world = World::new();
    let v4 = V4 { id: TOKEN.into(), secret: String::new(), ..V4::default() };
    assert_eq!(world.served(v4.chunks(put(), &[b"hello ", b"world"])).await.body, "hello world");
}

#[tokio::test]
async fn a_declared_length_must_be_met() {
    let world = World::new();
    for declared in ["4", "6"] {
        for sign in [
            |draft| V4::default().header(draft, UNSIGNED).0,
            |draft: Draft| token(draft.with("x-amz-content-sha256", UNSIGNED)),
        ] {
            let draft = unsigned_chunk(b"hello", put()).with("x-amz-decoded-content-length", declared);
            assert_eq!(world.refused(sign(draft)).await, refused(400, "IncompleteBody"), "{declared}");
        }
    }
    for (declared, expected) in [("x", "InvalidArgument"), ("5x", "InvalidArgument"), ("-5", "InvalidArgument")] {
        let draft = unsigned_chunk(b"hello", put()).with("x-amz-decoded-content-length", declared);
        assert_eq!(world.refused(V4::default().header(draft, UNSIGNED).0).await, refused(400, expected));
    }
    let mut draft = unsigned_chunk(b"hello", put());
    draft.headers.retain(|(name, _)| name != "x-amz-decoded-content-length");
    assert_eq!(world.refused(V4::default().header(draft, UNSIGNED).0).await, refused(411, "MissingContentLength"));
}

#[tokio::test]
async fn framing_that_nobody_could_read_is_refused() {
    let world = World::new();
    let chunked = |value: &str| unsigned_chunk(b"hello", put()).with("x-amz-content-sha256", value);
    let signed = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    assert_eq!(world.refused(chunked(signed)).await, refused(400, "InvalidRequest"));
    assert_eq!(world.refused(v2(chunked(signed))).await, refused(400, "InvalidRequest"));
    let presigned = V4 { unsigned: &["x-amz-content-sha256"], ..V4::default() }.query(chunked(UNSIGNED), "60");
    assert_eq!(world.refused(presigned).await, refused(501, "NotImplemented"));
    let ecdsa = chunked("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD");
    assert_eq!(world.refused(v2(ecdsa)).await, refused(501, "NotImplemented"));
    let unknown_trailer = chunked(UNSIGNED).with("x-amz-trailer", "x-amz-meta-a");
    assert_eq!(world.refused(token(unknown_trailer)).await, refused(400, "InvalidRequest"));
    let broken = chunked(UNSIGNED).body("not framed at all");
    assert_eq!(world.refused(token(broken.clone())).await, refused(400, "InvalidRequest"));
    let broken = V4::default().header(broken, UNSIGNED).0;
    assert_eq!(world.refused(broken).await, refused(400, "InvalidRequest"));
}

#[tokio::test]
async fn a_form_is_not_held_in_memory() {
    let world = World::new();
    for content_type in ["multipart/form-data; boundary=x", "Multipart/Form-Data;boundary=x"] {
        let draft = Draft::new("POST", "/bucket?delete").with("content-type", content_type).body("--x--");
        assert_eq!(world.refused(draft).await, refused(501, "NotImplemented"));
    }
}

/// A body that tells how much of it was read.
struct Counted {
    left: usize,
    read: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl http_body::Body for Counted {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        let take = self.left.min(1 << 16);
        self.left -= take;
        self.read.fetch_add(take, std::sync::atomic::Ordering::Relaxed);
        let frame = http_body::Frame::data(bytes::Bytes::from(vec![0; take]));
        std::task::Poll::Ready((take > 0).then_some(Ok(frame)))
    }
}

async fn bytes_read_of_a_refused_body(version: http::Version, length: usize, expect: bool) -> usize {
    let read = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
    let body = Counted { left: length, read: read.clone() };
    let mut request = http::Request::put("/bucket/key?unknown").version(version).header("host", "h");
    if expect {
        request = request.header("expect", "100-continue");
    }
    let answer = World::new().send_raw(request.body(s3s::Body::http_body(body)).unwrap(), true).await;
    assert_eq!(answer.error(), (501, "NotImplemented"));
    read.load(std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn a_refused_body_is_read_away_within_bounds() {
    use http::Version;
    assert_eq!(bytes_read_of_a_refused_body(Version::HTTP_11, 5 << 20, false).await, 5 << 20);
    let endless = bytes_read_of_a_refused_body(Version::HTTP_11, 1 << 30, false).await;
    assert!((16 << 20..17 << 20).contains(&endless), "{endless}");
    assert_eq!(bytes_read_of_a_refused_body(Version::HTTP_11, 5 << 20, true).await, 0, "it was never sent");
    assert_eq!(bytes_read_of_a_refused_body(Version::HTTP_2, 5 << 20, false).await, 5 << 20);
}
