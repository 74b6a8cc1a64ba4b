"""Many keys in one bucket, listed from both gateways while they are written, split by split, against a model.

A listing takes its time, and keys come and go meanwhile. So the model keeps for each key when its creation and its
deletion were begun and when they were acknowledged, and tells what a listing between two moments must and may hold.
"""

import itertools
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from harness.server import Server
from harness.signing import Signer
from leaks import Inventory
from matrix.wire import Wire

BUCKET = "many"
KEYS = int(os.environ.get("CANOPIC_TEST_CEPH_KEYS", "12000"))
# A real one is split at 30,000 entries; the smaller, the more splits happen under load.
SPLIT_ENTRIES = int(os.environ.get("CANOPIC_TEST_CEPH_SPLIT", "400"))
WRITERS = 6
PAGE = 1000
NEVER = float("inf")


@dataclass
class Life:
    """When a key came and went, by the clock of this process."""

    begun: float
    made: float = NEVER
    doomed: float = NEVER
    gone: float = NEVER

    def must_show(self, since, until):
        """Whether a listing between the two moments has to hold it."""
        return self.made < since and self.doomed > until

    def may_show(self, since, until):
        """Whether it could."""
        return self.begun < until and self.gone > since


class Model:
    """All keys that were ever written."""

    def __init__(self, dice):
        self.dice = dice
        self.lives = {}
        self.lock = threading.Lock()
        self.numbers = itertools.count()
        self.made = []

    def fresh_name(self):
        """Somewhere among the others, or right behind the last one, as time stamps would be."""
        number = next(self.numbers)
        if number % 3 == 0:
            return f"log/{number:09}"
        folder = self.dice.choice("abcdefgh")
        return f"{folder}/{self.dice.randrange(1 << 40):010x}/ü {number}"

    def create(self, send):
        name = self.fresh_name()
        with self.lock:
            life = self.lives[name] = Life(time.monotonic())
        if send("PUT", name):
            with self.lock:
                life.made = time.monotonic()
                self.made.append(name)

    def delete(self, send):
        with self.lock:
            if len(self.made) < 50:
                return
            place = self.dice.randrange(len(self.made))
            self.made[place], self.made[-1] = self.made[-1], self.made[place]
            name = self.made.pop()
            self.lives[name].doomed = time.monotonic()
        if send("DELETE", name):
            with self.lock:
                self.lives[name].gone = time.monotonic()

    def judge(self, listed, since, until):
        """Fails when a listing that took place between the two moments is impossible."""
        encoded = [name.encode() for name in listed]
        assert all(a < b for a, b in zip(encoded, encoded[1:])), "names are doubled or out of order"
        with self.lock:
            lives = dict(self.lives)
        found = set(listed)
        lost = [name for name, life in lives.items() if life.must_show(since, until) and name not in found]
        assert not lost, f"{len(lost)} of {len(lives)} keys are not listed, such as {sorted(lost)[:3]}"
        ghosts = [name for name in found if name not in lives or not lives[name].may_show(since, until)]
        assert not ghosts, f"{len(ghosts)} keys are listed that are not there, such as {sorted(ghosts)[:3]}"

    def present(self, prefix=""):
        """The names that are there for certain, in order, when nothing runs."""
        names = [name for name, life in self.lives.items() if life.made < NEVER and life.doomed == NEVER]
        return sorted((name for name in names if name.startswith(prefix)), key=str.encode)


def listing(signer, page_size=PAGE, prefix="", delimiter=""):
    """Every name and common prefix, page by page, and the pages' times in seconds."""
    entries, seconds, token = [], [], None
    while True:
        query = f"list-type=2&max-keys={page_size}"
        query += f"&prefix={quote(prefix, safe='')}" if prefix else ""
        query += f"&delimiter={quote(delimiter, safe='')}" if delimiter else ""
        query += f"&continuation-token={quote(token, safe='')}" if token else ""
        began = time.monotonic()
        answer = signer("GET", f"/{BUCKET}?{query}")
        seconds.append(time.monotonic() - began)
        assert answer.status == 200, answer.body
        page = answer.xml()
        keys = [each.findtext("Key") for each in page.iter("Contents")]
        keys += [each.findtext("Prefix") for each in page.iter("CommonPrefixes")]
        entries += sorted(keys, key=str.encode)
        if page.findtext("IsTruncated") != "true":
            return entries, seconds
        assert len(keys) == page_size, f"a page of {len(keys)} that is not the last"
        token = page.findtext("NextContinuationToken")


