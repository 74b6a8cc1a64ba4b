"""Gateways that are told to stop, or die, while the cluster or they themselves are in the midst of something."""

import http.client
import subprocess
import threading
import time

import pytest

from conftest import DEADLINE_S
from harness.load import BUCKET
from harness.server import BINARY
from harness.signing import Signer

OSDS = [f"osd.{number}" for number in range(3)]
# A session that does not end is waited for so long.
SESSION_S = 5


def end_of(gateway, wait=60):
    """The exit code of a process that ends, and how long that took."""
    began = time.monotonic()
    return gateway.process.wait(wait), time.monotonic() - began


@pytest.fixture
def frozen(cluster, server, signer):
    """A function after which the cluster does not answer; in the end it does again, and both gateways serve."""
    assert signer("PUT", f"/{BUCKET}").status == 200
    yield lambda: [cluster.freeze(name) for name in OSDS]
    for name in OSDS:
        cluster.go_on(name)
    cluster.wait_for_osds()
    server.revive()


def test_a_gateway_ends_when_it_is_told_to_though_the_cluster_does_not_answer(server, frozen):
    serving, starting = server.gateways
    starting.kill()
    frozen()
    server.spawn(starting)
    time.sleep(2)
    assert starting.process.poll() is None, "it waits for the cluster"
    for gateway in (starting, serving):
        gateway.ask_to_stop()
        code, seconds = end_of(gateway)
        assert code == 0, server.last_words()
        # What was asked before waits no longer than any request.
        assert seconds < SESSION_S + DEADLINE_S + 3, seconds


def test_a_second_signal_cuts_what_waits_for_the_cluster(server, frozen):
    gateway, errors = server.gateways[0], []
    alone = Signer(server.each_gateway()[0], server.root)

    def ask():
        try:
            alone("PUT", f"/{BUCKET}/k", b"x")
        except (OSError, http.client.HTTPException) as error:
            errors.append(error)

    frozen()
    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.5)
    gateway.ask_to_stop()
    time.sleep(0.5)
    assert gateway.process.poll() is None, "it waits for the request"
    gateway.ask_to_stop()
    code, seconds = end_of(gateway)
    assert code == 1 and seconds < SESSION_S + 3, (code, seconds)
    asking.join(10)
    assert len(errors) == 1


@pytest.mark.campaign
def test_a_rewrap_whose_gateway_died_is_ended_by_the_other(server, signer):
    assert signer("PUT", f"/{BUCKET}").status == 200
    for number in range(60):
        assert signer("PUT", f"/{BUCKET}/{number}", b"x").status == 200
    server.command("keyring", "rotate")
    command = [BINARY, "keyring", "rewrap", "--rate", "5/s", "--data-dir", server.data_dir]
    watching = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(4)
    assert watching.poll() is None, "it goes on"
    server.gateways[0].kill()
    assert watching.wait(10) != 0
    deadline = time.monotonic() + 100
    while "work on keys is done" not in server.printed():
        assert time.monotonic() < deadline, "nobody went on with it"
        time.sleep(0.5)
    server.revive()
    assert "\n0 outdated" in server.command("keyring", "status", "--count")
