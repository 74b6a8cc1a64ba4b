"""The default encryption of a bucket, as boto3 sets it and as raw documents do."""

import pytest

from harness.clients import boto3_client
from harness.content import customer_headers, customer_key, sse_c
from harness.expect import is_error, refused
from harness.server import Server

MODE = "x-amz-server-side-encryption"


def rule(algorithm, key_id=None, bucket_key=False, **more):
    default = {"SSEAlgorithm": algorithm} | ({"KMSMasterKeyID": key_id} if key_id else {})
    return {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key, **more}


def configure(s3, bucket, *rules):
    return s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": list(rules)})


def configured(s3, bucket):
    answer = s3.get_bucket_encryption(Bucket=bucket)
    return answer["ServerSideEncryptionConfiguration"]["Rules"]


def document(inner):
    namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    return f"<ServerSideEncryptionConfiguration {namespace}>{inner}</ServerSideEncryptionConfiguration>".encode()


def test_a_bucket_without_a_configuration_says_what_happens(s3, bucket):
    assert configured(s3, bucket) == [rule("AES256")]


def test_what_is_put_is_shown_and_deleting_twice_is_fine(s3, bucket):
    for wanted in (rule("AES256"), rule("aws:kms"), rule("aws:kms", "a-key", True)):
        configure(s3, bucket, wanted)
        assert configured(s3, bucket) == [wanted]
    for _ in range(2):
        answer = s3.delete_bucket_encryption(Bucket=bucket)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert configured(s3, bucket) == [rule("AES256")]


@pytest.mark.parametrize("blocked", ["SSE-C", "NONE"])
def test_blocked_types_are_kept(s3, bucket, blocked):
    wanted = rule("AES256", BlockedEncryptionTypes={"EncryptionType": [blocked]})
    configure(s3, bucket, wanted)
    assert configured(s3, bucket) == [wanted]


def test_a_setting_brings_back_the_error_of_old(tmp_path):
    server = Server(tmp_path, "--get-bucket-encryption-unconfigured", "not-found").start()
    try:
        s3 = boto3_client(server, server.root)
        s3.create_bucket(Bucket="bare")
        refused(
            lambda: s3.get_bucket_encryption(Bucket="bare"), 404, "ServerSideEncryptionConfigurationNotFoundError"
        )
        configure(s3, "bare", rule("AES256"))
        assert configured(s3, "bare") == [rule("AES256")]
    finally:
        assert server.stop() == 0


