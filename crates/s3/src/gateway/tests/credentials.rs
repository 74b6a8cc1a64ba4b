//! Who is let through as whom: signatures of both versions, tokens, and nobody by mistake.

use time::{Duration, OffsetDateTime};

use super::sign::{V4, amz_date, http_date, sha256_hex, v2, v2_as, v2_query, v4};
use super::support::{Draft, TOKEN, World};

fn get() -> Draft {
    Draft::new("GET", "/bucket/a/key")
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_request_without_credentials_is_anonymous() {
    let world = World::new();
    let answer = world.send(get()).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "hello"));
    assert_eq!(world.seen()[0].principal, "anonymous");
    assert_eq!(answer.summary.principal.as_deref(), Some("anonymous"));
}

#[tokio::test]
async fn both_versions_are_verified_in_header_and_query() {
    let world = World::new();
    let soon = OffsetDateTime::now_utc() + Duration::minutes(5);
    for draft in [
        v2(get()),
        v2(get().with("x-amz-date", http_date(OffsetDateTime::now_utc()))),
        v2_query(get(), soon),
        v4(get()),
        V4::default().header(get(), "UNSIGNED-PAYLOAD").0,
        V4::default().query(get(), "60"),
    ] {
        let seen = world.served(draft).await;
        assert_eq!((seen.operation, seen.object.as_str()), ("get_object", "a/key"));
    }
}

#[tokio::test]
async fn paths_are_signed_as_they_are_sent() {
    let world = World::new();
    let names = [
        ("/bucket/a%20b%2Bc", "a b+c"),
        ("/bucket/a%2Fb", "a/b"),
        ("/bucket/%C3%A4%26%3D", "ä&="),
        ("/bucket/a%2525", "a%25"),
        ("/bucket//double", "/double"),
    ];
    for (uri, object) in names {
        assert_eq!(world.served(v2(Draft::new("GET", uri))).await.object, object);
    }
    // Version 4 signs the canonical encoding, in which a slash is never escaped.
    for (uri, object) in names.into_iter().filter(|(uri, _)| !uri.contains("%2F")) {
        assert_eq!(world.served(v4(Draft::new("GET", uri))).await.object, object);
    }
    // A plus sign in a path is a plus sign.
    assert_eq!(world.served(v2(Draft::new("GET", "/bucket/a+b"))).await.object, "a+b");
}

#[tokio::test]
async fn version_2_may_sign_a_bucket_with_a_slash_that_the_path_lacks() {
    let world = World::new();
    let soon = OffsetDateTime::now_utc() + Duration::minutes(5);
    for (method, query) in [("GET", ""), ("GET", "?prefix=a"), ("PUT", "")] {
        for slash in ["", "/"] {
            for mut draft in [
                v2(Draft::new(method, format!("/bucket{slash}{query}"))),
                v2_query(Draft::new(method, format!("/bucket{slash}{query}")), soon),
            ] {
                draft.uri = draft.uri.replacen("/bucket/", "/bucket", 1);
                assert_eq!(world.served(draft).await.bucket, "bucket");
            }
        }
    }
    let sent_to = |mut draft: Draft, uri: &str| {
        draft.uri = uri.into();
        draft
    };
    let policy = sent_to(v2(Draft::new("PUT", "/bucket/?policy").body("{}")), "/bucket?policy");
    assert_eq!(world.served(policy).await.operation, "put_bucket_policy");
    let mismatch = refused(403, "SignatureDoesNotMatch");
    for (signed, sent) in [("/bucket/", "/other"), ("/bucket/?acl", "/bucket"), ("/bucket/key/", "/bucket/key")] {
        assert_eq!(world.refused(sent_to(v2(Draft::new("GET", signed)), sent)).await, mismatch, "{sent}");
    }
    let draft = v2_as(Draft::new("GET", "/bucket/"), "AKIDALICE", "secret-of-mallory");
    assert_eq!(world.refused(sent_to(draft, "/bucket")).await, mismatch);
}

