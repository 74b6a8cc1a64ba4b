"""Checksums over the plaintext: five algorithms, as header and as trailer, of objects and of uploads, in every mode."""

import base64
import functools
import hashlib
import zlib

from harness.checksums import checksum as slow_checksum
from harness.signing import v4_chunked
from matrix.model import BAD_DIGEST, PART_NEEDS, Refusal, has_headers, is_answered, is_refused
from matrix.modes import HELD
from matrix.runner import Group
from matrix.uploads import begin, complete, copy_part, put_part, put_part_in_chunks
from matrix.world import CHUNK, INLINE, PART, body_of, get, gone, holds, put

ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]
SIZES = [0, 1, INLINE + 1, CHUNK, CHUNK + 1]
# Of an upload: which checksums of the whole a client may ask for.
TYPES = {
    "CRC32": ("COMPOSITE", "FULL_OBJECT"),
    "CRC32C": ("COMPOSITE", "FULL_OBJECT"),
    "CRC64NVME": ("FULL_OBJECT",),
    "SHA1": ("COMPOSITE",),
    "SHA256": ("COMPOSITE",),
}
MODE = {"x-amz-checksum-mode": "ENABLED"}


def groups(world, slow):
    for mode in world.modes:
        for algorithm in ALGORITHMS:
            for size in SIZES if slow or mode in HELD else SIZES[-1:]:
                yield of_objects(world, mode, algorithm, size)
            for kind in TYPES[algorithm]:
                yield of_uploads(world, mode, algorithm, kind, {1: CHUNK + 1})
                # Plain Python needs a second for the CRC of five MiB, and the server its time to store them.
                if slow or (algorithm in ("CRC32", "SHA256") and mode in HELD):
                    yield of_uploads(world, mode, algorithm, kind, {1: PART, 2: 1})
                    yield of_uploads(world, mode, algorithm, kind, {2: PART, 9: 0})


@functools.lru_cache(maxsize=512)
def checksum(algorithm, body):
    """The value as the headers have it."""
    if algorithm.startswith("SHA"):
        return base64.b64encode(hashlib.new(algorithm.lower(), body).digest()).decode()
    if algorithm == "CRC32":
        return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    return slow_checksum(algorithm, body)


def header_of(algorithm):
    return f"x-amz-checksum-{algorithm.lower()}"


def element_of(algorithm):
    return f"Checksum{algorithm}"


def shown(algorithm, value, kind):
    """The headers of a read that asks for checksums: this one and no other."""
    headers = {header_of(other): None for other in ALGORITHMS}
    return {**headers, header_of(algorithm): value, "x-amz-checksum-type": kind}


def of_objects(world, mode, algorithm, size):
    name = f"checksum/{mode.name}/{algorithm}/{size}"
    body = body_of(size, "checksum")
    right, wrong = checksum(algorithm, body), checksum(algorithm, body + b"!")
    header = header_of(algorithm)
    target = world.target(mode, name)
    group = Group(name)

    def sent_as_header(value):
        return lambda wire, to: wire("PUT", to, body, {**mode.write, header: value})

    def sent_as_trailer(value, signed):
        return lambda wire, to: v4_chunked(
            wire, "PUT", to, body, trailer=(header, value), signed=signed, headers=dict(mode.write)
        )

    def computed(wire, to):
        return wire("PUT", to, body, {**mode.write, "x-amz-sdk-checksum-algorithm": algorithm})

    ways = {
        "header": (sent_as_header(right), sent_as_header(wrong)),
        "trailer": (sent_as_trailer(right, False), sent_as_trailer(wrong, False)),
        "signed-trailer": (sent_as_trailer(right, True), sent_as_trailer(wrong, True)),
        "computed": (computed, None),
    }
    for way, (good, bad) in ways.items():
        group.add(way, lambda wire, _, good=good: stored(wire, good))
        if bad:
            group.add(f"{way}-wrong", lambda wire, _, bad=bad: refused(wire, bad))

    def stored(wire, send):
        answer = send(wire, target)
        is_answered(answer, 200, mode.written, {header: right})
        for method in ("HEAD", "GET"):
            has_headers(get(wire, target, mode, MODE, method), shown(algorithm, right, "FULL_OBJECT"))
            has_headers(get(wire, target, mode, {}, method), {header: None, "x-amz-checksum-type": None})
        ranged = get(wire, target, mode, {**MODE, "range": "bytes=0-0"})
        assert ranged.status == (206 if size else 416) and header not in ranged.headers, ranged.headers.items()
        holds(wire, target, mode, body)

    def refused(wire, send):
        to = world.target(mode, f"{name}/wrong")
        is_refused(send(wire, to), BAD_DIGEST)
        gone(wire, to, mode)

    group.add("copied", lambda wire, _: copied(wire, mode, target, f"{target}-copy", algorithm, right))
    return group


