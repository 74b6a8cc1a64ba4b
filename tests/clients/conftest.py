"""Fixtures: one server for each worker process, its users, and a look into its log when the tests are over."""

import itertools
import os
import re

import pytest

from harness import ceph
from harness.clients import boto3_client
from harness.content import SIZES, content
from harness.server import BINARY, KeyPair, Server, clear_what_is_over
from harness.signing import Signer

pytest_plugins = ["matrix.counting", "harness.campaigns", "harness.cli"]

_names = itertools.count()


def pytest_collection_modifyitems(config, items):
    if ceph.FOLDER:
        about_files = [item for item in items if item.get_closest_marker("embedded_only")]
        items[:] = [item for item in items if item not in about_files]
        config.hook.pytest_deselected(items=about_files)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown():
    clear_what_is_over()


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: cargo build --bin canopic", returncode=3)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with default settings; afterwards its log must hold no panic, no secret, and no answer 500."""
    server = Server(tmp_path_factory.mktemp("server"), plain_http=True).start()
    yield server
    assert server.stop() == 0, "the server did not end well"
    check_log(server, [server.root.secret])


def check_log(server, secrets):
    printed = server.printed()
    assert "panicked at" not in printed, printed[printed.index("panicked at") - 500 :][:3000]
    internal = [line for line in printed.splitlines() if re.search(r'"?status"?[=:]\s*500\b', line)]
    assert not internal, internal[:5]
    for secret in secrets:
        assert secret not in server.log.read_text(errors="replace"), "a secret stands in the log"


@pytest.fixture(scope="session")
def root(server):
    return server.root


@pytest.fixture(scope="session")
def user(server):
    """Alice, with a key pair."""
    server.create_user("alice")
    return server.issue_pair("alice")


@pytest.fixture(scope="session")
def other_user(server):
    """Bob, with a key pair."""
    server.create_user("bob")
    return server.issue_pair("bob")


@pytest.fixture(scope="session")
def token(server, user):
    """Alice's token, with the empty secret that the guide uses."""
    return KeyPair(server.issue_token("alice"), "")


@pytest.fixture(scope="session")
def s3(server, user):
    return boto3_client(server, user)


@pytest.fixture(scope="session")
def raw(server, user):
    """Requests of our own making, signed with V4."""
    return Signer(server, user)


@pytest.fixture(scope="session")
def anonymous(server):
    return Signer(server)


@pytest.fixture
def bucket_name():
    """A name that nobody has used."""
    return f"b{os.getpid()}-{next(_names)}"


@pytest.fixture
def bucket(s3, bucket_name):
    """A fresh bucket of Alice's."""
    s3.create_bucket(Bucket=bucket_name)
    return bucket_name


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A folder with one file of each size that matters; its name is its size."""
    folder = tmp_path_factory.mktemp("files")
    for size in SIZES:
        (folder / f"{size}.bin").write_bytes(content(size))
    return folder
