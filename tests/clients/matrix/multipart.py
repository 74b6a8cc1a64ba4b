"""Multipart uploads: every mode, parts of every boundary, with and without the key, read back across their edges."""

from matrix.key_faults import MALFORMED, MISPLACED, changed
from matrix.model import (
    NEEDS_KEY,
    NO_PART,
    NOT_APPLICABLE,
    PART_NEEDS,
    PART_OTHER,
    PRECONDITION,
    WRONG_KEY,
    Refusal,
    is_answered,
    is_body,
    is_refused,
    resolve,
)
from matrix.modes import HELD, KEY_A
from matrix.reads import METHODS, ranged, told
from matrix.refusals import STRANGER
from matrix.runner import Group
from matrix.sizes import shapes
from matrix.uploads import begin, complete, list_of, put_part, put_part_in_chunks
from matrix.world import CHUNK, INLINE, META, PART, body_of, get, gone, holds, put

# The sizes of the parts, by number. Only the last may be under 5 MiB.
PLANS = {
    "one-byte": {1: 1},
    "one-empty": {1: 0},
    "one-inline": {1: INLINE},
    "one-chunk": {1: CHUNK},
    "one-chunk-and-one": {1: CHUNK + 1},
    "full-and-one-byte": {1: PART, 2: 1},
    "full-and-empty": {1: PART, 2: 0},
    "off-chunk-edge": {1: PART + 1, 2: CHUNK - 1},
    "sparse-numbers": {3: PART, 7: PART + CHUNK + 1, 10000: CHUNK + 1},
}
SLOW_PLANS = {
    "one-full-less-one": {1: PART - 1},
    "one-full": {1: PART},
    "one-full-and-one": {1: PART + 1},
    "full-and-chunk": {1: PART, 2: CHUNK},
    "full-and-full": {1: PART, 2: PART},
    "full-and-full-less-one": {1: PART, 2: PART - 1},
    "five": {number: PART + number * 13 for number in range(1, 6)},
}
# Each mode has these; a mode of each holder of keys has all.
FOR_ALL_MODES = {"one-empty", "one-chunk-and-one", "full-and-one-byte", "sparse-numbers"}


def groups(world, slow):
    for mode in world.modes:
        for plan, sizes in {**PLANS, **(SLOW_PLANS if slow else {})}.items():
            if not slow and mode not in HELD and plan not in FOR_ALL_MODES:
                continue
            yield whole_upload(world, mode, plan, sizes)
        yield faults(world, mode)
        yield steps(world, mode)


def bodies_of(name, sizes):
    return {number: body_of(size, f"{name}/{number}") for number, size in sizes.items()}


def upload_all(wire, world, mode, name, sizes, key_on_completion):
    """Uploads the parts backwards, completes, and returns the target, its tag and its bytes."""
    bodies = bodies_of(name, sizes)
    upload = begin(wire, world, mode, name)
    for number, body in reversed(bodies.items()):
        put_part(wire, upload, number, body)
    answer = complete(wire, upload, mode.headers if key_on_completion else {})
    return upload.target, answer.xml().findtext("ETag"), b"".join(bodies.values())


def whole_upload(world, mode, plan, sizes):
    """An upload, and all that can be read of its object."""
    name = f"multipart/{mode.name}/{plan}"
    group = Group(name, lambda wire: upload_all(wire, world, mode, name, sizes, key_on_completion=False))
    total, edges, at = sum(sizes.values()), [], 0
    for size in list(sizes.values())[:-1]:
        at += size
        edges.append(at)
    for method in METHODS:
        for shape, header in interesting(total, edges).items():
            group.add(f"{method}/range-{shape}", ranged(mode, method, header))
        for index in range(1, len(sizes) + 1):
            group.add(f"{method}/part-{index}", part(mode, method, index, list(sizes.values())))
        for number in (len(sizes) + 1, 10000):
            group.add(f"{method}/no-part-{number}", no_part(mode, method, number))
        for fault, (headers, refusal) in locked(mode).items():
            group.add(f"{method}/{fault}", closed(method, headers, refusal))
    group.add("GET/all", lambda wire, made: holds(wire, made[0], mode, made[2], made[1]))
    return group


