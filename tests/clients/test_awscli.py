"""aws-cli: every size there and back, with and without a customer key."""

import json

import pytest

from harness.clients import Tool, script
from harness.content import KIB, MIB, SIZES, content, customer_key


@pytest.fixture
def aws(server, user, tmp_path):
    environment = {
        "AWS_ACCESS_KEY_ID": user.access,
        "AWS_SECRET_ACCESS_KEY": user.secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.url,
        "AWS_CA_BUNDLE": str(server.ca),
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    return Tool(script("aws"), environment, tmp_path)


@pytest.fixture(params=["sse-s3", "sse-c"])
def mode(request, tmp_path):
    """The arguments of `aws s3 cp`; the key stands in a file, as raw bytes."""
    if request.param == "sse-s3":
        return []
    (tmp_path / "customer.key").write_bytes(customer_key())
    return ["--sse-c", "AES256", "--sse-c-key", f"fileb://{tmp_path}/customer.key"]


def test_every_size_goes_there_and_back(aws, mode, bucket, files, tmp_path):
    aws("s3", "cp", "--recursive", "--no-progress", *mode, files, f"s3://{bucket}/all/")
    listed = json.loads(aws("s3api", "list-objects-v2", "--bucket", bucket, "--output", "json"))["Contents"]
    assert sorted(each["Size"] for each in listed) == SIZES
    aws("s3", "cp", "--recursive", "--no-progress", *mode, f"s3://{bucket}/all/", tmp_path / "back")
    for size in SIZES:
        assert (tmp_path / "back" / f"{size}.bin").read_bytes() == content(size), size
    if mode:
        done = aws.run("s3", "cp", f"s3://{bucket}/all/1.bin", tmp_path / "stolen")
        assert done.returncode != 0 and not (tmp_path / "stolen").exists()
    aws("s3", "rm", "--recursive", "--quiet", f"s3://{bucket}/all/")
    assert b"Contents" not in aws("s3api", "list-objects-v2", "--bucket", bucket, "--output", "json")


def test_single_objects_ranges_and_streams(aws, mode, bucket, tmp_path):
    body = content(9 * MIB)
    (tmp_path / "one").write_bytes(body)
    aws("s3", "cp", "--no-progress", *mode, "one", f"s3://{bucket}/one")
    assert aws("s3", "cp", *mode, f"s3://{bucket}/one", "-") == body
    key = (
        ["--sse-customer-algorithm", "AES256", "--sse-customer-key", f"fileb://{tmp_path}/customer.key"] if mode else []
    )
    first, last = 5 * MIB - 70 * KIB, 5 * MIB + 3
    aws("s3api", "get-object", "--bucket", bucket, "--key", "one", "--range", f"bytes={first}-{last}", *key, "range")
    assert (tmp_path / "range").read_bytes() == body[first : last + 1]


def test_buckets_are_made_listed_and_removed(aws, bucket_name):
    aws("s3", "mb", f"s3://{bucket_name}")
    assert bucket_name.encode() in aws("s3", "ls")
    aws("s3", "rb", f"s3://{bucket_name}")
    assert bucket_name.encode() not in aws("s3", "ls")


def test_a_copy_on_the_server_keeps_every_byte(aws, mode, bucket, tmp_path):
    body = content(9 * MIB)
    (tmp_path / "one").write_bytes(body)
    aws("s3", "cp", "--no-progress", *mode, "one", f"s3://{bucket}/one")
    source = ["--sse-c-copy-source", "AES256", "--sse-c-copy-source-key", mode[-1]] if mode else []
    aws("s3", "cp", "--no-progress", *mode, *source, f"s3://{bucket}/one", f"s3://{bucket}/two")
    assert aws("s3", "cp", *mode, f"s3://{bucket}/two", "-") == body
