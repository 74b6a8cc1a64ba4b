"""Keys that the server holds: which KMS key a write names, bad choices, and changes of an object in place."""

import base64

from matrix.key_faults import invalid
from matrix.model import Refusal, has_headers, is_answered, is_refused
from matrix.modes import (
    BUCKET_KEY,
    CONTEXT,
    DEFAULT_KEY,
    ENCODED_CONTEXT,
    KMS,
    KMS_KEY_ID,
    KMS_NAMED,
    NAMED_KEY,
    S3,
    SSE,
)
from matrix.runner import Group
from matrix.world import CHUNK, body_of, get, gone, holds, put

DISABLED, DELETED = "matrix-disabled", "matrix-deleted"
NOT_FOUND = Refusal(400, "KMS.NotFoundException")
MALFORMED = Refusal(400, "MalformedXML")
ASKS = {SSE: "aws:kms"}


def groups(world, slow):
    yield choices(world)
    yield bad_choices(world)
    for source in world.modes:
        if source.bucket == "plain":
            yield updates(world, source)


def encoded(text):
    return base64.b64encode(text).decode()


WRITES = {
    "put": lambda wire, target, source, headers: wire("PUT", target, b"new", headers),
    "create": lambda wire, target, source, headers: wire("POST", f"{target}?uploads", b"", headers),
    "copy": lambda wire, target, source, headers: wire("PUT", target, b"", {"x-amz-copy-source": source, **headers}),
}


def choices(world):
    """Each way to name a key, and what answers call it."""
    name = "server-keys/choices"
    group = Group(name, lambda wire: put(wire, world, S3, f"{name}/source", b"new")[0])
    arn = f"arn:aws:kms:us-east-1:000000000000:key/{NAMED_KEY}"
    table = {
        "no-key": ({}, DEFAULT_KEY, False),
        "default-by-name": ({KMS_KEY_ID: DEFAULT_KEY}, DEFAULT_KEY, False),
        "default-by-alias": ({KMS_KEY_ID: f"alias/{DEFAULT_KEY}"}, DEFAULT_KEY, False),
        "named": ({KMS_KEY_ID: NAMED_KEY}, NAMED_KEY, False),
        "named-by-arn": ({KMS_KEY_ID: arn}, NAMED_KEY, False),
        "bucket-key": ({KMS_KEY_ID: NAMED_KEY, BUCKET_KEY: "true"}, NAMED_KEY, True),
        "bucket-key-in-other-case": ({BUCKET_KEY: "True"}, DEFAULT_KEY, True),
        "no-bucket-key": ({BUCKET_KEY: "false"}, DEFAULT_KEY, False),
        "context": ({CONTEXT: ENCODED_CONTEXT}, DEFAULT_KEY, False),
        "empty-context": ({CONTEXT: encoded(b"{}")}, DEFAULT_KEY, False),
        "context-beyond-ascii": ({CONTEXT: encoded('{"ä":"ß"}'.encode())}, DEFAULT_KEY, False),
    }
    for choice, (headers, key_id, bucket_key) in table.items():
        for write, act in WRITES.items():
            told = {**ASKS, KMS_KEY_ID: key_id, **({BUCKET_KEY: "true"} if bucket_key else {})}
            group.add(f"{write}/{choice}", chosen(world, act, f"{name}/{write}/{choice}", headers, told))
    return group


def chosen(world, act, name, headers, told):
    def case(wire, source):
        target = world.target(KMS, name)
        context = {CONTEXT: headers[CONTEXT]} if CONTEXT in headers else {}
        is_answered(act(wire, target, source, {**ASKS, **headers}), 200, {**told, **context})
        if act is not WRITES["create"]:
            answer = wire("GET", target)
            is_answered(answer, 200, told)
            assert answer.body == b"new"

    return case


