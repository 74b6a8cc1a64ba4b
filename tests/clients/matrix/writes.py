"""Writes: every mode at every size in every encoding of a body, conditions, and headers that must be refused."""

import hashlib

from harness.signing import v4_chunked
from matrix import key_faults
from matrix.key_faults import MALFORMED, MIXED, changed
from matrix.model import BAD_DIGEST, NO_KEY, PRECONDITION, Refusal, is_answered, is_refused
from matrix.modes import CUSTOMER_KEY, KEY_A
from matrix.runner import Group
from matrix.sizes import FEW, sizes
from matrix.world import CHUNK, META, b64, body_of, gone, holds, md5, put

OTHER_TAG = '"0123456789abcdef0123456789abcdef"'
OTHER_MD5 = b64(hashlib.md5(b"another body").digest())


def groups(world, slow):
    for mode in world.modes:
        for size in sizes(mode, slow):
            yield encodings(world, mode, size)
        for size in FEW:
            yield conditions(world, mode, size)
        yield bad_headers(world, mode)
        yield listed(world, mode)
        yield names(world, mode)


def encodings(world, mode, size):
    """The same bytes, sent in each way that a body can come."""
    name = f"write/{mode.name}/{size}"
    body = body_of(size, name)
    group = Group(name)

    def way(send):
        def case(wire, _):
            target = world.target(mode, name)
            answer = send(wire, target, {**META, **mode.write})
            is_answered(answer, 200, mode.written)
            assert answer.body == b"" and mode.etag_says(answer.headers["etag"], md5(body)), answer.headers["etag"]
            holds(wire, target, mode, body, answer.headers["etag"])

        return case

    right = b64(hashlib.md5(body).digest())
    ways = {
        "signed": lambda wire, target, headers: wire("PUT", target, body, headers),
        "unsigned": lambda wire, target, headers: wire("PUT", target, body, headers, payload_hash="UNSIGNED-PAYLOAD"),
        "v2": lambda wire, target, headers: wire.as_version(2)("PUT", target, body, headers),
        "md5": lambda wire, target, headers: wire("PUT", target, body, {**headers, "content-md5": right}),
        "chunks": lambda wire, target, headers: v4_chunked(wire, "PUT", target, body, headers=headers),
        "small-chunks": lambda wire, target, headers: v4_chunked(
            wire, "PUT", target, body, headers=headers, chunk=max(8192, size // 7)
        ),
    }
    for encoding, send in ways.items():
        group.add(encoding, way(send))
    group.add("same-bytes-twice", lambda wire, _: twice(wire, world, mode, name, body))
    group.add("wrong-md5", lambda wire, _: wrong_digest(wire, world, mode, name, body, {"content-md5": OTHER_MD5}))
    return group


def twice(wire, world, mode, name, body):
    """The tag of equal bytes is equal only where it is an MD5."""
    tags = {put(wire, world, mode, f"{name}/{number}", body)[1] for number in (1, 2)}
    assert len(tags) == (2 if mode.opaque else 1), tags


def wrong_digest(wire, world, mode, name, body, headers):
    """A claim that does not hold stores nothing: what was there before is there still."""
    target, etag = put(wire, world, mode, f"{name}/before", b"before")
    is_refused(wire("PUT", target, body, {**mode.write, **headers}), BAD_DIGEST)
    holds(wire, target, mode, b"before", etag)


def conditions(world, mode, size):
    """Conditional puts; the object that stands is another mode's in half of the cases."""
    name = f"conditional/{mode.name}/{size}"
    body = body_of(size, name)
    group = Group(name)

    def over(old_mode, headers, refusal):
        def case(wire, _):
            target, etag = put(wire, world, old_mode, name, b"old")
            wanted = {key: value.replace("ETAG", etag) for key, value in headers.items()}
            answer = wire("PUT", target, body, {**mode.write, **wanted})
            if refusal:
                is_refused(answer, refusal)
                holds(wire, target, old_mode, b"old", etag)
            else:
                is_answered(answer, 200, mode.written)
                holds(wire, target, mode, body, answer.headers["etag"])

        return case

    def over_nothing(headers, refusal):
        def case(wire, _):
            target = world.target(mode, f"{name}/nothing")
            wire("DELETE", target)
            answer = wire("PUT", target, body, {**mode.write, **headers})
            if refusal:
                is_refused(answer, refusal)
                gone(wire, target, mode)
            else:
                is_answered(answer, 200, mode.written)
                holds(wire, target, mode, body)

        return case

    table = {
        "if-none-match": ({"if-none-match": "*"}, PRECONDITION, None),
        "if-match": ({"if-match": "ETAG"}, None, None),
        "if-match-other": ({"if-match": OTHER_TAG}, PRECONDITION, NO_KEY),
        "if-none-match-tag": ({"if-none-match": OTHER_TAG}, Refusal(501, "NotImplemented"), None),
    }
    olds = [mode, *(old for old in world.modes if old.bucket == mode.bucket and old.customer != mode.customer)][:2]
    for condition, (headers, over_one, over_none) in table.items():
        for old in olds:
            group.add(f"{condition}/over-{old.name}", over(old, headers, over_one))
        if condition in ("if-none-match", "if-match-other"):
            group.add(f"{condition}/over-nothing", over_nothing(headers, over_none))
    return group


def listed(world, mode):
    """Listings tell sizes and tags, the same as reads, in each mode; a deletion of many needs no key."""
    prefix = f"listed/{mode.name}/"

    def prepare(wire):
        return {f"{prefix}{size}": put(wire, world, mode, f"{prefix}{size}", body_of(size, prefix)) for size in FEW}

    def shown(version):
        def case(wire, made):
            answer = wire("GET", f"/{world.bucket(mode)}?{version}prefix={prefix}")
            is_answered(answer, 200, {})
            found = {
                entry.findtext("Key"): (entry.findtext("ETag"), int(entry.findtext("Size")))
                for entry in answer.xml().findall("Contents")
            }
            assert found == {name: (etag, int(name.removeprefix(prefix))) for name, (_, etag) in made.items()}, found

        return case

    def deleted(wire, made):
        entries = "".join(f"<Object><Key>{name}</Key></Object>" for name in made)
        document = f"<Delete>{entries}</Delete>".encode()
        claim = {"content-md5": b64(hashlib.md5(document).digest())}
        is_answered(wire("POST", f"/{world.bucket(mode)}?delete", document, claim), 200, {})
        for target, _ in made.values():
            gone(wire, target, mode)

    group = Group(f"listed/{mode.name}", prepare)
    group.add("v1", shown(""))
    group.add("v2", shown("list-type=2&"))
    group.add("deleted", deleted)
    return group


# The key of an object is bound to its name: names that a path, a header or an XML document may spell in two ways.
NAMES = {
    "blank-and-plus": "a b+c",
    "percent": "100%25",
    "question": "a?b=c&d#e",
    "beyond-ascii": "ünï/cödé 你",
    "slashes": "a//b/",
    "dots": "../a/./b",
    "quotes": "~'()!*\"<>&",
    "longest": "x" * 1024,
}


def names(world, mode):
    """Written, read, copied to another such name, deleted."""
    group = Group(f"names/{mode.name}")

    def case(name, to):
        def run(wire, _):
            body = body_of(CHUNK + 1, name)
            target, etag = put(wire, world, mode, name, body)
            holds(wire, target, mode, body, etag)
            other = world.target(mode, to)
            copied = wire("PUT", other, b"", {"x-amz-copy-source": target, **mode.source, **mode.write})
            is_answered(copied, 200, mode.written)
            holds(wire, other, mode, body)
            assert wire("DELETE", target).status == 204
            gone(wire, target, mode)
            holds(wire, other, mode, body)

        return run

    # Modes share buckets, and run side by side. The longest name stays as long as a name can be.
    ordered = [(what, f"{mode.name}/{name}"[:1024]) for what, name in NAMES.items()]
    for at, (what, name) in enumerate(ordered):
        group.add(what, case(name, ordered[at - 1][1]))
    return group


def bad_headers(world, mode):
    """A write whose headers name no mode is refused, and what stands in its place stays, in its mode."""
    name = f"bad/{mode.name}"
    group = Group(name, lambda wire: put(wire, world, mode, name, b"stands"))
    trio = KEY_A.headers
    faults = {
        f"malformed-{fault}": (changed(trio, changes), refusal) for fault, (changes, refusal) in MALFORMED.items()
    }
    faults |= {f"mixed-{fault}": (changed(trio, changes), refusal) for fault, (changes, refusal) in MIXED.items()}
    faults |= {
        "unknown-mode": ({key_faults.SSE: "AES128"}, key_faults.invalid()),
        "mode-in-lower-case": ({key_faults.SSE: "aes256"}, key_faults.invalid()),
        "empty-mode": ({key_faults.SSE: ""}, key_faults.invalid()),
        "dsse": ({key_faults.SSE: "aws:kms:dsse"}, Refusal(501, "NotImplemented")),
        "key-id-for-aes256": ({key_faults.SSE: "AES256", key_faults.KMS_KEY_ID: "k"}, key_faults.invalid()),
    }
    for fault, (headers, refusal) in faults.items():
        for operation, act in OPERATIONS.items():
            group.add(f"{operation}/{fault}", bad(mode, act, headers, refusal))
    return group


OPERATIONS = {
    "put": lambda wire, target, headers: wire("PUT", target, b"new", headers),
    "create": lambda wire, target, headers: wire("POST", f"{target}?uploads", b"", headers),
    "copy": lambda wire, target, headers: wire("PUT", target, b"", {"x-amz-copy-source": target, **headers}),
}


def bad(mode, act, headers, refusal):
    def case(wire, made):
        target, etag = made
        answer = act(wire, target, {**mode.source, **headers} if act is OPERATIONS["copy"] else headers)
        is_refused(answer, refusal)
        secret = headers.get(CUSTOMER_KEY)
        assert not secret or secret.encode() not in answer.body, "the customer key stands in the answer"
        holds(wire, target, mode, b"stands", etag)

    return case
