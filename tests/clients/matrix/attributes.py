"""GetObjectAttributes: what it tells of an object in each mode, and that it needs the key like a read."""

from matrix.checksums import ALGORITHMS, TYPES, checksum, element_of, header_of
from matrix.model import is_answered, is_refused
from matrix.refusals import faults
from matrix.runner import Group
from matrix.sizes import sizes
from matrix.uploads import begin, complete, put_part
from matrix.world import CHUNK, PART, body_of, put

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
ASKED = "x-amz-object-attributes"
PARTS = {2: PART, 7: CHUNK + 1}


def groups(world, slow):
    for mode in world.modes:
        for size in sizes(mode, slow):
            yield single(world, mode, size)
        yield in_parts(world, mode)


def ask(wire, target, headers, attributes):
    return wire("GET", f"{target}?attributes", b"", {ASKED: ",".join(attributes), **headers})


def fields_of(answer):
    """The document, flat: each element that has no children, by its path."""
    result = answer.xml()
    assert result.tag == "GetObjectAttributesResponse", answer.body

    def walk(element, path):
        children = list(element)
        if not children:
            yield path, element.text or ""
        for child in children:
            yield from walk(child, f"{path}/{child.tag}" if path else child.tag)

    found = {}
    for path, text in walk(result, ""):
        if path:
            found.setdefault(path, []).append(text)
    return found


def tells(mode, attributes, expected):
    """Exactly these attributes, and nothing of encryption."""

    def case(wire, made):
        target, etag = made
        answer = ask(wire, target, mode.headers, attributes)
        is_answered(answer, 200, {})
        assert answer.headers["last-modified"], "no Last-Modified"
        wanted = {**expected}
        if "ETag" in attributes:
            wanted["ETag"] = [etag.strip('"')]
        assert fields_of(answer) == wanted, (fields_of(answer), wanted)

    return case


def single(world, mode, size):
    name = f"attributes/{mode.name}/{size}"
    body = body_of(size, "checksum")
    group = Group(name, lambda wire: put(wire, world, mode, name, body))
    facts = {"StorageClass": ["STANDARD"], "ObjectSize": [str(size)]}
    group.add("all", tells(mode, ALL, facts))
    for attribute in ALL:
        group.add(attribute, tells(mode, [attribute], {n: v for n, v in facts.items() if n == attribute}))
    if size == CHUNK + 1:
        for fault, (headers, refusal) in faults(mode).items():
            group.add(f"refused/{fault}", refused(headers, refusal))
        for algorithm in ALGORITHMS:
            group.add(f"checksum/{algorithm}", with_checksum(world, mode, f"{name}/{algorithm}", body, algorithm))
    return group


def refused(headers, refusal):
    def case(wire, made):
        is_refused(ask(wire, made[0], headers, ALL), refusal)

    return case


def with_checksum(world, mode, name, body, algorithm):
    value = checksum(algorithm, body)

    def case(wire, _):
        target = world.target(mode, name)
        answer = wire("PUT", target, body, {**mode.write, header_of(algorithm): value})
        expected = {f"Checksum/{element_of(algorithm)}": [value], "Checksum/ChecksumType": ["FULL_OBJECT"]}
        tells(mode, ["ETag", "Checksum"], expected)(wire, (target, answer.headers["etag"]))

    return case


def in_parts(world, mode):
    """An object in parts tells how many there are, and their sizes in order; the checksums of parts are not kept."""
    name = f"attributes/{mode.name}/parts"
    group = Group(name)
    for algorithm in [None, "CRC32", "SHA256"]:
        for kind in TYPES[algorithm] if algorithm else [None]:
            group.add(f"{algorithm}/{kind}", uploaded(world, mode, f"{name}/{algorithm}/{kind}", algorithm, kind))
    return group


def uploaded(world, mode, name, algorithm, kind):
    bodies = {number: body_of(size, f"checksum/{number}") for number, size in PARTS.items()}

    def case(wire, _):
        asked = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind} if algorithm else {}
        upload = begin(wire, world, mode, name, asked)
        for number, body in bodies.items():
            put_part(wire, upload, number, body, {header_of(algorithm): checksum(algorithm, body)} if algorithm else {})
        etag = complete(wire, upload, mode.headers).xml().findtext("ETag")
        answer = ask(wire, upload.target, mode.headers, ALL)
        is_answered(answer, 200, {})
        found = fields_of(answer)
        assert found["ETag"] == [etag.strip('"')], found
        assert found["ObjectSize"] == [str(sum(PARTS.values()))], found
        assert found["ObjectParts/PartsCount"] == [str(len(PARTS))], found
        assert found["ObjectParts/Part/PartNumber"] == ["1", "2"], found
        assert found["ObjectParts/Part/Size"] == [str(len(body)) for body in bodies.values()], found
        assert found.get("Checksum/ChecksumType") == ([kind] if kind else None), found

    return case