def bad_choices(world):
    """Refused, and what stands stays. Keys that may not be used any more are asked for at each write."""
    name = "server-keys/bad"

    def prepare(wire):
        source, _ = put(wire, world, S3, f"{name}/source", b"new")
        for key_id in (DISABLED, DELETED):
            world.server.command("kms", "create", key_id)
        world.server.command("kms", "disable", DISABLED)
        world.server.command("kms", "schedule-deletion", DELETED, "--days", "7")
        return source, *put(wire, world, KMS_NAMED, name, b"stands")

    group = Group(name, prepare)
    table = {
        "unknown-key": ({**ASKS, KMS_KEY_ID: "nobody-made-this"}, NOT_FOUND),
        "unknown-key-by-arn": ({**ASKS, KMS_KEY_ID: "arn:aws:kms:us-east-1:000000000000:key/nobody"}, NOT_FOUND),
        "disabled-key": ({**ASKS, KMS_KEY_ID: DISABLED}, Refusal(400, "KMS.DisabledException")),
        "deleted-key": ({**ASKS, KMS_KEY_ID: DELETED}, Refusal(400, "KMS.KMSInvalidStateException")),
        "empty-key-id": ({**ASKS, KMS_KEY_ID: ""}, invalid()),
        "no-key-id": ({**ASKS, KMS_KEY_ID: "a key"}, invalid()),
        "long-key-id": ({**ASKS, KMS_KEY_ID: "k" * 3000}, invalid()),
        "context-not-base64": ({**ASKS, CONTEXT: "{}"}, invalid()),
        "context-not-json": ({**ASKS, CONTEXT: encoded(b"plan")}, invalid()),
        "context-a-list": ({**ASKS, CONTEXT: encoded(b"[]")}, invalid()),
        "context-nested": ({**ASKS, CONTEXT: encoded(b'{"a":{"b":"c"}}')}, invalid()),
        "context-of-numbers": ({**ASKS, CONTEXT: encoded(b'{"a":1}')}, invalid()),
        "context-not-utf-8": ({**ASKS, CONTEXT: encoded(b'{"a":"\xff"}')}, invalid()),
        "context-too-long": ({**ASKS, CONTEXT: encoded(b'{"a":"' + b"x" * 9000 + b'"}')}, invalid()),
        "bucket-key-maybe": ({**ASKS, BUCKET_KEY: "maybe"}, invalid()),
        "key-id-alone": ({KMS_KEY_ID: NAMED_KEY}, invalid()),
        "context-alone": ({CONTEXT: ENCODED_CONTEXT}, invalid()),
        "key-id-for-aes256": ({SSE: "AES256", KMS_KEY_ID: NAMED_KEY}, invalid()),
        "context-for-aes256": ({SSE: "AES256", CONTEXT: ENCODED_CONTEXT}, invalid()),
        "bucket-key-for-aes256": ({SSE: "AES256", BUCKET_KEY: "true"}, invalid()),
        "dsse": ({SSE: "aws:kms:dsse"}, Refusal(501, "NotImplemented")),
        "dsse-with-key-id": ({SSE: "aws:kms:dsse", KMS_KEY_ID: NAMED_KEY}, Refusal(501, "NotImplemented")),
        "mode-in-upper-case": ({SSE: "AWS:KMS"}, invalid()),
    }
    for choice, (headers, refusal) in table.items():
        for write, act in WRITES.items():
            group.add(f"{write}/{choice}", bad_choice(act, headers, refusal))
    return group


def bad_choice(act, headers, refusal):
    def case(wire, made):
        source, target, etag = made
        is_refused(act(wire, target, source, headers), refusal)
        holds(wire, target, KMS_NAMED, b"stands", etag)

    return case


UPDATES = {
    "sse-s3": ("<SSE-S3/>", S3.read),
    "kms": ("<SSE-KMS/>", KMS.read),
    "kms-named": (
        f"<SSE-KMS><BucketKeyEnabled>true</BucketKeyEnabled><KMSKeyArn>{NAMED_KEY}</KMSKeyArn></SSE-KMS>",
        KMS_NAMED.read,
    ),
}


def updates(world, source):
    """UpdateObjectEncryption: another server-held key in place; nothing else of the object changes."""
    name = f"server-keys/updated/{source.name}"
    group = Group(name)

    def update(wire, target, inner):
        return wire("PUT", f"{target}?encryption", f"<ObjectEncryption>{inner}</ObjectEncryption>".encode())

    def updated(inner, read, size):
        def case(wire, _):
            body = body_of(size, name)
            target, etag = put(wire, world, source, f"{name}/{size}", body)
            date = get(wire, target, source, method="HEAD").headers["last-modified"]
            answer = update(wire, target, inner)
            if source.customer:
                is_refused(answer, Refusal(400, "InvalidRequest"))
                holds(wire, target, source, body, etag)
                return
            is_answered(answer, 200, {})
            found = wire("GET", target)
            is_answered(found, 200, read, {"etag": etag, "last-modified": date})
            assert found.body == body
            has_headers(found, {"x-amz-meta-plan": "secret plans"})

        return case

    def refused(inner, refusal):
        def case(wire, _):
            target, etag = put(wire, world, source, f"{name}/refused", b"stays")
            is_refused(update(wire, target, inner), refusal)
            holds(wire, target, source, b"stays", etag)

        return case

    for what, (inner, read) in UPDATES.items():
        for size in (0, 1, CHUNK + 1):
            group.add(f"{what}/{size}", updated(inner, read, size))
    for what, inner in {"nothing": "", "customer": "<SSE-C/>", "both": "<SSE-S3/><SSE-KMS/>"}.items():
        group.add(f"refused/{what}", refused(inner, MALFORMED))
    if not source.customer:
        unknown = "<SSE-KMS><KMSKeyArn>nobody-made-this</KMSKeyArn></SSE-KMS>"
        group.add("refused/unknown-key", refused(unknown, NOT_FOUND))

    def missing(wire, _):
        target = world.target(source, f"{name}/missing")
        is_refused(update(wire, target, "<SSE-S3/>"), Refusal(404, "NoSuchKey"))
        gone(wire, target, source)

    group.add("missing", missing)
    return group