@pytest.fixture
def server(cluster, tmp_path):
    server = Server(tmp_path / "site", environment={"CANOPIC_SPLIT_ENTRIES": str(SPLIT_ENTRIES)}).start()
    yield server
    assert server.stop(wait=60) == 0
    assert "panicked at" not in server.printed()


def write_all(server, model, is_over, count):
    """Writers until so many keys were made; each deletes one of six again."""

    def work(number):
        wire, dice = Wire(server, server.root), random.Random(number)

        def send(method, name):
            answer = wire(method, f"/{BUCKET}/{quote(name)}", b"x" if method == "PUT" else b"")
            assert answer.status in (200, 204, 503), (method, name, answer.status, answer.body)
            return answer.status != 503

        while len(model.lives) < count and not is_over.is_set():
            model.create(send)
            if dice.random() < 1 / 6:
                model.delete(send)
        wire.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        for each in [pool.submit(work, number) for number in range(WRITERS)]:
            each.result()


@pytest.mark.timeout(3600)
def test_listings_during_splits_lose_and_double_nothing(server, signer, stored, both):
    assert signer("PUT", f"/{BUCKET}").status == 200
    model, is_over, listings = Model(random.Random(11)), threading.Event(), []
    each_gateway = both(server.root)

    def list_and_judge(number):
        while not is_over.is_set():
            since = time.monotonic()
            listed, _ = listing(each_gateway[number], page_size=[PAGE, 337][number])
            model.judge(listed, since, time.monotonic())
            listings.append(len(listed))
            # The longer they get, the rarer, or the writers would have nothing of the machine.
            is_over.wait(time.monotonic() - since)

    with ThreadPoolExecutor(2) as pool:
        watching = [pool.submit(list_and_judge, number) for number in range(2)]
        try:
            began = time.monotonic()
            write_all(server, model, is_over, KEYS)
            took = time.monotonic() - began
        finally:
            is_over.set()
        for each in watching:
            each.result()

    print(f"{len(model.lives)} keys in {took:.0f} s, {len(listings)} listings meanwhile")
    assert len(listings) >= 4, "hardly a listing ended while keys were written"
    for each in each_gateway:
        for prefix, delimiter in [("", ""), ("log/", ""), ("c/", ""), ("", "/"), ("d/f", "/")]:
            listed, _ = listing(each, prefix=prefix, delimiter=delimiter)
            assert listed == rolled_up(model.present(prefix), prefix, delimiter), (prefix, delimiter)
    inventory = Inventory(stored).agrees()
    most = max(inventory.records.values())
    print(f"{len(inventory.ranges)} index objects, the largest has {most} records")
    assert len(inventory.ranges) > len(model.present()) / SPLIT_ENTRIES / 2, "it was not split as it should be"


def rolled_up(names, prefix, delimiter):
    if not delimiter:
        return names
    rolled = []
    for name in names:
        head, mark, _ = name[len(prefix) :].partition(delimiter)
        entry = prefix + head + mark
        if not rolled or rolled[-1] != entry:
            rolled.append(entry)
    return rolled


@pytest.mark.timeout(1800)
def test_a_gateway_that_is_killed_while_it_splits_leaves_nothing_behind(server, signer, stored):
    assert signer("PUT", f"/{BUCKET}").status == 200
    model, dice = Model(random.Random(12)), random.Random(13)
    for number in range(6):
        is_over = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write_undisturbed, server, model, is_over)
            time.sleep(dice.uniform(0.5, 2.5))
            dice.choice(server.gateways).kill()
            time.sleep(dice.uniform(0, 1))
            server.revive()
            time.sleep(0.5)
            is_over.set()
            writing.result()
        listed, _ = listing(signer)
        unsure = {n for n, life in model.lives.items() if life.made == NEVER or life.doomed < NEVER == life.gone}
        assert [n for n in listed if n not in unsure] == [n for n in model.present() if n not in unsure], number
    Inventory(stored).agrees()


def write_undisturbed(server, model, is_over):
    """Writers that a lost connection does not trouble."""

    def work():
        signer = Signer(server, server.root)

        def send(method, name):
            try:
                answer = signer(method, f"/{BUCKET}/{quote(name)}", b"x" if method == "PUT" else b"")
            except OSError:
                return False
            except Exception as broken:
                assert type(broken).__module__ == "http.client", broken
                return False
            assert answer.status in (200, 204, 503), (method, name, answer.status, answer.body)
            return answer.status != 503

        while not is_over.is_set():
            model.create(send)

    with ThreadPoolExecutor(WRITERS) as pool:
        for each in [pool.submit(work) for _ in range(WRITERS)]:
            each.result()
