"""Copies of an object onto itself: from every mode to every other, the body stays and changes hands.

One object in parts walks through all modes of its bucket. A step begins in the mode that it needs: where the object is
in another one, it is rekeyed to it first.
"""

import base64
import zlib

from matrix.copies import REPLACED, copy, is_copied
from matrix.model import NEEDS_KEY, NOT_APPLICABLE, WRONG_KEY, Refusal, has_headers, is_answered, is_body, is_refused
from matrix.modes import HELD
from matrix.refusals import STRANGER
from matrix.runner import Group
from matrix.uploads import begin, complete, put_part
from matrix.world import CHUNK, META, PART, body_of, get, holds, put

SIZES = {2: PART, 5: CHUNK + 1}
EDGE = PART
CHECKSUM = {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "COMPOSITE"}

# Neither a mode nor metadata: AWS refuses it.
POINTLESS = Refusal(400, "InvalidRequest")


def groups(world, slow):
    for bucket in sorted({mode.bucket for mode in world.modes}):
        # What the bucket does by itself needs no header. What is asked for is the same in each bucket, so outside of
        # the plain one a mode of each holder is enough.
        asked = world.modes if slow or bucket == "plain" else HELD
        modes = [mode for mode in world.modes if mode.bucket == bucket or (mode.write and mode in asked)]
        yield walk(world, bucket, modes)
        yield small(world, bucket, modes)


class Walker:
    """The object, its mode and its tag at the moment."""

    def __init__(self, target, mode, etag, body):
        self.target, self.mode, self.etag, self.body = target, mode, etag, body

    def step(self, wire, mode, headers=None):
        """Rekeys it and checks what the answer and the tag say."""
        answer = copy(wire, self.mode, self.target, mode, self.target, headers)
        etag = is_copied(answer, mode)
        if mode.customer and not self.mode.customer:
            assert etag != self.etag, "a tag of another mode survived under a customer key"
            assert etag.strip('"')[32:] == (self.etag.strip('"')[32:] or "-1"), etag
        else:
            assert etag == self.etag, "rekeying changed the tag"
        self.mode, self.etag = mode, etag


def crc32(body):
    return zlib.crc32(body).to_bytes(4, "big")


def walk(world, bucket, modes):
    name = f"rekey/{bucket}/parts"
    bodies = {number: body_of(size, f"{name}/{number}") for number, size in SIZES.items()}
    composite = base64.b64encode(crc32(b"".join(crc32(body) for body in bodies.values()))).decode() + f"-{len(bodies)}"
    at = next(mode for mode in modes if mode.write)

    def prepare(wire):
        target = f"/{world.name}-{bucket}/{name}"
        upload = begin(wire, world, at, name, CHECKSUM, target=target)
        for number, body in bodies.items():
            put_part(wire, upload, number, body, {"x-amz-checksum-crc32": base64.b64encode(crc32(body)).decode()})
        etag = complete(wire, upload, at.headers).xml().findtext("ETag")
        return Walker(target, at, etag, b"".join(bodies.values()))

    group = Group(name, prepare)
    for source in modes:
        for target in modes:
            if target.write:
                group.add(f"{source.name}/{target.name}", step(source, target, composite))
    group.add("whole", lambda wire, walker: holds(wire, walker.target, walker.mode, walker.body, walker.etag))
    return group


def step(source, target, composite):
    def case(wire, walker):
        if walker.mode is not source:
            walker.step(wire, source, {} if source.write else REPLACED)
        walker.step(wire, target)
        stays(wire, walker, composite)
        for headers, refusal in shut(source, target):
            for method in ("GET", "HEAD"):
                is_refused(wire(method, walker.target, b"", headers), refusal, method)

    return case


def stays(wire, walker, composite):
    """Parts, checksums and bytes are as they were."""
    target, mode, body = walker.target, walker.mode, walker.body
    told = {"etag": walker.etag, "content-length": str(len(body)), "x-amz-checksum-crc32": composite}
    is_answered(get(wire, target, mode, {"x-amz-checksum-mode": "ENABLED"}, "HEAD"), 200, mode.read, told)
    for part, (first, last) in {1: (0, EDGE - 1), 2: (EDGE, len(body) - 1)}.items():
        told = {"x-amz-mp-parts-count": "2", "content-range": f"bytes {first}-{last}/{len(body)}"}
        is_answered(get(wire, f"{target}?partNumber={part}", mode, method="HEAD"), 206, mode.read, told)
    for first, last in ((0, 0), (CHUNK - 1, CHUNK), (EDGE - 1, EDGE), (len(body) - 1, len(body) - 1)):
        answer = get(wire, target, mode, {"range": f"bytes={first}-{last}"})
        is_answered(answer, 206, mode.read)
        is_body(answer, body[first : last + 1])


