"""Buckets named by the host: `--domain`, signed by either version, presigned, over plain HTTP and over TLS."""

import socket

import boto3
import botocore.config
import pytest

from harness.content import customer_headers, customer_key
from harness.expect import is_error
from harness.server import Server
from harness.signing import Signer

DOMAIN = "s3.canopic.test"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("virtual"), "--domain", DOMAIN, plain_http=True).start()
    assert Signer(server, server.root)("PUT", "/first.bucket").status == 200
    yield server
    assert server.stop() == 0


class HostSigner(Signer):
    """Signs for a host of its own, and still connects to the server."""

    def __init__(self, server, name, credentials=None, version=4):
        super().__init__(server, credentials, version)
        self.name = name

    @property
    def host(self):
        return f"{self.name}:{self.server.port}"


def test_the_host_names_the_bucket(served):
    by_host = HostSigner(served, f"first.bucket.{DOMAIN}", served.root)
    by_path = Signer(served, served.root)
    headers = customer_headers(customer_key())
    for name in ("k", "//k", "first.bucket/k", "a%20b/"):
        assert by_host("PUT", f"/{name}", name.encode(), headers).status == 200
        assert by_host("GET", f"/{name}", headers=headers).body == name.encode()
        assert by_path("GET", f"/first.bucket/{name}", headers=headers).body == name.encode()
    assert len(list(by_host("GET", "/?list-type=2").xml().iter("Key"))) == 4
    shouted = HostSigner(served, f"first.bucket.{DOMAIN.upper()}", served.root)
    assert shouted("GET", "/k", headers=headers).body == b"k"
    is_error(HostSigner(served, f"other.{DOMAIN}", served.root)("GET", "/k"), 404, "NoSuchBucket")
    is_error(HostSigner(served, f"x..{DOMAIN}", served.root)("GET", "/k"), 400, "InvalidBucketName")
    assert HostSigner(served, DOMAIN, served.root)("GET", "/first.bucket/k", headers=headers).body == b"k"
    assert HostSigner(served, f"not{DOMAIN}", served.root)("GET", "/first.bucket/k", headers=headers).body == b"k"


@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_boto3_signs_and_presigns_for_the_host(served, monkeypatch, signature):
    resolve = socket.getaddrinfo
    local = lambda host, *more, **named: resolve("127.0.0.1" if host.endswith(DOMAIN) else host, *more, **named)
    monkeypatch.setattr(socket, "getaddrinfo", local)
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{DOMAIN}:{served.http_port}",
        aws_access_key_id=served.root.access,
        aws_secret_access_key=served.root.secret,
        region_name="us-east-1",
        config=botocore.config.Config(s3={"addressing_style": "virtual"}, signature_version=signature),
    )
    bucket = f"by-{signature}"
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="/ü +%", Body=b"virtual")
    assert [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["/ü +%"]
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "/ü +%"})
    host, _, target = url.removeprefix("http://").partition("/")
    assert host.startswith(f"{bucket}.{DOMAIN}")
    anonymous = Signer(served, plain_http=True)
    assert anonymous("GET", f"/{target}", headers={"host": host}).body == b"virtual"
    elsewhere = {"host": f"first.bucket.{DOMAIN}:{served.http_port}"}
    is_error(anonymous("GET", f"/{target}", headers=elsewhere), 403, "SignatureDoesNotMatch")
