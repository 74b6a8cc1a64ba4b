"""Parts copied from objects: every pair of modes, ranges across the edges of chunks and parts of the source."""

from matrix.key_faults import MALFORMED, changed, for_source, invalid
from matrix.model import NEEDS_KEY, NOT_APPLICABLE, PART_NEEDS, PART_OTHER, WRONG_KEY, is_answered, is_refused
from matrix.modes import HELD, KEY_A
from matrix.multipart import upload_all
from matrix.refusals import STRANGER
from matrix.runner import Group
from matrix.uploads import begin, complete, has_part_tag
from matrix.world import CHUNK, PART, body_of, holds, put

SINGLE = 3 * CHUNK + 7
PARTS = {1: PART + 1, 2: CHUNK + 1}
TOTAL = sum(PARTS.values())
# Where the parts of the second source meet.
EDGE = PARTS[1]

RANGES = {
    "single": {
        "all": None,
        "first-byte": (0, 0),
        "last-byte": (SINGLE - 1, SINGLE - 1),
        "whole": (0, SINGLE - 1),
        "one-chunk": (CHUNK, 2 * CHUNK - 1),
        "to-chunk-edge": (5, CHUNK - 1),
        "from-chunk-edge": (CHUNK, CHUNK),
        "over-chunk-edge": (CHUNK - 1, CHUNK),
        "over-two-chunk-edges": (CHUNK - 1, 2 * CHUNK),
        "into-last-chunk": (3 * CHUNK - 1, SINGLE - 1),
    },
    "parts": {
        "to-part-edge": (EDGE - CHUNK - 3, EDGE - 1),
        "from-part-edge": (EDGE, EDGE),
        "over-part-edge": (EDGE - 1, EDGE),
        "over-part-and-chunk-edges": (EDGE - CHUNK, EDGE + CHUNK),
        "last-byte": (TOTAL - 1, TOTAL - 1),
    },
}
# Each pair of modes copies these; a pair of one mode of each holder of keys copies all.
FOR_ALL_PAIRS = {"all", "last-byte", "over-chunk-edge", "over-part-edge"}


def groups(world, slow):
    for source in world.modes:
        # One source serves all targets: the five MiB are sent once.
        yield from_source(world, source, "single", SINGLE, slow)
        yield from_source(world, source, "parts", TOTAL, slow)
        yield bad_headers(world, source, slow)


def from_source(world, source, kind, total, slow):
    name = f"part-copy/{source.name}/{kind}"

    def prepare(wire):
        if kind == "single":
            body = body_of(total, name)
            return (*put(wire, world, source, name, body), body)
        return upload_all(wire, world, source, name, PARTS, key_on_completion=True)

    group = Group(name, prepare)
    for target in world.modes:
        every = slow or (source in HELD and target in HELD)
        for shape, wanted in RANGES[kind].items():
            if not every and shape not in FOR_ALL_PAIRS:
                continue
            case = copied(world, source, target, f"{name}/{target.name}/{shape}", wanted)
            group.add(f"{target.name}/{shape}", case)
        # Five MiB for each pair of modes are for the slow version.
        if kind == "parts" and slow:
            group.add(f"{target.name}/whole", copied(world, source, target, f"{name}/{target.name}/whole", None))
    return group


def copied(world, source, target, name, wanted):
    """A small piece first only where it is the last part too: one part, one object."""

    def case(wire, made):
        where, _, body = made
        first, last = wanted or (0, len(body) - 1)
        piece = body[first : last + 1]
        upload = begin(wire, world, target, name)
        headers = {"x-amz-copy-source": where, **source.source, **target.headers}
        if wanted:
            headers["x-amz-copy-source-range"] = f"bytes={first}-{last}"
        answer = wire("PUT", upload.at("partNumber=1&"), b"", headers)
        is_answered(answer, 200, target.part)
        result = answer.xml()
        assert result.tag == "CopyPartResult" and result.findtext("LastModified"), answer.body
        upload.parts[1] = result.findtext("ETag")
        has_part_tag(target, upload.parts[1], piece)
        complete(wire, upload)
        holds(wire, upload.target, target, piece)

    return case


def bad_headers(world, source, slow):
    """Headers with which no part is copied. One upload of each target takes them all, and has no part at the end."""
    name = f"part-copy/{source.name}/refused"

    def prepare(wire):
        where, _ = put(wire, world, source, name, body_of(SINGLE, name))
        return where, {target.name: begin(wire, world, target, f"{name}/{target.name}") for target in world.modes}

    group = Group(name, prepare)
    for target in world.modes:
        table = wrong_keys(source, target)
        # What is malformed by itself is so for any pair of modes.
        if slow or (source in HELD and target in HELD):
            table |= malformed(source)
        for fault, (headers, refusal) in table.items():
            group.add(f"{target.name}/{fault}", refused(source, target, headers, refusal))
    return group


# What takes a set of headers away.
NO_SOURCE = dict.fromkeys(for_source(KEY_A.headers))
NO_TARGET = dict.fromkeys(KEY_A.headers)


def wrong_keys(source, target):
    """By what changes in the headers that both modes need."""
    if source.customer:
        found = {
            "source-no-key": (NO_SOURCE, NEEDS_KEY),
            "source-wrong-key": (for_source(STRANGER.headers), WRONG_KEY),
        }
    else:
        found = {"source-key-not-applicable": (for_source(STRANGER.headers), NOT_APPLICABLE)}
    if target.customer:
        found |= {"target-no-key": (NO_TARGET, PART_NEEDS), "target-other-key": (STRANGER.headers, PART_OTHER)}
    else:
        found |= {"target-key-not-applicable": (STRANGER.headers, PART_NEEDS)}
    return found


def malformed(source):
    ranges = {
        "beyond": f"bytes=0-{SINGLE}",
        "behind": f"bytes={SINGLE}-{SINGLE + 5}",
        "open": "bytes=0-",
        "suffix": "bytes=-5",
        "backwards": "bytes=5-2",
        "no-unit": "0-5",
        "letters": "bytes=a-b",
        "many": "bytes=0-1,3-4",
        "empty": "",
    }
    found = {f"range-{name}": ({"x-amz-copy-source-range": text}, invalid()) for name, text in ranges.items()}
    trio = source.headers or KEY_A.headers
    for fault, (changes, refusal) in MALFORMED.items():
        found[f"source-{fault}"] = ({**NO_SOURCE, **for_source(changed(trio, changes))}, refusal)
    return found


def refused(source, target, headers, refusal):
    def case(wire, made):
        where, uploads = made
        upload = uploads[target.name]
        needed = {"x-amz-copy-source": where, **for_source(source.headers), **target.headers}
        is_refused(wire("PUT", upload.at("partNumber=1&"), b"", changed(needed, headers)), refusal)
        assert wire("GET", upload.at()).xml().find("Part") is None, "a part was stored"

    return case
