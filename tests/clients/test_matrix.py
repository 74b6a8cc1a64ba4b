"""Every mode on every operation at every boundary; see the package `matrix`. `MATRIX_CASE=NAME` runs one case."""

import os

import pytest

from harness.server import Server
from matrix import (
    attributes,
    bucket_encryption,
    checksums,
    copies,
    forms,
    multipart,
    part_copies,
    presigned,
    reads,
    refusals,
    rekeying,
    server_keys,
    strict,
    writes,
)
from matrix.runner import run
from matrix.wire import Wire
from matrix.world import World

# The family, and how many cases it has at least: so that nobody empties it without a word.
FAMILIES = {
    "reads": (reads, 8_000),
    "refusals": (refusals, 5_000),
    "writes": (writes, 2_000),
    "copies": (copies, 1_500),
    "multipart": (multipart, 5_000),
    "part-copies": (part_copies, 900),
    "presigned": (presigned, 600),
    "checksums": (checksums, 1_200),
    "forms": (forms, 900),
    "rekeying": (rekeying, 1_000),
    "attributes": (attributes, 800),
    "server-keys": (server_keys, 150),
    "bucket-encryption": (bucket_encryption, 40),
}


@pytest.fixture(scope="session")
def world(server, user):
    world = World(server, user, f"matrix{os.getpid()}")
    world.prepare(Wire(server, user))
    return world


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_matrix_of(world, server, user, record_property, pytestconfig, family):
    module, at_least = FAMILIES[family]
    slow = pytestconfig.getoption("--slow")
    groups = list(module.groups(world, slow))
    # Told before they run, so that a failure is counted too.
    record_property("matrix_cases", sum(len(group.cases) for group in groups))
    run(groups, server, user, at_least, slow)


def test_the_matrix_of_a_strict_server(tmp_path, record_property):
    server = Server(tmp_path / "strict", *strict.ARGUMENTS).start()
    world = World(server, server.root, "strict")
    world.prepare(Wire(server, server.root))
    groups = list(strict.groups(world, slow=False))
    record_property("matrix_cases", sum(len(group.cases) for group in groups))
    run(groups, server, server.root, at_least=70)
    assert server.stop() == 0
    assert "panicked at" not in server.printed()