#[tokio::test]
async fn version_4_may_be_dated_by_the_date_header() {
    let world = World::new();
    let dated = |unsigned, at, date: String| {
        let v4 = V4 { unsigned, at, ..V4::default() };
        let (mut draft, _) = v4.header(get().with("date", date), "UNSIGNED-PAYLOAD");
        draft.headers.retain(|(name, _)| name != "x-amz-date");
        draft
    };
    let now = OffsetDateTime::now_utc();
    assert_eq!(world.served(dated(&["x-amz-date"], now, http_date(now))).await.operation, "get_object");
    assert_eq!(world.served(dated(&["x-amz-date", "date"], now, amz_date(now))).await.operation, "get_object");
    // The signature is over the time, whichever header has it.
    let later = http_date(now + Duration::minutes(1));
    assert_eq!(world.refused(dated(&["x-amz-date", "date"], now, later)).await, refused(403, "SignatureDoesNotMatch"));
    let draft = dated(&[], now, http_date(now));
    assert_eq!(world.refused(draft).await, refused(400, "AuthorizationHeaderMalformed"));
}

#[tokio::test]
async fn virtual_hosts_name_buckets_and_other_hosts_do_not() {
    let world = World::new();
    for host in ["bucket.s3.example", "BUCKET.S3.Example:9443", "bucket.s3.example."] {
        let draft = Draft::new("GET", "/key").with("host", host);
        let lower = host == host.to_lowercase();
        if lower {
            assert_eq!(world.served(v4(draft.clone())).await.bucket, "bucket");
        } else {
            // Bucket names have no upper case.
            assert_eq!(world.refused(v4(draft)).await, refused(400, "InvalidBucketName"));
        }
    }
    let draft = Draft::new("GET", "/key").with("host", "bucket.s3.example");
    assert_eq!(world.served(v2(draft)).await.bucket, "bucket");
    for host in ["s3.example", "other.example", "evils3.example", "localhost:9443", "[::1]:9443"] {
        let seen = world.served(v4(Draft::new("GET", "/path/key").with("host", host))).await;
        assert_eq!((seen.bucket.as_str(), seen.object.as_str()), ("path", "key"), "{host}");
    }
}

#[tokio::test]
async fn wrong_signatures_are_refused() {
    let world = World::new();
    let mismatch = refused(403, "SignatureDoesNotMatch");
    let wrong = V4 { secret: "secret-of-mallory".into(), ..V4::default() };
    assert_eq!(world.refused(v2_as(get(), "AKIDALICE", "secret-of-mallory")).await, mismatch);
    assert_eq!(world.refused(wrong.header(get(), "UNSIGNED-PAYLOAD").0).await, mismatch);
    assert_eq!(world.refused(wrong.query(get(), "60")).await, mismatch);
    let mut other = v4(get());
    other.uri = "/bucket/other".into();
    assert_eq!(world.refused(other).await, mismatch);
    let mut other = v2(get());
    other.method = "PUT";
    assert_eq!(world.refused(other).await, mismatch);
    let mut other = v2(Draft::new("GET", "/bucket"));
    other.uri = "/bucket?policy".into();
    assert_eq!(world.refused(other).await, mismatch);
    let changed = v2(get().with("x-amz-meta-a", "1")).with("x-amz-meta-a", "2");
    assert_eq!(world.refused(changed).await, mismatch);
}

#[tokio::test]
async fn unknown_access_keys_are_refused_by_name() {
    let world = World::new();
    let unknown = V4 { id: "AKIDMALLORY".into(), ..V4::default() };
    for draft in
        [unknown.header(get(), "UNSIGNED-PAYLOAD").0, unknown.query(get(), "60"), v2_as(get(), "AKIDMALLORY", "s")]
    {
        let answer = world.send(draft).await;
        assert_eq!(answer.error(), (403, "InvalidAccessKeyId"));
        assert!(answer.text.contains("<AWSAccessKeyId>AKIDMALLORY</AWSAccessKeyId>"));
    }
}

