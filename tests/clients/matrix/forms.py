"""Uploads by HTML form: the fields choose the mode as the headers of a put do, and what they say must be signed."""

import hashlib

from harness.forms import form_body, signed_form
from matrix.key_faults import MALFORMED, MIXED, changed, invalid
from matrix.model import BAD_DIGEST, Refusal, has_headers, is_answered, is_refused
from matrix.modes import CUSTOMER_KEY, KEY_A, SSE
from matrix.runner import Group
from matrix.sizes import FEW, sizes
from matrix.world import b64, body_of, gone, holds, md5, put

EXTRA = Refusal(403, "AccessDenied")
# Fields that say what the object is, beside those of its mode.
TOLD = {"Content-Type": "text/x-form", "x-amz-meta-plan": "secret plans", "Cache-Control": "max-age=60"}


def groups(world, slow):
    for mode in world.modes:
        for size in sizes(mode, slow):
            yield uploads(world, mode, size)
        yield refusals(world, mode)


def send(wire, world, mode, name, fields, body, version, uncovered=()):
    """Posts a form to the bucket of a mode; only its fields say who sends it."""
    bucket = world.bucket(mode)
    signed = signed_form(wire, bucket, {"key": name, **fields}, version=version, uncovered=uncovered)
    encoded, headers = form_body(signed, body)
    return wire.anonymous()("POST", f"/{bucket}", encoded, headers)


def uploads(world, mode, size):
    name = f"form/{mode.name}/{size}"
    body = body_of(size, name)
    group = Group(name)

    def case(version, wanted, status):
        def run(wire, _):
            target = world.target(mode, name)
            fields = {**TOLD, **mode.write, **({"success_action_status": wanted} if wanted else {})}
            answer = send(wire, world, mode, name, fields, body, version)
            is_answered(answer, status, mode.written)
            etag = answer.headers["etag"]
            assert mode.etag_says(etag, md5(body)), etag
            if status == 201:
                told = answer.xml()
                assert (told.tag, told.findtext("Key"), told.findtext("ETag")) == ("PostResponse", name, etag)
            has_headers(holds(wire, target, mode, body, etag), {key.lower(): value for key, value in TOLD.items()})

        return run

    for version in (2, 4):
        group.add(f"v{version}", case(version, None, 204))
        group.add(f"v{version}/status-201", case(version, "201", 201))
    return group


def refusals(world, mode):
    """Fields that are wrong or that nobody signed; what stands under the name stays."""
    name = f"form/{mode.name}/refused"
    group = Group(name, lambda wire: put(wire, world, mode, name, b"stands"))
    table = {f"malformed-{fault}": (changed(KEY_A.headers, c), r) for fault, (c, r) in MALFORMED.items()}
    table |= {f"mixed-{fault}": (changed(KEY_A.headers, c), r) for fault, (c, r) in MIXED.items()}
    table |= {
        "unknown-mode": ({SSE: "AES128"}, invalid()),
        "wrong-md5": ({**mode.write, "Content-MD5": b64(hashlib.md5(b"another").digest())}, BAD_DIGEST),
        "wrong-checksum": ({**mode.write, "x-amz-checksum-crc32": "AAAAAA=="}, BAD_DIGEST),
    }
    for version in (2, 4):
        for fault, (fields, refusal) in table.items():
            group.add(f"v{version}/{fault}", refused(world, mode, name, fields, version, (), refusal))
        for field in KEY_A.headers | {SSE: "AES256", "x-amz-meta-plan": "mine"} | mode.write:
            fields = {**KEY_A.headers, SSE: "AES256", "x-amz-meta-plan": "mine", **mode.write}
            group.add(f"v{version}/unsigned-{field}", refused(world, mode, name, fields, version, (field,), EXTRA))
    return group


def refused(world, mode, name, fields, version, uncovered, refusal):
    def case(wire, made):
        target, etag = made
        for where in (name, f"{name}/new"):
            answer = send(wire, world, mode, where, fields, body_of(FEW[-1], name), version, uncovered)
            is_refused(answer, refusal)
            secret = fields.get(CUSTOMER_KEY)
            assert not secret or secret.encode() not in answer.body, "the customer key stands in the answer"
        holds(wire, target, mode, b"stands", etag)
        gone(wire, world.target(mode, f"{name}/new"), mode)

    return case
