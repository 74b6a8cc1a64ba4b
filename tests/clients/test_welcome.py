"""What the first run prints works when it is pasted, for every client that it names."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.server import Server

PYTHON_CHECKS = {
    "boto3 (Python)": "print([each['Name'] for each in s3.list_buckets()['Buckets']])",
    "boto 2 (Python)": "print([each.name for each in conn.get_all_buckets()])",
}


class FirstRun(Server):
    """A server whose root pair is its own, as on a user's machine."""

    def _environment(self):
        given = super()._environment()
        return {name: value for name, value in given.items() if not name.startswith("CANOPIC_ROOT_")}


@pytest.fixture(scope="module")
def snippets(tmp_path_factory):
    server = FirstRun(tmp_path_factory.mktemp("welcome"), gateways=1).start()
    printed = wait_for_end(server)
    texts = re.split(r"^# ---- (.*)\n", printed, flags=re.MULTILINE)
    yield dict(zip(texts[1::2], texts[2::2]))
    assert server.stop() == 0
    server.output.write_text("")
    secret = re.search(r"secret access key +(\S+)", printed)[1]
    server.start()
    assert secret not in server.printed(), "a secret is shown once"
    assert server.stop() == 0


def wait_for_end(server):
    """What was printed: the server answers a little before."""
    deadline = time.monotonic() + 10
    while "rclone lsd" not in server.output.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    return server.output.read_text()


@pytest.mark.parametrize("name", PYTHON_CHECKS)
def test_the_python_lines_connect(snippets, tmp_path, name):
    harness = Path(__file__).parent
    prepare = f"import sys; sys.path.insert(0, {str(harness)!r})\nfrom harness import boto2\nboto2.load()\n"
    script = (prepare if "boto 2" in name else "") + snippets[name] + PYTHON_CHECKS[name]
    assert run([sys.executable, "-c", script], tmp_path) == "[]\n"


SHELL_CHECKS = {
    "aws-cli (shell)": "aws s3 mb s3://by-aws && aws s3 cp f s3://by-aws/ && aws s3 rb --force s3://by-aws",
    "s3cmd (shell)": "alias s3='s3cmd -c ~/.s3cfg-canopic'\n"
    "s3 mb s3://by-s3cmd && s3 put f s3://by-s3cmd/ && s3 rb --recursive --force s3://by-s3cmd",
    "rclone (shell)": "rclone mkdir canopic:by-rclone && rclone copy f canopic:by-rclone && rclone lsf canopic:by-rclone"
    " && rclone delete canopic:by-rclone && rclone rmdir canopic:by-rclone",
}


@pytest.mark.parametrize("name", SHELL_CHECKS)
def test_the_shell_lines_connect(snippets, tmp_path, name):
    (tmp_path / "f").write_bytes(b"hello")
    assert run(["bash", "-ec", snippets[name]], tmp_path) == ""
    run(["bash", "-ec", f"shopt -s expand_aliases\n{snippets[name]}\n{SHELL_CHECKS[name]}"], tmp_path)


def run(command, home):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command, env={"PATH": path, "HOME": str(home)}, cwd=home, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
