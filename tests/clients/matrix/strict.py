"""Settings that choose the stricter or the older of two behaviours: what they change, and that nothing else does."""

from matrix.forms import send
from matrix.model import MIX, M, Refusal, is_refused
from matrix.modes import CUSTOMER_KEY, GUIDE, KEY_A
from matrix.refusals import LOOKS, STRANGER
from matrix.runner import Group
from matrix.sizes import FEW
from matrix.world import body_of, gone, holds, put

ARGUMENTS = [
    *("--sse-c-with-aes256", "refuse"),
    *("--sse-c-wrong-key-status", "400"),
    *("--get-bucket-encryption-unconfigured", "not-found"),
]
WRONG_KEY = Refusal(400, "InvalidRequest", M["wrong"])


def groups(world, slow):
    yield combination(world)
    yield wrong_key(world)
    yield unconfigured(world)
    for mode in world.modes:
        if mode is not GUIDE:
            yield as_ever(world, mode)


def combination(world):
    """Customer headers beside AES256 are a mix like any other."""
    group = Group("strict/combination", lambda wire: put(wire, world, KEY_A, "strict/source", b"source")[0])
    target = world.target(KEY_A, "strict/new")
    writes = {
        "put": lambda wire, source: wire("PUT", target, b"x", GUIDE.write),
        "create": lambda wire, source: wire("POST", f"{target}?uploads", b"", GUIDE.write),
        "copy": lambda wire, source: wire(
            "PUT", target, b"", {"x-amz-copy-source": source, **KEY_A.source, **GUIDE.write}
        ),
        "form": lambda wire, source: send(wire, world, KEY_A, "strict/new", GUIDE.write, b"x", 4),
        "presigned": lambda wire, source: wire.anonymous()(
            "PUT", wire.presign("PUT", target, headers=GUIDE.write), b"x", GUIDE.write
        ),
    }

    def refused(write):
        def case(wire, source):
            answer = write(wire, source)
            is_refused(answer, MIX)
            assert GUIDE.write[CUSTOMER_KEY].encode() not in answer.body
            gone(wire, target, KEY_A)

        return case

    for write, act in writes.items():
        group.add(write, refused(act))
    return group


def wrong_key(world):
    """The status that the gateway of Ceph has, in every look at an object; the words stay AWS's."""
    group = Group("strict/wrong-key", lambda wire: put(wire, world, KEY_A, "strict/sealed", b"sealed")[0])

    def refused(method, query, headers):
        def case(wire, target):
            answer = wire(method, target + query, b"", {**headers, **STRANGER.headers})
            is_refused(answer, WRONG_KEY, method)

        return case

    for look, how in LOOKS.items():
        group.add(look, refused(*how))
    return group


def unconfigured(world):
    """A bucket without a configuration says so, and takes one."""
    group = Group("strict/unconfigured")
    bucket = f"/{world.bucket(KEY_A)}?encryption"
    not_found = Refusal(404, "ServerSideEncryptionConfigurationNotFoundError")
    group.add("get", lambda wire, _: is_refused(wire("GET", bucket), not_found))
    return group


def as_ever(world, mode):
    name = f"strict/{mode.name}"
    group = Group(name)

    def kept(size):
        def case(wire, _):
            body = body_of(size, name)
            target, etag = put(wire, world, mode, f"{name}/{size}", body)
            holds(wire, target, mode, body, etag)

        return case

    for size in FEW:
        group.add(str(size), kept(size))
    return group
