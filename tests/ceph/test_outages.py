"""Daemons of the cluster that stop, hang and come back under load: requests wait, then 503, and nothing is lost.

No gateway is restarted in any of these.
"""

import threading
import time

import pytest

from conftest import DEADLINE_S
from harness.content import MIB, content
from harness.load import BUCKET, Writer, check
from leaks import Inventory

# A request waits as long as the gateway waits for the cluster, for each of two or three steps in the worst case.
PATIENCE_S = 3 * DEADLINE_S


@pytest.fixture
def book(server, signer):
    """A bucket with some objects."""
    assert signer("PUT", f"/{BUCKET}").status == 200
    book = {}
    writers = start(server, book, 0)
    time.sleep(1)
    for writer in writers:
        writer.stop()
    check(server, book)
    return book


def start(server, book, number, count=4):
    writers = [Writer(server, book, writer, number, goes_on=True, pause=0.03) for writer in range(count)]
    for writer in writers:
        writer.start()
    return writers


def promised(writers):
    return sum(writer.promised for writer in writers)


def goes_on(writers, at_least, wait):
    """The writers get so many more promises within the time."""
    before, deadline = promised(writers), time.monotonic() + wait
    while promised(writers) < before + at_least:
        assert time.monotonic() < deadline, f"{promised(writers) - before} writes in {wait} s"
        time.sleep(0.1)


@pytest.mark.parametrize("how", ["stopped", "killed", "frozen", "down", "out"])
def test_an_osd_goes_and_comes_back_under_load(cluster, server, stored, book, how):
    leave, come_back = {
        "stopped": (lambda name: cluster.stop(name), lambda name: cluster.start(name)),
        "killed": (lambda name: cluster.kill(name), lambda name: cluster.start(name)),
        "frozen": (lambda name: cluster.freeze(name), lambda name: cluster.go_on(name)),
        "down": (lambda name: cluster.ceph("osd", "down", name), lambda name: None),
        "out": (lambda name: cluster.ceph("osd", "out", name), lambda name: cluster.ceph("osd", "in", name)),
    }[how]
    writers = start(server, book, 1)
    for number in (0, 2):
        goes_on(writers, 20, PATIENCE_S)
        leave(f"osd.{number}")
        goes_on(writers, 60, 2 * PATIENCE_S)
        come_back(f"osd.{number}")
        cluster.wait_for_osds()
        goes_on(writers, 20, PATIENCE_S)
        cluster.wait_until_clean()
    for writer in writers:
        writer.stop()
    check(server, book)
    Inventory(stored).agrees()


def test_while_all_osds_hang_requests_wait_and_then_tell_the_client_to_come_back(cluster, server, signer, book):
    body = content(MIB)
    assert signer("PUT", f"/{BUCKET}/whole", body).status == 200
    for number in range(3):
        cluster.freeze(f"osd.{number}")
    asked = [
        ("PUT", f"/{BUCKET}/new", b"small"),
        ("PUT", f"/{BUCKET}/large", body),
        ("GET", f"/{BUCKET}/whole", b""),
        ("GET", f"/{BUCKET}?list-type=2", b""),
        ("DELETE", f"/{BUCKET}/whole", b""),
        ("POST", f"/{BUCKET}/upload?uploads", b""),
    ]
    answers = at_once(signer, asked)
    assert signer("GET", "/-/health/live").status == 200
    assert signer("GET", "/-/health/ready").status == 503
    for number in range(3):
        cluster.go_on(f"osd.{number}")
    for request, (status, code, seconds) in answers.items():
        assert (status, code) == (503, "SlowDown"), (request, status, code, seconds)
        assert seconds < PATIENCE_S, (request, seconds)
    cluster.wait_for_osds()
    cluster.wait_until_clean()
    again(lambda: signer("PUT", f"/{BUCKET}/new", b"after").status == 200)
    assert signer("GET", f"/{BUCKET}/new").body == b"after"
    again(lambda: signer("GET", "/-/health/ready").status == 200)
    check(server, book)


def at_once(signer, asked):
    """{request: (status, code, seconds)} of requests that run at the same time."""
    answers = {}

    def one(method, target, body):
        began = time.monotonic()
        answer = signer(method, target, body, timeout=120)
        answers[method, target] = answer.status, answer.code, time.monotonic() - began

    threads = [threading.Thread(target=one, args=request) for request in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    assert len(answers) == len(asked), f"no answer to {len(asked) - len(answers)} requests"
    return answers


def again(question, wait=60):
    """Asks until the answer is yes."""
    deadline = time.monotonic() + wait
    while not question():
        assert time.monotonic() < deadline, "it does not come back by itself"
        time.sleep(0.5)


def test_a_short_hang_is_waited_for(cluster, server, signer, book):
    """Shorter than the deadline, and than it takes the monitor to notice: clients see a slow answer, and no error."""
    for number in range(3):
        cluster.freeze(f"osd.{number}")
    timer = threading.Timer(3, lambda: [cluster.go_on(f"osd.{number}") for number in range(3)])
    timer.start()
    began = time.monotonic()
    assert signer("PUT", f"/{BUCKET}/waited", content(MIB)).status == 200
    assert time.monotonic() - began > 2
    timer.join()
    assert signer("GET", f"/{BUCKET}/waited").body == content(MIB)


def test_a_power_cut_of_the_whole_cluster_loses_nothing(cluster, server, stored, book):
    writers = start(server, book, 1)
    goes_on(writers, 40, PATIENCE_S)
    for name in cluster.daemons:
        cluster.kill(name)
    time.sleep(1)
    cluster.up()
    goes_on(writers, 40, 2 * PATIENCE_S)
    for writer in writers:
        writer.stop()
    check(server, book)
    Inventory(stored).agrees()


def test_without_the_monitor_requests_go_on(cluster, server, book):
    cluster.stop("mon.a")
    writers = start(server, book, 1)
    goes_on(writers, 50, PATIENCE_S)
    for writer in writers:
        writer.stop()
    cluster.start("mon.a")
    check(server, book)


def test_a_gateway_does_not_start_without_a_monitor_and_says_why(cluster, server, signer, book):
    gateway = server.gateways[1]
    gateway.kill()
    cluster.stop("mon.a")
    said_before = len(server.printed())
    began = time.monotonic()
    server.spawn(gateway)
    assert gateway.process.wait(90) != 0
    assert time.monotonic() - began < 60
    assert "monitor" in server.printed()[said_before:].lower()
    cluster.start("mon.a")
    server.revive()
    check(server, book)
