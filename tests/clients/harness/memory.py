"""Core images of a running server, and customer keys that are easy to find in one.

Every key begins and ends with the same bytes and differs in two in its middle. So one search, however long the list of
requests, finds a half of any of them, and the middle tells which request it came from.
"""

import base64
import mmap
import os
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest

HALF = 15
_front, _back = secrets.token_bytes(HALF), secrets.token_bytes(HALF)
_labels = {}


def traceable_key(label):
    """32 bytes that `finds` recognises; the same for the same label."""
    number = next((n for n, known in _labels.items() if known == label), 0xC0DE + len(_labels))
    _labels[number] = label
    return _front + number.to_bytes(2, "big") + _back


def halves():
    """Each form that a half of any traceable key may have in memory, as {name: bytes}."""
    key = _front + b"\0\0" + _back
    text = base64.b64encode(key)
    found = {}
    for half, raw, encoded in (("front", key[:15], text[:20]), ("back", key[17:], text[24:40])):
        found[f"raw {half}"] = raw
        found[f"base64 {half}"] = encoded
        found[f"base64 in a URL {half}"] = encoded.replace(b"+", b"%2B").replace(b"/", b"%2F")
        found[f"base64 for URLs {half}"] = encoded.replace(b"+", b"-").replace(b"/", b"_")
        found[f"hex {half}"] = raw.hex().encode()
        found[f"HEX {half}"] = raw.hex().upper().encode()
        found[f"Debug {half}"] = ", ".join(map(str, raw)).encode()
        # HMAC keeps its key so, and what it keeps is as good as the key.
        found[f"inner pad {half}"] = bytes(byte ^ 0x36 for byte in raw)
        found[f"outer pad {half}"] = bytes(byte ^ 0x5C for byte in raw)
        # SHA-1 and SHA-256 turn the four bytes of each word round when they load a block.
        for kind, plain in (("raw", raw), ("base64", encoded)):
            for phase in range(4):
                words = plain[phase : phase + (len(plain) - phase) // 4 * 4]
                turned = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
                found[f"{kind} in words, {phase} off, {half}"] = turned
    # A base64 text without special characters looks the same in each alphabet.
    return {name: form for form, name in {form: name for name, form in reversed(found.items())}.items()}


def keys_in_memory(server, path):
    """Where halves of traceable keys stand in the server: [(name of the form, whose key, offset, bytes around)]."""
    found = []
    for gateway in server.gateways:
        image = core_image(gateway, path)
        try:
            found += finds(image)
        finally:
            image.unlink()  # Some 400 MB.
    return found


def core_image(gateway, path):
    """Writes everything that the process holds in memory and in its registers to `path`, while it stands still."""
    if not shutil.which("gcore"):
        pytest.skip("gdb is not installed, and gcore comes with it")
    done = subprocess.run(
        ["gcore", "-a", "-o", str(path), str(gateway.process.pid)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        env={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
    )
    image = Path(f"{path}.{gateway.process.pid}")
    assert done.returncode == 0 and image.exists(), done.stdout + done.stderr
    return image


def finds(image):
    """The same for an image."""
    found = []
    with open(image, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        for name, form in halves().items():
            at = memory.find(form)
            while at >= 0:
                around = memory[max(0, at - 48) : at + 64]
                found.append((name, _whose(memory, at), at, around))
                at = memory.find(form, at + 1)
    return found


def _whose(memory, at):
    """The labels of keys that stand whole within a few bytes of `at`."""
    near = memory[max(0, at - 64) : at + 64]
    return [
        label
        for number, label in _labels.items()
        for key in [_front + number.to_bytes(2, "big") + _back]
        if key in near or base64.b64encode(key) in near
    ]
