"""Writers that keep book of what was promised to them, and the check that all of it was kept."""

import http.client
import random
import threading
from dataclasses import dataclass, field

from harness.content import KIB, MIB, content, customer_headers, customer_key
from harness.signing import Signer
from matrix.wire import Wire

BUCKET = "crash"
SIZES = [0, 100, 4 * KIB, 40 * KIB, 64 * KIB + 1, 300 * KIB, 2 * MIB]
WRITERS = 6


@dataclass
class Name:
    """What an object's content may be: the last acknowledged state, and those that were begun and never answered."""

    acknowledged: tuple | None = None
    pending: list = field(default_factory=list)


class Unknown(Exception):
    """An answer that leaves open whether it happened."""


class Writer(threading.Thread):
    """Puts, overwrites and deletes until the server dies; keeps book of what was promised.

    With `goes_on` a lost connection and an answer 503 do not end it: another gateway may take the next request. Then
    `stop` does. It rests for `pause` seconds between two requests.
    """

    def __init__(self, server, book, number, round_number, goes_on=False, pause=0):
        super().__init__(daemon=True)
        self.signer = Signer(server, server.root)
        self.book, self.number = book, number
        self.dice = random.Random(f"{number}/{round_number}")
        self.round = round_number
        self.unexpected = None
        self.goes_on, self.pause, self.is_over = goes_on, pause, threading.Event()
        self.promised = self.unknown = 0

    def stop(self, wait=90):
        """Ends it behind the request that runs; AssertionError when it saw what should not be."""
        self.is_over.set()
        self.join(wait)
        assert not self.is_alive() and self.unexpected is None, self.unexpected

    def run(self):
        step = 0
        while not self.is_over.is_set():
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
            except (OSError, http.client.HTTPException, Unknown):
                if not self.goes_on:
                    return
                self.unknown += 1
                self.is_over.wait(0.02)
                continue
            except Exception as unexpected:
                self.unexpected = unexpected
                return
            self.promised += 1
            entry.acknowledged, entry.pending = (state,), []
            self.is_over.wait(self.pause)

    def write(self, name, state):
        headers = headers_of(name)
        if state is None:
            answer = self.signer("DELETE", f"/{BUCKET}/{name}")
        elif state[0] == 2 * MIB:
            answer = self.multipart(name, content(*state), headers)
        else:
            answer = self.signer("PUT", f"/{BUCKET}/{name}", content(*state), headers)
        self.is_acknowledged(answer, name)

    def multipart(self, name, body, headers):
        target = f"/{BUCKET}/{name}"
        begun = self.is_acknowledged(self.signer("POST", f"{target}?uploads", b"", headers), name)
        upload = begun.xml().findtext("UploadId")
        sent = self.signer("PUT", f"{target}?partNumber=1&uploadId={upload}", body, headers)
        etag = self.is_acknowledged(sent, name).headers["etag"]
        xml = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        return self.signer("POST", f"{target}?uploadId={upload}", xml.encode(), headers)

    def is_acknowledged(self, answer, name):
        if self.goes_on and answer.status == 503:
            raise Unknown
        assert answer.status in (200, 204), (name, answer.status, answer.body)
        return answer


def headers_of(name):
    """Every second writer uses a customer key."""
    return customer_headers(customer_key()) if int(name.partition("/")[0]) % 2 else {}


def listed_names(signer):
    """All names of the bucket, page by page."""
    listed, marker = [], ""
    while True:
        page = signer("GET", f"/{BUCKET}?list-type=2&start-after={marker.replace('/', '%2F')}").xml()
        names = [each.text for each in page.iter("Key")]
        listed += names
        if page.findtext("IsTruncated") != "true":
            assert len(listed) == len(set(listed)), "a name is listed twice"
            return listed
        marker = names[-1]


def check(server, book):
    """Reads every name back; returns how many objects there were."""
    wire = Wire(server, server.root)
    listed = set(listed_names(wire))
    for name, entry in book.items():
        answer = wire("GET", f"/{BUCKET}/{name}", headers=headers_of(name))
        assert answer.status in (200, 404), (name, answer.status, answer.body[:300])
        found = None if answer.status == 404 else answer.body
        allowed = [*(entry.acknowledged or (None,)), *entry.pending]
        wanted = [state and content(*state) for state in allowed]
        assert found in wanted, f"{name}: {len(found or b'')} bytes, none of {allowed}"
        assert (name in listed) == (found is not None), f"{name} is listed differently than it is read"
        entry.acknowledged, entry.pending = (allowed[wanted.index(found)],), []
    wire.close()
    return len(listed)
