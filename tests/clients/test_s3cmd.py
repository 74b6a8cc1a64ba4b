"""s3cmd with the settings of the guide's sister page: signature V2, path style."""

import pytest

from harness.clients import Tool, script
from harness.content import KIB, MIB, SIZES, content, customer_headers, customer_key, sse_c

ADD_HEADERS = [f"--add-header={name}:{value}" for name, value in customer_headers(customer_key()).items()]


@pytest.fixture(params=["pair", "token"])
def s3cmd(request, server, user, token, tmp_path):
    credentials = user if request.param == "pair" else token
    host = f"127.0.0.1:{server.port}"
    settings = {
        "access_key": credentials.access,
        "secret_key": credentials.secret or "ignored",
        "host_base": host,
        "host_bucket": f"{host}/%(bucket)s",
        "signature_v2": "True",
        "use_https": "True",
        "ca_certs_file": server.ca,
        "check_ssl_certificate": "True",
        "max_retries": "0",
        "bucket_location": "us-east-1",
    }
    (tmp_path / "s3cfg").write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    return Tool([*script("s3cmd"), "-c", str(tmp_path / "s3cfg"), "--no-progress"], {}, tmp_path)


def test_every_size_goes_there_and_back(s3cmd, bucket, files, tmp_path):
    (tmp_path / "back").mkdir()
    s3cmd("put", *sorted(files.iterdir()), f"s3://{bucket}/all/")
    listed = s3cmd("ls", f"s3://{bucket}/all/").decode().splitlines()
    assert sorted(int(line.split()[2]) for line in listed) == SIZES
    s3cmd("get", "--recursive", f"s3://{bucket}/all/", f"{tmp_path}/back/")
    for size in SIZES:
        assert (tmp_path / "back" / f"{size}.bin").read_bytes() == content(size), size
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}/all/")
    assert s3cmd("ls", f"s3://{bucket}/all/") == b""


def test_an_encrypted_upload_by_three_headers_is_read_back_by_boto3(s3cmd, s3, bucket, files):
    sizes = [size for size in SIZES if size < 100 * MIB]
    for size in sizes:
        s3cmd("put", "--disable-multipart", *ADD_HEADERS, files / f"{size}.bin", f"s3://{bucket}/{size}")
    for size in sizes:
        got = s3.get_object(Bucket=bucket, Key=str(size), **sse_c(customer_key()))
        assert got["Body"].read() == content(size) and got["SSECustomerAlgorithm"] == "AES256"


def test_what_s3cmd_sends_without_the_key_gets_the_400_of_aws(s3cmd, s3, bucket, tmp_path):
    """Its parts and its GETs do not carry `--add-header`; see the table of clients in docs/s3-compatibility.md."""
    (tmp_path / "big").write_bytes(content(16 * MIB))
    parts = s3cmd.run("put", "--multipart-chunk-size-mb=5", *ADD_HEADERS, "big", f"s3://{bucket}/big")
    assert parts.returncode != 0 and b"400" in parts.stderr, parts.stderr
    s3.put_object(Bucket=bucket, Key="sealed", Body=b"sealed", **sse_c(customer_key()))
    got = s3cmd.run("get", *ADD_HEADERS, f"s3://{bucket}/sealed", "down")
    assert got.returncode != 0 and b"400" in got.stderr, got.stderr
    assert not (tmp_path / "down").exists() or (tmp_path / "down").read_bytes() == b""


def test_buckets_acls_and_urls(s3cmd, server, bucket_name, anonymous, tmp_path):
    s3cmd("mb", f"s3://{bucket_name}")
    assert bucket_name.encode() in s3cmd("ls")
    (tmp_path / "f").write_bytes(content(64 * KIB))
    s3cmd("put", "--acl-public", "f", f"s3://{bucket_name}/f")
    assert anonymous("GET", f"/{bucket_name}/f").body == content(64 * KIB)
    s3cmd("setacl", "--acl-private", f"s3://{bucket_name}/f")
    assert anonymous("GET", f"/{bucket_name}/f").status == 403
    assert b"65536" in s3cmd("info", f"s3://{bucket_name}/f")
    s3cmd("cp", f"s3://{bucket_name}/f", f"s3://{bucket_name}/g")
    s3cmd("del", f"s3://{bucket_name}/f", f"s3://{bucket_name}/g")
    s3cmd("rb", f"s3://{bucket_name}")


def test_signature_v4_with_the_region_that_s3cmd_assumes(server, user, bucket_name, tmp_path):
    """Its default, "US", can be no region; it signs again with the one that the refusal names."""
    host = f"127.0.0.1:{server.port}"
    (tmp_path / "s3cfg").write_text(
        f"[default]\naccess_key = {user.access}\nsecret_key = {user.secret}\nhost_base = {host}\n"
        f"host_bucket = {host}\nca_certs_file = {server.ca}\nuse_https = True\n"
    )
    s3cmd = Tool([*script("s3cmd"), "-c", str(tmp_path / "s3cfg"), "--no-progress"], {}, tmp_path)
    s3cmd("mb", f"s3://{bucket_name}")
    assert bucket_name.encode() in s3cmd("ls")
    (tmp_path / "f").write_bytes(content(16 * MIB))
    s3cmd("put", "f", f"s3://{bucket_name}/f")
    s3cmd("get", f"s3://{bucket_name}/f", "back")
    assert (tmp_path / "back").read_bytes() == content(16 * MIB)