#[tokio::test]
async fn headers_signed_too_long_ago_or_not_yet_are_refused() {
    let world = World::new();
    for offset in [Duration::minutes(16), Duration::minutes(-16)] {
        let at = OffsetDateTime::now_utc() + offset;
        let skewed = refused(403, "RequestTimeTooSkewed");
        assert_eq!(world.refused(v2(get().with("date", http_date(at)))).await, skewed);
        assert_eq!(world.refused(v2(get().with("x-amz-date", http_date(at)))).await, skewed);
        let v4 = V4 { at, ..V4::default() };
        assert_eq!(world.refused(v4.header(get(), "UNSIGNED-PAYLOAD").0).await, skewed);
        let token = get().with("date", http_date(at)).with("authorization", format!("AWS {TOKEN}:x"));
        assert_eq!(world.refused(token).await, skewed);
    }
    // A fresh Date does not help an old x-amz-date, which is what counts.
    let now = http_date(OffsetDateTime::now_utc());
    let old = http_date(OffsetDateTime::now_utc() - Duration::hours(1));
    let draft = v2(get().with("x-amz-date", old).with("date", now));
    assert_eq!(world.refused(draft).await, refused(403, "RequestTimeTooSkewed"));
    assert_eq!(world.refused(get().with("authorization", "AWS AKIDALICE:x")).await, refused(403, "AccessDenied"));
}

#[tokio::test]
async fn presigned_urls_end() {
    let world = World::new();
    let past = OffsetDateTime::now_utc() - Duration::minutes(5);
    assert_eq!(world.refused(v2_query(get(), past)).await, refused(403, "AccessDenied"));
    let v4 = V4 { at: past, ..V4::default() };
    assert_eq!(world.refused(v4.query(get(), "60")).await, refused(403, "AccessDenied"));
    assert_eq!(world.served(v4.query(get(), "3600")).await.operation, "get_object");
    let future = V4 { at: OffsetDateTime::now_utc() + Duration::minutes(20), ..V4::default() };
    assert_eq!(world.refused(future.query(get(), "3600")).await, refused(403, "RequestTimeTooSkewed"));
    let week = refused(400, "AuthorizationQueryParametersError");
    assert_eq!(world.refused(V4::default().query(get(), "604801")).await, week);
}

#[tokio::test]
async fn a_signature_must_cover_all_amz_headers() {
    let world = World::new();
    let unsigned = V4 { unsigned: &["x-amz-meta-a"], ..V4::default() };
    let draft = Draft::new("PUT", "/bucket/key").with("x-amz-meta-a", "1");
    assert_eq!(world.refused(unsigned.header(draft.clone(), "UNSIGNED-PAYLOAD").0).await, refused(403, "AccessDenied"));
    assert_eq!(world.refused(unsigned.query(draft.clone(), "60")).await, refused(403, "AccessDenied"));
    assert_eq!(world.served(V4::default().query(draft, "60")).await.operation, "put_object");
    let without_host = V4 { unsigned: &["host"], ..V4::default() };
    let malformed = refused(400, "AuthorizationHeaderMalformed");
    assert_eq!(world.refused(without_host.header(get(), "UNSIGNED-PAYLOAD").0).await, malformed);
    let sts = V4 { service: "sts", ..V4::default() };
    assert_eq!(world.refused(sts.header(get(), "UNSIGNED-PAYLOAD").0).await, malformed);
}

#[tokio::test]
async fn what_a_stranger_adds_to_a_presigned_url_is_a_forgery_whatever_it_asks_for() {
    let world = World::new();
    let soon = OffsetDateTime::now_utc() + Duration::minutes(5);
    let put = Draft::new("PUT", "/bucket/key");
    for name in [
        "x-amz-acl",
        "x-amz-meta-a",
        "x-amz-tagging",
        "x-amz-website-redirect-location",
        "x-amz-object-lock-mode",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-bucket-key-enabled",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-copy-source",
        "x-amz-never-heard-of",
    ] {
        let presigned = V4::default().query(put.clone(), "60").with(name, "true");
        assert_eq!(world.refused(presigned).await, refused(403, "AccessDenied"), "{name}");
        let presigned = v2_query(put.clone(), soon).with(name, "true");
        assert_eq!(world.refused(presigned).await, refused(403, "SignatureDoesNotMatch"), "{name}");
        let (headers, _) = V4::default().header(put.clone(), "UNSIGNED-PAYLOAD");
        assert_eq!(world.refused(headers.with(name, "true")).await, refused(403, "AccessDenied"), "{name}");
        let by_header = v2(put.clone()).with(name, "true");
        assert_eq!(world.refused(by_header).await, refused(403, "SignatureDoesNotMatch"), "{name}");
    }
}

