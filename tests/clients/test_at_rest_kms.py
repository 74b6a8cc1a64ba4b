"""Objects whose keys an external KMS holds, on a stopped server: what can be said of them, and what not."""

import json
import subprocess
import sys

import pytest

from harness.content import content
from harness.kms import PyKmip
from harness.server import BINARY, REPOSITORY, Server
from harness.signing import Signer

pytestmark = pytest.mark.embedded_only("It looks at a stopped server past its store.")

SEALED = {"x-amz-server-side-encryption": "aws:kms"}


@pytest.fixture
def pykmip(tmp_path_factory):
    # Its manager has a socket in this folder, whose path must be short.
    pykmip = PyKmip(tmp_path_factory.mktemp("pykmip")).start()
    yield pykmip
    pykmip.kill()


@pytest.fixture
def server(pykmip, tmp_path):
    """A stopped server with two objects under the KMS."""
    server = Server(tmp_path / "server", *pykmip.settings()).start()
    signer = Signer(server, server.root)
    assert signer("PUT", "/bucket").status == 200
    for name, size in (("inline", 1000), ("blob", 200_000)):
        assert signer("PUT", f"/bucket/{name}", content(size), SEALED).status == 200
    assert server.stop() == 0
    return server


def verify(server, report, *arguments):
    command = [str(BINARY), "verify-at-rest", "--data-dir", str(server.data_dir), "--json", str(report), *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
    return done, [json.loads(line) for line in report.read_text().splitlines()]


def test_chunks_are_opened_while_the_kms_answers_and_looked_at_while_not(pykmip, server, tmp_path):
    done, lines = verify(server, tmp_path / "answers", *pykmip.settings())
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line["chunks_are"] for line in lines if line["type"] == "object"] == ["authenticated"] * 2
    pykmip.kill()
    quickly = [*pykmip.settings(), "--kms-timeout", "1s", "--kms-retries", "0"]
    done, lines = verify(server, tmp_path / "away", *quickly)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line["chunks_are"] for line in lines if line["type"] == "object"] == ["sealed by their looks"] * 2
    assert [line["problem"] for line in lines if line["type"] == "note"] == ["key-not-at-hand"] * 2


def test_an_export_says_which_key_it_needs_and_does_not_open_without_the_kms(server, tmp_path):
    path, output = tmp_path / "export", tmp_path / "plain"
    done = subprocess.run(
        [str(BINARY), "export-sealed", "bucket", "blob", "--output", str(path), "--data-dir", str(server.data_dir)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "aws/s3" in done.stderr and "external KMS" in done.stderr, done.stderr
    keys = ["--root-key", f"{server.data_dir}.root-key", "--keyring", server.data_dir / "keyring"]
    command = [sys.executable, REPOSITORY / "tools" / "open_sealed.py", path, *keys, "-o", output]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "KMS key aws/s3: only a KMS that does can open this" in done.stderr, done.stderr
    assert not output.exists()
