"""SSE-KMS as boto3 and raw requests see it, with the keyring as the KMS."""

import base64
import itertools
import json

import pytest

from harness.clients import boto3_client
from harness.content import MIB, content, customer_headers, customer_key, sse_c
from harness.expect import is_error, refused

MODE = "x-amz-server-side-encryption"
KEY_ID = f"{MODE}-aws-kms-key-id"
CONTEXT = f"{MODE}-context"
BUCKET_KEY = f"{MODE}-bucket-key-enabled"
_names = itertools.count()


@pytest.fixture
def kms_key(server):
    """A fresh key of the KMS."""
    name = f"key-{next(_names)}"
    server.command("kms", "create", name)
    return name


def kms(key_id=None, **more):
    return {"ServerSideEncryption": "aws:kms", **({"SSEKMSKeyId": key_id} if key_id else {}), **more}


def context(**pairs):
    return base64.b64encode(json.dumps(pairs).encode()).decode()


def told(answer):
    return answer.get("ServerSideEncryption"), answer.get("SSEKMSKeyId"), answer.get("BucketKeyEnabled")


def test_a_write_repeats_everything_and_a_read_never_the_context(s3, raw, bucket, kms_key):
    words = context(patient="1")
    put = s3.put_object(
        Bucket=bucket, Key="o", Body=b"x", **kms(kms_key, SSEKMSEncryptionContext=words, BucketKeyEnabled=True)
    )
    assert told(put) == ("aws:kms", kms_key, True) and put["SSEKMSEncryptionContext"] == words
    for read in (s3.get_object, s3.head_object):
        answer = read(Bucket=bucket, Key="o")
        assert told(answer) == ("aws:kms", kms_key, True) and "SSEKMSEncryptionContext" not in answer
    for method in ("GET", "HEAD"):
        assert CONTEXT not in raw(method, f"/{bucket}/o").headers
    attributes = s3.get_object_attributes(Bucket=bucket, Key="o", ObjectAttributes=["ObjectSize"])
    assert attributes["ObjectSize"] == 1
    headers = attributes["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in headers if name.startswith(MODE)], headers


def test_the_default_key_is_made_on_first_use(s3, bucket):
    assert told(s3.put_object(Bucket=bucket, Key="o", Body=b"x", **kms())) == ("aws:kms", "aws/s3", None)
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"x"


def test_an_id_an_alias_and_an_arn_name_the_same_key(s3, bucket, kms_key):
    for name in (kms_key, f"alias/{kms_key}", f"arn:aws:kms:us-east-1:111122223333:key/{kms_key}"):
        assert told(s3.put_object(Bucket=bucket, Key="o", Body=b"x", **kms(name)))[1] == kms_key


def test_an_upload_in_parts_keeps_the_mode_of_its_beginning(s3, bucket, kms_key):
    body = content(5 * MIB + 1)
    begun = s3.create_multipart_upload(Bucket=bucket, Key="o", **kms(kms_key, SSEKMSEncryptionContext=context(a="b")))
    assert told(begun)[:2] == ("aws:kms", kms_key) and begun["SSEKMSEncryptionContext"] == context(a="b")
    upload = dict(Bucket=bucket, Key="o", UploadId=begun["UploadId"])
    parts = []
    for number, piece in enumerate((body[: 5 * MIB], body[5 * MIB :]), 1):
        part = s3.upload_part(Body=piece, PartNumber=number, **upload)
        assert told(part)[:2] == ("aws:kms", kms_key)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    done = s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **upload)
    assert told(done)[:2] == ("aws:kms", kms_key)
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == body


@pytest.mark.parametrize("target", ["none", "AES256", "aws:kms", "customer"])
@pytest.mark.parametrize("source", ["AES256", "aws:kms", "customer"])
def test_copies_go_from_every_mode_to_every_mode(s3, bucket, kms_key, source, target):
    modes = {
        "none": {},
        "AES256": {"ServerSideEncryption": "AES256"},
        "aws:kms": kms(kms_key),
        "customer": sse_c(customer_key("target")),
    }
    written = sse_c(customer_key("source")) if source == "customer" else modes[source]
    s3.put_object(Bucket=bucket, Key="from", Body=b"bytes", **written)
    opened = sse_c(customer_key("source"), copy_source=True) if source == "customer" else {}
    for key in ("to", "from"):
        if key == "from" and target == "none":
            continue  # That would change nothing.
        copied = s3.copy_object(Bucket=bucket, Key=key, CopySource=f"{bucket}/from", **modes[target], **opened)
        expected = {"none": "AES256", "customer": None}.get(target, target)
        assert copied.get("ServerSideEncryption") == expected
        read = sse_c(customer_key("target")) if target == "customer" else {}
        assert s3.get_object(Bucket=bucket, Key=key, **read)["Body"].read() == b"bytes"


