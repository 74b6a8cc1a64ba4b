"""Fixtures: the cluster, whole before each test, and two gateways on it.

The campaigns here stop what other tests need, so they run one after another. They do the same as the tests of the
clients would: `Server` is two gateways behind one address.
"""

import os

import pytest

import rados_objects
from cluster import Cluster
from harness import ceph
from harness.server import BINARY, Server, clear_what_is_over
from harness.signing import Signer


pytest_plugins = ["harness.campaigns"]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown():
    clear_what_is_over()


def pytest_sessionstart(session):
    if not ceph.FOLDER:
        pytest.exit("CANOPIC_TEST_CEPH names no cluster: ./check --only ceph starts one", returncode=3)
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: cargo build --bin canopic", returncode=3)


@pytest.fixture
def cluster():
    """The cluster; what a test stopped or filled is as it was afterwards."""
    cluster = Cluster(ceph.FOLDER)
    cluster.up()
    yield cluster
    cluster.mend()


# How long the gateways wait for the cluster; by default it is longer.
DEADLINE_S = 8


@pytest.fixture
def server(cluster, tmp_path):
    """Two gateways; afterwards they have not panicked and end well."""
    settings = {"CANOPIC_CEPH_DEADLINE": f"{DEADLINE_S}s"}
    server = Server(tmp_path / "site", log=os.environ.get("CANOPIC_TEST_LOG", "info"), environment=settings).start()
    yield server
    assert server.stop(wait=60) == 0
    assert "panicked at" not in server.printed()


@pytest.fixture
def signer(server):
    return Signer(server, server.root)


@pytest.fixture
def both(server):
    """A function that gives each gateway's signer, past the balancer, for a pair."""
    return lambda credentials: [Signer(each, credentials) for each in server.each_gateway()]


@pytest.fixture
def stored(cluster, server):
    """What lies in the cluster of this server."""
    with rados_objects.Namespace(cluster.client_conf, server.namespace) as opened:
        yield opened
