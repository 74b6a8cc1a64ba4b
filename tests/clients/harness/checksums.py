"""The checksums that boto3 computes only with an extension in C, in plain Python; reflected CRCs, all of them."""

import base64
import zlib
from functools import cache

POLYNOMIALS = {"CRC32C": (32, 0x82F63B78), "CRC64NVME": (64, 0x9A6C9329AC4BC9B5)}


def checksum(algorithm, body):
    """The checksum in the form of the S3 headers: base64 of the big-endian number."""
    if algorithm == "CRC32":
        return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    bits, polynomial = POLYNOMIALS[algorithm]
    table = crc_table(polynomial)
    crc = ones = (1 << bits) - 1
    for byte in body:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return base64.b64encode((crc ^ ones).to_bytes(bits // 8, "big")).decode()


@cache
def crc_table(polynomial):
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table