#[tokio::test]
async fn a_presigned_url_may_pin_one_customer_key_and_that_of_version_2_always_does() {
    let world = World::new();
    let soon = OffsetDateTime::now_utc() + Duration::minutes(5);
    let names = ["algorithm", "key", "key-md5"].map(|end| format!("x-amz-server-side-encryption-customer-{end}"));
    let pinned = names.iter().fold(get(), |draft, name| draft.with(name, "AES256"));
    for presigned in [V4::default().query(pinned.clone(), "60"), v2_query(pinned.clone(), soon)] {
        assert_eq!(world.served(presigned.clone()).await.operation, "get_object");
        let other = presigned.with(&names[1], "another");
        assert_eq!(world.refused(other).await, refused(403, "SignatureDoesNotMatch"));
    }
    let unpinned = v2_query(get().with(&names[0], "AES256"), soon).with(&names[1], "a key");
    assert_eq!(world.refused(unpinned).await, refused(403, "SignatureDoesNotMatch"));
    let mut in_query = get();
    in_query.uri = format!("{}?{}=a%20key", in_query.uri, names[1]);
    for presigned in [V4::default().query(in_query.clone(), "60"), v2_query(in_query.clone(), soon)] {
        assert_eq!(world.refused(presigned).await, refused(400, "InvalidRequest"));
    }
}

#[tokio::test]
async fn a_presigned_url_takes_the_customer_key_unsigned() {
    let world = World::new();
    let (algorithm, customer_key) =
        ("x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-key");
    let presigned = V4::default().query(get().with(algorithm, "AES256"), "60").with(customer_key, "AAAA");
    assert_eq!(world.served(presigned).await.operation, "get_object");
}

#[tokio::test]
async fn a_token_is_its_own_proof_whatever_signs() {
    let world = World::new();
    let v4 = V4 { id: TOKEN.into(), secret: String::new(), ..V4::default() };
    for draft in [v2_as(get(), TOKEN, ""), v2_as(get(), TOKEN, "whatever"), v4.header(get(), "UNSIGNED-PAYLOAD").0] {
        let seen = world.served(draft).await;
        assert!(!seen.authorization, "the token went on");
    }
}

#[tokio::test]
async fn a_token_is_refused_where_others_can_see_it() {
    let world = World::new();
    let denied = refused(403, "AccessDenied");
    assert_eq!(world.refused(v2_as(get(), TOKEN, "").insecure()).await, denied);
    let v4 = V4 { id: TOKEN.into(), ..V4::default() };
    assert_eq!(world.refused(v4.header(get(), "UNSIGNED-PAYLOAD").0.insecure()).await, denied);
    let mut v2_url = v2_query(get(), OffsetDateTime::now_utc() + Duration::minutes(5));
    v2_url.uri = v2_url.uri.replace("AKIDALICE", TOKEN);
    for draft in [v2_url, v4.query(get(), "60")] {
        let answer = world.send(draft).await;
        assert_eq!(answer.error(), (403, "AccessDenied"));
        assert!(answer.text.contains("hand the token"), "{}", answer.text);
        assert!(!answer.text.contains(TOKEN) && !format!("{:?}", answer.summary).contains(TOKEN));
    }
}