def copied(wire, mode, target, to, algorithm, value):
    """A copy has the checksum of its source; the key of the source is the key of the copy here."""
    answer = wire("PUT", to, b"", {"x-amz-copy-source": target, **mode.source, **mode.write})
    is_answered(answer, 200, mode.written)
    assert answer.xml().findtext(element_of(algorithm)) == value, answer.body
    has_headers(get(wire, to, mode, MODE, "HEAD"), shown(algorithm, value, "FULL_OBJECT"))


def of_uploads(world, mode, algorithm, kind, sizes):
    plan = "-".join(f"{number}x{size}" for number, size in sizes.items())
    name = f"checksum/{mode.name}/{algorithm}/{kind}/{plan}"
    bodies = {number: body_of(size, f"checksum/{number}") for number, size in sizes.items()}
    values = {number: checksum(algorithm, body) for number, body in bodies.items()}
    whole = b"".join(bodies.values())
    if kind == "FULL_OBJECT":
        value = checksum(algorithm, whole)
    else:
        value = checksum(algorithm, b"".join(base64.b64decode(v) for v in values.values())) + f"-{len(sizes)}"
    header, element = header_of(algorithm), element_of(algorithm)
    asked = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    group = Group(name)

    def send(wire, upload, what, number, body):
        """A part with its checksum before it, behind it, or taken over from an object that has it."""
        if what == "copied":
            where, _ = put(wire, world, mode, f"{name}/source-{number}", body, {header: values[number]})
            result = copy_part(wire, upload, number, mode, where, body)
            assert result.findtext(element) == values[number], "the checksum of a copied part"
            return
        if what.startswith("trailing"):
            signed = what == "trailing-signed"
            answer = put_part_in_chunks(wire, upload, number, body, (header, values[number]), signed)
        else:
            answer = put_part(wire, upload, number, body, {header: values[number]})
        has_headers(answer, {header: values[number]})

    def begun(wire, what):
        upload = begin(wire, world, mode, f"{name}/{what}", asked)
        for number, body in bodies.items():
            send(wire, upload, what, number, body)
        return upload

    def completed(how):
        def case(wire, _):
            upload = begun(wire, how)
            listed = wire("GET", upload.at(), b"", mode.headers).xml()
            assert (listed.findtext("ChecksumAlgorithm"), listed.findtext("ChecksumType")) == (algorithm, kind)
            assert [part.findtext(element) for part in listed.findall("Part")] == list(values.values())
            headers, elements = dict(mode.headers), None
            if how == "repeated":
                elements = {number: f"<{element}>{v}</{element}>" for number, v in values.items()}
            elif how == "claimed":
                headers |= {header: value, "x-amz-checksum-type": kind}
            result = complete(wire, upload, headers, elements).xml()
            assert (result.findtext(element), result.findtext("ChecksumType")) == (value, kind)
            has_headers(get(wire, upload.target, mode, MODE, "HEAD"), shown(algorithm, value, kind))
            holds(wire, upload.target, mode, whole)

        return case

    def refused(what, headers, elements, refusal):
        def case(wire, _):
            upload = begun(wire, what)
            document = b"".join(
                f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag>{elements.get(n, '')}</Part>".encode()
                for n, etag in sorted(upload.parts.items())
            )
            document = b"<CompleteMultipartUpload>" + document + b"</CompleteMultipartUpload>"
            is_refused(wire("POST", upload.at(), document, headers), refusal)
            gone(wire, upload.target, mode)
            wire("DELETE", upload.at())

        return case

    large = sum(sizes.values()) >= PART
    ways = ("plain", "repeated", "claimed", "trailing", "trailing-signed", "copied")
    for how in ("claimed",) if large else ways:
        group.add(how, completed(how))
    if large:
        return group  # What the small ones show needs no five MiB.
    other = checksum(algorithm, b"other")
    suffix = f"-{len(sizes)}" if kind == "COMPOSITE" else ""
    wrong_part = {number: f"<{element}>{other}</{element}>" for number in sizes}
    rows = {
        "wrong-whole": ({**mode.headers, header: other + suffix}, {}, BAD_DIGEST),
        "wrong-part": (mode.headers, wrong_part, Refusal(400, "InvalidPart")),
    }
    if mode.customer:
        rows["without-key"] = ({}, {}, PART_NEEDS)
    for what, (headers, elements, refusal) in rows.items():
        group.add(what, refused(what, headers, elements, refusal))
    return group
