"""Where the cases take place: the server, its buckets, and objects to begin with."""

import base64
import functools
import hashlib
from urllib.parse import quote

from harness.content import content
from matrix import modes
from matrix.model import is_answered

KIB, MIB = 1024, 1024 * 1024
CHUNK = 64 * KIB
# A sealed body of up to 16 KiB stands in its record; sealing one chunk adds 16 bytes.
INLINE = 16 * KIB - 16
PART = 5 * MIB

META = {"content-type": "text/x-matrix", "x-amz-meta-plan": "secret plans", "cache-control": "max-age=60"}


@functools.lru_cache(maxsize=64)
def body_of(size, seed=0):
    """The same bytes for the same size and seed."""
    return content(size, seed)


def md5(body):
    return hashlib.md5(body).hexdigest()


def b64(raw):
    return base64.b64encode(raw).decode()


class World:
    """The buckets that the modes need, on one server, as one user."""

    def __init__(self, server, credentials, name):
        self.server = server
        self.credentials = credentials
        self.name = name
        self.modes = list(modes.MODES)

    def bucket(self, mode):
        """The bucket in which a mode works."""
        return f"{self.name}-{mode.bucket}"

    def target(self, mode, name):
        """The path of an object in the bucket of a mode."""
        return f"/{self.bucket(mode)}/{quote(name)}"

    def prepare(self, wire):
        """Makes the buckets with their defaults, and the KMS key that some modes name."""
        if any(mode.read.get(modes.KMS_KEY_ID) == modes.NAMED_KEY for mode in self.modes):
            self.server.command("kms", "create", modes.NAMED_KEY)
        for name in sorted({mode.bucket for mode in self.modes}):
            bucket = f"/{self.name}-{name}"
            assert wire("PUT", bucket).status == 200, bucket
            if name in modes.RULES:
                answer = wire("PUT", f"{bucket}?encryption", modes.configuration(name))
                assert answer.status == 200, answer.body


def put(wire, world, mode, name, body, headers=None, bucket=None):
    """Puts an object in a mode, checks the whole answer, and returns its target and its tag."""
    target = f"/{bucket or world.bucket(mode)}/{quote(name)}"
    answer = wire("PUT", target, body, {**META, **mode.write, **(headers or {})})
    is_answered(answer, 200, mode.written)
    assert answer.body == b"" and mode.etag_says(answer.headers["etag"], md5(body)), answer.headers["etag"]
    return target, answer.headers["etag"]


def get(wire, target, mode, headers=None, method="GET"):
    """Reads with what the mode needs."""
    return wire(method, target, b"", {**mode.headers, **(headers or {})})


def holds(wire, target, mode, body, etag=None):
    """The object is there, in this mode, with these bytes."""
    answer = get(wire, target, mode)
    is_answered(answer, 200, mode.read, {"etag": etag} if etag else {})
    assert answer.body == body, f"{len(answer.body)} other bytes instead of {len(body)}"
    return answer


def gone(wire, target, mode):
    """There is no object."""
    answer = get(wire, target, mode)
    assert (answer.status, answer.code) == (404, "NoSuchKey"), (answer.status, answer.body[:300])
