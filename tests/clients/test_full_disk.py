"""A full disk: a clear error, reads go on, and after space is freed so do writes; nothing is lost."""

import os
import subprocess
import time

import pytest

from harness.content import KIB, MIB, content, customer_headers, customer_key
from harness.server import Server
from harness.signing import Signer

pytestmark = pytest.mark.embedded_only("It fills the disk of the embedded store; tests/ceph fills the cluster.")

BUCKET = "full"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 160 MiB in memory."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m", "canopic-test", disk], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"this machine does not let root mount a tmpfs: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def put(signer, name, size):
    headers = customer_headers(customer_key()) if hash_of(name) else {}
    return signer("PUT", f"/{BUCKET}/{name}", content(size, name), headers)


def hash_of(name):
    return sum(name.encode()) % 2


def get(signer, name):
    return signer("GET", f"/{BUCKET}/{name}", headers=customer_headers(customer_key()) if hash_of(name) else {})


def fill(signer, stored, size):
    """Puts until it is refused; returns the refusal."""
    for number in range(10_000):
        name = f"{size}-{number}-{len(stored)}"
        answer = put(signer, name, size)
        if answer.status != 200:
            return answer
        stored[name] = size
    raise AssertionError("the disk never got full")


def check(signer, stored):
    for name, size in stored.items():
        answer = get(signer, name)
        assert answer.status == 200 and answer.body == content(size, name), (name, answer.status)


def test_a_full_disk_is_survived(small_disk, tmp_path):
    server = Server(tmp_path / "server", data_dir=small_disk / "data").start()
    signer = Signer(server, server.root)
    assert signer("PUT", f"/{BUCKET}").status == 200
    stored = {}
    fill(signer, stored, 4 * MIB)
    refusal = fill(signer, stored, 40 * KIB)
    assert refusal.status in (503, 507) and refusal.code, (refusal.status, refusal.body)
    filler = small_disk / "filler"
    fill_to_the_brim(filler)
    refusal = put(signer, "one-more", 100)
    if refusal.status == 200:
        stored["one-more"] = 100
    else:
        assert refusal.status in (503, 507), (refusal.status, refusal.body)
    check(signer, stored)

    filler.unlink()
    victims = [name for name, size in stored.items() if size == 4 * MIB][:4]
    for name in victims:
        answer = signer("DELETE", f"/{BUCKET}/{name}")
        assert answer.status == 204, (answer.status, answer.body)
        del stored[name]
    assert wait_for(lambda: put(signer, "after", 4 * MIB).status == 200), "freed space did not help"
    stored["after"] = 4 * MIB
    check(signer, stored)

    fill_to_the_brim(filler)
    server.kill()
    filler.unlink()
    server.start()
    check(signer, stored)
    assert put(signer, "last", 100).status == 200
    assert server.stop() == 0
    assert "panicked at" not in server.printed()


def fill_to_the_brim(path):
    with open(path, "wb", buffering=0) as file:
        for block in (MIB, 4 * KIB, 1):
            try:
                while file.write(bytes(block)) == block:
                    pass
            except OSError:
                continue


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.3)
    return False
