"""What a bucket says of encryption: its default, what overrides it, what it blocks, and the document that says so."""

from matrix.key_faults import invalid
from matrix.model import Refusal, is_answered, is_refused
from matrix.modes import (
    BUCKET_KEY,
    DEFAULT_KMS,
    DEFAULT_KMS_NAMED,
    DEFAULT_S3,
    KEY_A,
    NAMED_KEY,
    S3,
    SSE,
    configuration,
)
from matrix.runner import Group
from matrix.server_keys import MALFORMED, WRITES
from matrix.uploads import begin, complete, put_part
from matrix.world import holds, put

BLOCKED = Refusal(403, "AccessDenied")


def groups(world, slow):
    yield overrides(world)
    yield blocked(world)
    yield documents(world)
    yield changes(world)


def overrides(world):
    """What a request asks for comes before what its bucket does by itself, and a header may ask for a bucket key."""
    name = "bucket-encryption/overrides"
    group = Group(name)
    defaults = [mode for mode in world.modes if mode.bucket != "plain"]
    for default in defaults:
        for mode in (mode for mode in world.modes if mode.write):
            group.add(f"{default.name}/{mode.name}", overriding(world, default, mode, f"{name}/{mode.name}"))
        if default.read[SSE] == "aws:kms":
            for value in ("true", "false"):
                group.add(f"{default.name}/bucket-key-{value}", with_bucket_key(world, default, name, value))
    return group


def overriding(world, default, mode, name):
    def case(wire, _):
        target, etag = put(wire, world, mode, name, b"asked", bucket=world.bucket(default))
        holds(wire, target, mode, b"asked", etag)

    return case


def with_bucket_key(world, default, name, value):
    def case(wire, _):
        target = world.target(default, f"{name}/bucket-key")
        told = {header: text for header, text in default.read.items() if header != BUCKET_KEY}
        told |= {BUCKET_KEY: "true"} if value == "true" else {}
        is_answered(wire("PUT", target, b"asked", {BUCKET_KEY: value}), 200, told)
        is_answered(wire("GET", target), 200, told)

    return case


def rule(*inner):
    return (
        f"<ServerSideEncryptionConfiguration><Rule>{''.join(inner)}</Rule></ServerSideEncryptionConfiguration>".encode()
    )


def blocks(kind):
    return f"<BlockedEncryptionTypes><EncryptionType>{kind}</EncryptionType></BlockedEncryptionTypes>"


def blocked(world):
    """A bucket that takes no customer keys: nothing is written with one, and what is there is read as ever."""
    name = "bucket-encryption/blocked"
    bucket = f"{world.name}-blocked"

    def prepare(wire):
        assert wire("PUT", f"/{bucket}").status == 200
        target, etag = put(wire, world, KEY_A, f"{name}/before", b"before", bucket=bucket)
        upload = wire("POST", f"/{bucket}/upload?uploads", b"", KEY_A.headers).xml().findtext("UploadId")
        assert wire("PUT", f"/{bucket}?encryption", rule(blocks("SSE-C"))).status == 200
        return target, etag, upload

    group = Group(name, prepare)

    def refused(act, headers):
        def case(wire, made):
            to = f"/{bucket}/new"
            is_refused(act(wire, to, made[0], headers), BLOCKED)
            assert wire("GET", to, b"", KEY_A.headers).status == 404

        return case

    for write, act in WRITES.items():
        source = KEY_A.source if write == "copy" else {}
        group.add(f"{write}/refused", refused(act, {**KEY_A.write, **source}))
        group.add(f"{write}/refused-as-guide", refused(act, {**KEY_A.write, SSE: "AES256", **source}))
    part = lambda wire, made: wire("PUT", f"/{bucket}/upload?partNumber=1&uploadId={made[2]}", b"x", KEY_A.headers)
    group.add("part/refused", lambda wire, made: is_refused(part(wire, made), BLOCKED))
    group.add("read", lambda wire, made: holds(wire, made[0], KEY_A, b"before", made[1]))
    copied = lambda wire, made: wire(
        "PUT", f"/{bucket}/copied", b"", {"x-amz-copy-source": made[0], **KEY_A.source, **S3.write}
    )
    group.add("copied-away", lambda wire, made: is_answered(copied(wire, made), 200, S3.written))

    def unblocked(wire, made):
        assert wire("PUT", f"/{bucket}?encryption", rule(blocks("NONE"))).status == 200
        put(wire, world, KEY_A, f"{name}/after", b"after", bucket=bucket)

    group.add("unblocked", unblocked)
    return group


