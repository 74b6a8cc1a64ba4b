"""Copies to another name: every pair of modes, and sources that must not open. `rekeying` has copies to itself."""

from matrix.key_faults import MALFORMED, changed, for_source
from matrix.model import (
    NEEDS_KEY,
    NO_KEY,
    NOT_APPLICABLE,
    PRECONDITION,
    WRONG_KEY,
    is_answered,
    is_refused,
)
from matrix.modes import HELD, KEY_A
from matrix.multipart import upload_all
from matrix.refusals import STRANGER
from matrix.runner import Group
from matrix.sizes import FEW, sizes
from matrix.world import CHUNK, META, PART, body_of, get, gone, holds, md5, put

REPLACED = {"x-amz-metadata-directive": "REPLACE", "x-amz-meta-plan": "another", "content-type": "text/y-matrix"}


def groups(world, slow):
    for source in world.modes:
        for target in world.modes:
            for size in sizes(source, slow) if slow else FEW:
                if size > 4 * CHUNK and not (source in HELD and target in HELD):
                    continue  # Megabytes for a hundred pairs of modes.
                yield pair(world, source, target, size)
        yield bad_sources(world, source, slow)
        yield from_parts(world, source, slow)


def pair(world, source, target, size):
    name = f"copy/{source.name}/{target.name}/{size}"
    body = body_of(size, name)
    group = Group(name, lambda wire: put(wire, world, source, name, body))
    group.add("other-name", lambda wire, made: to_another_name(wire, world, source, target, name, body, made, {}))
    if size == FEW[-1]:
        group.add(
            "replaced", lambda wire, made: to_another_name(wire, world, source, target, name, body, made, REPLACED)
        )
    return group


def from_parts(world, source, slow):
    """An object in parts becomes one in one piece. Five MiB for each pair of modes are for the slow version."""
    name = f"copy/{source.name}/parts"
    group = Group(name, lambda wire: upload_all(wire, world, source, name, {1: PART, 2: CHUNK + 1}, True))
    at = world.modes.index(source)
    for target in world.modes if slow else [*world.modes[at:], *world.modes][:2]:
        group.add(target.name, lambda wire, made, target=target: one_piece(wire, world, source, target, name, made))
    return group


def one_piece(wire, world, source, target, name, made):
    where, source_tag, body = made
    to_another_name(wire, world, source, target, name, body, (where, source_tag), {})
    answer = get(wire, f"{world.target(target, f'{name}/to')}?partNumber=1", target, method="HEAD")
    is_answered(answer, 206, target.read, {"content-length": str(len(body)), "x-amz-mp-parts-count": None})


def copy(wire, source, where, target, to, headers=None):
    """A copy with what both modes need."""
    return wire("PUT", to, b"", {"x-amz-copy-source": where, **source.source, **target.write, **(headers or {})})


def is_copied(answer, target):
    """The whole answer; returns the tag in it."""
    is_answered(answer, 200, target.written)
    assert answer.xml().tag == "CopyObjectResult", answer.body
    assert answer.xml().findtext("LastModified"), answer.body
    return answer.xml().findtext("ETag")


def to_another_name(wire, world, source, target, name, body, made, directive):
    where, source_tag = made
    to = world.target(target, f"{name}/to")
    etag = is_copied(copy(wire, source, where, target, to, directive), target)
    assert target.etag_says(etag, md5(body)), etag
    assert not target.opaque or etag != source_tag, "an opaque tag was copied to another object"
    has_metadata(holds(wire, to, target, body, etag), directive)
    holds(wire, where, source, body, source_tag)


def has_metadata(answer, directive):
    wanted = {header: value for header, value in directive.items() if "directive" not in header} or META
    found = {header: answer.headers[header] for header in wanted}
    assert found == wanted, found


def bad_sources(world, source, slow):
    """Sources that must not open, and conditions on them; nothing is stored."""
    name = f"copy/{source.name}/refused"
    body = body_of(FEW[-1], name)
    group = Group(name, lambda wire: put(wire, world, source, name, body))
    trio = for_source(source.headers or KEY_A.headers)
    malformed = {
        f"malformed-{name}": (changed(trio, for_source(c)), refusal) for name, (c, refusal) in MALFORMED.items()
    }
    faults = {}
    if source.customer:
        faults["no-key"] = ({}, NEEDS_KEY)
        faults["key-of-the-target-only"] = ({**source.headers}, NEEDS_KEY)
        faults["wrong-key"] = (STRANGER.source, WRONG_KEY)
    else:
        faults["key-not-applicable"] = (STRANGER.source, NOT_APPLICABLE)
    for target in world.modes:
        # What is malformed by itself is so for any pair of modes.
        more = malformed if slow or (source in HELD and target in HELD) else {}
        for fault, (headers, refusal) in {**faults, **more}.items():
            if fault == "key-of-the-target-only" and target.write and not target.customer:
                continue  # Two modes at once: writes have these cases.
            group.add(f"{target.name}/{fault}", refused(world, target, f"{name}/{target.name}", headers, refusal))
        for condition, (headers, refusal) in conditions().items():
            case = conditional(world, source, target, f"{name}/{target.name}/met", headers, refusal)
            group.add(f"{target.name}/{condition}", case)
    return group


def refused(world, target, name, headers, refusal):
    def case(wire, made):
        to = world.target(target, name)
        sent = {"x-amz-copy-source": made[0], **target.write, **headers}
        is_refused(wire("PUT", to, b"", sent), refusal)
        gone(wire, to, target)

    return case


def conditions():
    other = '"0123456789abcdef0123456789abcdef"'
    return {
        "if-match": ({"x-amz-copy-source-if-match": "ETAG"}, None),
        "if-match-other": ({"x-amz-copy-source-if-match": other}, PRECONDITION),
        "if-none-match": ({"x-amz-copy-source-if-none-match": "ETAG"}, PRECONDITION),
        "if-none-match-other": ({"x-amz-copy-source-if-none-match": other}, None),
        "target-if-match": ({"if-match": other}, NO_KEY),
        "target-if-none-match": ({"if-none-match": "*"}, None),
    }


def conditional(world, source, target, name, headers, refusal):
    def case(wire, made):
        where, etag = made
        to = world.target(target, name)
        wire("DELETE", to)
        answer = copy(wire, source, where, target, to, {h: v.replace("ETAG", etag) for h, v in headers.items()})
        if refusal:
            is_refused(answer, refusal)
            gone(wire, to, target)
        else:
            is_copied(answer, target)

    return case
