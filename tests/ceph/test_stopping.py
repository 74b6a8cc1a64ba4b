"""Gateways that are told to stop, or die, while the cluster or they themselves are in the midst of something."""

import signal
import time

import pytest

from conftest import DEADLINE_S
from harness.load import BUCKET
from harness.signing import Signer

OSDS = [f"osd.{number}" for number in range(3)]


def seconds_until_it_ends(process, wait=60):
    began = time.monotonic()
    return process.wait(wait), time.monotonic() - began


def test_a_gateway_ends_when_it_is_told_to_though_the_cluster_does_not_answer(cluster, server):
    serving, starting = server.gateways
    starting.kill()
    for name in OSDS:
        cluster.freeze(name)
    server.spawn(starting)
    time.sleep(2)
    assert starting.process.poll() is None, "it waits for the cluster"
    for gateway in (starting, serving):
        gateway.ask_to_stop()
    for gateway in (starting, serving):
        code, seconds = seconds_until_it_ends(gateway.process)
        # It waits five seconds for the session to end, and as long as for any request for what was asked before.
        assert (code, seconds < 8 + DEADLINE_S) == (0, True), (code, seconds)
    for name in OSDS:
        cluster.go_on(name)
    cluster.wait_for_osds()
    server.revive()


def test_a_second_signal_cuts_what_waits_for_the_cluster(cluster, server, signer):
    assert signer("PUT", f"/{BUCKET}").status == 200
    gateway = server.gateways[0]
    raw = Signer(server.each_gateway()[0], server.root)
    for name in OSDS:
        cluster.freeze(name)
    with pytest.raises(OSError):
        cut_in_the_midst(raw, gateway)
    code, seconds = seconds_until_it_ends(gateway.process)
    assert (code, seconds < 8) == (1, True), (code, seconds)
    for name in OSDS:
        cluster.go_on(name)
    cluster.wait_for_osds()
    server.revive()


@pytest.mark.campaign
def test_a_rewrap_whose_gateway_died_is_ended_by_the_other(server, signer):
    assert signer("PUT", f"/{BUCKET}").status == 200
    for number in range(60):
        assert signer("PUT", f"/{BUCKET}/{number}", b"x").status == 200
    server.command("keyring", "rotate")
