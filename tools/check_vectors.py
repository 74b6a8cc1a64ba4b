#!/usr/bin/env python3
"""Recomputes the vectors of testdata/envelope from docs/format.md alone; shares no code with the Rust crates.

Needs Python 3.9 and the package `cryptography`. Usage: tools/check_vectors.py [FOLDER]
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ONLY_NONCE = bytes(12)
CHUNK = 65536


def u(bits, value):
    return value.to_bytes(bits // 8, "big")


def field(value):
    return u(64, len(value)) + value


def hkdf(secret, salt, info, length):
    return HKDF(SHA256(), length, salt or None, info).derive(secret)


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def gcm(key, nonce, aad, plaintext):
    return AESGCM(key).encrypt(nonce, plaintext, aad)


def unhex(case, *names):
    return [bytes.fromhex(case[name]) for name in names]


def pattern(length):
    """The plaintext of a part vector: byte i is i mod 251."""
    return (bytes(range(251)) * (length // 251 + 1))[:length]


def wrap(case):
    key, salt, bucket, version, data_key = unhex(case, "key", "salt", "bucket", "version", "data_key")
    mode = case["holder"].encode()
    key_id = bytes.fromhex(case["key_id"]) if mode == b"keyring" else bytes(16)
    fields = [mode, bucket, case["object"].encode(), version]
    output = hkdf(key, salt, b"canopic/v1/wrap" + b"".join(map(field, fields)), 64)
    head = u(8, 1) + u(8, {b"customer": 1, b"keyring": 2}[mode]) + key_id + salt + output[32:]
    return {"wrapped": (head + gcm(output[:32], ONLY_NONCE, head, data_key)).hex()}


def part(case):
    data_key, salt = unhex(case, "data_key", "salt")
    output = hkdf(data_key, salt, b"canopic/v1/part" + u(16, case["number"]), 39)
    key, prefix = output[:32], output[32:]
    plaintext = pattern(case["length"])
    chunks = [plaintext[at : at + CHUNK] for at in range(0, len(plaintext), CHUNK)] or [b""]
    sealed = [
        gcm(key, prefix + u(32, i) + u(8, i == len(chunks) - 1), None, chunk) for i, chunk in enumerate(chunks)
    ]
    return {"tags": [chunk[-16:].hex() for chunk in sealed], "sealed_sha256": hashlib.sha256(b"".join(sealed)).hexdigest()}


def manifest(case):
    entries = [u(16, p["number"]) + u(64, p["length"]) + bytes.fromhex(p["salt"]) for p in case["parts"]]
    listed = u(8, 1) + u(16, len(entries)) + b"".join(entries)
    if not case["tagged"]:
        return {"encoded": (listed + u(8, 0)).hex()}
    key = hkdf(bytes.fromhex(case["data_key"]), b"", b"canopic/v1/manifest", 32)
    return {"encoded": (listed + u(8, 1) + mac(key, listed)).hex()}


def metadata(case):
    data_key, salt, plaintext = unhex(case, "data_key", "salt", "plaintext")
    key = hkdf(data_key, salt, b"canopic/v1/metadata", 32)
    return {"sealed": (salt + gcm(key, ONLY_NONCE, None, plaintext)).hex()}


def record(case):
    store_key, scope, partition, suffix, payload = unhex(case, "store_key", "scope", "partition", "suffix", "payload")
    key = hkdf(store_key, b"", b"canopic/v1/record", 32)
    place = scope + field(partition) + u(8, case["table"]) + field(suffix)
    return {"record": (payload + mac(key, place + payload)).hex()}


def secret(case):
    store_key, salt, context, plaintext = unhex(case, "store_key", "salt", "context", "plaintext")
    key = hkdf(store_key, salt, b"canopic/v1/secret" + field(context), 32)
    return {"sealed": (salt + gcm(key, ONLY_NONCE, None, plaintext)).hex()}


def digest(case):
    store_key, scope, unique, plain = unhex(case, "store_key", "scope", "unique", "digest")
    key = hkdf(store_key, b"", b"canopic/v1/digest" + scope, 32)
    return {"sealed": gcm(key, unique[:12], unique[12:], plain).hex()}


def keyring(case):
    root_key, salt, keys = unhex(case, "root_key", "salt", "store_key")
    for entry in case["keys"]:
        keys += b"".join(unhex(entry, "id", "key"))
    output = hkdf(root_key, salt, b"canopic/v1/keyring", 64)
    head = u(8, 1) + salt + output[32:]
    whole = head + gcm(output[:32], ONLY_NONCE, head, keys)
    return {"file": (whole + hashlib.sha256(whole).digest()).hex()}


def wrap_kms(case):
    key, key_id, salt, bucket, version = unhex(case, "key", "key_id", "salt", "bucket", "version")
    context, data_key = unhex(case, "context", "data_key")
    fields = [b"kms", bucket, case["object"].encode(), version, context]
    output = hkdf(key, salt, b"canopic/v1/wrap" + b"".join(map(field, fields)), 64)
    head = u(8, 1) + u(8, 3) + key_id + salt + output[32:]
    return {"wrapped": (head + gcm(output[:32], ONLY_NONCE, head, data_key)).hex()}


def key_seal(case):
    sealer, sealer_id, salt = unhex(case, "sealer", "sealer_id", "salt")
    inner, inner_id, context = unhex(case, "inner", "inner_id", "context")
    output = hkdf(sealer, salt, b"canopic/v1/key-seal" + field(inner_id) + field(context), 64)
    head = u(8, 1) + sealer_id + salt + output[32:]
    return {"sealed": (head + gcm(output[:32], ONLY_NONCE, head, inner)).hex()}


def key_versions(case):
    listed = [b"".join([*unhex(v, "id"), u(64, v["created"]), *unhex(v, "key")]) for v in case["versions"]]
    return u(16, len(listed)) + b"".join(listed)


def keyring_v2(case):
    root_key, salt, keys = unhex(case, "root_key", "salt", "store_key")
    keys = u(8, 1) + keys + key_versions(case) + u(16, len(case["named"]))
    for key in case["named"]:
        name, state = key["id"].encode(), {"enabled": 1, "disabled": 2, "pending deletion": 3}[key["state"]]
        keys += u(32, len(name)) + name + u(8, state) + u(64, key["deletion"]) + u(64, key["created"])
        keys += key_versions(key)
    root_key_id = hkdf(root_key, b"", b"canopic/v2/root-key-id", 8)
    output = hkdf(root_key, salt, b"canopic/v2/keyring", 64)
    head = u(8, 2) + root_key_id + salt + output[32:]
    whole = head + gcm(output[:32], ONLY_NONCE, head, keys)
    return {"root_key_id": root_key_id.hex(), "file": (whole + hashlib.sha256(whole).digest()).hex()}


def root_key(case):
    key = bytes.fromhex(case["root_key"])
    return {"text": "canopic-root-key-v1:" + base64.b64encode(key + hashlib.sha256(key).digest()[:4]).decode() + "\n"}


KINDS = [wrap, wrap_kms, key_seal, part, manifest, metadata, record, secret, digest, keyring, keyring_v2, root_key]


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "envelope"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    wrong = checked = 0
    for kind in KINDS:
        for case in json.loads((folder / f"{kind.__name__}.json").read_text()):
            checked += 1
            for name, value in kind(case).items():
                if case[name] != value:
                    wrong += 1
                    print(f"{kind.__name__}: {case['name']}: {name} differs", file=sys.stderr)
    print(f"{checked} vectors, {wrong} differences")
    sys.exit(1 if wrong or not checked else 0)


if __name__ == "__main__":
    main()
