"""Parts copied from objects: every pair of modes, ranges across the edges of chunks and parts of the source."""

from matrix.key_faults import MALFORMED, changed, for_source, invalid
from matrix.model import NEEDS_KEY, NOT_APPLICABLE, PART_NEEDS, PART_OTHER, WRONG_KEY, is_answered, is_refused
from matrix.modes import KEY_A
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


def groups(world, slow):
    for source in world.modes:
        # One source serves all targets: the five MiB are sent once.
        yield from_source(world, source, "single", SINGLE, slow)
        yield from_source(world, source, "parts", TOTAL, slow)


def from_source(world, source, kind, total, slow):
    name = f"part-copy/{source.name}/{kind}"

    def prepare(wire):
        if kind == "single":
            body = body_of(total, name)
            return (*put(wire, world, source, name, body), body)
        return upload_all(wire, world, source, name, PARTS, key_on_completion=True)

    group = Group(name, prepare)
    for target in world.modes:
        for shape, wanted in RANGES[kind].items():
            case = copied(world, source, target, f"{name}/{target.name}/{shape}", wanted)
            group.add(f"{target.name}/{shape}", case)
        # Five MiB for each pair of modes are for the slow version; what the headers say is the same for both sources.
        if kind == "parts" and slow:
            group.add(f"{target.name}/whole", copied(world, source, target, f"{name}/{target.name}/whole", None))
        if kind == "single" or slow:
            for fault, (headers, refusal) in faults(source, target, total).items():
                case = refused(world, source, target, f"{name}/{target.name}", headers, refusal)
                group.add(f"{target.name}/{fault}", case)
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


def faults(source, target, total):
    """Headers with which no part is copied: the last value given wins over what the modes need."""
    drop = {**{name: None for name in KEY_A.source}}
    lose = {**{name: None for name in KEY_A.headers}}
    found = {
        "range-beyond": ({"x-amz-copy-source-range": f"bytes=0-{total}"}, invalid()),
        "range-behind": ({"x-amz-copy-source-range": f"bytes={total}-{total + 5}"}, invalid()),
        **{
            f"range-{name}": ({"x-amz-copy-source-range": text}, invalid())
            for name, text in {
                "open": "bytes=0-",
                "suffix": "bytes=-5",
                "backwards": "bytes=5-2",
                "no-unit": "0-5",
                "letters": "bytes=a-b",
                "many": "bytes=0-1,3-4",
                "empty": "",
            }.items()
        },
    }
    trio = for_source(source.headers or KEY_A.headers)
    for fault, (changes, refusal) in MALFORMED.items():
        found[f"source-{fault}"] = ({**drop, **changed(trio, for_source(changes))}, refusal)
    if source.customer:
        found["source-no-key"] = (drop, NEEDS_KEY)
        found["source-wrong-key"] = ({**drop, **STRANGER.source}, WRONG_KEY)
    else:
        found["source-key-not-applicable"] = (STRANGER.source, NOT_APPLICABLE)
    if target.customer:
        found["target-no-key"] = (lose, PART_NEEDS)
        found["target-other-key"] = (STRANGER.headers, PART_OTHER)
    else:
        found["target-key-not-applicable"] = (STRANGER.headers, PART_NEEDS)
    return found


def refused(world, source, target, name, headers, refusal):
    def case(wire, made):
        upload = begin(wire, world, target, name)
        needed = {name.lower(): value for name, value in {**source.source, **target.headers}.items()}
        wanted = {name.lower(): value for name, value in headers.items()}
        sent = changed({"x-amz-copy-source": made[0], **needed}, wanted)
        is_refused(wire("PUT", upload.at("partNumber=1&"), b"", sent), refusal)
        assert wire("GET", upload.at()).xml().find("Part") is None, "a part was stored"
        wire("DELETE", upload.at())

    return case
