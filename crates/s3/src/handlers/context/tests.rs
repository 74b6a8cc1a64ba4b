use model::BucketName;
use policy::{Policy, PolicyWarning};

use super::*;

/// The single value of a key.
fn value<'a>(context: &'a Context, name: &str) -> Option<&'a str> {
    context.get(name).map(|values| {
        assert_eq!(values.len(), 1, "{name}");
        values[0].as_ref()
    })
}

fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    of.iter().map(pair).collect()
}

#[test]
fn a_policy_sees_a_parameter_however_its_name_is_spelled() {
    for uri in ["/b?prefix=a%2Fb+c", "/b?%70refix=a%2Fb%20c", "/b?prefi%78=a/b+c"] {
        let mut context = Context::new();
        set_query_keys(&mut context, &Uri::from_static(uri));
        assert_eq!(value(&context, "s3:prefix"), Some("a/b c"), "{uri}");
    }
}

#[test]
fn a_policy_sees_one_spelling_of_a_copy_source() {
    for spelling in [
        "source/a/\u{e4} b",
        "/source/a/\u{e4} b",
        "%2Fsource%2Fa%2F%C3%A4%20b",
        "s%6furce/a/%c3%a4%20b?versionId=null",
        "/source/a/\u{e4} b?versionId=",
    ] {
        let mut context = Context::new();
        set_copy_source(&mut context, &headers(&[("x-amz-copy-source", spelling)]));
        assert_eq!(value(&context, "s3:x-amz-copy-source"), Some("source/a/\u{e4} b"), "{spelling}");
    }
}

#[test]
fn the_signature_is_told_as_it_was_read() {
    for (scheme, place, version, kind) in [
        (SignatureScheme::V2, SignedIn::Header, "AWS", "REST-HEADER"),
        (SignatureScheme::V2, SignedIn::Query, "AWS", "REST-QUERY-STRING"),
        (SignatureScheme::V2, SignedIn::Form, "AWS", "POST"),
        (SignatureScheme::V4, SignedIn::Header, "AWS4-HMAC-SHA256", "REST-HEADER"),
        (SignatureScheme::V4, SignedIn::Query, "AWS4-HMAC-SHA256", "REST-QUERY-STRING"),
        (SignatureScheme::V4, SignedIn::Form, "AWS4-HMAC-SHA256", "POST"),
    ] {
        let mut context = Context::new();
        let now = Timestamp::from_millis(5000);
        set_authentication_keys(&mut context, Signed { scheme, place, at: None }, now);
        assert_eq!(value(&context, "s3:signatureversion"), Some(version));
        assert_eq!(value(&context, "s3:authType"), Some(kind));
        assert_eq!(value(&context, "s3:signatureAge"), None);
        for (at, age) in [(0, "5000"), (3000, "2000"), (6000, "0")] {
            let at = Some(Timestamp::from_millis(at));
            set_authentication_keys(&mut context, Signed { scheme, place, at }, now);
            assert_eq!(value(&context, "s3:signatureAge"), Some(age));
        }
    }
}

#[test]
fn conditions_are_seen_where_an_object_is_made() {
    let sent = headers(&[("if-none-match", "*"), ("if-match", "\"tag\"")]);
    let mut context = Context::new();
    for operation in ["PutObject", "CopyObject", "CompleteMultipartUpload"] {
        set_creation_keys(&mut context, Some(operation), &sent);
        assert_eq!(value(&context, "s3:if-none-match"), Some("*"), "{operation}");
        assert_eq!(value(&context, "s3:if-match"), Some("\"tag\""));
        assert_eq!(value(&context, "s3:ObjectCreationOperation"), Some("true"));
        set_creation_keys(&mut context, Some(operation), &HeaderMap::new());
        assert_eq!(value(&context, "s3:if-none-match"), None);
    }
    let mut context = Context::new();
    for operation in ["CreateMultipartUpload", "UploadPart", "UploadPartCopy"] {
        set_creation_keys(&mut context, Some(operation), &sent);
        assert_eq!(value(&context, "s3:ObjectCreationOperation"), Some("false"), "{operation}");
        assert_eq!(value(&context, "s3:if-none-match"), None);
    }
    let mut context = Context::new();
    set_creation_keys(&mut context, Some("GetObject"), &sent);
    assert_eq!(value(&context, "s3:ObjectCreationOperation"), None);
}

#[test]
fn a_policy_is_not_warned_of_what_is_set_here() {
    let names = HEADER_KEYS.iter().chain(&QUERY_KEYS).map(|name| format!("s3:{name}"));
    let others = [
        "aws:SecureTransport",
        "aws:SourceIp",
        "aws:RequestedRegion",
        "aws:CurrentTime",
        "aws:EpochTime",
        "aws:UserAgent",
        "aws:Referer",
        "s3:TlsVersion",
        "s3:x-amz-copy-source",
        "s3:ObjectCreationOperation",
        "s3:if-match",
        "s3:if-none-match",
        "s3:authType",
        "s3:signatureversion",
        "s3:signatureAge",
    ];
    for name in names.chain(others.map(str::to_owned)) {
        let document = format!(
            r#"{{"Statement":{{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::bucket",
                "arn:aws:s3:::bucket/*"],"Condition":{{"Null":{{"{name}":"true"}}}}}}}}"#
        );
        let policy = Policy::parse(document.as_bytes(), &BucketName::parse("bucket").unwrap()).unwrap();
        assert_eq!(policy.warnings(), &[] as &[PolicyWarning], "{name}");
    }
}
