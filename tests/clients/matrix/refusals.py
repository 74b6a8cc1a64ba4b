"""Reads that must not succeed: a wrong key, no key, a key where none belongs, and headers that are no key."""

from harness.content import customer_headers
from matrix.key_faults import MALFORMED, MISPLACED, changed
from matrix.model import NEEDS_KEY, NO_KEY, NOT_APPLICABLE, WRONG_KEY, Refusal, is_refused
from matrix.modes import CUSTOMER_KEY, KEY_A, sse_c
from matrix.runner import Group
from matrix.sizes import FEW
from matrix.world import body_of, get, holds, put

SELECT, NO_SELECT = "select&select-type=2", Refusal(501, "NotImplemented")
STRANGER = sse_c("stranger", "stranger")

# Every way to look at an object: method, query, headers.
LOOKS = {
    "get": ("GET", "", {}),
    "head": ("HEAD", "", {}),
    "get-range": ("GET", "", {"range": "bytes=0-0"}),
    "head-range": ("HEAD", "", {"range": "bytes=0-0"}),
    "get-beyond": ("GET", "", {"range": "bytes=999999999-"}),
    "get-part": ("GET", "?partNumber=1", {}),
    "get-no-such-part": ("GET", "?partNumber=9", {}),
    "head-part": ("HEAD", "?partNumber=1", {}),
    "get-unless-other": ("GET", "", {"if-match": '"0123456789abcdef0123456789abcdef"'}),
    "get-if-none-match-any": ("GET", "", {"if-none-match": "*"}),
    "head-if-none-match-any": ("HEAD", "", {"if-none-match": "*"}),
}


def groups(world, slow):
    for mode in world.modes:
        for size in FEW if slow else (0, FEW[-1]):
            yield refusals(world, mode, size)
        yield missing(world, mode)


def refusals(world, mode, size):
    name = f"refuse/{mode.name}/{size}"
    body = body_of(size, name)
    group = Group(name, lambda wire: put(wire, world, mode, name, body)[0])
    for look, (method, query, headers) in LOOKS.items():
        for fault, (keys, refusal) in faults(mode).items():
            group.add(f"{look}/{fault}", refused(method, query, {**headers, **keys}, refusal))
    group.add(
        "select", lambda wire, target: is_refused(wire("POST", f"{target}?{SELECT}", b"<x/>", mode.headers), NO_SELECT)
    )
    group.add("still-there", lambda wire, target: holds(wire, target, mode, body))
    return group


def faults(mode):
    """Headers with which this object does not open."""
    stranger = STRANGER.headers
    trio = mode.headers or {name.lower(): value for name, value in customer_headers(b"k" * 32).items()}
    found = {f"malformed-{name}": (changed(trio, changes), refusal) for name, (changes, refusal) in MALFORMED.items()}
    for name, (headers, refusal) in MISPLACED.items():
        found[f"misplaced-{name}"] = ({**mode.headers, **headers}, refusal)
    if mode.customer:
        found["no-key"] = ({}, NEEDS_KEY)
        found["wrong-key"] = (stranger, WRONG_KEY)
        other = KEY_A if mode.raw_key != KEY_A.raw_key else sse_c("b", "b")
        found["key-of-another-object"] = (other.headers, WRONG_KEY)
    else:
        found["key-not-applicable"] = (stranger, NOT_APPLICABLE)
        found["key-a-not-applicable"] = (KEY_A.headers, NOT_APPLICABLE)
    return found


def refused(method, query, headers, refusal):
    def case(wire, target):
        answer = wire(method, target + query, b"", headers)
        is_refused(answer, refusal, method)
        secret = headers.get(CUSTOMER_KEY)
        assert not secret or secret.encode() not in answer.body, "the customer key stands in the answer"

    return case


def missing(world, mode):
    """An object that is not there is missing under any key, and after a deletion, which needs none."""
    name = f"refuse/{mode.name}/missing"
    target = world.target(mode, name)
    group = Group(name)
    keys = {"no-key": {}, "its-key": mode.headers, "another-key": STRANGER.headers}
    for key, headers in keys.items():
        for look, (method, query, more) in LOOKS.items():
            group.add(f"{look}/{key}", lambda wire, _, how=(method, query, {**more, **headers}): absent(wire, *how))

    def absent(wire, method, query, headers):
        is_refused(wire(method, target + query, b"", headers), NO_KEY, method)

    def deleted(wire, headers):
        there, _ = put(wire, world, mode, f"{name}/deleted", b"x")
        for _ in range(2):
            answer = wire("DELETE", there, b"", headers)
            assert answer.status == 204 and answer.body == b"", answer.status
        is_refused(get(wire, there, mode), NO_KEY)

    group.add("delete/no-key", lambda wire, _: deleted(wire, {}))
    return group