def test_what_is_no_configuration_is_refused_and_changes_nothing(s3, raw, bucket):
    configure(s3, bucket, rule("aws:kms", "a-key"))
    one = "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>{}</ApplyServerSideEncryptionByDefault></Rule>"
    for inner, code in (
        ("", "MalformedXML"),
        (one.format("") * 2, "MalformedXML"),
        (one.format("").replace("AES256", "AES128"), "MalformedXML"),
        (one.format("<Unknown>1</Unknown>"), "MalformedXML"),
        ("<Rule><BlockedEncryptionTypes><EncryptionType>ALL</EncryptionType></BlockedEncryptionTypes></Rule>", "MalformedXML"),
        (one.format("<KMSMasterKeyID>a-key</KMSMasterKeyID>"), "InvalidArgument"),
    ):
        is_error(raw("PUT", f"/{bucket}?encryption", document(inner)), 400, code)
    is_error(raw("PUT", f"/{bucket}?encryption", b"<"), 400, "MalformedXML")
    is_error(raw("PUT", f"/{bucket}?encryption", document("<Rule/>" * 10_000)), 400, "MaxMessageLengthExceeded")
    wrong = {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    is_error(raw("PUT", f"/{bucket}?encryption", document(one.format("")), wrong), 400, "BadDigest")
    assert configured(s3, bucket) == [rule("aws:kms", "a-key")]


def test_only_the_owner_may_unless_a_policy_says_so(server, s3, other_user, anonymous, bucket):
    bob = boto3_client(server, other_user)
    refused(lambda: configured(bob, bucket), 403, "AccessDenied")
    refused(lambda: configure(bob, bucket, rule("AES256")), 403, "AccessDenied")
    refused(lambda: bob.delete_bucket_encryption(Bucket=bucket), 403, "AccessDenied")
    for method in ("GET", "PUT", "DELETE"):
        is_error(anonymous(method, f"/{bucket}?encryption", document("")), 403, "AccessDenied")
    is_error(anonymous("GET", "/nothing-is-called-this?encryption"), 404, "NoSuchBucket")


def test_objects_get_the_mode_of_their_bucket(s3, bucket):
    configure(s3, bucket, rule("aws:kms", bucket_key=True))
    put = s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]) == ("aws:kms", "aws/s3", True)
    assert put["ETag"] != '"9dd4e461268c8034f5c8564e155c67a6"', "an MD5 is not shown in this mode"
    named = s3.put_object(Bucket=bucket, Key="named", Body=b"x", ServerSideEncryption="AES256")
    assert named["ServerSideEncryption"] == "AES256" and "SSEKMSKeyId" not in named
    customer = s3.put_object(Bucket=bucket, Key="customer", Body=b"x", **sse_c(customer_key()))
    assert customer["SSECustomerAlgorithm"] == "AES256" and "ServerSideEncryption" not in customer
    begun = s3.create_multipart_upload(Bucket=bucket, Key="parts")
    assert begun["ServerSideEncryption"] == "aws:kms"
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/named")
    assert copied["ServerSideEncryption"] == "aws:kms"
    s3.delete_bucket_encryption(Bucket=bucket)
    assert s3.head_object(Bucket=bucket, Key="plain")["ServerSideEncryption"] == "aws:kms", "what is there stays"
    assert s3.put_object(Bucket=bucket, Key="later", Body=b"x")["ServerSideEncryption"] == "AES256"
    for key in ("plain", "named", "copy", "later"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"


def test_a_block_refuses_every_write_with_a_customer_key_and_no_read(s3, raw, bucket):
    key = sse_c(customer_key())
    s3.put_object(Bucket=bucket, Key="sealed", Body=b"x", **key)
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    begun = s3.create_multipart_upload(Bucket=bucket, Key="parts", **key)["UploadId"]
    configure(s3, bucket, rule("AES256", BlockedEncryptionTypes={"EncryptionType": ["SSE-C"]}))
    part = dict(Bucket=bucket, Key="parts", UploadId=begun, PartNumber=1)
    for write in (
        lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"x", **key),
        lambda: s3.copy_object(Bucket=bucket, Key="new", CopySource=f"{bucket}/plain", **key),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="new", **key),
        lambda: s3.upload_part(Body=b"x", **part, **key),
        lambda: s3.upload_part_copy(CopySource=f"{bucket}/plain", **part, **key),
    ):
        refused(write, 403, "AccessDenied")
    assert s3.get_object(Bucket=bucket, Key="sealed", **key)["Body"].read() == b"x"
    source = sse_c(customer_key(), copy_source=True)
    s3.copy_object(Bucket=bucket, Key="opened", CopySource=f"{bucket}/sealed", **source)
    assert s3.get_object(Bucket=bucket, Key="opened")["Body"].read() == b"x"
    form = raw("PUT", f"/{bucket}/raw", b"x", customer_headers(customer_key()))
    is_error(form, 403, "AccessDenied")
    configure(s3, bucket, rule("AES256", BlockedEncryptionTypes={"EncryptionType": ["NONE"]}))
    s3.put_object(Bucket=bucket, Key="new", Body=b"x", **key)


def test_a_configuration_outlives_the_server(tmp_path):
    server = Server(tmp_path).start()
    s3 = boto3_client(server, server.root)
    s3.create_bucket(Bucket="kept")
    wanted = rule("aws:kms", "a-key", True, BlockedEncryptionTypes={"EncryptionType": ["SSE-C"]})
    configure(s3, "kept", wanted)
    assert server.stop() == 0
    server.start()
    try:
        assert configured(s3, "kept") == [wanted]
    finally:
        assert server.stop() == 0
