"""What must come back: whole answers of the operations, and the refusals with AWS's own words."""

import re
from dataclasses import dataclass, field

from matrix.modes import SSE

M = {
    "algorithm": "The Encryption request you specified is not valid. Supported value: AES256.",
    "no algorithm": "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.",
    "no key": "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.",
    "bad key": "The secret key was invalid for the specified algorithm.",
    "md5": "The calculated MD5 hash of the key did not match the hash that was provided.",
    "needed": "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
    "wrong": "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.",
    "not applicable": "The encryption parameters are not applicable to this object.",
    "part needs": "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.",
    "part other": "The provided encryption parameters did not match the ones used originally.",
    "mix": "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
}


@dataclass(frozen=True)
class Refusal:
    """An error: status and code always, the message where AWS's wording is known."""

    status: int
    code: str
    message: str | None = None
    headers: dict = field(default_factory=dict)


NEEDS_KEY = Refusal(400, "InvalidRequest", M["needed"])
WRONG_KEY = Refusal(403, "AccessDenied", M["wrong"])
NOT_APPLICABLE = Refusal(400, "InvalidRequest", M["not applicable"])
PART_NEEDS = Refusal(400, "InvalidRequest", M["part needs"])
PART_OTHER = Refusal(400, "InvalidRequest", M["part other"])
MIX = Refusal(400, "InvalidArgument", M["mix"])
NO_KEY = Refusal(404, "NoSuchKey")
PRECONDITION = Refusal(412, "PreconditionFailed")
BAD_DIGEST = Refusal(400, "BadDigest")


def no_range(size):
    """The answer to a range without a byte in it."""
    return Refusal(416, "InvalidRange", headers={"content-range": f"bytes */{size}"})


NO_PART = Refusal(416, "InvalidPartNumber")


def encryption_of(answer):
    """Everything that an answer says of encryption."""
    return {name.lower(): value for name, value in answer.headers.items() if name.lower().startswith(SSE)}


def told(answer):
    """An answer in few words."""
    if answer.status < 300:
        return f"{answer.status} with {len(answer.body)} bytes"
    return f"{answer.status} {answer.code}: {answer.message or answer.body[:300]}"


def is_refused(answer, refusal, method="GET"):
    """The answer is this error, complete, and says nothing of encryption; that of a HEAD has no body."""
    assert answer.status == refusal.status, f"expected {refusal.status} {refusal.code}, got {told(answer)}"
    if method == "HEAD":
        assert answer.body == b"", told(answer)
    elif refusal.status != 304:
        assert answer.code == refusal.code, f"expected {refusal.code}, got {told(answer)}"
        assert answer.message, "an error without a message"
        assert refusal.message in (None, answer.message), f"expected {refusal.message!r}, got {told(answer)}"
        assert answer.request_id and answer.request_id.encode() in answer.body, "an error without its request id"
    has_headers(answer, refusal.headers)
    assert encryption_of(answer) == {}, f"an error that tells of encryption: {encryption_of(answer)}"


def is_answered(answer, status, encryption, headers=None):
    """The answer has this status, exactly these encryption headers, and at least these others."""
    assert answer.status == status, f"expected {status}, got {told(answer)}"
    assert encryption_of(answer) == encryption, f"expected {encryption}, got {encryption_of(answer)}"
    has_headers(answer, headers or {})


def has_headers(answer, headers):
    """Each header has its value; None is a header that must not be there."""
    for name, value in headers.items():
        found = answer.headers.get(name)
        assert found == value, f"{name}: expected {value!r}, got {found!r}"


def is_body(answer, expected, method="GET"):
    """The body, compared without printing megabytes; that of a HEAD is empty with the length of the whole."""
    length = answer.headers.get("content-length")
    assert length == str(len(expected)), f"content-length: expected {len(expected)}, got {length}"
    if method == "HEAD":
        expected = b""
    if answer.body == expected:
        return
    at = next(
        (i for i, (a, b) in enumerate(zip(answer.body, expected)) if a != b), min(len(answer.body), len(expected))
    )
    raise AssertionError(f"wrong bytes: {len(answer.body)} of {len(expected)}, different from byte {at} on")


def resolve(header, size):
    """What a `Range` header means: None to ignore it, "unsatisfiable", or (first, last)."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header)
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        first, last = max(size - int(found[2]), 0), size - 1
    else:
        first, last = int(found[1]), int(found[2]) if found[2] else size - 1
        if found[2] and last < first:
            return None
        last = min(last, size - 1)
    return (first, last) if first <= last else "unsatisfiable"
