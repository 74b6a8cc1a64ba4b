"""Objects that change hands: no byte of the body moves, and at any instant exactly one key opens them."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from harness import ceph
from harness.clients import boto3_client
from harness.content import content
from harness.server import Server

MIB = 1 << 20
KEYS = [bytes([number]) * 32 for number in (1, 2)]


def customer(key):
    return {} if key is None else {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}


def source(key):
    return {} if key is None else {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": key}


def rekey(s3, bucket, name, old, new, **more):
    """A copy onto itself. Without a customer key for the target it names the server's encryption."""
    target = customer(new) if new else {"ServerSideEncryption": "AES256"}
    return s3.copy_object(
        Bucket=bucket, Key=name, CopySource=f"{bucket}/{name}", **source(old), **target, **more
    )


def code(call):
    with pytest.raises(ClientError) as error:
        call()
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def read(s3, bucket, name, key):
    return s3.get_object(Bucket=bucket, Key=name, **customer(key))["Body"].read()


def put_parts(s3, bucket, name, parts, key):
    upload = s3.create_multipart_upload(Bucket=bucket, Key=name, ChecksumAlgorithm="CRC32", **customer(key))["UploadId"]
    done = []
    for number, part in enumerate(parts, 1):
        answer = s3.upload_part(
            Bucket=bucket, Key=name, UploadId=upload, PartNumber=number, Body=part, ChecksumAlgorithm="CRC32", **customer(key)
        )
        done.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})
    s3.complete_multipart_upload(
        Bucket=bucket, Key=name, UploadId=upload, MultipartUpload={"Parts": done}, **customer(key)
    )


def blobs(server):
    """Every blob file with its inode and time of change: whatever is written anew shows."""
    if ceph.FOLDER:
        return ceph.blobs(server.namespace)
    found = {}
    for folder, _, names in os.walk(server.data_dir / "store" / "blobs"):
        for name in names:
            status = os.stat(os.path.join(folder, name))
            found[name] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return found


@pytest.fixture
def own(tmp_path):
    server = Server(tmp_path).start()
    server.create_user("alice")
    yield server
    server.kill()


@pytest.fixture
def s3(own):
    client = boto3_client(own, own.issue_pair("alice"))
    client.create_bucket(Bucket="bkt")
    return client


def test_no_byte_moves_and_parts_checksums_and_metadata_stay(own, s3):
    single, parts = content(3 * MIB), [content(5 * MIB), content(5 * MIB + 7), content(1)]
    s3.put_object(Bucket="bkt", Key="single", Body=single, ChecksumAlgorithm="SHA256", Metadata={"a": "b"}, **customer(KEYS[0]))
    put_parts(s3, "bkt", "parts", parts, KEYS[0])
    before = blobs(own)
    # In a cluster the two full parts have two stripes each.
    assert len(before) == (6 if ceph.FOLDER else 4)
    for name, whole in (("single", single), ("parts", b"".join(parts))):
        first = s3.head_object(Bucket="bkt", Key=name, ChecksumMode="ENABLED", **customer(KEYS[0]))
        now = KEYS[0]
        for new in (KEYS[1], None, None, KEYS[0]):
            answer = rekey(s3, "bkt", name, now, new)
            head = s3.head_object(Bucket="bkt", Key=name, ChecksumMode="ENABLED", **customer(new))
            assert answer["CopyObjectResult"]["ETag"] == head["ETag"]
            for field in ("ChecksumSHA256", "ChecksumCRC32", "ChecksumType", "Metadata", "ContentLength"):
                assert head.get(field) == first.get(field), field
            assert head["LastModified"] >= first["LastModified"]
            assert ("SSECustomerKeyMD5" in head) == (new is not None)
            assert read(s3, "bkt", name, new) == whole
            if new != now:
                assert code(lambda now=now: read(s3, "bkt", name, now)) in (400, 403)
            now = new
        assert s3.get_object(Bucket="bkt", Key=name, PartNumber=1, **customer(now))["Body"].read() == (
            parts[0] if name == "parts" else single
        )
    assert blobs(own) == before, "not one blob was written, moved or removed"


