"""Today's clients, pointed at one server."""

import os
import subprocess
import sys
from pathlib import Path

import boto3
import botocore.config
import pytest

from harness import ceph


def boto3_client(server, credentials, *, signature="s3v4", **config):
    """boto3 as it comes, with path addressing and without retries that would hide an error."""
    client = boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=credentials.access,
        aws_secret_access_key=credentials.secret,
        region_name="us-east-1",
        verify=str(server.ca),
        config=botocore.config.Config(
            signature_version=signature,
            s3={"addressing_style": "path"},
            retries={"max_attempts": 1, "mode": "standard"},
            read_timeout=120,
            **config,
        ),
    )
    if ceph.FOLDER:
        # A connection for each request, so that what one gateway wrote is read at the other.
        client.meta.events.register("before-send.s3", _end_connection)
    return client


def _end_connection(request, **_):
    request.headers["Connection"] = "close"


class Tool:
    """A command line client with an environment of its own."""

    def __init__(self, command, environment, folder):
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.command = command
        self.environment = {**kept, "HOME": str(folder), **environment}
        self.folder = folder

    def run(self, *arguments):
        """Runs it and returns the finished process, whatever its exit code."""
        return subprocess.run(
            [*self.command, *map(str, arguments)],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=280,
        )

    def __call__(self, *arguments):
        """Runs it, expects success, and returns what it printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, (
            f"{self.command[0]} {arguments}: {done.stderr.decode()}{done.stdout.decode()[-2000:]}"
        )
        return done.stdout


def script(name):
    """A console script of the environment that runs the tests."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        pytest.fail(f"{name} is not installed beside {sys.executable}; ./check installs it")
    return [sys.executable, str(path)]
