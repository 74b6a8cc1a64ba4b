"""`canopic put` and `get` over kills, changes, restarts and damage: the result is right, or there is none."""

import re
import signal
import subprocess
import time

import pytest

from harness.cli import DAMAGED, DENIED, SMALL_PARTS, cli_of, fails, journals, key_file
from harness.clients import boto3_client
from harness.content import MIB, content, customer_key, sse_c
from harness.faults import SlowLink
from harness.server import Server



def killed_when(command, environment, folder, ready):
    """Starts a command, kills it as soon as `ready` says so, and returns its process."""
    process = subprocess.Popen(list(map(str, command)), env=environment, cwd=folder, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not ready():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "it never got so far"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def unfinished(s3, bucket):
    return s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


def cut_upload(cli, link, bucket, key, tmp_path):
    """An upload of 32 MiB that dies when the server has at least two parts; then the link is quick."""
    (tmp_path / "big").write_bytes(content(32 * MIB))
    command = ["put", "--endpoint", link.url, "--key-file", key, *SMALL_PARTS, "--parallel", "2"]
    killed_when(
        [*cli.command, *command, "big", f"s3://{bucket}/big"],
        cli.environment,
        tmp_path,
        lambda: any(path.read_bytes().count(b"\n") >= 3 for path in journals(tmp_path)),
    )
    link.unleash()


def test_an_upload_goes_on_after_a_kill(cli, link, s3, bucket, key, tmp_path):
    cut_upload(cli, link, bucket, key, tmp_path)
    assert len(unfinished(s3, bucket)) == 1 and len(journals(tmp_path)) == 1
    said = cli("put", "--endpoint", link.url, "--key-file", key, *SMALL_PARTS, "big", f"s3://{bucket}/big").decode()
    resumed = re.search(r"an earlier run had uploaded (\d+)", said)
    assert resumed and int(resumed[1]) >= 2 * 5 * MIB, said
    assert s3.get_object(Bucket=bucket, Key="big", **sse_c(customer_key()))["Body"].read() == content(32 * MIB)
    assert unfinished(s3, bucket) == [] and journals(tmp_path) == []


@pytest.mark.parametrize("change", ["file", "key", "mode"])
def test_an_upload_of_something_else_begins_anew(cli, link, s3, bucket, key, tmp_path, change):
    cut_upload(cli, link, bucket, key, tmp_path)
    body, mode, theirs = content(32 * MIB), ["--key-file", key], sse_c(customer_key())
    if change == "file":
        body = content(32 * MIB, seed="other")
        (tmp_path / "big").write_bytes(body)
    elif change == "key":
        mode, theirs = ["--key-file", key_file(tmp_path / "other.key", customer_key("o"))], sse_c(customer_key("o"))
    else:
        mode, theirs = ["--sse", "AES256"], {}
    said = cli("put", "--endpoint", link.url, *mode, *SMALL_PARTS, "big", f"s3://{bucket}/big").decode()
    assert "earlier run" not in said
    assert s3.get_object(Bucket=bucket, Key="big", **theirs)["Body"].read() == body
    assert unfinished(s3, bucket) == [] and journals(tmp_path) == []


def test_uploads_of_others_are_left_alone(cli, s3, bucket, key, tmp_path):
    theirs = s3.create_multipart_upload(Bucket=bucket, Key="big", **sse_c(customer_key()))["UploadId"]
    (tmp_path / "big").write_bytes(content(11 * MIB))
    cli("put", "--key-file", key, *SMALL_PARTS, "big", f"s3://{bucket}/big")
    assert [each["UploadId"] for each in unfinished(s3, bucket)] == [theirs]
    assert theirs in cli("ls", "--uploads", f"s3://{bucket}").decode()
    cli("rm", "--uploads", f"s3://{bucket}/bi")
    assert len(unfinished(s3, bucket)) == 1, "another key, although it begins alike"
    cli("rm", "--uploads", f"s3://{bucket}/big")
    assert unfinished(s3, bucket) == []


def test_a_refused_upload_leaves_nothing_behind(cli, server, s3, bucket, other_user, tmp_path):
    (tmp_path / "big").write_bytes(content(11 * MIB))
    stranger = cli_of(server, other_user, tmp_path)
    fails(stranger.run("put", *SMALL_PARTS, "big", f"s3://{bucket}/big"), DENIED, "access denied")
    assert unfinished(s3, bucket) == [] and journals(tmp_path) == []


def part_files(tmp_path):
    return list(tmp_path.glob("back.*.part"))


def cut_download(cli, link, bucket, key, tmp_path):
    """A download that dies when 5 MiB are there; then the link is quick. Gives the arguments to go on with."""
    arguments = ["get", "--key-file", key, "--endpoint", link.url, f"s3://{bucket}/big", "back"]
    killed_when(
        [*cli.command, *arguments],
        cli.environment,
        tmp_path,
        lambda: any(path.stat().st_size >= 5 * MIB for path in part_files(tmp_path)),
    )
    link.unleash()
    assert len(part_files(tmp_path)) == 1 and not (tmp_path / "back").exists()
    return arguments


@pytest.fixture
def big(s3, bucket):
    """An object of 24 MiB under the customer key."""
    s3.put_object(Bucket=bucket, Key="big", Body=content(24 * MIB), **sse_c(customer_key()))
    return content(24 * MIB)


def test_a_download_goes_on_after_a_kill(cli, link, big, bucket, key, tmp_path):
    said = cli(*cut_download(cli, link, bucket, key, tmp_path)).decode()
    resumed = re.search(r"(\d+) of an earlier run", said)
    assert resumed and int(resumed[1]) >= 5 * MIB and "verified" in said, said
    assert (tmp_path / "back").read_bytes() == big and part_files(tmp_path) == []


def test_the_beginning_of_another_object_is_not_gone_on_with(cli, link, s3, big, bucket, key, tmp_path):
    arguments = cut_download(cli, link, bucket, key, tmp_path)
    s3.put_object(Bucket=bucket, Key="big", Body=content(24 * MIB, "new"), **sse_c(customer_key()))
    assert "earlier run" not in cli(*arguments).decode()
    assert (tmp_path / "back").read_bytes() == content(24 * MIB, "new")


def test_a_spoiled_beginning_is_noticed_and_fetched_again(cli, link, big, bucket, key, tmp_path):
    arguments = cut_download(cli, link, bucket, key, tmp_path)
    (path,) = part_files(tmp_path)
    spoiled = bytearray(path.read_bytes())
    spoiled[1000] ^= 1
    path.write_bytes(spoiled)
    said = cli(*arguments).decode()
    assert "verified" in said and "earlier run" not in said
    assert (tmp_path / "back").read_bytes() == big and part_files(tmp_path) == []


def test_transfers_survive_a_restart_of_the_server(user, tmp_path):
    server = Server(tmp_path / "own").start()
    try:
        cli = cli_of(server, server.root, tmp_path)
        boto3_client(server, server.root).create_bucket(Bucket="bucket")
        (tmp_path / "big").write_bytes(content(24 * MIB))
        with SlowLink(server.port, bytes_per_second=6 * MIB) as link:
            for command in (
                ["put", "--endpoint", link.url, *SMALL_PARTS, "big", "s3://bucket/big"],
                ["get", "--endpoint", link.url, "s3://bucket/big", "back"],
            ):
                process = subprocess.Popen([*cli.command, *command], env=cli.environment, cwd=tmp_path)
                time.sleep(1.5)
                assert process.poll() is None
                server.kill()
                time.sleep(0.5)
                server.start()
                assert process.wait(90) == 0, command
        assert (tmp_path / "back").read_bytes() == content(24 * MIB)
    finally:
        server.kill()


@pytest.mark.embedded_only("It damages a file of the embedded store.")
@pytest.mark.parametrize("place", ["beginning", "end"])
def test_a_damaged_object_is_called_damaged(tmp_path, place):
    server = Server(tmp_path / "own").start()
    cli = cli_of(server, server.root, tmp_path)
    key = key_file(tmp_path / "customer.key", customer_key())
    boto3_client(server, server.root).create_bucket(Bucket="bucket")
    (tmp_path / "f").write_bytes(content(3 * MIB))
    cli("put", "--key-file", key, "f", "s3://bucket/f")
    assert server.stop() == 0
    blobs = [path for path in server.data_dir.rglob("*") if path.is_file() and path.stat().st_size > 3 * MIB]
    blobs = [path for path in blobs if "blob" in str(path.relative_to(server.data_dir))]
    assert len(blobs) == 1
    stored = bytearray(blobs[0].read_bytes())
    stored[100 if place == "beginning" else -100] ^= 1
    blobs[0].write_bytes(stored)
    server.start()
    try:
        said = fails(cli.run("get", "--key-file", key, "s3://bucket/f", "back"), DAMAGED, "damaged")
        assert place == "beginning" or re.search(r"stops sending at byte \d{7} of 3145728", said), said
        assert not (tmp_path / "back").exists()
        fails(cli.run("get", "--key-file", key, "s3://bucket/f", "-"), DAMAGED, "damaged")
    finally:
        server.kill()