def test_an_md5_does_not_survive_under_a_customer_key(s3):
    tag = s3.put_object(Bucket="bkt", Key="k", Body=b"bytes")["ETag"]
    taken = rekey(s3, "bkt", "k", None, KEYS[0])["CopyObjectResult"]["ETag"]
    assert taken != tag and taken.endswith('-1"')
    assert rekey(s3, "bkt", "k", KEYS[0], None)["CopyObjectResult"]["ETag"] == taken
    listed = s3.list_objects_v2(Bucket="bkt")["Contents"][0]["ETag"]
    assert listed == taken


def test_every_direction_between_the_three_modes(s3):
    kms = {"ServerSideEncryption": "aws:kms"}
    modes = {"customer": customer(KEYS[0]), "server": {"ServerSideEncryption": "AES256"}, "kms": kms}
    for old, put in modes.items():
        for new, target in modes.items():
            s3.put_object(Bucket="bkt", Key="k", Body=b"bytes", **put)
            s3.copy_object(
                Bucket="bkt", Key="k", CopySource="bkt/k", **(source(KEYS[0]) if old == "customer" else {}), **target
            )
            answer = s3.get_object(Bucket="bkt", Key="k", **(target if new == "customer" else {}))
            assert answer["Body"].read() == b"bytes", (old, new)
            assert answer.get("ServerSideEncryption") == target.get("ServerSideEncryption"), (old, new)
            assert ("SSEKMSKeyId" in answer) == (new == "kms"), (old, new)


def test_a_wrong_source_key_or_an_unmet_condition_changes_nothing(s3):
    s3.put_object(Bucket="bkt", Key="k", Body=b"bytes", **customer(KEYS[0]))
    assert code(lambda: rekey(s3, "bkt", "k", KEYS[1], None)) == 403
    assert code(lambda: rekey(s3, "bkt", "k", None, None)) == 400
    assert code(lambda: rekey(s3, "bkt", "k", KEYS[0], None, CopySourceIfMatch='"x"')) == 412
    assert read(s3, "bkt", "k", KEYS[0]) == b"bytes"


def test_reads_that_run_while_the_key_changes_get_the_whole_object(own, s3):
    whole = content(24 * MIB)
    s3.put_object(Bucket="bkt", Key="k", Body=whole, **customer(KEYS[0]))
    body = s3.get_object(Bucket="bkt", Key="k", **customer(KEYS[0]))["Body"]
    first = body.read(MIB)
    rekey(s3, "bkt", "k", KEYS[0], KEYS[1])
    assert first + body.read() == whole


def test_a_server_that_is_killed_while_keys_change_leaves_exactly_one_key(own, s3):
    """Many rounds of a kill under rekeying; after each, one of the two keys opens the object, and the other does not."""
    names = [f"k{number}" for number in range(8)]
    whole = content(100_000)
    for name in names:
        s3.put_object(Bucket="bkt", Key=name, Body=whole, **customer(KEYS[0]))
    for _ in range(5):
        stop = threading.Event()

        def change(name):
            now = 0 if _opens(s3, name, KEYS[0]) else 1
            while not stop.is_set():
                try:
                    rekey(s3, "bkt", name, KEYS[now], KEYS[1 - now])
                except Exception:
                    return
                now = 1 - now

        with ThreadPoolExecutor(len(names)) as pool:
            running = [pool.submit(change, name) for name in names]
            threading.Event().wait(0.4)
            own.kill()
            stop.set()
            for each in running:
                each.result()
        own.start()
        for name in names:
            by_key = [_opens(s3, name, key) for key in KEYS]
            assert sorted(by_key) == [False, True], name


def _opens(s3, name, key):
    try:
        return read(s3, "bkt", name, key) == content(100_000)
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        return False
