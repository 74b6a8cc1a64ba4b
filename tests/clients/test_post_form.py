"""Uploads by HTML form: as boto3 and boto 2 make them, by hand, and broken in every way that a page can be."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from harness.boto2 import connect
from harness.clients import boto3_client
from harness.content import MIB, content, customer_headers, customer_key, sse_c
from harness.expect import is_error
from harness.guide import FORCE_ENCRYPTION
from harness.signing import now

MODE = "x-amz-server-side-encryption"
EVERYBODY = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:PutObject",
}


def encode(fields, file=b"bytes", filename="name.txt", behind=()):
    """The body of a form and its type; `fields` is a dictionary, or pairs where names come twice."""
    pairs = fields.items() if isinstance(fields, dict) else fields
    boundary = "----form-of-a-test"
    lines = []
    for name, value in pairs:
        lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode())
        lines.append(value if isinstance(value, bytes) else value.encode())
        lines.append(b"\r\n")
    if file is not None:
        disposition = f'form-data; name="file"; filename="{filename}"'
        lines.append(f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: x/y\r\n\r\n".encode())
        lines.append(file + b"\r\n")
    for name, value in behind:
        lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    lines.append(f"--{boundary}--\r\n".encode())
    return b"".join(lines), f"multipart/form-data; boundary={boundary}"


@pytest.fixture
def post(anonymous):
    """Posts a form to a bucket; nothing but its fields says who sends it."""

    def post(bucket, fields, file=b"bytes", headers=None, **more):
        body, content_type = encode(fields, file, **more)
        return anonymous("POST", f"/{bucket}", body, {"content-type": content_type, **(headers or {})})

    return post


def document(bucket, *conditions, minutes=10):
    expiration = (now() + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {"expiration": expiration, "conditions": [{"bucket": bucket}, *conditions]}


def sign_v2(user, policy):
    """The fields that version 2 adds."""
    text = policy if isinstance(policy, str) else json.dumps(policy)
    encoded = base64.b64encode(text.encode()).decode()
    signature = hmac.new(user.secret.encode(), encoded.encode(), hashlib.sha1).digest()
    return {
        "AWSAccessKeyId": user.access,
        "policy": encoded,
        "signature": base64.b64encode(signature).decode(),
    }


def body_of(s3, bucket, key, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def absent(raw, bucket, key):
    is_error(raw("GET", f"/{bucket}/{key}"), 404, "NoSuchKey")


def test_a_form_of_boto3_works_in_a_browser(server, s3, bucket):
    form = s3.generate_presigned_post(
        bucket,
        "dir/${filename}",
        Fields={"acl": "private", "Content-Type": "text/plain", "x-amz-meta-who": "alice"},
        Conditions=[{"acl": "private"}, {"Content-Type": "text/plain"}, ["starts-with", "$x-amz-meta-who", "al"]],
    )
    answer = requests.post(
        form["url"], data=form["fields"], files={"file": ("a b.txt", b"bytes")}, verify=str(server.ca), timeout=60
    )
    assert answer.status_code == 204, answer.text
    stored = s3.get_object(Bucket=bucket, Key="dir/a b.txt")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"bytes", "text/plain")
    assert stored["Metadata"] == {"who": "alice"} and stored["ETag"] == answer.headers["etag"]


def test_a_form_of_boto3_with_version_2(server, user, bucket, post, s3):
    client = boto3_client(server, user, signature="s3")
    form = client.generate_presigned_post(bucket, "key")
    assert "signature" in form["fields"]
    assert post(bucket, form["fields"]).status == 204
    assert body_of(s3, bucket, "key") == b"bytes"


def test_a_form_of_boto_2(server, user, bucket, post, s3):
    # Its `build_post_form_args` fails on Python 3 when it encodes what `build_post_policy` made; the rest is as there.
    connection = connect("127.0.0.1", server.port, user.access, user.secret)
    conditions = [
        f'{{"bucket": "{bucket}"}}',
        '["starts-with", "$key", "boto2/"]',
        '{"acl": "private"}',
        '{"success_action_redirect": "https://done/"}',
        '["content-length-range", 0, 100]',
    ]
    policy = connection.build_post_policy((now() + timedelta(minutes=10)).timetuple(), conditions)
    fields = {
        "acl": "private",
        "success_action_redirect": "https://done/",
        "key": "boto2/${filename}",
        **sign_v2(user, policy),
    }
    answer = post(bucket, fields)
    assert answer.status == 303, answer.body
    target = urlsplit(answer.headers["location"])
    told = parse_qs(target.query)
    assert (target.netloc, told["bucket"], told["key"]) == ("done", [bucket], ["boto2/name.txt"])
    assert told["etag"] == [s3.head_object(Bucket=bucket, Key="boto2/name.txt")["ETag"]]
    is_error(post(bucket, fields, b"x" * 101), 400, "EntityTooLarge")


@pytest.mark.parametrize("size", [0, 1, 65536, 5 * MIB + 1])
def test_files_of_any_size_come_back(user, bucket, post, s3, size):
    fields = {"key": "k", **sign_v2(user, document(bucket, {"key": "k"}))}
    file = content(size)
    assert post(bucket, fields, file).status == 204
    assert body_of(s3, bucket, "k") == file


def test_a_file_full_of_delimiters_comes_back(user, bucket, post, s3):
    file = b"\r\n------form-of-a-tes\r\n--\r\n\r\r\n------form-of-a-" * 1000
    fields = {"key": "k", **sign_v2(user, document(bucket, {"key": "k"}))}
    assert post(bucket, fields, file).status == 204
    assert body_of(s3, bucket, "k") == file


def test_a_form_answers_as_it_asks(user, bucket, post):
    for status, expected in (("200", 200), ("201", 201), ("204", 204), ("404", 204)):
        policy = document(bucket, {"key": "k"}, {"success_action_status": status})
        answer = post(bucket, {"key": "k", "success_action_status": status, **sign_v2(user, policy)})
        assert answer.status == expected
        if expected == 201:
            xml = answer.xml()
            assert (xml.tag, xml.findtext("Bucket"), xml.findtext("Key")) == ("PostResponse", bucket, "k")
            assert xml.findtext("ETag") == answer.headers["etag"]


@pytest.mark.parametrize(
    "fields, conditions",
    [
        ({"acl": "private"}, []),
        ({"acl": "public-read"}, [{"acl": "private"}]),
        ({"x-amz-meta-a": "b"}, []),
        ({MODE: "AES256"}, []),
        ({MODE: "AES256"}, [["starts-with", f"${MODE}", "aws"]]),
        (customer_headers(customer_key()), []),
        ({}, [{"x-amz-meta-a": "b"}]),
        ({}, [["starts-with", "$key", "other"]]),
        ({}, [{"bucket": "another"}]),
        ({"unknown": "x"}, []),
    ],
)
def test_what_the_document_does_not_allow_is_denied(user, raw, bucket, post, fields, conditions):
    policy = document(bucket, ["starts-with", "$key", ""], *conditions)
    is_error(post(bucket, {"key": "k", **fields, **sign_v2(user, policy)}), 403, "AccessDenied")
    absent(raw, bucket, "k")


def test_a_document_that_is_none_or_is_over_is_refused(user, raw, bucket, post):
    good = document(bucket, {"key": "k"})
    for broken in (
        {},
        [],
        {"expiration": good["expiration"]},
        {"conditions": good["conditions"]},
        {**good, "expiration": str(now())},
        {**good, "more": 1},
        {"EXPIRATION": good["expiration"], "conditions": good["conditions"]},
        {**good, "conditions": [{}]},
        {**good, "conditions": [["content-length-range", 0]]},
        {**good, "conditions": [["content-length-range", -1, 0]]},
    ):
        is_error(post(bucket, {"key": "k", **sign_v2(user, broken)}), 400, "InvalidPolicyDocument")
    over = document(bucket, {"key": "k"}, minutes=-1)
    is_error(post(bucket, {"key": "k", **sign_v2(user, over)}), 403, "AccessDenied")
    without_bucket = {**good, "conditions": [{"key": "k"}]}
    is_error(post(bucket, {"key": "k", **sign_v2(user, without_bucket)}), 403, "AccessDenied")
    absent(raw, bucket, "k")


def test_a_forged_form_is_refused(user, other_user, token, raw, bucket, post):
    signed = {"key": "k", **sign_v2(user, document(bucket, {"key": "k"}))}
    mallory = sign_v2(other_user, document(bucket, {"key": "k"}))
    for changes, status, code in (
        ({"signature": mallory["signature"]}, 403, "SignatureDoesNotMatch"),
        ({"policy": sign_v2(user, document(bucket))["policy"]}, 403, "SignatureDoesNotMatch"),
        ({"AWSAccessKeyId": "AKIDOESNOTEXIST00000"}, 403, "InvalidAccessKeyId"),
        ({"AWSAccessKeyId": token.access}, 403, "AccessDenied"),
        ({"signature": None}, 400, "InvalidArgument"),
        ({"policy": None}, 400, "InvalidArgument"),
        ({"AWSAccessKeyId": None}, 400, "InvalidArgument"),
        ({"key": None}, 400, "InvalidArgument"),
        ({"x-amz-signature": "0" * 64}, 400, "InvalidArgument"),
    ):
        fields = {name: value for name, value in {**signed, **changes}.items() if value is not None}
        is_error(post(bucket, fields), status, code)
    # Bob signed well, and may not.
    is_error(post(bucket, {"key": "k", **mallory}), 403, "AccessDenied")
    absent(raw, bucket, "k")
    assert post(bucket, signed).status == 204


def test_a_form_of_version_4_covers_what_signed_it(s3, raw, bucket, post):
    form = s3.generate_presigned_post(bucket, "k")["fields"]
    for name, value, code in (
        ("x-amz-date", "20200101T000000Z", "InvalidArgument"),
        ("x-amz-credential", form["x-amz-credential"].replace("/s3/", "/sts/"), "InvalidArgument"),
        ("x-amz-algorithm", "AWS4-HMAC-MD5", "InvalidArgument"),
        ("x-amz-signature", form["x-amz-signature"][::-1], "SignatureDoesNotMatch"),
        ("key", "other", "AccessDenied"),
    ):
        answer = post(bucket, {**form, name: value})
        assert (answer.status in (400, 403), answer.code) == (True, code), answer.body
    absent(raw, bucket, "k")
    assert post(bucket, form).status == 204


def test_a_broken_form_stores_nothing(user, raw, anonymous, bucket, post):
    signed = {"key": "k", **sign_v2(user, document(bucket, {"key": "k"}))}
    body, content_type = encode(signed)
    for length in (1, len(body) // 2, len(body) - 10):
        answer = anonymous("POST", f"/{bucket}", body[:length], {"content-type": content_type})
        is_error(answer, 400, "MalformedPOSTRequest")
    is_error(post(bucket, signed, None), 400, "InvalidArgument")
    is_error(post(bucket, [*signed.items(), ("key", "k")]), 400, "InvalidArgument")
    is_error(post(bucket, {**signed, "x-ignore-a": "x" * 20480}), 400, "MaxPostPreDataLengthExceededError")
    is_error(post(bucket, signed, behind=[("x-amz-meta-late", "x")]), 400, "InvalidArgument")
    is_error(post(bucket, signed, behind=[("file", "x")]), 400, "InvalidArgument")
    is_error(post(bucket, signed, headers={"x-amz-acl": "public-read"}), 400, "InvalidArgument")
    is_error(post(bucket, signed, headers={"authorization": f"AWS {user.access}:x"}), 400, "InvalidRequest")
    is_error(post(bucket, {**signed, "tagging": "<Tagging/>"}), 403, "AccessDenied")
    is_error(raw("POST", f"/{bucket}", b"x"), 405, "MethodNotAllowed")
    absent(raw, bucket, "k")
    assert post(bucket, signed, behind=[("submit", "Upload")]).status == 204


def test_digests_of_a_form_are_checked(user, raw, bucket, post):
    good = base64.b64encode(hashlib.md5(b"bytes").digest()).decode()
    for digest, status in (("AAAAAAAAAAAAAAAAAAAAAA==", 400), (good, 204)):
        policy = document(bucket, {"key": "k"}, {"Content-MD5": digest})
        answer = post(bucket, {"key": "k", "Content-MD5": digest, **sign_v2(user, policy)})
        assert answer.status == status, answer.body
    wrong = base64.b64encode(bytes(32)).decode()
    policy = document(bucket, {"key": "sum"}, {"x-amz-checksum-sha256": wrong})
    fields = {"key": "sum", "x-amz-checksum-sha256": wrong, **sign_v2(user, policy)}
    is_error(post(bucket, fields), 400, "BadDigest")
    absent(raw, bucket, "sum")


def test_a_form_with_a_customer_key_needs_it_to_read(user, s3, raw, bucket, post):
    trio = customer_headers(customer_key())
    policy = document(bucket, {"key": "k"}, *({name: value} for name, value in trio.items()))
    answer = post(bucket, {"key": "k", **trio, **sign_v2(user, policy)})
    assert answer.status == 204 and answer.headers[f"{MODE}-customer-algorithm"] == "AES256"
    assert MODE not in answer.headers
    is_error(raw("GET", f"/{bucket}/k"), 400, "InvalidRequest")
    assert body_of(s3, bucket, "k", **sse_c(customer_key())) == b"bytes"


def test_a_customer_key_in_a_form_over_plain_http_is_refused(server, user, raw, bucket):
    trio = customer_headers(customer_key())
    policy = document(bucket, {"key": "k"}, *({name: value} for name, value in trio.items()))
    body, content_type = encode({"key": "k", **trio, **sign_v2(user, policy)})
    answer = requests.post(
        f"{server.http_url}/{bucket}", data=body, headers={"content-type": content_type}, timeout=60
    )
    assert (answer.status_code, "InvalidRequest" in answer.text) == (400, True)
    absent(raw, bucket, "k")


def test_the_policy_of_the_guide_holds_on_forms(user, s3, raw, bucket, post):
    s3.put_bucket_policy(Bucket=bucket, Policy=FORCE_ENCRYPTION % bucket)
    trio = customer_headers(customer_key())
    for fields, status in (({}, 403), (trio, 403), ({MODE: "AES256"}, 204), ({**trio, MODE: "AES256"}, 204)):
        policy = document(bucket, {"key": "k"}, *({name: value} for name, value in fields.items()))
        answer = post(bucket, {"key": "k", **fields, **sign_v2(user, policy)})
        assert answer.status == status, (fields, answer.body)
    assert body_of(s3, bucket, "k", **sse_c(customer_key())) == b"bytes"


def test_a_form_can_ask_for_a_kms_key(user, s3, bucket, post):
    policy = document(bucket, {"key": "k"}, {MODE: "aws:kms"})
    answer = post(bucket, {"key": "k", MODE: "aws:kms", **sign_v2(user, policy)})
    assert answer.status == 204 and answer.headers[MODE] == "aws:kms"
    assert s3.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == "aws/s3"


def test_nobody_posts_where_nobody_may(s3, raw, bucket, post):
    is_error(post(bucket, {"key": "k"}), 403, "AccessDenied")
    statement = {**EVERYBODY, "Resource": f"arn:aws:s3:::{bucket}/open/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    is_error(post(bucket, {"key": "k"}), 403, "AccessDenied")
    assert post(bucket, {"key": "open/${filename}", "submit": "Upload"}).status == 204
    assert body_of(s3, bucket, "open/name.txt") == b"bytes"
    is_error(post(bucket, {"key": "open/k", "acl": "public-read"}), 403, "AccessDenied")
    is_error(post("nothing-is-called-this", {"key": "k"}), 404, "NoSuchBucket")
    absent(raw, bucket, "k")