def shut(source, target):
    """Headers that do not open it after the step: those of before among them."""
    if not target.customer:
        found = [(STRANGER.headers, NOT_APPLICABLE)]
        return found + [(source.headers, NOT_APPLICABLE)] if source.customer else found
    found = [({}, NEEDS_KEY), (STRANGER.headers, WRONG_KEY)]
    return found + [(source.headers, WRONG_KEY)] if source.customer and source.headers != target.headers else found


def small(world, bucket, modes):
    """Objects in one piece, inline and not: metadata, conditions, and a copy that fails."""
    name = f"rekey/{bucket}/small"
    group = Group(name)
    other = '"0123456789abcdef0123456789abcdef"'
    for source in modes:
        for target in modes:
            if not target.write:
                if source.bucket == target.bucket == bucket:
                    group.add(f"{source.name}/{target.name}/pointless", pointless(world, bucket, source, target, name))
                continue
            pair = f"{source.name}/{target.name}"
            for size in (0, 1, CHUNK + 1):
                group.add(f"{pair}/metadata-{size}", keeps(world, bucket, source, target, f"{name}/{pair}", size, {}))
                group.add(
                    f"{pair}/replaced-{size}", keeps(world, bucket, source, target, f"{name}/{pair}", size, REPLACED)
                )
            group.add(f"{pair}/another-checksum", reads_its_bytes(world, bucket, source, target, f"{name}/{pair}"))
            for condition in ({"x-amz-copy-source-if-match": other}, {"if-match": other}, {"if-none-match": "*"}):
                header = next(iter(condition))
                group.add(f"{pair}/{header}", unchanged(world, bucket, source, target, f"{name}/{pair}", condition))
    return group


def start(wire, world, bucket, mode, name, body):
    target, etag = put(wire, world, mode, name, body, bucket=f"{world.name}-{bucket}")
    return Walker(target, mode, etag, body)


def keeps(world, bucket, source, target, name, size, directive):
    def case(wire, _):
        walker = start(wire, world, bucket, source, name, body_of(size, name))
        walker.step(wire, target, directive)
        told = {header: value for header, value in directive.items() if "directive" not in header} or META
        has_headers(holds(wire, walker.target, target, walker.body, walker.etag), told)

    return case


def reads_its_bytes(world, bucket, source, target, name):
    """A checksum that the object does not have is computed from its bytes, and the object is sealed anew."""

    def case(wire, _):
        body = body_of(CHUNK + 1, name)
        walker = start(wire, world, bucket, source, name, body)
        asked = {"x-amz-checksum-algorithm": "CRC32"}
        etag = is_copied(copy(wire, source, walker.target, target, walker.target, asked), target)
        answer = get(wire, walker.target, target, {"x-amz-checksum-mode": "ENABLED"}, "HEAD")
        is_answered(answer, 200, target.read, {"x-amz-checksum-crc32": base64.b64encode(crc32(body)).decode()})
        holds(wire, walker.target, target, body, etag)

    return case


def pointless(world, bucket, source, target, name):
    """The bucket's own mode has to be asked for like any other change."""

    def case(wire, _):
        walker = start(wire, world, bucket, source, f"{name}/pointless", b"stays")
        is_refused(copy(wire, source, walker.target, target, walker.target), POINTLESS)
        holds(wire, walker.target, source, b"stays", walker.etag)

    return case


def unchanged(world, bucket, source, target, name, condition):
    """A condition that does not hold: the old key opens it still."""

    def case(wire, _):
        walker = start(wire, world, bucket, source, name, b"stays")
        answer = copy(wire, source, walker.target, target, walker.target, condition)
        is_refused(answer, Refusal(412, "PreconditionFailed"))
        holds(wire, walker.target, source, b"stays", walker.etag)

    return case
