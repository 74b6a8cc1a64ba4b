#!/usr/bin/env python3
"""Opens what `canopic export-sealed` wrote, from docs/format.md alone; shares no code with the Rust crates.

Verifies all that the keys can prove, writes the plaintext, prints what is known of the object as JSON. Needs Python 3.9
and the package `cryptography`. CRC-32C and CRC-64/NVME are computed in plain Python, slowly.
"""

import argparse
import base64
import hashlib
import hmac
import io
import json
import mmap
import os
import struct
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MODES = {1: ("SSE-C", b"customer"), 2: ("SSE-S3", b"keyring"), 3: ("SSE-KMS", b"kms")}
CHECKSUMS = {1: "CRC32", 2: "CRC32C", 3: "CRC64NVME", 4: "SHA1", 5: "SHA256"}
POLYNOMIALS = {"CRC32": (4, 0xEDB88320), "CRC32C": (4, 0x82F63B78), "CRC64NVME": (8, 0x9A6C9329AC4BC9B5)}


def need(holds, why):
    if not holds:
        raise SystemExit(f"open_sealed: {why}")


class Reader(io.BytesIO):
    """Takes fields from bytes, in the order in which they stand; layouts are those of `struct`, big-endian."""
    def take(self, layout):
        return struct.unpack(f">{layout}", self.read(struct.calcsize(f">{layout}")))

    def bytes(self):
        return self.take("%ds" % self.take("I"))[0]

    def text(self):
        return self.bytes().decode()

    def pairs(self):
        return {self.text(): self.text() for _ in range(*self.take("H"))}


def field(value):
    return len(value).to_bytes(8, "big") + value


def hkdf(secret, salt, info, length=32):
    return HKDF(SHA256(), length, salt or None, info).derive(secret)


def unseal(key, sealed, what, aad=None, nonce=bytes(12)):
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise SystemExit(f"open_sealed: {what} is damaged: its tag does not verify")


def open_committed(secret, info, head, sealed, wrong, what):
    """Opens what stands behind a head that ends in salt and commitment; the latter tells a wrong key from damage."""
    output = hkdf(secret, head[-64:-32], info, 64)
    need(hmac.compare_digest(output[32:], head[-32:]), wrong)
    return unseal(output[:32], sealed, what, head)


def key_file(path, label, bare):
    """A labelled word in base64 with four bytes of check; `bare` also 32 bytes, raw, in hexadecimal or in base64."""
    raw = open(path, "rb").read(4096)
    found, _, word = raw.strip().decode("ascii", "replace").rpartition(":")
    decode = bytes.fromhex if len(word) == 64 else base64.b64decode
    try:
        key = raw[:32] if bare and len(raw) > 31 and raw[32:] in (b"", b"\n") else decode(word)
    except ValueError:
        key = b""
    is_checked = found == label and len(key) == 36 and hashlib.sha256(key[:32]).digest()[:4] == key[32:]
    need(is_checked or bare and len(key) == 32, f"{path} holds no key of this kind, or a mistyped one")
    return key[:32]


def open_keyring(path, root_key):
    """The store key, and every key-encryption key by its id."""
    file = open(path, "rb").read(1 << 24)
    need(hashlib.sha256(file[:-32]).digest() == file[-32:] and file[0] in (1, 2), f"the keyring {path} is damaged")
    split, wrong = (0, 65, 73)[file[0]], f"another root key sealed the keyring {path}"
    content = open_committed(root_key, b"canopic/v%d/keyring" % file[0], file[:split], file[split:-32], wrong, path)
    if file[0] == 1:
        return content[:32], dict(struct.iter_unpack("16s32s", content[32:]))
    reader = Reader(content)
    layout, store_key = reader.take("B32s")
    need(layout == 1, f"the keyring {path} has an unknown layout")
    versions = [reader.take("16sQ32s") for _ in range(*reader.take("H"))]
    for _ in range(*reader.take("H")):
        reader.text(), reader.take("BQQ")
        versions += [reader.take("16sQ32s") for _ in range(*reader.take("H"))]
    return store_key, {key_id: key for key_id, _, key in versions}