def interesting(total, edges):
    """All shapes over a small object; over a large one those around its ends and edges."""
    found = shapes(total, edges)
    if total <= 4 * CHUNK:
        return found
    # Whole bodies of megabytes are read once, below; HTTP's odd headers are the business of `reads`.
    kept = {}
    for shape, header in found.items():
        wanted = resolve(header, total)
        if wanted and (wanted == "unsatisfiable" or wanted[1] - wanted[0] < 3 * CHUNK):
            kept[shape] = header
    return kept


def part(mode, method, index, sizes):
    """One part by its place in the object; an empty one has no range."""

    def case(wire, made):
        target, etag, whole = made
        first = sum(sizes[: index - 1])
        body = whole[first : first + sizes[index - 1]]
        answer = get(wire, f"{target}?partNumber={index}", mode, method=method)
        headers = {**told(etag), "x-amz-mp-parts-count": str(len(sizes)), "content-range": None}
        if body:
            headers["content-range"] = f"bytes {first}-{first + len(body) - 1}/{len(whole)}"
        is_answered(answer, 206 if body else 200, mode.read, headers)
        is_body(answer, body, method)

    return case


def no_part(mode, method, number):
    def case(wire, made):
        is_refused(get(wire, f"{made[0]}?partNumber={number}", mode, method=method), NO_PART, method)

    return case


def locked(mode):
    """Headers with which the object does not open."""
    if mode.customer:
        return {"no-key": ({}, NEEDS_KEY), "wrong-key": (STRANGER.headers, WRONG_KEY)}
    return {"key-not-applicable": (STRANGER.headers, NOT_APPLICABLE)}


def closed(method, headers, refusal):
    def case(wire, made):
        for query in ("", "?partNumber=1"):
            is_refused(wire(method, made[0] + query, b"", headers), refusal, method)

    return case


def faults(world, mode):
    """Parts, lists and completions with headers that do not fit the upload. They change nothing."""
    name = f"multipart/{mode.name}/faults"
    body = body_of(CHUNK + 1, name)

    def prepare(wire):
        upload = begin(wire, world, mode, name)
        put_part(wire, upload, 1, body)
        return upload

    group = Group(name, prepare)
    table = {
        f"malformed-{fault}": (changed(mode.headers or KEY_A.headers, c), r) for fault, (c, r) in MALFORMED.items()
    }
    table |= {f"misplaced-{fault}": ({**mode.headers, **headers}, r) for fault, (headers, r) in MISPLACED.items()}
    if mode.customer:
        table["other-key"] = (STRANGER.headers, PART_OTHER)
        group.add("part/no-key", fault(part_of, {}, PART_NEEDS))
    else:
        table["key-not-applicable"] = (STRANGER.headers, PART_NEEDS)
    for what, (headers, refusal) in table.items():
        for step, act in STEPS.items():
            group.add(f"{step}/{what}", fault(act, headers, refusal))
    group.add("still-there", still_there(mode, name, body))
    return group


def part_of(wire, upload, headers):
    return wire("PUT", upload.at("partNumber=1&"), b"replaced?", headers)


STEPS = {
    "part": part_of,
    "part-copy": lambda wire, upload, headers: wire(
        "PUT", upload.at("partNumber=1&"), b"", {"x-amz-copy-source": f"{upload.target}/none", **headers}
    ),
    "list": lambda wire, upload, headers: wire("GET", upload.at(), b"", headers),
    "complete": lambda wire, upload, headers: wire("POST", upload.at(), list_of(upload.parts), headers),
}


def fault(act, headers, refusal):
    def case(wire, upload):
        is_refused(act(wire, upload, headers), refusal)

    return case


