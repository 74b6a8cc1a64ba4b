"""Who may speak: signatures of both versions in header and query, chunked bodies, dates, tokens."""

import base64
import hashlib
import zlib
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from harness.clients import boto3_client
from harness.content import content, customer_headers, customer_key, sse_c
from harness.expect import is_error
from harness.server import KeyPair
from harness.signing import Signer, now, v4_chunked


@pytest.fixture(params=[2, 4], ids=["v2", "v4"])
def signer(request, server, user):
    return Signer(server, user, version=request.param)


def crc32(body):
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def test_put_get_and_delete_with_either_version(signer, bucket):
    headers = {"content-type": "text/x", "x-amz-meta-plan": "a", **customer_headers(customer_key())}
    assert signer("PUT", f"/{bucket}/a%20b", b"body", headers).status == 200
    assert signer("GET", f"/{bucket}/a%20b", headers=customer_headers(customer_key())).body == b"body"
    assert signer("GET", f"/{bucket}?prefix=a&max-keys=1").xml().findtext("Contents/Key") == "a b"
    assert signer("DELETE", f"/{bucket}/a%20b").status == 204


def test_a_wrong_secret_an_unknown_user_and_a_changed_request_are_refused(server, user, signer, bucket):
    wrong = Signer(server, KeyPair(user.access, "wrong"), signer.version)
    is_error(wrong("PUT", f"/{bucket}/k", b"x"), 403, "SignatureDoesNotMatch")
    unknown = Signer(server, KeyPair("AKIDOESNOTEXIST00000", "wrong"), signer.version)
    is_error(unknown("PUT", f"/{bucket}/k", b"x"), 403, "InvalidAccessKeyId")
    changed = signer(
        "PUT", f"/{bucket}/k", b"x", {"x-amz-meta-a": "1"}, tamper=lambda h: h.update({"x-amz-meta-a": "2"})
    )
    is_error(changed, 403, "SignatureDoesNotMatch")
    is_error(signer("GET", f"/{bucket}/k"), 404, "NoSuchKey")


@pytest.mark.parametrize("minutes", [-20, 20])
def test_an_old_or_future_request_is_too_skewed(signer, bucket, minutes):
    is_error(signer("GET", f"/{bucket}", at=now() + timedelta(minutes=minutes)), 403, "RequestTimeTooSkewed")


def test_anonymous_requests_are_denied(anonymous, bucket):
    for method, target in (("GET", "/"), ("GET", f"/{bucket}"), ("PUT", f"/{bucket}/k"), ("DELETE", f"/{bucket}")):
        is_error(anonymous(method, target), 403, "AccessDenied")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "AWS",
        "AWS :",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=x",
        "Basic dTpw",
        "AWS a:b:c",
        "\x01",
        "A" * 9000,
    ],
)
def test_a_malformed_authorization_is_a_clear_error(raw, bucket, authorization):
    answer = raw("GET", f"/{bucket}", headers={"authorization": authorization, "date": "now"})
    assert answer.status in (400, 403, 431), (authorization, answer.status, answer.body)


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 200_000])
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_chunked_bodies_with_trailers_arrive_whole(raw, s3, bucket, size, signed):
    body = content(size)
    trailer = ("x-amz-checksum-crc32", crc32(body))
    answer = v4_chunked(
        raw, "PUT", f"/{bucket}/k", body, trailer=trailer, signed=signed, headers=customer_headers(customer_key())
    )
    assert answer.status == 200, answer.body
    assert s3.get_object(Bucket=bucket, Key="k", **sse_c(customer_key()))["Body"].read() == body


def test_signed_chunks_without_a_trailer_arrive_whole(raw, s3, bucket):
    assert v4_chunked(raw, "PUT", f"/{bucket}/k", content(200_000)).status == 200
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == content(200_000) and "aws-chunked" not in got.get("ContentEncoding", "")


def test_a_spoiled_chunk_stores_nothing(raw, bucket):
    spoils = {
        "changed": lambda encoded: encoded[:100_000] + bytes([encoded[100_000] ^ 1]) + encoded[100_001:],
        "cut": lambda encoded: encoded[:150_000],
        "no end": lambda encoded: encoded.replace(b"\r\n0;chunk-signature", b"\r\n1;chunk-signature"),
        "size": lambda encoded: b"zz" + encoded[2:],
        "huge": lambda encoded: b"ffffffffffffffffff" + encoded[5:],
    }
    for name, spoil in spoils.items():
        answer = v4_chunked(raw, "PUT", f"/{bucket}/k", content(200_000), spoil=spoil)
        assert 400 <= answer.status < 500, (name, answer.status, answer.body)
    is_error(raw("GET", f"/{bucket}/k"), 404, "NoSuchKey")


def test_a_wrong_trailing_checksum_stores_nothing(raw, bucket):
    for signed in (True, False):
        trailer = ("x-amz-checksum-crc32", crc32(b"other"))
        is_error(v4_chunked(raw, "PUT", f"/{bucket}/k", b"body", trailer=trailer, signed=signed), 400, "BadDigest")
    is_error(raw("GET", f"/{bucket}/k"), 404, "NoSuchKey")