class Crc:
    """A reflected CRC with the interface of hashlib."""
    def __init__(self, name):
        self.fast, self.table, (self.size, polynomial) = name == "CRC32", list(range(256)), POLYNOMIALS[name]
        self.crc = self.ones = (1 << 8 * self.size) - 1
        for _ in range(8):
            self.table = [value >> 1 ^ (polynomial if value & 1 else 0) for value in self.table]

    def update(self, data):
        if self.fast:
            self.crc, data = zlib.crc32(data, self.crc ^ self.ones) ^ self.ones, b""
        for byte in data:
            self.crc = self.crc >> 8 ^ self.table[(self.crc ^ byte) & 0xFF]

    def digest(self):
        return (self.crc ^ self.ones).to_bytes(self.size, "big")


def hashers(names):
    return {name: Crc(name) if name in POLYNOMIALS else hashlib.new(name) for name in names}


class Sealed:
    """An export whose digest is right, read up to its parts. `keys` are those of a keyring, or None."""
    def __init__(self, file, keys):
        self.file, whole = file, memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self.size, digest = len(whole) - 32, hashlib.sha256(whole[:-32]).digest()
        need(digest == whole[-32:], "the export is damaged: its digest differs")
        need(file.read(17) == b"canopic-export\r\n\x01", "this is no export, or one of an unknown format")
        place, record, parts = Reader(file.read(self.section(1))), file.read(self.section(2)), b""
        self.bucket_id, self.bucket, self.object_key = *place.take("16s"), place.text(), place.text()
        reader = Reader(record[:-32])
        layout, self.version, self.time, self.length, self.acl = reader.take("B16sQQB")
        need(layout in (1, 2), "the object record has an unknown layout")
        etag_kind, *self.etag = reader.take("BH16s")
        self.sealed_etag, self.wrapped = reader.take("32s")[0] if etag_kind == 2 else None, reader.bytes()
        self.kms = (reader.text(), *reader.take("32sB"), reader.bytes()) if layout == 2 else None
        self.metadata, (body_place,), self.listed, self.tag = reader.bytes(), reader.take("B"), b"", None
        if body_place == 3:
            parts = file.read(self.section(3))
            manifest = Reader(parts[1:-32]).bytes()
            end = 3 + 26 * int.from_bytes(manifest[1:3], "big")
            self.listed, self.tag = manifest[:end], manifest[end + 1 :]
        self.entries = list(struct.iter_unpack(">HQ16s", self.listed[3:] or reader.read(26)))
        need(sum(length for _, length, _ in self.entries) == self.length, "the parts are not as long as the object")
        for table, suffix, raw in [(16, b"", record), (17, self.version, parts)] if keys else []:
            place = self.bucket_id + field(self.object_key.encode()) + bytes([table]) + field(suffix)
            tag = hmac.digest(hkdf(keys[0], b"", b"canopic/v1/record"), place + raw[:-32], "sha256")
            need(raw[-32:] in (b"", tag), f"the record of table {table} was changed, or this keyring is foreign")

    def section(self, kind):
        found, length = struct.unpack(">BQ", self.file.read(9).ljust(9, b"\0"))
        need(found == kind and length <= (self.size if kind == 4 else 1 << 24), f"section {kind} is not in its place")
        return length

    def unlock(self, customer_key, keys):
        holder, key_id = self.wrapped[1], self.wrapped[2:18]
        fields = [MODES[holder][1], self.bucket_id, self.object_key.encode(), self.version]
        need(customer_key or holder != 1, "this object is sealed under a customer key: --customer-key-file")
        if holder != 1:
            name = f"KMS key {self.kms[0]}" if self.kms else f"key {key_id.hex()}"
            outer = self.kms[3][1:17] if self.kms else key_id
            need(keys, f"this object is sealed under the server's {name}: --root-key and --keyring")
            need(outer in keys[1], f"the keyring does not hold the {name}: only a KMS that does can open this")
        secret = customer_key if holder == 1 else keys[1][outer]
        if self.kms:
            sealed, info = self.kms[3], b"canopic/v1/key-seal" + field(key_id) + field(self.bucket_id)
            secret = open_committed(secret, info, sealed[:81], sealed[81:], f"this is not the {name}", name)
            fields.append(self.kms[1])
        info, wrong = b"canopic/v1/wrap" + b"".join(map(field, fields)), "the key is not the one of this object"
        return open_committed(secret, info, self.wrapped[:82], self.wrapped[82:], wrong, "the wrapped data key")

    def plaintext(self, data_key):
        """Each chunk with the number of its part, verified before it is given; at last, that nothing follows."""
        for number, length, salt in self.entries:
            output = hkdf(data_key, salt, b"canopic/v1/part" + number.to_bytes(2, "big"), 39)
            last = max(0, length - 1) // 65536
            need(self.section(4) == length + 16 * (last + 1), f"part {number} is cut or too long")
            for i in range(last + 1):
                nonce = output[32:] + struct.pack(">I?", i, i == last)
                sealed = self.file.read(min(65536, length - i * 65536) + 16)
                yield number, unseal(output[:32], sealed, f"chunk {i} of part {number}", nonce=nonce)
        need(self.section(5) == 0 and self.file.tell() == self.size, "something stands behind the last part")


