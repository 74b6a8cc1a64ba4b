"""The guide's flow from today's SDK: default checksums, signature V4."""

import json

import pytest

from harness.clients import boto3_client
from harness.content import MIB, content, customer_key, sse_c
from harness.expect import refused
from harness.guide import FORCE_ENCRYPTION
from harness.server import KeyPair

GUIDE = {**sse_c(customer_key()), "ServerSideEncryption": "AES256"}


@pytest.fixture(params=["token", "pair"])
def client(request, server, user, token):
    # boto3 takes an empty secret too, but an arbitrary one must do as well.
    return boto3_client(server, KeyPair(token.access, "ignored") if request.param == "token" else user)


def test_the_encryption_page(client, bucket_name):
    client.create_bucket(Bucket=bucket_name)
    client.create_bucket(Bucket=bucket_name)
    body = content(300_000)
    put = client.put_object(Bucket=bucket_name, Key="test.txt", Body=body, **GUIDE)
    assert put["SSECustomerAlgorithm"] == "AES256" and "ServerSideEncryption" not in put

    got = client.get_object(Bucket=bucket_name, Key="test.txt", **sse_c(customer_key()))
    assert got["Body"].read() == body
    assert got["SSECustomerAlgorithm"] == "AES256" and "ServerSideEncryption" not in got

    wrong = sse_c(customer_key("wrong"))
    refused(lambda: client.get_object(Bucket=bucket_name, Key="test.txt", **wrong), 403, "AccessDenied")
    refused(lambda: client.get_object(Bucket=bucket_name, Key="test.txt"), 400, "InvalidRequest")
    refused(lambda: client.head_object(Bucket=bucket_name, Key="test.txt", **wrong), 403, "403")
    refused(lambda: client.head_object(Bucket=bucket_name, Key="test.txt"), 400, "400")


def test_an_sse_c_etag_says_nothing_about_the_content(client, bucket_name):
    client.create_bucket(Bucket=bucket_name)
    etags = {
        client.put_object(Bucket=bucket_name, Key="same", Body=b"same", **sse_c(customer_key()))["ETag"]
        for _ in range(3)
    }
    assert len(etags) == 3
    for etag in etags:
        digest, dash, parts = etag.strip('"').partition("-")
        assert len(bytes.fromhex(digest)) == 16 and dash == "-" and parts == "1"


def test_the_force_encryption_policy(client, bucket_name):
    client.create_bucket(Bucket=bucket_name)
    client.put_bucket_policy(Bucket=bucket_name, Policy=FORCE_ENCRYPTION % bucket_name)
    assert client.get_bucket_policy(Bucket=bucket_name)["Policy"] == FORCE_ENCRYPTION % bucket_name
    assert client.get_bucket_policy_status(Bucket=bucket_name)["PolicyStatus"]["IsPublic"] is False

    put = lambda **how: client.put_object(Bucket=bucket_name, Key="test.txt", Body=b"x", **how)
    refused(put, 403, "AccessDenied")
    refused(lambda: put(**sse_c(customer_key())), 403, "AccessDenied")
    put(**GUIDE)
    put(ServerSideEncryption="AES256")
    refused(lambda: put(ServerSideEncryption="aws:kms"), 403, "AccessDenied")

    source = {"Bucket": bucket_name, "Key": "test.txt"}
    copy = lambda **how: client.copy_object(Bucket=bucket_name, Key="copy", CopySource=source, **how)
    refused(copy, 403, "AccessDenied")
    copy(ServerSideEncryption="AES256")

    upload = client.create_multipart_upload(Bucket=bucket_name, Key="big", **GUIDE)
    where = {"Bucket": bucket_name, "Key": "big", "UploadId": upload["UploadId"]}
    sizes = (5 * MIB, 1000)
    parts = []
    for number, size in enumerate(sizes, start=1):
        done = client.upload_part(**where, PartNumber=number, Body=content(size), **sse_c(customer_key()))
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    got = client.get_object(Bucket=bucket_name, Key="big", **sse_c(customer_key()))
    assert got["Body"].read() == b"".join(content(size) for size in sizes)
    refused(lambda: client.create_multipart_upload(Bucket=bucket_name, Key="bare"), 403, "AccessDenied")

    client.delete_bucket_policy(Bucket=bucket_name)
    put()
    refused(lambda: client.get_bucket_policy(Bucket=bucket_name), 404, "NoSuchBucketPolicy")


def test_the_corrected_policy_takes_customer_keys_alone(client, bucket_name):
    """Deny only what carries neither header: what the guide's policy means to say."""
    client.create_bucket(Bucket=bucket_name)
    condition = {
        "Null": {
            "s3:x-amz-server-side-encryption": "true",
            "s3:x-amz-server-side-encryption-customer-algorithm": "true",
        }
    }
    client.put_bucket_policy(Bucket=bucket_name, Policy=deny_put(bucket_name, condition))
    put = lambda **how: client.put_object(Bucket=bucket_name, Key="k", Body=b"x", **how)
    refused(put, 403, "AccessDenied")
    put(**sse_c(customer_key()))
    put(ServerSideEncryption="AES256")
    put(**GUIDE)


def deny_put(bucket, condition):
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_the_boto_page(client, bucket_name, anonymous):
    client.create_bucket(Bucket=bucket_name)
    assert bucket_name in {each["Name"] for each in client.list_buckets()["Buckets"]}
    client.put_object(Bucket=bucket_name, Key="hello.txt", Body=b"Hello World!", ACL="public-read")
    client.put_object(Bucket=bucket_name, Key="plans.txt", Body=b"My secret plans!")
    assert anonymous("GET", f"/{bucket_name}/hello.txt").body == b"Hello World!"
    assert anonymous("GET", f"/{bucket_name}/plans.txt").status == 403
    client.put_object_acl(Bucket=bucket_name, Key="hello.txt", ACL="private")
    assert anonymous("GET", f"/{bucket_name}/hello.txt").status == 403
    listed = client.list_objects_v2(Bucket=bucket_name)["Contents"]
    assert [(each["Key"], each["Size"]) for each in listed] == [("hello.txt", 12), ("plans.txt", 16)]
    deleted = client.delete_objects(Bucket=bucket_name, Delete={"Objects": [{"Key": each["Key"]} for each in listed]})
    assert len(deleted["Deleted"]) == 2
    client.delete_bucket(Bucket=bucket_name)


def test_an_empty_secret_does_for_a_token(server, token, bucket_name):
    client = boto3_client(server, token)
    client.create_bucket(Bucket=bucket_name)
    client.put_object(Bucket=bucket_name, Key="k", Body=b"with an empty secret")
    assert client.get_object(Bucket=bucket_name, Key="k")["Body"].read() == b"with an empty secret"


def test_another_user_sees_nothing_and_takes_no_name(server, s3, other_user, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"mine")
    bob = boto3_client(server, other_user)
    refused(lambda: bob.create_bucket(Bucket=bucket), 409, "BucketAlreadyExists")
    refused(lambda: bob.get_object(Bucket=bucket, Key="k"), 403, "AccessDenied")
    refused(lambda: bob.put_object(Bucket=bucket, Key="k", Body=b"his"), 403, "AccessDenied")
    refused(lambda: bob.list_objects_v2(Bucket=bucket), 403, "AccessDenied")
    refused(lambda: bob.delete_bucket(Bucket=bucket), 403, "AccessDenied")
    assert bucket not in {each["Name"] for each in bob.list_buckets()["Buckets"]}