def test_declared_digests_are_checked_before_the_object_exists(raw, bucket):
    other_md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    is_error(raw("PUT", f"/{bucket}/k", b"body", {"content-md5": other_md5}), 400, "BadDigest")
    is_error(raw("PUT", f"/{bucket}/k", b"body", {"content-md5": "not base64"}), 400, "InvalidDigest")
    is_error(raw("PUT", f"/{bucket}/k", b"body", {"x-amz-checksum-crc32": crc32(b"other")}), 400, "BadDigest")
    is_error(raw("PUT", f"/{bucket}/k", b"body", {"x-amz-checksum-crc32": "%%%"}), 400, "InvalidRequest")
    wrong = hashlib.sha256(b"other").hexdigest()
    is_error(raw("PUT", f"/{bucket}/k", b"body", payload_hash=wrong), 400, "XAmzContentSHA256Mismatch")
    is_error(raw("GET", f"/{bucket}/k"), 404, "NoSuchKey")
    right = base64.b64encode(hashlib.md5(b"body").digest()).decode()
    assert raw("PUT", f"/{bucket}/k", b"body", {"content-md5": right, **customer_headers(customer_key())}).status == 200


@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_presigned_put_and_get(server, user, bucket, anonymous, signature):
    client = boto3_client(server, user, signature=signature)
    url = lambda operation, **more: client.generate_presigned_url(operation, {"Bucket": bucket, "Key": "k ü", **more})
    target = lambda text: text.removeprefix(server.url)
    assert anonymous("PUT", target(url("put_object")), b"by url").status == 200
    got = anonymous("GET", target(url("get_object", ResponseContentType="text/x")))
    assert (got.body, got.headers["content-type"]) == (b"by url", "text/x")
    is_error(anonymous("PUT", target(url("get_object")), b"x"), 403, "SignatureDoesNotMatch")
    is_error(anonymous("GET", target(url("get_object")).replace("/k%20", "/l%20")), 403, "SignatureDoesNotMatch")


def test_presigned_urls_expire(raw, anonymous, bucket):
    raw("PUT", f"/{bucket}/k", b"x")
    old = raw.presign("GET", f"/{bucket}/k", expires=60, at=now() - timedelta(minutes=5))
    is_error(anonymous("GET", old), 403, "AccessDenied")
    is_error(anonymous("GET", raw.presign_v2("GET", f"/{bucket}/k", expires=-60)), 403, "AccessDenied")
    for expires in ("604801", "-1", "x", ""):
        answer = anonymous("GET", raw.presign("GET", f"/{bucket}/k", expires=expires))
        assert answer.status in (400, 403), (expires, answer.body)
        assert answer.code in ("AuthorizationQueryParametersError", "AccessDenied", "InvalidArgument"), answer.body
    assert anonymous("GET", raw.presign("GET", f"/{bucket}/k")).body == b"x"
    assert anonymous("GET", raw.presign_v2("GET", f"/{bucket}/k")).body == b"x"


def test_a_presigned_upload_carries_the_customer_key_in_headers(raw, anonymous, bucket):
    headers = customer_headers(customer_key())
    for target in (
        raw.presign("PUT", f"/{bucket}/k", headers=headers),
        raw.presign_v2("PUT", f"/{bucket}/k", headers=headers),
    ):
        assert anonymous("PUT", target, b"x", headers).status == 200
    assert raw("GET", f"/{bucket}/k", headers=headers).body == b"x"


def test_a_customer_key_in_a_query_string_is_refused(raw, anonymous, bucket):
    query = urlencode(customer_headers(customer_key()))
    for answer in (
        raw("PUT", f"/{bucket}/k?{query}", b"x"),
        anonymous("PUT", raw.presign("PUT", f"/{bucket}/k?{query}"), b"x"),
    ):
        assert answer.status == 400, answer.body
        assert customer_headers(customer_key())["x-amz-server-side-encryption-customer-key"].encode() not in answer.body
    is_error(raw("GET", f"/{bucket}/k"), 404, "NoSuchKey")


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("secret", ["", "anything at all"])
def test_a_token_needs_no_secret(server, token, bucket, version, secret):
    signer = Signer(server, KeyPair(token.access, secret), version)
    assert signer("PUT", f"/{bucket}/k", b"x", customer_headers(customer_key())).status == 200
    assert signer("GET", f"/{bucket}/k", headers=customer_headers(customer_key())).body == b"x"
    is_error(signer("GET", f"/{bucket}", at=now() - timedelta(minutes=20)), 403, "RequestTimeTooSkewed")
    wrong = Signer(server, KeyPair(token.access[:-1] + ("a" if token.access[-1] != "a" else "b"), secret), version)
    is_error(wrong("GET", f"/{bucket}"), 403, "InvalidAccessKeyId")


def test_a_token_has_its_bodies_checked_all_the_same(server, token, bucket):
    signer = Signer(server, token)
    is_error(signer("PUT", f"/{bucket}/k", b"body", payload_hash="0" * 64), 400, "XAmzContentSHA256Mismatch")
    trailer = ("x-amz-checksum-crc32", crc32(b"other"))
    is_error(v4_chunked(signer, "PUT", f"/{bucket}/k", b"body", trailer=trailer), 400, "BadDigest")
    assert v4_chunked(signer, "PUT", f"/{bucket}/k", content(200_000)).status == 200


def test_a_token_in_a_presigned_url_is_refused_with_a_reason(server, token, anonymous, bucket):
    signer = Signer(server, token)
    for target in (signer.presign("GET", f"/{bucket}/k"), signer.presign_v2("GET", f"/{bucket}/k")):
        answer = anonymous("GET", target)
        assert 400 <= answer.status < 500 and "token" in answer.message.lower(), answer.body
        assert token.access.encode() not in answer.body


def test_a_revoked_token_opens_nothing(server, user):
    server.create_user("carol")
    signer = Signer(server, KeyPair(server.issue_token("carol"), ""))
    assert signer("GET", "/").status == 200
    server.revoke_everything_of("carol")
    is_error(signer("GET", "/"), 403, "InvalidAccessKeyId")
