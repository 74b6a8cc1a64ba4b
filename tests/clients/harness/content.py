"""Bytes that any test can make again, and customer keys with their headers."""

import base64
import hashlib
import random

KIB = 1024
MIB = 1024 * KIB

# The sizes at which something changes: nothing, one chunk, one part of boto3 and aws-cli, many parts.
SIZES = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 100 * MIB]


def content(size, seed=0):
    """`size` bytes that look random and are the same for the same size and seed."""
    return random.Random(f"{size}/{seed}").randbytes(size)


def customer_key(seed="a"):
    """32 raw bytes, different for every seed."""
    return hashlib.sha256(f"customer key {seed}".encode()).digest()


def b64(raw):
    return base64.b64encode(raw).decode()


def customer_headers(raw_key, copy_source=False):
    """The three headers that carry a customer key; with `copy_source` those that open the source of a copy."""
    prefix = "x-amz-copy-source-" if copy_source else "x-amz-"
    return {
        f"{prefix}server-side-encryption-customer-algorithm": "AES256",
        f"{prefix}server-side-encryption-customer-key": b64(raw_key),
        f"{prefix}server-side-encryption-customer-key-MD5": b64(hashlib.md5(raw_key).digest()),
    }


def sse_c(raw_key, copy_source=False):
    """The same as arguments of boto3, which computes the digest itself."""
    prefix = "CopySourceSSE" if copy_source else "SSE"
    return {f"{prefix}CustomerAlgorithm": "AES256", f"{prefix}CustomerKey": raw_key}
