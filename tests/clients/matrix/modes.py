"""The modes: which headers choose one, which a read needs, and which an answer has.

Whatever an answer says of encryption is compared as a whole, so a header too many is as wrong as one too few.
"""

import base64
from dataclasses import dataclass, field

from harness.content import customer_headers, customer_key

SSE = "x-amz-server-side-encryption"
KMS_KEY_ID = f"{SSE}-aws-kms-key-id"
CONTEXT = f"{SSE}-context"
BUCKET_KEY = f"{SSE}-bucket-key-enabled"
ALGORITHM = f"{SSE}-customer-algorithm"
CUSTOMER_KEY = f"{SSE}-customer-key"
CUSTOMER_MD5 = f"{SSE}-customer-key-md5"


@dataclass(frozen=True)
class Mode:
    """One way to have an object sealed.

    `write` chooses it on a put, a creation and a copy; `bucket` names the bucket in which that works. The echoes are
    all that answers say of encryption: `written` after put, create and copy, `part` after a part, `completed` after a
    completion, `read` on get and head.
    """

    name: str
    write: dict
    raw_key: bytes | None = None
    bucket: str = "plain"
    written: dict = field(default_factory=dict)
    part: dict = field(default_factory=dict)
    completed: dict = field(default_factory=dict)
    read: dict = field(default_factory=dict)
    opaque: bool = True

    @property
    def customer(self):
        """Whether a customer holds the key."""
        return self.raw_key is not None

    @property
    def headers(self):
        """What a read, a part and a completion need."""
        return {name.lower(): v for name, v in customer_headers(self.raw_key).items()} if self.customer else {}

    @property
    def source(self):
        """What opens it as the source of a copy."""
        return customer_headers(self.raw_key, copy_source=True) if self.customer else {}

    def etag_says(self, etag, md5):
        """Whether a tag of an object in one piece has the form of the mode."""
        bare = etag.strip('"')
        if not self.opaque:
            return bare == md5
        return len(bare) == 34 and bare.endswith("-1") and bare[:32] != md5


def sse_c(name, seed, **beside):
    """SSE-C under one key; `beside` are headers that come along and change nothing."""
    raw_key = customer_key(seed)
    headers = {header.lower(): value for header, value in customer_headers(raw_key).items()}
    echo = {ALGORITHM: "AES256", CUSTOMER_MD5: headers[CUSTOMER_MD5]}
    return Mode(name, {**headers, **beside}, raw_key, written=echo, part=echo, read=echo)


def sse_s3(name, write, bucket="plain"):
    """SSE-S3, asked for or by default."""
    echo = {SSE: "AES256"}
    return Mode(name, write, None, bucket, echo, echo, echo, echo, opaque=False)


def sse_kms(name, key_id, write, bucket="plain", bucket_key=False):
    """SSE-KMS; the context comes back from the call that chose it, and never again."""
    read = {SSE: "aws:kms", KMS_KEY_ID: key_id, **({BUCKET_KEY: "true"} if bucket_key else {})}
    written = {**read, **({CONTEXT: write[CONTEXT]} if CONTEXT in write else {})}
    return Mode(name, write, None, bucket, written, read, read, read)


KEY_A = sse_c("sse-c-a", "a")
KEY_B = sse_c("sse-c-b", "b")
# What boto 2 sends for `encrypt_key=True` beside a customer key, and the guide's policy demands.
GUIDE = sse_c("guide", "a", **{SSE: "AES256"})
S3 = sse_s3("sse-s3", {SSE: "AES256"})
NOTHING = sse_s3("nothing-asked", {})
DEFAULT_S3 = sse_s3("default-s3", {}, "default-s3")

# The key that is used where a client names none, and one that the administrator made.
DEFAULT_KEY, NAMED_KEY = "aws/s3", "matrix-key"
ENCODED_CONTEXT = base64.b64encode(b'{"department":"matrix","plan":"a"}').decode()
NAMED = {SSE: "aws:kms", KMS_KEY_ID: NAMED_KEY, CONTEXT: ENCODED_CONTEXT, BUCKET_KEY: "true"}
KMS = sse_kms("sse-kms", DEFAULT_KEY, {SSE: "aws:kms"})
KMS_NAMED = sse_kms("sse-kms-named", NAMED_KEY, NAMED, bucket_key=True)
DEFAULT_KMS = sse_kms("default-kms", DEFAULT_KEY, {}, "default-kms")
DEFAULT_KMS_NAMED = sse_kms("default-kms-named", NAMED_KEY, {}, "default-kms-named", bucket_key=True)

MODES = [KEY_A, KEY_B, GUIDE, S3, NOTHING, DEFAULT_S3, KMS, KMS_NAMED, DEFAULT_KMS, DEFAULT_KMS_NAMED]
# One mode of each holder of keys, and of SSE-KMS with a bucket key too.
HELD = [KEY_A, S3, KMS, KMS_NAMED]

# What the buckets have as their defaults; "plain" has none.
RULES = {
    "default-s3": "<SSEAlgorithm>AES256</SSEAlgorithm>",
    "default-kms": "<SSEAlgorithm>aws:kms</SSEAlgorithm>",
    "default-kms-named": f"<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{NAMED_KEY}</KMSMasterKeyID>",
}


def configuration(bucket):
    """The document that gives a bucket its default."""
    enabled = "true" if bucket == "default-kms-named" else "false"
    return (
        '<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>'
        f"<ApplyServerSideEncryptionByDefault>{RULES[bucket]}</ApplyServerSideEncryptionByDefault>"
        f"<BucketKeyEnabled>{enabled}</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>"
    ).encode()
