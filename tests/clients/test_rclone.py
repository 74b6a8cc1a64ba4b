"""rclone: every size there and back, with and without a customer key."""

import json
import shutil
import subprocess

import pytest

from harness.clients import Tool
from harness.content import KIB, MIB, SIZES, content

# Raw text, because that is what rclone's `sse_customer_key` takes.
CUSTOMER_KEY = "0123456789abcdefghijklmnopqrstuv"


@pytest.fixture(params=["sse-s3", "sse-c"])
def rclone(request, server, user, tmp_path):
    binary = shutil.which("rclone")
    assert binary, "rclone is not installed; ./check installs it"
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": server.url,
        "ACCESS_KEY_ID": user.access,
        "SECRET_ACCESS_KEY": user.secret,
        "REGION": "us-east-1",
        "FORCE_PATH_STYLE": "true",
    }
    if request.param == "sse-c":
        settings |= {"SSE_CUSTOMER_ALGORITHM": "AES256", "SSE_CUSTOMER_KEY": CUSTOMER_KEY}
    environment = {f"RCLONE_CONFIG_CANOPIC_{name}": value for name, value in settings.items()}
    options = ["--ca-cert", str(server.ca), "--config", "/dev/null", "--retries", "1", "--low-level-retries", "1"]
    return Tool([binary, *options], environment, tmp_path)


def test_every_size_goes_there_and_back(rclone, bucket, files, tmp_path):
    remote = f"canopic:{bucket}/all"
    rclone("copy", files, remote)
    assert sorted(each["Size"] for each in json.loads(rclone("lsjson", remote))) == SIZES
    rclone("check", "--download", files, remote)
    rclone("copy", remote, tmp_path / "back")
    for size in SIZES:
        assert (tmp_path / "back" / f"{size}.bin").read_bytes() == content(size), size
    assert (
        rclone("cat", "--offset", 5 * MIB - 1, "--count", 70 * KIB, f"{remote}/{100 * MIB}.bin")
        == (content(100 * MIB)[5 * MIB - 1 : 5 * MIB - 1 + 70 * KIB])
    )
    # Sizes and times are what was stored: the second time there is nothing to do.
    assert b"Copied" not in rclone.run("sync", "--verbose", files, remote).stderr
    rclone("delete", remote)
    assert json.loads(rclone("lsjson", f"canopic:{bucket}")) == []


def test_a_copy_on_the_server_and_a_move(rclone, bucket, tmp_path):
    (tmp_path / "one").write_bytes(content(70_000))
    rclone("copyto", tmp_path / "one", f"canopic:{bucket}/one")
    rclone("moveto", f"canopic:{bucket}/one", f"canopic:{bucket}/two")
    assert rclone("cat", f"canopic:{bucket}/two") == content(70_000)
    assert [each["Name"] for each in json.loads(rclone("lsjson", f"canopic:{bucket}"))] == ["two"]


def test_a_stream_of_unknown_length_is_stored(rclone, bucket, tmp_path):
    done = subprocess.run(
        [*rclone.command, "rcat", f"canopic:{bucket}/stream"],
        env=rclone.environment,
        input=content(12 * MIB),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert rclone("cat", f"canopic:{bucket}/stream") == content(12 * MIB)