def write(sealed, data_key, keys, out):
    """Writes the plaintext; gives what is known of the object."""
    tag = hmac.digest(hkdf(data_key, b"", b"canopic/v1/manifest"), sealed.listed, "sha256")
    need(sealed.tag in (None, b"", tag), "the list of parts is damaged")
    key = hkdf(data_key, sealed.metadata[:16], b"canopic/v1/metadata")
    reader = Reader(unseal(key, sealed.metadata[16:], "the sealed metadata"))
    need(reader.take("B") == (1,), "the metadata have an unknown layout")
    headers, user = reader.pairs(), reader.pairs()
    checksums = [(CHECKSUMS[reader.read(1)[0]], *reader.take("H"), reader.bytes()) for _ in range(*reader.take("B"))]
    checksums += [("MD5", 0, *reader.take("16s"))] if reader.take("B")[0] else []
    of_parts, etag = sealed.etag
    if sealed.sealed_etag and keys:
        key = hkdf(keys[0], b"", b"canopic/v1/digest" + sealed.bucket_id)
        etag = unseal(key, sealed.sealed_etag, "the ETag", etag[12:], etag[:12])
        checksums.append(("MD5", of_parts, etag))
    whole, parts = hashers({"SHA256", *(name for name, count, _ in checksums if not count)}), {}
    for number, data in sealed.plaintext(data_key):
        out.write(data)
        part = parts.setdefault(number, hashers(name for name, count, _ in checksums if count))
        for hasher in [*whole.values(), *part.values()]:
            hasher.update(data)
    for name, count, value in checksums:
        hasher = hashers([name])[name] if count else whole[name]
        hasher.update(b"".join(part[name].digest() for part in parts.values()) if count else b"")
        need(hasher.digest() == value and count in (0, len(parts)), f"the {name} of the plaintext differs")
    return {
        "bucket": sealed.bucket, "object_key": sealed.object_key, "version_id": sealed.version.hex(),
        "mode": MODES[sealed.wrapped[1]][0], "kms_key": sealed.kms and sealed.kms[0], "parts": len(parts),
        "size": sealed.length, "last_modified_ms": sealed.time, "acl": ["private", "public-read"][sealed.acl],
        "etag": None if sealed.sealed_etag and not keys else etag.hex() + (f"-{of_parts}" if of_parts else ""),
        "headers": headers, "user_metadata": user, "sha256": whole["SHA256"].hexdigest(),
        "checksums_verified": {name: base64.b64encode(value).decode() for name, _, value in checksums},
        "records_are_proven": bool(keys), "parts_are_proven": bool(keys) or sealed.tag != b"",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export")
    for flag in ("--customer-key-file", "--root-key", "--keyring"):
        parser.add_argument(flag, metavar="FILE")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="never written over")
    args = parser.parse_args()
    customer_key = args.customer_key_file and key_file(args.customer_key_file, "canopic-customer-key-v1", True)
    root_key = args.root_key and key_file(args.root_key, "canopic-root-key-v1", False)
    keys = root_key and args.keyring and open_keyring(args.keyring, root_key)
    unproven = f"{args.output}.unproven"
    with open(args.export, "rb") as file, open(unproven, "xb", opener=lambda *a: os.open(*a, 0o600)) as out:
        try:
            sealed = Sealed(file, keys)
            facts = write(sealed, sealed.unlock(customer_key, keys), keys, out)
            out.flush()
            os.link(unproven, args.output)
        finally:
            os.unlink(unproven)
    print(json.dumps(facts, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, LookupError, struct.error) as error:
        raise SystemExit(f"open_sealed: {error!r}")
