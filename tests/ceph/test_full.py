"""A pool that is full: writes are told to come back later, reads go on, and room is enough to go on without restart."""

import time

import pytest

import cluster_settings as settings
from harness.content import MIB, content
from harness.load import BUCKET
from test_outages import PATIENCE_S, again, at_once

BODY = content(MIB)


@pytest.fixture
def objects(signer):
    assert signer("PUT", f"/{BUCKET}").status == 200
    for number in range(8):
        assert signer("PUT", f"/{BUCKET}/{number}", BODY).status == 200
    assert signer("PUT", f"/{BUCKET}/small", b"small").status == 200


def is_full(cluster, check):
    cluster.wait_for(lambda: check in cluster.ask("health")["checks"], f"no {check}")


@pytest.mark.parametrize("what", ["the data pool", "every OSD"])
def test_writes_are_put_off_and_reads_go_on(cluster, server, signer, objects, what):
    if what == "the data pool":
        cluster.set_quota(settings.POOL_DATA, 2 * MIB)
        is_full(cluster, "POOL_FULL")
    else:
        cluster.set_full(True)
    time.sleep(2)  # The gateways hear of it a little later than the monitor.
    asked = [("PUT", f"/{BUCKET}/new{number}", BODY) for number in range(4)]
    answers = at_once(signer, asked)
    for number in range(8):
        assert signer("GET", f"/{BUCKET}/{number}").body == BODY
    listed = signer("GET", f"/{BUCKET}?list-type=2")
    assert listed.status == 200 and b"<Key>new" not in listed.body
    for request, (status, code, seconds) in answers.items():
        assert (status, code) == (503, "SlowDown"), (request, status, code)
        assert seconds < PATIENCE_S, (request, seconds)
    # One that has to start now serves as well.
    server.gateways[1].kill()
    server.revive()
    for _ in server.gateways:
        assert signer("GET", f"/{BUCKET}/1").body == BODY

    if what == "the data pool":
        cluster.set_quota(settings.POOL_DATA, 0)
    else:
        cluster.set_full(False)
    again(lambda: signer("PUT", f"/{BUCKET}/new0", BODY).status == 200)
    assert signer("GET", f"/{BUCKET}/new0").body == BODY


@pytest.mark.parametrize("what", ["the data pool", "every OSD"])
def test_deleting_works_while_it_is_full(cluster, server, signer, objects, what):
    """Or nobody could ever make room."""
    if what == "the data pool":
        cluster.set_quota(settings.POOL_DATA, 2 * MIB)
        is_full(cluster, "POOL_FULL")
    else:
        cluster.set_full(True)
    time.sleep(2)
    assert signer("DELETE", f"/{BUCKET}/0").status == 204
    assert signer("GET", f"/{BUCKET}/0").status == 404
