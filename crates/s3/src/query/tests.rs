use super::*;

fn answer(method: &Method, target: Target, query: &str) -> String {
    let uri: Uri = format!("/b/o?{query}").parse().unwrap();
    match check(method, target, &uri) {
        Ok(()) => "ok".to_owned(),
        Err(refusal) => refusal.code.into_owned(),
    }
}

#[test]
fn a_subresource_never_becomes_the_plain_operation() {
    let methods = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE];
    for method in &methods {
        for target in [Target::Bucket, Target::Object] {
            for name in SUBRESOURCES {
                let has_row = ROWS.iter().any(|row| row.matches(method, target, name));
                let answer = answer(method, target, name);
                let expected = if has_row { "ok" } else { "NotImplemented" };
                assert_eq!(answer, expected, "{method} {target:?} ?{name}");
            }
        }
    }
}

#[test]
fn the_gateway_that_deleted_buckets_is_not_this_one() {
    assert_eq!(answer(&Method::DELETE, Target::Bucket, "lifecycle"), "NotImplemented");
    assert_eq!(answer(&Method::DELETE, Target::Bucket, "lifecycle="), "NotImplemented");
    assert_eq!(answer(&Method::DELETE, Target::Bucket, "%6cifecycle"), "NotImplemented");
    assert_eq!(answer(&Method::DELETE, Target::Bucket, "unknown"), "NotImplemented");
    assert_eq!(answer(&Method::DELETE, Target::Bucket, "unknown=1"), "NotImplemented");
    assert_eq!(answer(&Method::PUT, Target::Object, "unknown"), "NotImplemented");
    assert_eq!(answer(&Method::PUT, Target::Object, "append&position=0"), "NotImplemented");
    assert_eq!(answer(&Method::POST, Target::Object, "select&select-type=2"), "NotImplemented");
    assert_eq!(answer(&Method::PUT, Target::Object, "x-amz-acl=public-read"), "NotImplemented");
}

#[test]
fn reads_may_have_unknown_parameters_only_with_a_value() {
    assert_eq!(answer(&Method::GET, Target::Bucket, "trace=1"), "ok");
    assert_eq!(answer(&Method::GET, Target::Bucket, "trace"), "NotImplemented");
    assert_eq!(answer(&Method::PUT, Target::Bucket, "versioning"), "NotImplemented");
    assert_eq!(answer(&Method::GET, Target::Bucket, "versions"), "NotImplemented");
    assert_eq!(answer(&Method::GET, Target::Bucket, "prefix=&delimiter="), "ok");
}

#[test]
fn authorization_parameters_belong_to_every_operation() {
    for query in [
        "AWSAccessKeyId=A&Expires=1&Signature=s",
        "X-Amz-Algorithm=a&X-Amz-Credential=c&X-Amz-Date=d&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=s",
        "x-id=PutObject",
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            assert_eq!(answer(&method, Target::Object, query), "ok", "{query}");
        }
    }
    assert_eq!(answer(&Method::PUT, Target::Object, "x-amz-signature=s"), "NotImplemented");
}

#[test]
fn parts_need_both_their_numbers() {
    assert_eq!(answer(&Method::PUT, Target::Object, "uploadId=u&partNumber=1"), "ok");
    assert_eq!(answer(&Method::PUT, Target::Object, "uploadId=u"), "InvalidArgument");
    assert_eq!(answer(&Method::PUT, Target::Object, "partNumber=1"), "NotImplemented");
    assert_eq!(answer(&Method::GET, Target::Object, "partNumber=1"), "ok");
}

#[test]
fn doubled_conflicting_and_unreadable_parameters_are_refused() {
    assert_eq!(answer(&Method::GET, Target::Bucket, "prefix=a&prefix=a"), "InvalidArgument");
    assert_eq!(answer(&Method::GET, Target::Bucket, "policy&p%6flicy"), "InvalidArgument");
    assert_eq!(answer(&Method::GET, Target::Bucket, "acl&policy"), "InvalidArgument");
    assert_eq!(answer(&Method::POST, Target::Object, "uploads&uploadId=u"), "InvalidArgument");
    assert_eq!(answer(&Method::GET, Target::Bucket, "prefix=%ff"), "InvalidURI");
    assert_eq!(answer(&Method::GET, Target::Bucket, "%ff=a"), "InvalidURI");
}

#[test]
fn only_the_null_version_exists() {
    assert_eq!(answer(&Method::GET, Target::Object, "versionId=null"), "ok");
    assert_eq!(answer(&Method::DELETE, Target::Object, "versionId=null"), "ok");
    assert_eq!(answer(&Method::DELETE, Target::Object, "versionId=3HL4kqtJlcpXroDTDmJ"), "NoSuchVersion");
    assert_eq!(answer(&Method::HEAD, Target::Object, "versionId="), "InvalidArgument");
    assert_eq!(answer(&Method::GET, Target::Bucket, "list-type=1"), "InvalidArgument");
}

#[test]
fn methods_that_a_target_does_not_have_are_not_allowed() {
    assert_eq!(answer(&Method::POST, Target::Object, ""), "MethodNotAllowed");
    assert_eq!(answer(&Method::POST, Target::Bucket, ""), "MethodNotAllowed");
    assert_eq!(answer(&Method::DELETE, Target::Service, ""), "MethodNotAllowed");
    assert_eq!(answer(&Method::PATCH, Target::Object, ""), "MethodNotAllowed");
}

#[test]
fn a_header_that_was_moved_into_the_query_is_never_ignored() {
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        for query in [
            "x-amz-expected-bucket-owner=111122223333",
            "X-Amz-Expected-Bucket-Owner=111122223333",
            "x-amz-security-token=t",
            "%78-amz-never-heard-of=1",
            "x-amz-=1",
        ] {
            assert_eq!(answer(&method, Target::Object, query), "NotImplemented", "{method} {query}");
            assert_eq!(answer(&method, Target::Bucket, query), "NotImplemented", "{method} {query}");
        }
    }
    for query in ["x-amz-checksum-mode=ENABLED", "X-Amz-Checksum-Mode=ENABLED", "x-amz-user-agent=aws-sdk-js"] {
        assert_eq!(answer(&Method::GET, Target::Object, query), "ok", "{query}");
    }
    for query in ["x-amz-sdk-checksum-algorithm=CRC32", "X-Amz-Sdk-Checksum-Algorithm=CRC32"] {
        assert_eq!(answer(&Method::PUT, Target::Object, query), "ok", "{query}");
    }
    assert_eq!(answer(&Method::GET, Target::Object, "x-%C3%A4mz-a=1"), "ok");
}

#[test]
fn parameters_are_few() {
    let many = |count: usize| (0..count).map(|at| format!("p{at}=1")).collect::<Vec<_>>().join("&");
    assert_eq!(answer(&Method::GET, Target::Bucket, &many(64)), "ok");
    assert_eq!(answer(&Method::GET, Target::Bucket, &many(65)), "InvalidArgument");
    assert_eq!(answer(&Method::GET, Target::Bucket, &format!("{}&p7=2", many(63))), "InvalidArgument");
}
