"""Malformed input of every kind: AWS's error, nothing changed, and never an answer of 500."""

import json
import random
import socket

import pytest

from harness.content import content, customer_headers, customer_key
from harness.expect import is_error
from harness.signing import Signer

BUCKET_SUBRESOURCES = (
    "accelerate analytics cors intelligent-tiering inventory lifecycle logging metrics notification "
    "object-lock ownershipControls publicAccessBlock replication requestPayment tagging versions website"
).split()
OBJECT_SUBRESOURCES = "legal-hold restore retention select&select-type=2 tagging torrent".split()


@pytest.fixture
def kept(raw, bucket):
    """The bucket with one object, both compared afterwards."""
    raw("PUT", f"/{bucket}/kept", b"kept")
    yield bucket
    assert raw("GET", f"/{bucket}/kept").body == b"kept"
    assert [each.text for each in raw("GET", f"/{bucket}").xml().iter("Key")] == ["kept"]


def test_features_that_are_not_there_say_so_and_change_nothing(raw, kept):
    for subresource in BUCKET_SUBRESOURCES:
        for method in ("GET", "PUT", "DELETE"):
            answer = raw(method, f"/{kept}?{subresource}", b"" if method == "GET" else b"<x/>")
            assert answer.status in (501, 405, 400, 404), (method, subresource, answer.status, answer.body)
            assert answer.code in ("NotImplemented", "MethodNotAllowed", "MalformedXML"), (
                method,
                subresource,
                answer.body,
            )
    for subresource in OBJECT_SUBRESOURCES:
        for method in ("GET", "PUT", "DELETE", "POST"):
            answer = raw(method, f"/{kept}/kept?{subresource}", b"" if method == "GET" else b"<x/>")
            assert answer.code in ("NotImplemented", "MethodNotAllowed", "MalformedXML"), (
                method,
                subresource,
                answer.body,
            )


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-server-side-encryption": "aws:kms:dsse"},
        {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": "2040-01-01T00:00:00Z"},
        {"x-amz-object-lock-legal-hold": "ON"},
        {"x-amz-tagging": "a=b"},
        {"x-amz-website-redirect-location": "/x"},
        {"x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'},
        {"x-amz-write-offset-bytes": "4"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_headers_of_features_that_are_not_there_are_not_dropped(raw, kept, headers):
    """A retention that is silently forgotten is worse than a refusal."""
    is_error(raw("PUT", f"/{kept}/k", b"x", headers), 501, "NotImplemented")
    is_error(raw("POST", f"/{kept}/k?uploads", b"", headers), 501, "NotImplemented")


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "UPPER",
        "under_score",
        "-dash",
        "dash-",
        "dot..dot",
        "192.168.0.1",
        "x" * 64,
        "a%20b",
        "%C3%BC%C3%BC%C3%BC",
        "xn--abc",
    ],
)
def test_bad_bucket_names_are_refused(raw, name):
    assert is_error(raw("PUT", f"/{name}"), 400, "InvalidBucketName").resource


@pytest.mark.parametrize(
    ("path", "status", "codes"),
    [
        ("k" * 1025, 400, {"KeyTooLongError"}),
        ("%C3%BC" * 513, 400, {"KeyTooLongError"}),
        ("%ff%fe", 400, {"InvalidURI", "InvalidArgument"}),
        ("%", 400, {"InvalidURI", "InvalidArgument"}),
        ("%zz", 400, {"InvalidURI", "InvalidArgument"}),
    ],
)
def test_bad_object_names_are_refused(raw, kept, path, status, codes):
    answer = raw("PUT", f"/{kept}/{path}", b"x")
    if path in ("%", "%zz") and answer.status == 403:
        return  # The signature covers a path that cannot be decoded; refusing it there is as good.
    assert answer.status == status and answer.code in codes, (answer.status, answer.body)


@pytest.mark.parametrize(
    "path", ["../kept", "%2e%2e/kept", "./a", "a/../../kept", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "-/x", "a%00b"]
)
def test_dots_and_slashes_are_part_of_a_name_and_climb_nowhere(raw, bucket, path):
    raw("PUT", f"/{bucket}/kept", b"kept")
    answer = raw("PUT", f"/{bucket}/{path}", b"other")
    assert answer.status in (200, 400), (answer.status, answer.body)
    if answer.status == 200:
        assert raw("GET", f"/{bucket}/{path}").body == b"other"
    assert raw("GET", f"/{bucket}/kept").body == b"kept"


XML_BODIES = {
    "empty": b"",
    "no XML": b"hello",
    "cut": b"<Delete><Object><Key>kept",
    "other root": b"<Other><Object><Key>kept</Key></Object></Other>",
    "nothing in it": b"<Delete></Delete>",
    "entities": b'<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>',
    "external entity": b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>',
    "not UTF-8": b"<Delete><Object><Key>\xff\xfe</Key></Object></Delete>",
    "deep": b"<Delete>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</Delete>",
    "too many": b"<Delete>" + b"<Object><Key>kept</Key></Object>" * 1001 + b"</Delete>",
}


@pytest.mark.parametrize("case", XML_BODIES)
def test_malformed_xml_is_said_to_be_malformed(raw, s3, kept, case):
    body = XML_BODIES[case]
    answer = raw("POST", f"/{kept}?delete", body)
    assert answer.status == 400 and answer.code in ("MalformedXML", "MissingRequestBodyError", "InvalidRequest"), (
        answer.body
    )
    assert b"root:" not in answer.body
    upload = s3.create_multipart_upload(Bucket=kept, Key="up")["UploadId"]
    completed = raw("POST", f"/{kept}/up?uploadId={upload}", body.replace(b"Delete", b"CompleteMultipartUpload"))
    assert completed.status == 400, completed.body
    s3.abort_multipart_upload(Bucket=kept, Key="up", UploadId=upload)
    if body and case != "nothing in it":
        located = raw("PUT", f"/{kept}-new", body)
        assert located.status == 400, located.body


POLICIES = {
    "empty": "",
    "no JSON": "{",
    "not an object": "[]",
    "no statement": '{"Version":"2012-10-17"}',
    "no effect": {"Principal": "*", "Action": "s3:GetObject"},
    "odd effect": {"Effect": "Perhaps", "Principal": "*", "Action": "s3:GetObject"},
    "no principal": {"Effect": "Allow", "Action": "s3:GetObject"},
    "odd principal": {"Effect": "Allow", "Principal": {"AWS": "alice"}, "Action": "s3:GetObject"},
    "no action": {"Effect": "Allow", "Principal": "*"},
    "unknown operator": {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Condition": {"StringLooksLike": {"a": "b"}},
    },
    "unknown condition key": {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Condition": {"StringEquals": {"s3:nope": "b"}},
    },
    "unknown element": {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Unless": {}},
    "deep": '{"a":' * 3000 + "1" + "}" * 3000,
    "not UTF-8": b'{"Version":"\xff"}',
}


@pytest.mark.parametrize("case", POLICIES)
def test_a_policy_that_cannot_be_evaluated_is_refused(raw, kept, case):
    policy = POLICIES[case]
    if isinstance(policy, dict):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Resource": f"arn:aws:s3:::{kept}/*", **policy}]})
    answer = raw("PUT", f"/{kept}?policy", policy if isinstance(policy, bytes) else policy.encode())
    assert answer.status == 400, answer.body
    assert answer.code in ("MalformedPolicy", "MissingRequestBodyError", "InvalidRequest"), answer.body
    is_error(raw("GET", f"/{kept}?policy"), 404, "NoSuchBucketPolicy")


def test_a_policy_beyond_20_kib_is_refused(raw, kept):
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{kept}/" + "x" * 21_000,
    }
    answer = raw("PUT", f"/{kept}?policy", json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode())
    assert answer.status == 400, answer.body


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-2",
        "bytes=a-b",
        "bytes",
        "bytes=",
        "lines=0-1",
        "bytes=-",
        "bytes=0-1,3-4",
        "bytes=1--2",
        "bytes=99999999999999999999-",
    ],
)
def test_a_malformed_range_is_ignored_or_refused_but_never_guessed(raw, kept, asked):
    answer = raw("GET", f"/{kept}/kept", headers={"range": asked})
    assert (answer.status, answer.body) == (200, b"kept") or answer.status in (400, 416), (answer.status, answer.body)


def test_metadata_beyond_2_kib_and_oversized_headers_are_refused(raw, kept):
    is_error(raw("PUT", f"/{kept}/k", b"x", {"x-amz-meta-a": "v" * 2049}), 400, "MetadataTooLarge")
    answer = raw("PUT", f"/{kept}/k", b"x", {"x-amz-meta-a": "v" * 100_000})
    assert answer.status in (400, 431), answer.status
    answer = raw("GET", f"/{kept}/{'k' * 100_000}")
    assert answer.status in (400, 414, 431), answer.status


def test_a_bucket_of_another_owner_than_expected_is_not_touched(raw, kept):
    """A guard that is silently dropped is none."""
    other, malformed = {"x-amz-expected-bucket-owner": "000000000001"}, {"x-amz-expected-bucket-owner": "alice"}
    for method, target in (("PUT", f"/{kept}/k"), ("DELETE", f"/{kept}/kept"), ("GET", f"/{kept}"), ("DELETE", f"/{kept}")):
        is_error(raw(method, target, b"x" if method == "PUT" else b"", other), 403, "AccessDenied")
        is_error(raw(method, target, b"", malformed), 400, "InvalidBucketOwnerAWSAccountID")
    copy = {"x-amz-copy-source": f"/{kept}/kept", "x-amz-source-expected-bucket-owner": "000000000001"}
    is_error(raw("PUT", f"/{kept}/k", b"", copy), 403, "AccessDenied")


def test_a_length_that_is_missing_wrong_or_absurd_stores_nothing(raw, kept):
    answer = raw("PUT", f"/{kept}/k", b"", {"content-length": str(6 * 1024**4)})
    assert answer.status == 400 and answer.code == "EntityTooLarge", answer.body
    for length in ("-1", "x", "99999999999999999999999"):
        assert raw("PUT", f"/{kept}/k", b"x", {"content-length": length}).status == 400, length
    no_length = raw(
        "PUT", f"/{kept}/k", b"1\r\nx\r\n0\r\n\r\n", {"transfer-encoding": "chunked"}, payload_hash="UNSIGNED-PAYLOAD"
    )
    assert no_length.status in (200, 411), no_length.body
    raw("DELETE", f"/{kept}/k")


@pytest.mark.parametrize("headers", [customer_headers(customer_key()), {}], ids=["sse-c", "sse-s3"])
def test_a_client_that_stops_half_way_leaves_nothing(raw, kept, headers):
    signed = {}
    raw("PUT", f"/{kept}/k", content(400_000), headers, tamper=signed.update)
    raw("DELETE", f"/{kept}/k")
    connection = raw.connect()
    connection.putrequest("PUT", f"/{kept}/k", skip_host=True, skip_accept_encoding=True)
    for name, value in signed.items():
        connection.putheader(name, value)
    connection.putheader("content-length", "400000")
    connection.endheaders(content(400_000)[:250_000])
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    is_error(raw("GET", f"/{kept}/k", headers=headers), 404, "NoSuchKey")


def test_methods_that_s3_does_not_have_are_refused(raw, kept):
    for method in ("PATCH", "TRACE", "OPTIONS", "BREW"):
        for target in ("/", f"/{kept}", f"/{kept}/kept"):
            answer = raw(method, target)
            assert 400 <= answer.status < 500 or answer.status == 501, (method, target, answer.status)


def test_the_administrators_paths_are_no_bucket(raw, anonymous):
    for method in ("PUT", "DELETE", "GET", "POST"):
        for signer in (raw, anonymous):
            answer = signer(method, "/-/admin/users")
            assert answer.status in (400, 401, 403, 404, 405), (method, answer.status, answer.body)


def test_random_requests_are_answered_and_never_with_500(server, user, kept):
    """A few hundred requests put together from good and bad pieces, the same on every run."""
    dice = random.Random(2)
    queries = (
        BUCKET_SUBRESOURCES
        + OBJECT_SUBRESOURCES
        + [
            "acl",
            "policy",
            "delete",
            "uploads",
            "location",
            "uploadId=x",
            "partNumber=1",
            "partNumber=1&uploadId=x",
            "list-type=2",
            "max-keys=1",
            "versionId=null",
            "response-content-type=%0d%0a",
            "x-id=PutObject",
            "prefix=%ff",
            "delimiter=%00",
            "=",
            "&&",
            "",
        ]
    )
    header_pool = list(customer_headers(customer_key()).items()) + [
        ("range", "bytes=1-"),
        ("if-match", "*"),
        ("if-none-match", "*"),
        ("if-modified-since", "yesterday"),
        ("content-md5", "x"),
        ("x-amz-copy-source", f"/{kept}/kept"),
        ("x-amz-copy-source", "%"),
        ("x-amz-acl", "odd"),
        ("x-amz-checksum-sha256", "x"),
        ("x-amz-sdk-checksum-algorithm", "SHA3"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "7"),
        ("expect", "100-continue"),
        ("x-amz-meta-\u00fc".encode().decode("latin-1"), "x"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("x-amz-date", "never"),
    ]
    bodies = [b"", b"x", b"<Delete/>", b"{}", content(100), b"<a>" * 99]
    for _ in range(400):
        signer = Signer(server, dice.choice([user, user, None]), dice.choice([2, 4]))
        path = dice.choice(
            ["/", f"/{kept}", f"/{kept}/", f"/{kept}/new", f"/{kept}/new", "/none", "/none/k", "/-/x", "//", "/%2F/k"]
        )
        target = path + "?" + "&".join(dice.sample(queries, dice.choice([0, 1, 1, 2])))
        method = dice.choice(["GET", "GET", "HEAD", "PUT", "POST", "DELETE"])
        if method in ("PUT", "DELETE") and path.rstrip("/") == f"/{kept}" and "acl" not in target:
            continue  # Deleting the bucket would be right.
        headers = dict(dice.sample(header_pool, dice.choice([0, 1, 1, 2, 3])))
        if not all(name.isascii() for name in headers):
            continue
        answer = signer(method, target, b"" if method in ("GET", "HEAD") else dice.choice(bodies), headers)
        assert answer.status < 500 or answer.status == 501, (method, target, headers, answer.status, answer.body)
        if answer.status >= 400 and method != "HEAD" and answer.status != 412:
            assert answer.code or path == "/-/x", (method, target, headers, answer.status, answer.body)
    Signer(server, user)("DELETE", f"/{kept}/new")
    Signer(server, user)("DELETE", f"/{kept}/")
