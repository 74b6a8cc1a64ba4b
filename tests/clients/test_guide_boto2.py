"""The guide, step by step, from an unmodified boto 2: once with a token and an empty secret, once with a key pair.

The steps are the guide's and its sister pages'; the words are ours. Each test is one page read from top to bottom.
"""

import base64
import hashlib
import io
import random
import ssl
import string
import urllib.error
import urllib.request
from copy import copy

import pytest

from harness import boto2
from harness.content import MIB, content
from harness.guide import FORCE_ENCRYPTION


@pytest.fixture(params=["token", "pair"])
def credentials(request, user, token):
    return token if request.param == "token" else user


@pytest.fixture
def conn(server, credentials, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca))
    return boto2.connect("127.0.0.1", server.port, credentials.access, credentials.secret)


@pytest.fixture
def header():
    return guide_header("".join(random.choices(string.ascii_letters + string.digits, k=32)))


def guide_header(keystring):
    """The three headers as the guide makes them, with the `decode` that Python 3 wants."""
    raw = keystring.encode()
    return {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": base64.b64encode(raw).decode(),
        "x-amz-server-side-encryption-customer-key-MD5": base64.b64encode(hashlib.md5(raw).digest()).decode(),
    }


def refused(call, status, code):
    with pytest.raises(boto2.load().exception.S3ResponseError) as refusal:
        call()
    assert (refusal.value.status, refusal.value.error_code) == (status, code), refusal.value.body


def fetch(server, url):
    """What anybody gets who has the URL."""
    with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=str(server.ca))) as answer:
        return answer.read()


def test_the_encryption_page(conn, header, bucket_name, tmp_path):
    plaintext = content(300_000, seed="guide")
    (tmp_path / "up.bin").write_bytes(plaintext)

    # Uploading a file. The bucket may exist already.
    bucket = conn.create_bucket(bucket_name)
    bucket = conn.create_bucket(bucket_name)
    key = bucket.new_key("test.txt")
    with open(tmp_path / "up.bin", "rb") as upload_file:
        key.set_contents_from_file(upload_file, headers=copy(header), encrypt_key=True)
    bucket.new_key("string.txt").set_contents_from_string("a string", headers=copy(header), encrypt_key=True)

    # Downloading an encrypted file.
    bucket = conn.create_bucket(bucket_name)
    bucket.new_key("test.txt").get_contents_to_filename(str(tmp_path / "down.bin"), headers=copy(header))
    assert (tmp_path / "down.bin").read_bytes() == plaintext
    assert bucket.new_key("string.txt").get_contents_as_string(headers=copy(header)) == b"a string"

    # Nobody opens it without the key.
    refused(
        lambda: bucket.new_key("test.txt").get_contents_as_string(headers=guide_header("w" * 32)), 403, "AccessDenied"
    )
    refused(lambda: bucket.new_key("test.txt").get_contents_as_string(), 400, "InvalidRequest")


def test_the_force_encryption_policy(conn, header, bucket_name):
    bucket = conn.create_bucket(bucket_name)
    assert bucket.set_policy(FORCE_ENCRYPTION % bucket.name)
    assert b"DenyUnEncryptedObjectUploads" in bucket.get_policy()

    # An upload without the header is refused, whether it is in the clear or under a customer key alone.
    refused(lambda: bucket.new_key("bare").set_contents_from_string("bare"), 403, "AccessDenied")
    refused(lambda: bucket.new_key("bare").set_contents_from_string("bare", headers=copy(header)), 403, "AccessDenied")
    assert bucket.get_key("bare") is None

    # The guide's own upload passes, and so does the server's key.
    bucket.new_key("test.txt").set_contents_from_string("sealed", headers=copy(header), encrypt_key=True)
    assert bucket.new_key("test.txt").get_contents_as_string(headers=copy(header)) == b"sealed"
    bucket.new_key("ours").set_contents_from_string("sealed", encrypt_key=True)

    # So does a multipart upload that began with the header; its parts carry the customer key only.
    parts = [content(5 * MIB, seed=1), content(1000, seed=2)]
    upload = bucket.initiate_multipart_upload("big", headers=copy(header), encrypt_key=True)
    for number, part in enumerate(parts, start=1):
        upload.upload_part_from_file(io.BytesIO(part), number, headers=copy(header))
    upload.complete_upload()
    assert bucket.new_key("big").get_contents_as_string(headers=copy(header)) == b"".join(parts)
    refused(lambda: bucket.initiate_multipart_upload("bare", headers=copy(header)), 403, "AccessDenied")
    refused(lambda: bucket.initiate_multipart_upload("bare"), 403, "AccessDenied")

    assert bucket.delete_policy()
    bucket.new_key("bare").set_contents_from_string("now allowed")


def test_the_boto_page(server, conn, bucket_name, anonymous):
    bucket = conn.create_bucket(bucket_name)
    created = {each.name: each.creation_date for each in conn.get_all_buckets()}
    assert created[bucket_name].startswith("20") and created[bucket_name].endswith("Z")

    hello, plans = bucket.new_key("hello.txt"), bucket.new_key("secret plans.txt")
    hello.set_contents_from_string("Hello World!")
    plans.set_contents_from_string("My secret plans!")
    hello.set_canned_acl("public-read")
    plans.set_canned_acl("private")

    # Listing with size and date.
    listed = {each.name: (each.size, each.last_modified) for each in bucket.list()}
    assert listed["hello.txt"][0] == 12 and listed["secret plans.txt"][1].startswith("20")

    # An unsigned URL opens what is public and nothing else.
    assert fetch(server, hello.generate_url(0, query_auth=False)) == b"Hello World!"
    with pytest.raises(urllib.error.HTTPError) as refusal:
        fetch(server, plans.generate_url(0, query_auth=False))
    assert refusal.value.code == 403
    hello.set_canned_acl("private")
    assert anonymous("GET", f"/{bucket_name}/hello.txt").code == "AccessDenied"

    assert plans.get_contents_as_string() == b"My secret plans!"
    bucket.delete_key("hello.txt")
    assert bucket.get_key("hello.txt") is None
    refused(lambda: conn.delete_bucket(bucket_name), 409, "BucketNotEmpty")
    bucket.delete_key(plans.name)
    conn.delete_bucket(bucket_name)
    assert bucket_name not in {each.name for each in conn.get_all_buckets()}


def test_a_signed_url_opens_with_a_key_pair_and_is_refused_with_a_token(server, conn, credentials, token, bucket_name):
    key = conn.create_bucket(bucket_name).new_key("secret_plans.txt")
    key.set_contents_from_string("My secret plans!")
    url = key.generate_url(3600, query_auth=True)
    if credentials is not token:
        assert fetch(server, url) == b"My secret plans!"
        return
    with pytest.raises(urllib.error.HTTPError) as refusal:
        fetch(server, url)
    body = refusal.value.read().decode()
    assert 400 <= refusal.value.code < 500
    assert "token" in body.lower(), body
    assert token.access not in body, "the refusal repeats the token"
