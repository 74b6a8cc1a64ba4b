"""SSE-KMS with a real OpenBao as the KMS."""

import time

import pytest

from conftest import check_log
from harness.clients import boto3_client
from harness.content import MIB, content
from harness.expect import refused
from harness.kms import OpenBao
from harness.kms_outage import Outage, kms
from harness.server import Server


@pytest.fixture(scope="module")
def bao(tmp_path_factory):
    bao = OpenBao(tmp_path_factory.mktemp("bao")).start()
    yield bao
    bao.kill()


@pytest.fixture
def vault_server(bao, tmp_path):
    server = Server(tmp_path, *bao.settings(), "--kms-timeout", "2s").start()
    yield server
    assert server.stop() == 0
    check_log(server, [server.root.secret, *bao.secrets[1:]])


@pytest.fixture
def vault_s3(vault_server):
    return boto3_client(vault_server, vault_server.root)


def test_keys_live_in_vault_and_objects_come_back(bao, vault_server, vault_s3):
    vault_s3.create_bucket(Bucket="bucket")
    body = content(5 * MIB + 1)
    # The default key is made on first use, under a name that Transit takes.
    default = vault_s3.put_object(Bucket="bucket", Key="default", Body=body, ServerSideEncryption="aws:kms")
    assert default["SSEKMSKeyId"] == "aws/s3"
    assert "aws_2Fs3" in bao("list", "transit/keys")
    vault_server.command("kms", "create", "team/k1")
    vault_s3.put_object(Bucket="bucket", Key="own", Body=body, **kms("team/k1", BucketKeyEnabled=True))
    for key in ("default", "own"):
        assert vault_s3.get_object(Bucket="bucket", Key=key)["Body"].read() == body
        part = vault_s3.get_object(Bucket="bucket", Key=key, Range=f"bytes={MIB - 1}-{MIB}")["Body"].read()
        assert part == body[MIB - 1 : MIB + 1]
    refused(lambda: vault_s3.put_object(Bucket="bucket", Key="o", Body=b"x", **kms("nobody")), 400, "KMS.NotFoundException")
    assert "nobody" not in bao("list", "transit/keys"), "a wrap must not make the key"


def test_keys_are_managed_from_here_as_far_as_openbao_can(vault_server, vault_s3):
    vault_s3.create_bucket(Bucket="bucket")
    vault_server.command("kms", "create", "k2")
    vault_s3.put_object(Bucket="bucket", Key="o", Body=b"old", **kms("k2"))
    vault_server.command("kms", "rotate", "k2")
    assert " 2 " in [line for line in vault_server.command("kms", "list").splitlines() if line.startswith("k2 ")][0]
    assert vault_s3.get_object(Bucket="bucket", Key="o")["Body"].read() == b"old"
    vault_server.command("kms", "disable", "k2")
    refused(lambda: vault_s3.get_object(Bucket="bucket", Key="o"), 400, "KMS.DisabledException")
    vault_server.command("kms", "enable", "k2")
    assert vault_s3.get_object(Bucket="bucket", Key="o")["Body"].read() == b"old"
    with pytest.raises(AssertionError, match="does not do this.*Transit"):
        vault_server.command("kms", "schedule-deletion", "k2")


@pytest.mark.parametrize("away", ["sealed", "hanging"])
def test_while_vault_is_away_cached_keys_open_and_the_rest_waits(bao, vault_server, vault_s3, away):
    Outage(vault_server, vault_s3).survive(*{"sealed": (bao.seal, bao.unseal), "hanging": (bao.pause, bao.go_on)}[away])
    reason = {"sealed": "sealed", "hanging": "no answer within 2000 ms"}[away]
    assert reason in vault_server.log.read_text()


def test_a_server_starts_without_its_kms_and_says_so(bao, tmp_path):
    bao.pause()
    try:
        server = Server(tmp_path, *bao.settings(), "--kms-timeout", "1s").start()
        s3 = boto3_client(server, server.root)
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="o", Body=b"x")
        deadline = time.monotonic() + 20
        while "the KMS does not serve" not in server.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "the KMS does not serve" in server.log.read_text()
    finally:
        bao.go_on()
    s3.put_object(Bucket="bucket", Key="o", Body=b"x", ServerSideEncryption="aws:kms")
    assert server.stop() == 0


def test_wrong_credentials_are_told_in_the_log(bao, tmp_path):
    (tmp_path / "secret-id").write_text("made-up")
    settings = [flag for flag in bao.settings() if not flag.startswith("--kms-secret-id-file")]
    server = Server(tmp_path, *settings, f"--kms-secret-id-file={tmp_path}/secret-id").start()
    s3 = boto3_client(server, server.root)
    s3.create_bucket(Bucket="bucket")
    write = dict(Bucket="bucket", Key="o", Body=b"x", ServerSideEncryption="aws:kms")
    refused(lambda: s3.put_object(**write), 503, "SlowDown")
    assert server.stop() == 0
    log = server.log.read_text()
    assert "invalid role or secret ID" in log and "made-up" not in log
