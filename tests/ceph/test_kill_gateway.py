"""kill -9 of a gateway under load, round by round: what either gateway acknowledged is there at both."""

import os
import random
import time

import pytest

from harness.load import BUCKET, WRITERS, Writer, check
from leaks import Inventory

ROUNDS = int(os.environ.get("CANOPIC_TEST_CEPH_ROUNDS", "8"))


def rounds(server, signer, stored, count):
    assert signer("PUT", f"/{BUCKET}").status == 200
    book, dice, promised = {}, random.Random(7), 0
    for number in range(count):
        writers = [Writer(server, book, writer, number, goes_on=True) for writer in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(dice.uniform(0.3, 1.5))
        both = number % 4 == 3
        for gateway in server.gateways if both else [dice.choice(server.gateways)]:
            gateway.kill()
        time.sleep(0 if both else dice.uniform(0.2, 1))
        for writer in writers:
            writer.stop()
            promised += writer.promised
        server.revive()
        check(server, recent(book, number))
    assert promised > 20 * count, "hardly anything was written"
    check(server, book)
    Inventory(stored).agrees()


def recent(book, number):
    """What the round may have changed."""
    return {name: entry for name, entry in book.items() if "/old/" in name or f"/new/{number}/" in name}


def test_rounds_lose_nothing(server, signer, stored):
    rounds(server, signer, stored, ROUNDS)


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_a_hundred_rounds_lose_nothing(server, signer, stored):
    rounds(server, signer, stored, 100)