def test_what_is_asked_wrongly_is_told(s3, raw, bucket):
    refused(lambda: s3.put_object(Bucket=bucket, Key="o", Body=b"x", **kms("absent")), 400, "KMS.NotFoundException")
    for headers, code in (
        ({MODE: "aws:kms", KEY_ID: "a key"}, "InvalidArgument"),
        ({MODE: "aws:kms", CONTEXT: "not base64"}, "InvalidArgument"),
        ({MODE: "aws:kms", CONTEXT: base64.b64encode(b"[]").decode()}, "InvalidArgument"),
        ({MODE: "aws:kms", CONTEXT: base64.b64encode(b'{"a":1}').decode()}, "InvalidArgument"),
        ({MODE: "aws:kms", BUCKET_KEY: "perhaps"}, "InvalidArgument"),
        ({MODE: "AES256", KEY_ID: "a-key"}, "InvalidArgument"),
        ({KEY_ID: "a-key"}, "InvalidArgument"),
        ({CONTEXT: "e30="}, "InvalidArgument"),
        ({MODE: "aes:kms"}, "InvalidArgument"),
        ({MODE: "aws:kms", **customer_headers(customer_key())}, "InvalidArgument"),
        ({KEY_ID: "a-key", **customer_headers(customer_key())}, "InvalidArgument"),
    ):
        is_error(raw("PUT", f"/{bucket}/o", b"x", headers), 400, code)
    is_error(raw("PUT", f"/{bucket}/o", b"x", {MODE: "aws:kms:dsse"}), 501, "NotImplemented")
    for name in (MODE, KEY_ID, CONTEXT):
        is_error(raw("GET", f"/{bucket}/o", headers={name: "aws:kms"}), 400, "InvalidArgument")
    is_error(raw("GET", f"/{bucket}/o"), 404, "NoSuchKey")


def test_a_disabled_key_opens_nothing_until_it_is_enabled(server, s3, bucket, kms_key):
    s3.put_object(Bucket=bucket, Key="o", Body=b"x", **kms(kms_key))
    server.command("kms", "disable", kms_key)
    refused(lambda: s3.put_object(Bucket=bucket, Key="p", Body=b"x", **kms(kms_key)), 400, "KMS.DisabledException")
    server.command("kms", "enable", kms_key)
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"x"


def test_an_object_changes_its_server_held_key_in_place(server, s3, raw, other_user, bucket, kms_key):
    before = s3.put_object(Bucket=bucket, Key="o", Body=b"bytes", Metadata={"a": "b"})
    seen = s3.head_object(Bucket=bucket, Key="o")
    arn = f"arn:aws:kms:us-east-1:111122223333:key/{kms_key}"
    s3.update_object_encryption(
        Bucket=bucket, Key="o", ObjectEncryption={"SSEKMS": {"KMSKeyArn": arn, "BucketKeyEnabled": True}}
    )
    after = s3.get_object(Bucket=bucket, Key="o")
    assert told(after) == ("aws:kms", kms_key, True) and after["Body"].read() == b"bytes"
    assert after["LastModified"] == seen["LastModified"] and after["Metadata"] == {"a": "b"}
    back = raw("PUT", f"/{bucket}/o?encryption", b"<ObjectEncryption><SSE-S3/></ObjectEncryption>")
    assert back.status == 200
    again = s3.get_object(Bucket=bucket, Key="o")
    assert told(again) == ("AES256", None, None) and again["ETag"] == before["ETag"]
    bob = boto3_client(server, other_user)
    wanted = {"SSEKMS": {"KMSKeyArn": arn}}
    refused(
        lambda: bob.update_object_encryption(Bucket=bucket, Key="o", ObjectEncryption=wanted), 403, "AccessDenied"
    )
    refused(lambda: s3.update_object_encryption(Bucket=bucket, Key="absent", ObjectEncryption=wanted), 404, "NoSuchKey")
    s3.put_object(Bucket=bucket, Key="sealed", Body=b"x", **sse_c(customer_key()))
    refused(
        lambda: s3.update_object_encryption(Bucket=bucket, Key="sealed", ObjectEncryption=wanted), 400, "InvalidRequest"
    )


def test_a_policy_can_demand_one_kms_key(s3, bucket, kms_key):
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{bucket}/*",
                "Condition": {"StringNotEquals": {f"s3:{KEY_ID}": kms_key}},
            }
        ],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    for encryption in ({}, kms(), {"ServerSideEncryption": "AES256"}, sse_c(customer_key())):
        refused(lambda: s3.put_object(Bucket=bucket, Key="o", Body=b"x", **encryption), 403, "AccessDenied")
        refused(lambda: s3.create_multipart_upload(Bucket=bucket, Key="o", **encryption), 403, "AccessDenied")
    s3.put_object(Bucket=bucket, Key="o", Body=b"x", **kms(kms_key))
    begun = s3.create_multipart_upload(Bucket=bucket, Key="o", **kms(kms_key))
    upload = dict(Bucket=bucket, Key="o", UploadId=begun["UploadId"])
    etag = s3.upload_part(Body=b"x", PartNumber=1, **upload)["ETag"]
    s3.complete_multipart_upload(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}, **upload)
