"""The commands for users as a test gives them, with fixtures (a plugin of conftest.py)."""

import pytest

from harness.clients import Tool
from harness.content import MIB, customer_key
from harness.faults import SlowLink
from harness.server import BINARY

# Exit codes, of docs/client.md.
DENIED, NOT_FOUND, DAMAGED, UNAVAILABLE = 3, 4, 5, 6
WRONG, MISSING, NOT_APPLICABLE, NOT_CONFIRMED = 10, 11, 12, 13
# As small as S3 allows, so that small files are uploads in parts.
SMALL_PARTS = ("--part-size", "5MiB")


def cli_of(server, credentials, folder):
    """The command with a home of its own, so that nothing of an earlier test is resumed."""
    settings = {
        "CANOPIC_ENDPOINT": server.url,
        "CANOPIC_CA_FILE": str(server.ca),
        "CANOPIC_ACCESS_KEY": credentials.access,
        "CANOPIC_SECRET_KEY": credentials.secret,
    }
    return Tool([str(BINARY)], settings, folder)


def key_file(path, raw):
    path.write_bytes(raw)
    path.chmod(0o600)
    return path


def fails(done, code, words):
    said = done.stderr.decode()
    assert done.returncode == code and words in said, (done.returncode, said)
    return said


def journals(folder):
    """What is remembered of uploads in parts."""
    return list((folder / ".local/state/canopic/uploads").glob("*"))


@pytest.fixture
def cli(server, user, tmp_path):
    return cli_of(server, user, tmp_path)


@pytest.fixture
def link(server):
    """A slow way to the server. It is an endpoint of its own: what is resumed goes the same way."""
    with SlowLink(server.port, bytes_per_second=12 * MIB) as link:
        yield link


@pytest.fixture
def key(tmp_path):
    """A key file with the raw bytes of a key that other clients have too."""
    return key_file(tmp_path / "customer.key", customer_key())
