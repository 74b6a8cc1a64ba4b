"""Ways to get the headers of a customer key wrong, and what AWS answers to each."""

from hashlib import md5 as digest

from matrix.model import MIX, M, Refusal
from matrix.modes import ALGORITHM, CONTEXT, CUSTOMER_KEY, CUSTOMER_MD5, KMS_KEY_ID, SSE
from matrix.world import b64


def invalid(message=None):
    return Refusal(400, "InvalidArgument", message)


OTHER_ALGORITHM = Refusal(400, "InvalidEncryptionAlgorithmError", M["algorithm"])
# The prefix of the three headers that open the source of a copy.
SOURCE = "x-amz-copy-source-"


def sized(length):
    """A key of the wrong length, with the right MD5."""
    raw_key = b"k" * length
    return {CUSTOMER_KEY: b64(raw_key), CUSTOMER_MD5: b64(digest(raw_key).digest())}


# Name: what changes in a good set of headers (None drops one), and the refusal. In any place where the set belongs.
MALFORMED = {
    "other-algorithm": ({ALGORITHM: "AES128"}, OTHER_ALGORITHM),
    "algorithm-in-lower-case": ({ALGORITHM: "aes256"}, OTHER_ALGORITHM),
    "algorithm-of-kms": ({ALGORITHM: "aws:kms"}, OTHER_ALGORITHM),
    "no-algorithm": ({ALGORITHM: None}, invalid(M["no algorithm"])),
    "key-alone": ({ALGORITHM: None, CUSTOMER_MD5: None}, invalid(M["no algorithm"])),
    "md5-alone": ({ALGORITHM: None, CUSTOMER_KEY: None}, invalid(M["no algorithm"])),
    "no-key": ({CUSTOMER_KEY: None}, invalid(M["no key"])),
    "algorithm-alone": ({CUSTOMER_KEY: None, CUSTOMER_MD5: None}, invalid(M["no key"])),
    "no-md5": ({CUSTOMER_MD5: None}, invalid()),
    "empty-key": ({CUSTOMER_KEY: ""}, invalid()),
    "key-of-16-bytes": (sized(16), invalid(M["bad key"])),
    "key-of-31-bytes": (sized(31), invalid(M["bad key"])),
    "key-of-33-bytes": (sized(33), invalid(M["bad key"])),
    "key-of-64-bytes": (sized(64), invalid(M["bad key"])),
    "key-not-base64": ({CUSTOMER_KEY: "!" * 44}, invalid()),
    "key-in-hex": ({CUSTOMER_KEY: "ab" * 32}, invalid()),
    "md5-of-another-key": ({CUSTOMER_MD5: b64(digest(b"other").digest())}, invalid(M["md5"])),
    "md5-in-hex": ({CUSTOMER_MD5: digest(b"other").hexdigest()}, invalid()),
    "md5-not-base64": ({CUSTOMER_MD5: "!"}, invalid()),
}

# Headers that choose a mode together with a customer key, where only the guide's combination is taken.
MIXED = {
    "with-kms": ({SSE: "aws:kms"}, MIX),
    "with-dsse": ({SSE: "aws:kms:dsse"}, MIX),
    "with-kms-and-key-id": ({SSE: "aws:kms", KMS_KEY_ID: "k"}, MIX),
    "with-kms-and-other-algorithm": ({SSE: "aws:kms", ALGORITHM: "x"}, MIX),
    "with-key-id": ({KMS_KEY_ID: "k"}, invalid()),
    "with-context": ({CONTEXT: "e30="}, invalid()),
    "with-unknown-mode": ({SSE: "AES128"}, invalid()),
}

# Headers that choose a mode, where none can be chosen: reads, parts, completions.
MISPLACED = {
    f"says-{name}": ({header: value}, invalid(f"{header} header is not supported for this operation."))
    for name, header, value in [
        ("aes256", SSE, "AES256"),
        ("kms", SSE, "aws:kms"),
        ("nonsense", SSE, "x"),
        ("kms-key-id", KMS_KEY_ID, "k"),
        ("context", CONTEXT, "e30="),
    ]
}


def changed(headers, changes):
    """The headers with some replaced and those without a value left out."""
    return {name: value for name, value in {**headers, **changes}.items() if value is not None}


def for_source(headers):
    """The same three headers for the source of a copy."""
    return {name.replace("x-amz-", SOURCE, 1): value for name, value in headers.items()}