#[tokio::test]
async fn unknown_and_mistyped_tokens_are_refused_and_not_repeated() {
    let world = World::new();
    for token in [TOKEN.replace("AAAA", "BBBB"), TOKEN[..40].to_owned(), format!("{TOKEN}A")] {
        let answer = world.send(v2_as(get(), &token, "")).await;
        assert_eq!(answer.error(), (403, "InvalidAccessKeyId"));
        assert!(!answer.text.contains(&token));
    }
}

#[tokio::test]
async fn no_malformed_claim_is_anonymous() {
    let world = World::new();
    let now = amz_date(OffsetDateTime::now_utc());
    for value in
        ["", "AWS", "AWS x", "Basic abc", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=x", "aws AKIDALICE:x"]
    {
        let (status, _) = world.refused(get().with("x-amz-date", now.clone()).with("authorization", value)).await;
        assert!(status == 400 || status == 403, "{value}: {status}");
    }
    // Given twice, `s3s` would see none.
    let mut twice = v2(get());
    twice.headers.push(("authorization".into(), twice.header("authorization").unwrap().to_owned()));
    assert_eq!(world.refused(twice).await, refused(400, "InvalidRequest"));
    for uri in [
        "/bucket/key?AWSAccessKeyId=AKIDALICE",
        "/bucket/key?Signature=x",
        "/bucket/key?X-Amz-Signature=00",
        "/bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256",
    ] {
        let (status, _) = world.refused(Draft::new("GET", uri)).await;
        assert!(status == 400 || status == 403, "{uri}: {status}");
    }
    let both = V4::default().query(get(), "60");
    assert_eq!(world.refused(v2(both)).await, refused(400, "InvalidArgument"));
}

#[tokio::test]
async fn session_tokens_are_refused() {
    let world = World::new();
    assert_eq!(world.refused(v4(get().with("x-amz-security-token", "t"))).await, refused(400, "InvalidToken"));
}

#[tokio::test]
async fn the_host_of_http_2_is_signed_too() {
    let world = World::new();
    let mut draft = V4::default().header(get().with("host", "s3.example"), &sha256_hex("")).0;
    draft.headers.retain(|(name, _)| name != "host");
    let request = |draft: &Draft, authority: &str| {
        let mut request = http::Request::builder()
            .version(http::Version::HTTP_2)
            .method(draft.method)
            .uri(format!("https://{authority}{}", draft.uri));
        for (name, value) in &draft.headers {
            request = request.header(name, value);
        }
        request.body(s3s::Body::empty()).unwrap()
    };
    assert_eq!(world.send_raw(request(&draft, "s3.example"), true).await.status, 200);
    assert_eq!(world.seen()[0].principal, "arn:aws:iam::111122223333:user/alice");
    let answer = world.send_raw(request(&draft, "other.example"), true).await;
    assert_eq!(answer.error(), (403, "SignatureDoesNotMatch"));
    let contradicting = draft.with("host", "s3.example");
    let answer = world.send_raw(request(&contradicting, "other.example"), true).await;
    assert_eq!(answer.error(), (400, "InvalidRequest"));
}

#[tokio::test]
async fn a_range_that_is_none_is_ignored_for_everyone_and_proves_nothing_by_itself() {
    let world = World::new();
    for range in ["bytes=0-0,2-3", "bytes=5-2", "lines=0-1", "bytes=0-99999999999999999999999", "nonsense"] {
        let ranged = || get().with("range", range);
        world.served(v2(ranged())).await;
        // Version 4 covers the header here; the signature must hold for it as it was sent.
        world.served(v4(ranged())).await;
        let answer = world.send(ranged()).await;
        assert_eq!(answer.summary.principal.as_deref(), Some("anonymous"), "{range}");
        assert_eq!(world.seen().len(), 1, "{range}");
        let mut forged = v4(ranged());
        forged.headers.retain(|(name, _)| name != "range");
        let forged = forged.with("range", "bytes=0-0,4-5");
        assert_eq!(world.refused(forged).await, refused(403, "SignatureDoesNotMatch"), "{range}");
        let unsigned = v4(get()).with("range", range);
        world.served(unsigned).await;
    }
}
