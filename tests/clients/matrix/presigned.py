"""Presigned requests: which headers a signature must cover, for every mode, in both versions.

Version 4 must cover the customer algorithm; the key and its MD5 may be left to whoever uses the URL, or be pinned. Any
other header of ours that it does not cover is refused. Version 2 covers all of them by its definition.
"""

from urllib.parse import urlencode

from matrix.model import NEEDS_KEY, NOT_APPLICABLE, WRONG_KEY, Refusal, is_answered, is_body, is_refused
from matrix.modes import ALGORITHM, BUCKET_KEY, CONTEXT, CUSTOMER_KEY, CUSTOMER_MD5, KEY_A, KMS_KEY_ID, SSE
from matrix.refusals import STRANGER
from matrix.runner import Group
from matrix.uploads import begin, complete, has_part_tag
from matrix.world import CHUNK, body_of, gone, holds, md5, put

NOT_SIGNED = Refusal(403, "AccessDenied", "There were headers present in the request which were not signed")
NO_MATCH = Refusal(403, "SignatureDoesNotMatch")
KEY_HEADERS = (CUSTOMER_KEY, CUSTOMER_MD5)

# Headers that would change what is stored, said by someone who has no more than the URL.
UNSIGNED = {
    SSE: "AES256",
    f"{SSE} ": "aws:kms",
    KMS_KEY_ID: "k",
    CONTEXT: "e30=",
    BUCKET_KEY: "true",
    "x-amz-meta-plan": "mine",
    "x-amz-acl": "public-read",
    "x-amz-copy-source": "/other/object",
    "x-amz-metadata-directive": "REPLACE",
    "x-amz-storage-class": "STANDARD",
    "x-amz-tagging": "a=b",
    "x-amz-checksum-crc32": "AAAAAA==",
    "x-amz-checksum-algorithm": "CRC32",
    "x-amz-website-redirect-location": "/x",
    "x-amz-object-lock-mode": "COMPLIANCE",
    "x-amz-never-heard-of": "1",
    **STRANGER.source,
}


def groups(world, slow):
    for mode in world.modes:
        yield uploads(world, mode)
        yield downloads(world, mode)
        yield parts(world, mode)


def presign(wire, version, method, target, signed):
    """A target that was signed with these headers."""
    return (
        wire.presign_v2(method, target, headers=signed)
        if version == 2
        else wire.presign(method, target, headers=signed)
    )


def signings(mode_headers):
    """What to sign, what to send, and the refusal, of both versions."""
    rows = {
        "v2/signed": (2, mode_headers, mode_headers, None),
        "v4/signed": (4, mode_headers, mode_headers, None),
        "v4/hints-unsigned": (4, mode_headers, {**mode_headers, "x-amz-user-agent": "x"}, None),
    }
    for header in mode_headers:
        rest = {name: value for name, value in mode_headers.items() if name != header}
        rows[f"v2/unsigned-{header}"] = (2, rest, mode_headers, NO_MATCH)
        rows[f"v2/missing-{header}"] = (2, mode_headers, rest, NO_MATCH)
        if header not in KEY_HEADERS:
            rows[f"v4/unsigned-{header}"] = (4, rest, mode_headers, NOT_SIGNED)
    if ALGORITHM in mode_headers:
        without = lambda *names: {name: value for name, value in mode_headers.items() if name not in names}
        rows["v4/key-and-md5-unsigned"] = (4, without(*KEY_HEADERS), mode_headers, None)
        rows["v4/key-unsigned"] = (4, without(CUSTOMER_KEY), mode_headers, None)
        rows["v4/md5-unsigned"] = (4, without(CUSTOMER_MD5), mode_headers, None)
        rows["v4/all-unsigned"] = (4, {}, mode_headers, NOT_SIGNED)
        rows["v4/pinned-by-md5"] = (4, without(CUSTOMER_KEY), {**mode_headers, **STRANGER.headers}, NO_MATCH)
        rows["v4/pinned-by-key"] = (4, without(CUSTOMER_MD5), {**mode_headers, **STRANGER.headers}, NO_MATCH)
    return rows


