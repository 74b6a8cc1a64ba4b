"""kill -9 under write load: what was acknowledged is whole, what was not is whole or absent."""

import http.client
import random
import threading
import time
from dataclasses import dataclass, field

import pytest

from harness.content import KIB, MIB, content, customer_headers, customer_key
from harness.server import Server
from harness.signing import Signer

BUCKET = "crash"
SIZES = [0, 100, 4 * KIB, 40 * KIB, 64 * KIB + 1, 300 * KIB, 2 * MIB]
WRITERS = 6


@dataclass
class Name:
    """What an object's content may be: the last acknowledged state, and one that was begun and never answered."""

    acknowledged: tuple | None = None
    pending: list = field(default_factory=list)


class Writer(threading.Thread):
    """Puts, overwrites and deletes until the server dies; keeps book of what was promised."""

    def __init__(self, server, book, number, round_number):
        super().__init__(daemon=True)
        self.signer = Signer(server, server.root)
        self.book, self.number = book, number
        self.dice = random.Random(f"{number}/{round_number}")
        self.round = round_number
        self.unexpected = None

    def run(self):
        step = 0
        while True:
            step += 1
            fresh = self.dice.random() < 0.6
            name = f"{self.number}/new/{self.round}/{step}" if fresh else f"{self.number}/old/{self.dice.randrange(4)}"
            entry = self.book.setdefault(name, Name())
            # None stands for the object's absence.
            state = (
                None if not fresh and self.dice.random() < 0.2 else (self.dice.choice(SIZES), f"{self.round}/{step}")
            )
            entry.pending.append(state)
            try:
                self.write(name, state)
            except (OSError, http.client.HTTPException):
                return
            except AssertionError as unexpected:
                self.unexpected = unexpected
                return
            entry.acknowledged, entry.pending = (state,), []

    def write(self, name, state):
        headers = headers_of(name)
        if state is None:
            answer = self.signer("DELETE", f"/{BUCKET}/{name}")
        elif state[0] == 2 * MIB:
            answer = self.multipart(name, content(*state), headers)
        else:
            answer = self.signer("PUT", f"/{BUCKET}/{name}", content(*state), headers)
        assert answer.status in (200, 204), (name, answer.status, answer.body)

    def multipart(self, name, body, headers):
        target = f"/{BUCKET}/{name}"
        upload = self.signer("POST", f"{target}?uploads", b"", headers).xml().findtext("UploadId")
        etag = self.signer("PUT", f"{target}?partNumber=1&uploadId={upload}", body, headers).headers["etag"]
        xml = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        return self.signer("POST", f"{target}?uploadId={upload}", xml.encode(), headers)


def headers_of(name):
    """Every second writer uses a customer key."""
    return customer_headers(customer_key()) if int(name.partition("/")[0]) % 2 else {}


def check(server, book):
    """Reads every name back; returns how many objects there were."""
    signer = Signer(server, server.root)
    listed = set()
    marker = ""
    while True:
        page = signer("GET", f"/{BUCKET}?list-type=2&start-after={marker.replace('/', '%2F')}").xml()
        names = [each.text for each in page.iter("Key")]
        listed |= set(names)
        if page.findtext("IsTruncated") != "true":
            break
        marker = names[-1]
    for name, entry in book.items():
        answer = signer("GET", f"/{BUCKET}/{name}", headers=headers_of(name))
        assert answer.status in (200, 404), (name, answer.status, answer.body[:300])
        found = None if answer.status == 404 else answer.body
        allowed = [*(entry.acknowledged or (None,)), *entry.pending]
        wanted = [state and content(*state) for state in allowed]
        assert found in wanted, f"{name}: {len(found or b'')} bytes, none of {allowed}"
        assert (name in listed) == (found is not None), f"{name} is listed differently than it is read"
        entry.acknowledged, entry.pending = (allowed[wanted.index(found)],), []
    return len(listed)


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
