"""SSE-KMS with the server of PyKMIP as the KMS."""

import subprocess

import pytest

from conftest import check_log
from harness.clients import boto3_client
from harness.content import MIB, content
from harness.expect import refused
from harness.kms import PyKmip
from harness.kms_outage import Outage, kms
from harness.server import BINARY, Server


@pytest.fixture(scope="module")
def pykmip(tmp_path_factory):
    pykmip = PyKmip(tmp_path_factory.mktemp("pykmip")).start()
    yield pykmip
    pykmip.kill()


@pytest.fixture
def kmip_server(pykmip, tmp_path):
    server = Server(tmp_path, *pykmip.settings(), "--kms-timeout", "4s").start()
    yield server
    assert server.stop() == 0
    check_log(server, [server.root.secret])


@pytest.fixture
def kmip_s3(kmip_server):
    return boto3_client(kmip_server, kmip_server.root)


def state_of(server, key_id):
    return [line.split()[1:] for line in server.command("kms", "list").splitlines() if line.startswith(key_id + " ")][0]


def test_keys_live_on_the_kmip_server_and_objects_come_back(kmip_server, kmip_s3):
    kmip_s3.create_bucket(Bucket="bucket")
    body = content(5 * MIB + 1)
    default = kmip_s3.put_object(Bucket="bucket", Key="default", Body=body, ServerSideEncryption="aws:kms")
    assert default["SSEKMSKeyId"] == "aws/s3"
    kmip_server.command("kms", "create", "team/k1")
    kmip_s3.put_object(Bucket="bucket", Key="own", Body=body, **kms("team/k1", BucketKeyEnabled=True))
    for key in ("default", "own"):
        assert kmip_s3.get_object(Bucket="bucket", Key=key)["Body"].read() == body
        part = kmip_s3.get_object(Bucket="bucket", Key=key, Range=f"bytes={MIB - 1}-{MIB}")["Body"].read()
        assert part == body[MIB - 1 : MIB + 1]
    refused(lambda: kmip_s3.put_object(Bucket="bucket", Key="o", Body=b"x", **kms("nobody")), 400, "KMS.NotFoundException")


def test_keys_are_managed_from_here(kmip_server, kmip_s3):
    kmip_s3.create_bucket(Bucket="bucket")
    kmip_server.command("kms", "create", "k2")
    kmip_s3.put_object(Bucket="bucket", Key="o", Body=b"old", **kms("k2"))
    kmip_server.command("kms", "rotate", "k2")
    assert kmip_s3.get_object(Bucket="bucket", Key="o")["Body"].read() == b"old"
    for command, state, code in (
        ("disable", "disabled", "KMS.DisabledException"),
        ("schedule-deletion", "pending-deletion", "KMS.KMSInvalidStateException"),
    ):
        kmip_server.command("kms", command, "k2")
        assert state_of(kmip_server, "k2")[0] == state
        refused(lambda: kmip_s3.get_object(Bucket="bucket", Key="o"), 400, code)
        kmip_server.command("kms", "enable", "k2")
        assert kmip_s3.get_object(Bucket="bucket", Key="o")["Body"].read() == b"old"


@pytest.mark.parametrize("away", ["down", "hanging"])
def test_while_the_kmip_server_is_away_cached_keys_open_and_the_rest_waits(pykmip, kmip_server, kmip_s3, away):
    Outage(kmip_server, kmip_s3).survive(*{"down": (pykmip.kill, pykmip.start), "hanging": (pykmip.pause, pykmip.go_on)}[away])
    reason = {"down": "cannot connect", "hanging": "no answer within 4000 ms"}[away]
    assert reason in kmip_server.log.read_text()


def test_what_stands_on_the_disk_is_proven_with_the_kmip_server_and_only_noted_without(pykmip, tmp_path):
    server = Server(tmp_path, environment=pykmip.environment()).start()
    s3 = boto3_client(server, server.root)
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="o", Body=content(MIB), ServerSideEncryption="aws:kms")
    assert server.stop() == 0

    def verify():
        environment = {**server.command_environment(), "CANOPIC_KMS_TIMEOUT": "2s"}
        command = [BINARY, "verify-at-rest", "--data-dir", server.data_dir]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "chunks authenticated: 1" in verify()
    pykmip.pause()
    try:
        assert "could not be proven: the KMS is unavailable" in verify()
    finally:
        pykmip.go_on()
