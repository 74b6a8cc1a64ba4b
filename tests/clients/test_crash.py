"""kill -9 under write load: what was acknowledged is whole, what was not is whole or absent."""

import random
import time

import pytest

from harness.content import MIB, content
from harness.load import BUCKET, WRITERS, Writer, check
from harness.server import Server
from harness.signing import Signer


def rounds(tmp_path, count):
    server = Server(tmp_path).start()
    assert Signer(server, server.root)("PUT", f"/{BUCKET}").status == 200
    book, dice = {}, random.Random(7)
    for number in range(count):
        writers = [Writer(server, book, writer, number) for writer in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(dice.uniform(0.3, 1.5))
        server.kill()
        for writer in writers:
            writer.join(60)
            assert not writer.is_alive() and writer.unexpected is None, writer.unexpected
        server.start()
        assert check(server, book) > 0
    assert server.stop() == 0
    server.start()
    check(server, book)
    assert server.stop() == 0
    assert "panicked at" not in server.printed()


def test_three_rounds_lose_nothing(tmp_path):
    rounds(tmp_path, 3)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_sixty_rounds_lose_nothing(tmp_path):
    rounds(tmp_path, 60)


@pytest.mark.embedded_only("Where another gateway may be writing, bytes wait for a day before they are orphans.")
def test_orphaned_bytes_are_collected_after_a_crash(tmp_path):
    """Bytes of an upload that the crash cut off are gone after the next start."""
    server = Server(tmp_path).start()
    signer = Signer(server, server.root)
    signer("PUT", f"/{BUCKET}")
    signed = {}
    body = content(8 * MIB)
    signer("PUT", f"/{BUCKET}/cut", body, tamper=signed.update)
    signer("DELETE", f"/{BUCKET}/cut")
    connection = signer.connect()
    connection.putrequest("PUT", f"/{BUCKET}/cut", skip_host=True, skip_accept_encoding=True)
    for name, value in {**signed, "content-length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body[: 6 * MIB])
    time.sleep(0.5)
    server.kill()
    server.start()
    deadline = time.monotonic() + 30
    large = lambda: [
        p for p in server.data_dir.rglob("*") if p.is_file() and "blob" in str(p) and p.stat().st_size > MIB
    ]
    while large() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not large(), large()
    assert signer("GET", f"/{BUCKET}/cut").status == 404
    assert server.stop() == 0
