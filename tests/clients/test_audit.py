"""The audit log of server-held keys: complete, without secrets, and tamper-evident, through the real binary."""

import json
import re
import subprocess
import time

import pytest

from harness.clients import boto3_client
from harness.server import BINARY, Server

KEY = bytes(range(32))
SSE_C = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": KEY}


@pytest.fixture
def own(tmp_path):
    """A server of its own, and Alice's client. One gateway, because each has a log of its own."""
    server = Server(tmp_path, gateways=1).start()
    server.create_user("alice")
    yield server
    server.kill()


def entries(server):
    lines = []
    for path in sorted((server.data_dir / "audit").glob("audit-*.jsonl")):
        lines += [json.loads(line) for line in path.read_text().splitlines()]
    return lines


def uses(server):
    return [entry for entry in entries(server) if "operation" in entry]


def verify(server, *arguments):
    """Exit code and output of the check."""
    command = [str(BINARY), "audit", "verify", "--data-dir", str(server.data_dir), *arguments]
    environment = server.command_environment()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def head_of(printed):
    return re.search(r"^head (\d+:[0-9a-f]{64})$", printed, re.MULTILINE)[1]


def test_every_use_of_a_server_held_key_has_its_line_and_no_customer_key_has_any(own):
    pair = own.issue_pair("alice")
    s3 = boto3_client(own, pair)
    s3.create_bucket(Bucket="audited")
    s3.put_object(Bucket="audited", Key="server", Body=b"bytes")
    s3.get_object(Bucket="audited", Key="server")["Body"].read()
    s3.head_object(Bucket="audited", Key="server")
    s3.put_object(Bucket="audited", Key="customer", Body=b"bytes", **SSE_C)
    s3.get_object(Bucket="audited", Key="customer", **SSE_C)["Body"].read()
    s3.copy_object(Bucket="audited", Key="taken", CopySource="audited/server", **SSE_C)
    upload = s3.create_multipart_upload(Bucket="audited", Key="parts")["UploadId"]
    s3.abort_multipart_upload(Bucket="audited", Key="parts", UploadId=upload)
    assert own.stop() == 0

    told = [(e["operation"], e["object"], e["outcome"]) for e in uses(own)]
    assert told == [
        ("wrap", "server", "ok"),
        ("unwrap", "server", "ok"),
        ("unwrap", "server", "ok"),
        ("unwrap", "server", "ok"),
        ("wrap", "parts", "ok"),
    ]
    assert {e["principal"].rsplit("/", 1)[1] for e in uses(own)} == {"alice"}
    assert {e["bucket"] for e in uses(own)} == {"audited"}
    assert all(re.fullmatch(r"keyring/[0-9a-f]{32}", e["key"]) for e in uses(own))
    text = "".join(path.read_text() for path in (own.data_dir / "audit").iterdir())
    for secret in (KEY.hex(), pair.secret, "bytes"):
        assert secret not in text
    assert verify(own)[0] == 0


def test_a_use_that_failed_has_its_line_too(own):
    s3 = boto3_client(own, own.issue_pair("alice"))
    s3.create_bucket(Bucket="audited")
    with pytest.raises(s3.exceptions.ClientError):
        s3.put_object(
            Bucket="audited", Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="there-is-none"
        )
    assert own.stop() == 0
    (use,) = uses(own)
    assert (use["key"], use["operation"]) == ("kms/there-is-none", "wrap")
    assert "there-is-none" in use["outcome"]


def test_a_log_that_was_tampered_with_is_found_out(own):
    s3 = boto3_client(own, own.issue_pair("alice"))
    s3.create_bucket(Bucket="audited")
    for number in range(5):
        s3.put_object(Bucket="audited", Key=f"k{number}", Body=b"x")
    assert own.stop() == 0
    code, printed = verify(own)
    assert code == 0, printed
    head = head_of(printed)
    assert head in own.printed(), "the server's own log tells the head"
    assert verify(own, "--expect", head)[0] == 0

    (path,) = (own.data_dir / "audit").iterdir()
    whole = path.read_text()
    lines = whole.splitlines(keepends=True)
    for tampered in (
        whole.replace("k2", "k9"),
        whole.replace("alice", "carol"),
        "".join(lines[:3] + lines[4:]),
        "".join(lines[:2] + [lines[3], lines[2]] + lines[4:]),
    ):
        path.write_text(tampered)
        code, printed = verify(own)
        assert code == 1, printed
        assert f"{path}:" in printed
    path.write_text("".join(lines[:-2]))
    assert verify(own)[0] == 0, "the chain alone does not show a missing end"
    code, printed = verify(own, "--expect", head)
    assert code == 1 and "cut off" in printed
    path.write_text(whole)
    assert verify(own, "--expect", head)[0] == 0


def test_the_log_goes_on_after_a_kill_and_can_be_checked_while_a_server_runs(own):
    s3 = boto3_client(own, own.issue_pair("alice"))
    s3.create_bucket(Bucket="audited")
    for _ in range(3):
        s3.put_object(Bucket="audited", Key="k", Body=b"x")
        own.kill()
        own.start()
    code, printed = verify(own)
    assert code == 0, printed
    s3.put_object(Bucket="audited", Key="last", Body=b"x")
    assert own.stop() == 0
    assert verify(own)[0] == 0
    assert uses(own)[-1]["object"] == "last"


def test_a_log_that_cannot_be_written_stops_the_keys_where_the_operator_wants_it_so(tmp_path):
    for choice, status in (("refuse", 503), ("go-on", 200)):
        folder = tmp_path / choice
        elsewhere = folder / "elsewhere"
        server = Server(
            folder, "--audit-dir", str(elsewhere), "--audit-when-unwritable", choice, "--audit-file-mib", "1", gateways=1
        ).start()
        try:
            server.create_user("alice")
            s3 = boto3_client(server, server.issue_pair("alice"))
            s3.create_bucket(Bucket="audited")
            s3.put_object(Bucket="audited", Key="k", Body=b"x", **SSE_C)
            _fill(s3, elsewhere)
            assert _status(s3) == status
            assert s3.get_object(Bucket="audited", Key="k", **SSE_C)["Body"].read() == b"x", "customers need no log"
        finally:
            server.kill()


def _fill(s3, folder):
    """Takes the folder away in which the next file would be made, and makes this one too long."""
    gone = folder.rename(folder.with_name("gone"))
    (path,) = gone.iterdir()
    name = "x" * 900
    s3.put_object(Bucket="audited", Key=name, Body=b"x")
    deadline = time.monotonic() + 60
    while "audit log cannot be written" not in _told(folder) and time.monotonic() < deadline:
        try:
            s3.head_object(Bucket="audited", Key=name)
        except s3.exceptions.ClientError:
            pass
    assert path.stat().st_size >= 1 << 20


def _told(folder):
    return (folder.parent / "server.log").read_text()


def _status(s3):
    try:
        return s3.put_object(Bucket="audited", Key="k2", Body=b"x")["ResponseMetadata"]["HTTPStatusCode"]
    except s3.exceptions.ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


def test_no_half_start_without_an_audit_log(tmp_path):
    (tmp_path / "file").write_text("")
    server = Server(tmp_path, "--audit-dir", str(tmp_path / "file" / "audit"))
    with pytest.raises(RuntimeError, match="audit log"):
        server.start()