def still_there(mode, name, body):
    """After all the faults the upload completes, with the part that it had."""

    def case(wire, upload):
        listed = wire("GET", upload.at(), b"", {}).xml()
        assert [part.findtext("ETag") for part in listed.findall("Part")] == [upload.parts[1]]
        complete(wire, upload)
        holds(wire, upload.target, mode, body)

    return case


def steps(world, mode):
    """The steps of an upload, with the key and without it where it is not needed."""
    name = f"multipart/{mode.name}/steps"
    small = body_of(CHUNK + 1, name)
    group = Group(name)

    def begun(wire, what):
        upload = begin(wire, world, mode, f"{name}/{what}")
        put_part(wire, upload, 1, small)
        return upload

    def completes(key):
        def case(wire, _):
            upload = begun(wire, f"complete-{key}")
            answer = complete(wire, upload, mode.headers if key else {})
            found = holds(wire, upload.target, mode, small, answer.xml().findtext("ETag"))
            assert {header: found.headers[header] for header in META} == META
            again = wire("POST", upload.at(), list_of(upload.parts), mode.headers if key else {})
            is_answered(again, 200, mode.completed)

        return case

    def lists(key):
        def case(wire, _):
            upload = begun(wire, f"list-{key}")
            answer = wire("GET", upload.at(), b"", mode.headers if key else {})
            is_answered(answer, 200, {})
            listed = [
                (part.findtext("PartNumber"), part.findtext("Size"), part.findtext("ETag"))
                for part in answer.xml().findall("Part")
            ]
            assert listed == [("1", str(len(small)), upload.parts[1])], listed

        return case

    def resends(wire, _):
        upload = begun(wire, "resend")
        first = dict(upload.parts)
        put_part(wire, upload, 1, small[::-1])
        put_part(wire, upload, 1, small)
        if mode.opaque:
            assert first != upload.parts, "a tag that says nothing of the bytes came twice"
            is_refused(wire("POST", upload.at(), list_of(first), {}), Refusal(400, "InvalidPart"))
        complete(wire, upload)
        holds(wire, upload.target, mode, small)

    def aborts(wire, _):
        upload = begun(wire, "abort")
        answer = wire("DELETE", upload.at())
        is_answered(answer, 204, {})
        is_refused(wire("GET", upload.at(), b"", mode.headers), Refusal(404, "NoSuchUpload"))
        gone(wire, upload.target, mode)

    def too_small(wire, _):
        """A byte short of five MiB, and not the last."""
        upload = begun(wire, "small")
        put_part(wire, upload, 1, body_of(PART - 1))
        put_part(wire, upload, 2, b"")
        is_refused(wire("POST", upload.at(), list_of(upload.parts), {}), Refusal(400, "EntityTooSmall"))

    def in_chunks(wire, _):
        upload = begin(wire, world, mode, f"{name}/chunks")
        put_part_in_chunks(wire, upload, 1, small)
        complete(wire, upload)
        holds(wire, upload.target, mode, small)

    def conditional(wire, _):
        """The condition of a completion is on the object that it would replace."""
        upload = begun(wire, "condition")
        target, etag = put(wire, world, mode, f"{name}/condition", b"stands")
        for condition in ({"if-none-match": "*"}, {"if-match": '"0123456789abcdef0123456789abcdef"'}):
            is_refused(wire("POST", upload.at(), list_of(upload.parts), condition), PRECONDITION)
            holds(wire, target, mode, b"stands", etag)
        complete(wire, upload, {"if-match": etag})
        holds(wire, target, mode, small)

    for key in (True, False) if mode.customer else (False,):
        group.add(f"complete/{'with' if key else 'without'}-key", completes(key))
        group.add(f"list/{'with' if key else 'without'}-key", lists(key))
    group.add("resend", resends)
    group.add("abort", aborts)
    group.add("too-small", too_small)
    group.add("conditional", conditional)
    group.add("in-chunks", in_chunks)
    return group
