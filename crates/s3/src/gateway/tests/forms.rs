//! Uploads by form: what is proven, what is allowed, and what becomes of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::{Duration, OffsetDateTime};

use super::sign::{ID, SECRET, amz_date, form_v2, form_v4};
use super::support::{Draft, Seen, TOKEN, World};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

/// A form in the making.
#[derive(Clone)]
struct Form {
    fields: Vec<(String, String)>,
    file: Vec<u8>,
    file_name: String,
    behind: &'static str,
}

impl Form {
    fn new(fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { fields, file: b"hello".to_vec(), file_name: "dir/a.txt".to_owned(), behind: "" }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    fn draft(&self) -> Draft {
        let mut body = String::new();
        for (name, value) in &self.fields {
            body += &format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        let name = &self.file_name;
        body += &format!("--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        let mut body = body.into_bytes();
        body.extend_from_slice(&self.file);
        body.extend_from_slice(format!("\r\n{}--xx--\r\n", self.behind).as_bytes());
        Draft::new("POST", "/bucket").with("content-type", "multipart/form-data; boundary=xx").body(body)
    }
}

fn policy(conditions: &str) -> String {
    let expiration = OffsetDateTime::now_utc() + Duration::minutes(5);
    let expiration = expiration.format(&time::format_description::well_known::Rfc3339).unwrap();
    STANDARD.encode(format!(r#"{{"expiration":"{expiration}","conditions":[{{"bucket":"bucket"}}{conditions}]}}"#))
}

/// A form to `a.txt` that Alice signed, whose document has these conditions besides.
fn signed_v4(fields: &[(&str, &str)], conditions: &str) -> Form {
    let today = amz_date(OffsetDateTime::now_utc());
    let credential = format!("{ID}/{}/us-east-1/s3/aws4_request", &today[..8]);
    let document = policy(&format!(
        r#",{{"key":"a.txt"}},{{"x-amz-algorithm":"AWS4-HMAC-SHA256"}},{{"x-amz-credential":"{credential}"}},
            {{"x-amz-date":"{today}"}}{conditions}"#
    ));
    let signature = form_v4(SECRET, &today[..8], &document);
    Form::new(fields)
        .with("key", "a.txt")
        .with("x-amz-algorithm", "AWS4-HMAC-SHA256")
        .with("X-Amz-Credential", credential)
        .with("x-amz-date", today)
        .with("Policy", document)
        .with("x-amz-signature", signature)
}

fn signed_v2(fields: &[(&str, &str)], conditions: &str) -> Form {
    let document = policy(&format!(r#",["starts-with","$key","a"]{conditions}"#));
    let signature = form_v2(SECRET, &document);
    Form::new(fields)
        .with("key", "a.txt")
        .with("AWSAccessKeyId", ID)
        .with("policy", document)
        .with("signature", signature)
}

async fn stored(world: &World, draft: Draft) -> Seen {
    let answer = world.send(draft).await;
    assert!(answer.status < 400, "{answer:?}");
    let mut seen = world.seen();
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

#[tokio::test]
async fn a_form_is_the_put_that_it_says() {
    let world = World::new();
    for (form, principal) in
        [(Form::new(&[("key", "a.txt")]), "anonymous"), (signed_v2(&[], ""), ALICE), (signed_v4(&[], ""), ALICE)]
    {
        for piece_len in [1, 7, 1000] {
            let seen = stored(&world, form.draft().pieces(piece_len)).await;
            assert_eq!((seen.operation, seen.principal.as_str()), ("put_object", principal));
            assert_eq!((seen.bucket.as_str(), seen.object.as_str()), ("bucket", "a.txt"));
            assert_eq!(seen.body, "hello");
            assert!(!seen.authorization);
        }
    }
}

#[tokio::test]
async fn names_of_objects_come_from_the_form_as_they_are() {
    let world = World::new();
    for (field, object) in [
        ("${filename}", "a.txt"),
        ("dir/${filename}", "dir/a.txt"),
        ("a b+c%20?d#e/\u{e4}", "a b+c%20?d#e/\u{e4}"),
        ("/a//b", "/a//b"),
        ("../x", "../x"),
    ] {
        let form = Form::new(&[("key", field)]);
        assert_eq!(stored(&world, form.draft()).await.object, object);
        let by_host = Draft { uri: "/".into(), ..form.draft() }.with("host", "bucket.s3.example");
        let seen = stored(&world, by_host).await;
        assert_eq!((seen.bucket.as_str(), seen.object.as_str()), ("bucket", object));
    }
    assert_eq!(world.refused(Form::new(&[]).draft()).await, (400, "InvalidArgument".into()));
    let long = "x".repeat(1025);
    assert_eq!(world.refused(Form::new(&[("key", &long)]).draft()).await, (400, "KeyTooLongError".into()));
}

#[tokio::test]
async fn the_bucket_of_a_form_is_one_however_its_path_is_spelled() {
    let world = World::new();
    // A second slash in the path would begin the object's name, out of the prefix that was signed.
    let form = signed_v4(&[], "");
    for uri in ["/bucket", "/bucket/", "/b%75cket", "/bucket%2F", "/bucket%2f"] {
        let seen = stored(&world, Draft { uri: uri.into(), ..form.draft() }).await;
        assert_eq!((seen.bucket.as_str(), seen.object.as_str()), ("bucket", "a.txt"), "{uri}");
    }
}

#[tokio::test]
async fn fields_become_the_headers_of_their_names() {
    let world = World::new();
    let form = Form::new(&[
        ("key", "a.txt"),
        ("acl", "private"),
        ("Content-Type", "text/plain"),
        ("x-amz-meta-Name", "\u{e4} ${filename}"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", "k"),
        ("x-amz-server-side-encryption-customer-key-MD5", "m"),
        ("submit", "Upload"),
    ]);
    let seen = stored(&world, form.draft().with("user-agent", "browser").with("origin", "https://x")).await;
    for (name, value) in [
        ("x-amz-acl", "private"),
        ("content-type", "text/plain"),
        ("x-amz-meta-name", "\u{e4} a.txt"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", "k"),
        ("x-amz-server-side-encryption-customer-key-md5", "m"),
        ("user-agent", "browser"),
    ] {
        assert_eq!(seen.headers.get(name).map(|v| v.as_bytes()), Some(value.as_bytes()), "{name}");
    }
    assert_eq!(seen.headers.len(), 9, "and the host: {:?}", seen.headers.keys());
    let over_http = form.draft().insecure();
    assert_eq!(world.refused(over_http).await, (400, "InvalidRequest".into()));
}

#[tokio::test]
async fn what_a_form_cannot_ask_for_is_never_ignored() {
    let world = World::new();
    for (name, code) in [
        ("tagging", (501, "NotImplemented")),
        ("x-amz-copy-source", (501, "NotImplemented")),
        ("x-amz-copy-source-server-side-encryption-customer-key", (501, "NotImplemented")),
        ("x-amz-content-sha256", (501, "NotImplemented")),
        ("x-amz-decoded-content-length", (501, "NotImplemented")),
        ("x-amz-trailer", (501, "NotImplemented")),
        ("x-amz-website-redirect-location", (501, "NotImplemented")),
        ("x-amz-object-lock-mode", (501, "NotImplemented")),
        ("x-amz-tagging", (501, "NotImplemented")),
        ("x-amz-never-heard-of", (501, "NotImplemented")),
        ("x-amz-acl", (400, "InvalidArgument")),
        ("x-amz-storage-class", (400, "InvalidStorageClass")),
        ("x-amz-meta-a b", (400, "InvalidArgument")),
        ("x-amz-security-token", (400, "InvalidToken")),
    ] {
        let refused = world.refused(Form::new(&[("key", "a.txt"), (name, "x")]).draft()).await;
        assert_eq!((refused.0, refused.1.as_str()), code, "{name}");
    }
    for name in ["x-amz-server-side-encryption", "x-amz-acl", "if-none-match", "content-md5"] {
        let draft = Form::new(&[("key", "a.txt")]).draft().with(name, "x");
        assert_eq!(world.refused(draft).await, (400, "InvalidArgument".into()), "{name}");
    }
    let mut behind = Form::new(&[("key", "a.txt")]);
    behind.behind = "--xx\r\nContent-Disposition: form-data; name=\"X-Amz-Server-Side-Encryption\"\r\n\r\nAES256\r\n";
    assert_eq!(world.refused(behind.draft()).await, (400, "InvalidArgument".into()));
    behind.behind = "--xx\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nUpload\r\n";
    assert_eq!(stored(&world, behind.draft()).await.body, "hello");
    behind.behind = "--xx\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nmore\r\n";
    assert_eq!(world.refused(behind.draft()).await, (400, "InvalidArgument".into()));
}

#[tokio::test]
async fn a_form_has_each_field_once() {
    let world = World::new();
    for name in ["key", "KEY", "acl", "x-amz-acl", "x-amz-meta-a"] {
        let form = Form::new(&[("key", "a.txt"), ("acl", "private"), ("x-amz-meta-a", "1"), (name, "private")]);
        assert_eq!(world.refused(form.draft()).await, (400, "InvalidArgument".into()), "{name}");
    }
}

#[tokio::test]
async fn a_form_proves_itself_whole_or_not_at_all() {
    let world = World::new();
    let (v2, v4) = (signed_v2(&[], ""), signed_v4(&[], ""));
    for (form, names) in [
        (&v2, &["AWSAccessKeyId", "policy", "signature"][..]),
        (&v4, &["x-amz-algorithm", "X-Amz-Credential", "x-amz-date", "Policy", "x-amz-signature"]),
    ] {
        for name in names {
            let mut without = form.clone();
            without.fields.retain(|(n, _)| n != name);
            assert_eq!(world.refused(without.draft()).await, (400, "InvalidArgument".into()), "without {name}");
        }
    }
    let mut both = v2.clone();
    both.fields.extend(v4.fields.iter().filter(|(n, _)| n.starts_with("x-") || n.starts_with("X-")).cloned());
    assert_eq!(world.refused(both.draft()).await, (400, "InvalidArgument".into()));
    let only_policy = Form::new(&[("key", "a.txt"), ("policy", "e30=")]);
    assert_eq!(world.refused(only_policy.draft()).await, (400, "InvalidArgument".into()));
    for draft in [v4.draft(), Form::new(&[("key", "a.txt")]).draft()] {
        let with_header = draft.clone().with("authorization", format!("AWS {ID}:x"));
        assert_eq!(world.refused(with_header).await, (400, "InvalidRequest".into()));
        let with_token = draft.with("authorization", format!("AWS {TOKEN}:x"));
        assert_eq!(world.refused(with_token).await, (400, "InvalidRequest".into()));
    }
}

#[tokio::test]
async fn a_form_that_another_signed_is_nobodys() {
    let world = World::new();
    let change = |form: &Form, name: &str, value: &str| {
        let mut changed = form.clone();
        changed.fields.iter_mut().find(|(n, _)| n == name).unwrap().1 = value.to_owned();
        changed.draft()
    };
    let (v2, v4) = (signed_v2(&[], ""), signed_v4(&[], ""));
    let other = policy(r#",["starts-with","$key",""]"#);
    for (draft, code) in [
        (change(&v2, "policy", &other), "SignatureDoesNotMatch"),
        (change(&v2, "signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="), "SignatureDoesNotMatch"),
        (change(&v2, "signature", "!"), "SignatureDoesNotMatch"),
        (change(&v2, "AWSAccessKeyId", "AKIDMALLORY"), "InvalidAccessKeyId"),
        (change(&v2, "AWSAccessKeyId", TOKEN), "AccessDenied"),
        (change(&v4, "Policy", &other), "SignatureDoesNotMatch"),
        (change(&v4, "x-amz-signature", &"0".repeat(64)), "SignatureDoesNotMatch"),
        (change(&v4, "x-amz-signature", ""), "InvalidArgument"),
        (change(&v4, "x-amz-algorithm", "AWS4-ECDSA-P256-SHA256"), "InvalidArgument"),
        (change(&v4, "x-amz-date", "20200101T000000Z"), "InvalidArgument"),
        (change(&v4, "X-Amz-Credential", "AKIDALICE/20200101/us-east-1/s3/aws4_request"), "InvalidArgument"),
        (change(&v4, "X-Amz-Credential", "AKIDALICE/x"), "InvalidArgument"),
    ] {
        assert_eq!(world.refused(draft).await.1, code);
    }
    let today = amz_date(OffsetDateTime::now_utc());
    let elsewhere = format!("{ID}/{}/us-east-1/sts/aws4_request", &today[..8]);
    assert_eq!(world.refused(change(&v4, "X-Amz-Credential", &elsewhere)).await, (400, "InvalidArgument".into()));
}

#[tokio::test]
async fn a_signed_form_does_what_its_document_allows_and_nothing_more() {
    let world = World::new();
    for (field, condition, code) in [
        (("acl", "private"), "", "AccessDenied"),
        (("acl", "private"), r#",{"acl":"private"}"#, ""),
        (("acl", "public-read"), r#",{"acl":"private"}"#, "AccessDenied"),
        (("x-amz-server-side-encryption", "AES256"), "", "AccessDenied"),
        (("x-amz-server-side-encryption", "AES256"), r#",{"x-amz-server-side-encryption":"AES256"}"#, ""),
        (("x-amz-server-side-encryption-customer-key", "k"), "", "AccessDenied"),
        (("success_action_status", "201"), "", "AccessDenied"),
        (("x-ignore-this", "x"), "", ""),
        (("x-amz-meta-a", "x"), r#",{"x-amz-meta-b":"x"},["starts-with","$x-amz-meta-a",""]"#, "AccessDenied"),
    ] {
        for form in [signed_v2(&[field], condition), signed_v4(&[field], condition)] {
            let answer = world.send(form.draft()).await;
            assert_eq!(answer.error().1, code, "{field:?} {condition}: {answer:?}");
            assert_eq!(world.seen().len(), usize::from(code.is_empty()));
        }
    }
}

#[tokio::test]
async fn a_file_is_as_long_as_its_document_allows() {
    let world = World::new();
    for (range, code) in
        [("0,5", ""), ("5,5", ""), ("0,4", "EntityTooLarge"), ("6,9", "EntityTooSmall"), ("0,0", "EntityTooLarge")]
    {
        let form = signed_v4(&[], &format!(r#",["content-length-range",{range}]"#));
        let answer = world.send(form.draft().pieces(3)).await;
        assert_eq!(answer.error().1, code, "{range}: {answer:?}");
        assert_eq!(world.seen().len(), usize::from(code.is_empty()));
    }
}

#[tokio::test]
async fn a_form_that_is_not_whole_stores_nothing() {
    let world = World::new();
    let whole = Form::new(&[("key", "a.txt")]).draft();
    let end = whole.body.len() - 4;
    for length in [1, 10, 60, end - 20, end - 10, end - 1] {
        let cut = whole.clone().body(whole.body[..length].to_vec()).with("content-length", length.to_string());
        let refused = world.refused(cut).await;
        assert_eq!(refused, (400, "MalformedPOSTRequest".into()), "{length}");
    }
    let no_file = b"--xx\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na\r\n--xx--".to_vec();
    assert_eq!(world.refused(whole.clone().body(no_file)).await, (400, "InvalidArgument".into()));
    let no_boundary = whole.clone().with("content-type", "multipart/form-data");
    assert_eq!(world.refused(no_boundary).await, (400, "MalformedPOSTRequest".into()));
}

#[tokio::test]
async fn the_fields_are_bounded_and_the_file_is_not() {
    let world = World::new();
    let long = "x".repeat(20 << 10);
    let form = Form::new(&[("key", "a.txt"), ("x-ignore-this", &long)]);
    assert_eq!(world.refused(form.draft()).await, (400, "MaxPostPreDataLengthExceededError".into()));
    let many = Form::new(&[]).with("key", "a.txt");
    let many = (0..500).fold(many, |form, n| form.with(&format!("f{n}"), ""));
    assert_eq!(world.refused(many.draft()).await, (400, "MaxPostPreDataLengthExceededError".into()));
    // Each field and the name are short; what they make of each other is not.
    let mut named = Form::new(&[("key", "a.txt"), ("Content-Type", &"${filename}".repeat(900))]);
    named.file_name = "n".repeat(8 << 10);
    assert_eq!(world.refused(named.draft()).await, (400, "MaxPostPreDataLengthExceededError".into()));
    let mut large = Form::new(&[("key", "a.txt")]);
    large.file = "\r\n--x".repeat(100_000).into_bytes();
    assert_eq!(stored(&world, large.draft().pieces(1000)).await.body, large.file);
    let held = world.hold(64 << 20);
    assert_eq!(world.refused(large.draft()).await, (503, "SlowDown".into()));
    drop(held);
}

#[tokio::test]
async fn a_browser_is_answered_as_the_form_asks() {
    let world = World::new();
    let send = async |fields: &[(&str, &str)]| {
        let form = Form::new(&[&[("key", "a b.txt")], fields].concat());
        let answer = world.send(form.draft()).await;
        assert_eq!(world.seen().len(), 1);
        assert_eq!(answer.summary.operation.as_deref(), Some("PostObject"));
        answer
    };
    for (value, status) in [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204)] {
        let answer = send(&[("success_action_status", value)]).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers["location"], "https://127.0.0.1:9443/bucket/a%20b.txt");
        assert_eq!(answer.text.contains("<PostResponse>"), status == 201, "{answer:?}");
        assert_eq!(answer.text.contains("<Bucket>bucket</Bucket><Key>a b.txt</Key><ETag>"), status == 201);
    }
    for (target, location) in [
        ("https://example.org/done", "https://example.org/done?bucket=bucket&key=a%20b.txt&etag=%22tag%22"),
        ("http://x/?a=b#c", "http://x/?a=b&bucket=bucket&key=a%20b.txt&etag=%22tag%22#c"),
    ] {
        for name in ["success_action_redirect", "redirect"] {
            let answer = send(&[(name, target), ("success_action_status", "200")]).await;
            assert_eq!((answer.status, answer.headers["location"].to_str().unwrap()), (303, location));
        }
    }
    for target in ["javascript:alert(1)", "/done", "ftp://example.org/", "", "https://\u{e4} x/"] {
        assert_eq!(send(&[("success_action_redirect", target)]).await.status, 204, "{target}");
    }
}

#[tokio::test]
async fn a_form_belongs_to_a_bucket() {
    let world = World::new();
    let draft = Form::new(&[("key", "a.txt")]).draft();
    for uri in ["/", "/bucket/a.txt", "/bucket?delete", "/bucket/a.txt?uploads", "/bucket?x=y", "/-/admin/users"] {
        let refused = world.refused(Draft { uri: uri.into(), ..draft.clone() }).await;
        assert!(refused.0 >= 400, "{uri}: {refused:?}");
    }
    let put = Draft { method: "PUT", uri: "/bucket/a.txt".into(), ..draft };
    assert!(stored(&world, put).await.body.starts_with(b"--xx"));
}