def uploads(world, mode):
    name = f"presigned/{mode.name}/put"
    body = body_of(CHUNK + 1, name)
    group = Group(name)
    for signing, (version, signed, sent, refusal) in signings(mode.write).items():
        group.add(signing, upload(world, mode, f"{name}/{signing}", body, version, signed, sent, refusal))
    for header, value in UNSIGNED.items():
        header = header.strip()
        for version, refusal in ((4, NOT_SIGNED), (2, NO_MATCH)):
            if header in mode.write:
                continue
            sent = {**mode.write, header: value}
            case = upload(world, mode, f"{name}/stranger", body, version, mode.write, sent, refusal)
            group.add(f"v{version}/stranger-adds-{header}-{value}", case)
    for version in (2, 4):
        group.add(f"v{version}/hoisted-key", hoisted(world, mode, version, KEY_A.headers, {400}))
        group.add(f"v{version}/hoisted-mode", hoisted(world, mode, version, {SSE: "AES256"}, {403, 501}))
    return group


def upload(world, mode, name, body, version, signed, sent, refusal):
    def case(wire, _):
        target = world.target(mode, name)
        answer = wire.anonymous()("PUT", presign(wire, version, "PUT", target, signed), body, sent)
        if refusal:
            is_refused(answer, refusal)
            gone(wire, target, mode)
        else:
            is_answered(answer, 200, mode.written)
            assert mode.etag_says(answer.headers["etag"], md5(body)), answer.headers["etag"]
            holds(wire, target, mode, body)

    return case


def hoisted(world, mode, version, headers, statuses):
    """Headers in the query: a key is refused because URLs are logged, and nothing is passed over in silence."""

    def case(wire, _):
        target = world.target(mode, f"presigned/{mode.name}/hoisted")
        url = presign(wire, version, "PUT", f"{target}?{urlencode(headers)}", {})
        answer = wire.anonymous()("PUT", url, b"x", {})
        assert answer.status in statuses, (answer.status, answer.body)
        assert KEY_A.headers[CUSTOMER_KEY].encode() not in answer.body, "the customer key stands in the answer"
        gone(wire, target, mode)

    return case


def downloads(world, mode):
    name = f"presigned/{mode.name}/get"
    body = body_of(CHUNK + 1, name)
    group = Group(name, lambda wire: put(wire, world, mode, name, body)[0])
    for method in ("GET", "HEAD"):
        for signing, (version, signed, sent, refusal) in signings(mode.headers).items():
            case = download(mode, method, body, version, signed, sent, {"": refusal, "bytes=1-1": refusal})
            group.add(f"{method}/{signing}", case)
        for version in (2, 4):
            for fault, (headers, refusal) in closed(mode).items():
                case = download(mode, method, body, version, headers, headers, {"": refusal})
                group.add(f"{method}/v{version}/{fault}", case)
            add, refusal = {"x-amz-meta-plan": "mine"}, NO_MATCH if version == 2 else NOT_SIGNED
            case = download(mode, method, body, version, mode.headers, {**mode.headers, **add}, {"": refusal})
            group.add(f"{method}/v{version}/stranger-adds-a-header", case)
    return group


def closed(mode):
    """Well signed, and yet the object does not open."""
    if mode.customer:
        return {"no-key": ({}, NEEDS_KEY), "wrong-key": (STRANGER.headers, WRONG_KEY)}
    return {"key-not-applicable": (STRANGER.headers, NOT_APPLICABLE)}


def download(mode, method, body, version, signed, sent, refusals):
    """The whole, and where asked a range, whose header needs no signature."""

    def case(wire, target):
        for asked, refusal in refusals.items():
            headers = {**sent, "range": asked} if asked else sent
            answer = wire.anonymous()(method, presign(wire, version, method, target, signed), b"", headers)
            if refusal:
                is_refused(answer, refusal, method)
            else:
                is_answered(answer, 206 if asked else 200, mode.read)
                is_body(answer, body[1:2] if asked else body, method)

    return case


def parts(world, mode):
    """A presigned part: its signer need not have the key, and a stranger chooses no mode."""
    name = f"presigned/{mode.name}/part"
    body = body_of(CHUNK + 1, name)
    group = Group(name)
    for signing, (version, signed, sent, refusal) in signings(mode.headers).items():
        group.add(signing, one_part(world, mode, f"{name}/{signing}", body, version, signed, sent, refusal))
    return group


def one_part(world, mode, name, body, version, signed, sent, refusal):
    def case(wire, _):
        upload = begin(wire, world, mode, name)
        url = presign(wire, version, "PUT", upload.at("partNumber=1&"), signed)
        answer = wire.anonymous()("PUT", url, body, sent)
        if refusal:
            is_refused(answer, refusal)
            wire("DELETE", upload.at())
            return
        is_answered(answer, 200, mode.part)
        upload.parts[1] = answer.headers["etag"]
        has_part_tag(mode, upload.parts[1], body)
        complete(wire, upload)
        holds(wire, upload.target, mode, body)

    return case