def documents(world):
    """The configuration of a bucket: what is put is got, and what is none is refused."""
    name = "bucket-encryption/documents"
    bucket = f"/{world.name}-documents"

    def prepare(wire):
        assert wire("PUT", bucket).status == 200

    group = Group(name, prepare)
    put_it = lambda wire, document: wire("PUT", f"{bucket}?encryption", document)

    def algorithm_of(wire):
        answer = wire("GET", f"{bucket}?encryption")
        is_answered(answer, 200, {})
        default = answer.xml().find("Rule/ApplyServerSideEncryptionByDefault")
        return default.findtext("SSEAlgorithm"), default.findtext("KMSMasterKeyID")

    def unconfigured(wire, _):
        for _ in range(2):
            is_answered(wire("DELETE", f"{bucket}?encryption"), 204, {})
        assert algorithm_of(wire) == ("AES256", None)

    def configured(default, expected):
        def case(wire, _):
            is_answered(put_it(wire, configuration(default)), 200, {})
            assert algorithm_of(wire) == expected

        return case

    def malformed(document, refusal):
        def case(wire, _):
            is_answered(put_it(wire, configuration("default-kms-named")), 200, {})
            is_refused(put_it(wire, document), refusal)
            assert algorithm_of(wire) == ("aws:kms", NAMED_KEY)

        return case

    group.add("unconfigured", unconfigured)
    for default, expected in {
        "default-s3": ("AES256", None),
        "default-kms": ("aws:kms", None),
        "default-kms-named": ("aws:kms", NAMED_KEY),
    }.items():
        group.add(default, configured(default, expected))
    by_default = lambda *inner: (
        f"<ApplyServerSideEncryptionByDefault>{''.join(inner)}</ApplyServerSideEncryptionByDefault>"
    )
    aes256, key_id = "<SSEAlgorithm>AES256</SSEAlgorithm>", f"<KMSMasterKeyID>{NAMED_KEY}</KMSMasterKeyID>"
    one = rule(by_default(aes256))
    for what, (document, refusal) in {
        "empty": (b"", MALFORMED),
        "no-rule": (b"<ServerSideEncryptionConfiguration/>", MALFORMED),
        "two-rules": (one.replace(b"</Rule>", b"</Rule><Rule></Rule>"), MALFORMED),
        "customer-key": (rule(by_default("<SSEAlgorithm>SSE-C</SSEAlgorithm>")), MALFORMED),
        "key-id-for-aes256": (rule(by_default(aes256, key_id)), invalid()),
        "blocks-all": (rule(by_default(aes256), blocks("SSE-S3")), MALFORMED),
        "cut": (one[:-5], MALFORMED),
    }.items():
        group.add(f"refused/{what}", malformed(document, refusal))
    return group


def changes(world):
    """A default counts from then on: what was begun or written before keeps its mode."""
    name = "bucket-encryption/changes"
    bucket = f"/{world.name}-changes"

    def prepare(wire):
        assert wire("PUT", bucket).status == 200

    group = Group(name, prepare)
    defaults = [DEFAULT_S3, DEFAULT_KMS, DEFAULT_KMS_NAMED]
    for before in defaults:
        for after in defaults:
            if before is not after:
                pair = f"{before.name}/{after.name}"
                group.add(f"{pair}/object", kept(bucket, before, after, f"{bucket}/{pair}/object"))
                group.add(f"{pair}/upload", begun(world, bucket, before, after, f"{bucket}/{pair}/upload"))
    return group


def set_default(wire, bucket, mode):
    is_answered(wire("PUT", f"{bucket}?encryption", configuration(mode.bucket)), 200, {})


def kept(bucket, before, after, target):
    def case(wire, _):
        for mode, at in ((before, f"{target}/before"), (after, f"{target}/after")):
            set_default(wire, bucket, mode)
            is_answered(wire("PUT", at, b"x"), 200, mode.written)
        holds(wire, f"{target}/before", before, b"x")
        holds(wire, f"{target}/after", after, b"x")

    return case


def begun(world, bucket, before, after, target):
    def case(wire, _):
        set_default(wire, bucket, before)
        upload = begin(wire, world, before, None, target=target)
        set_default(wire, bucket, after)
        put_part(wire, upload, 1, b"x")
        complete(wire, upload)
        holds(wire, target, before, b"x")

    return case
