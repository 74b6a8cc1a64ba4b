"""Damage to any stored file: a read is right, or it fails; it is never wrong."""

import http.client
import random
import re
import shutil
import ssl

import httpx
import pytest

from harness.content import KIB, MIB, content, customer_headers, customer_key
from harness.server import Server
from harness.signing import Signer

pytestmark = pytest.mark.embedded_only("It damages the files of the embedded store.")

BUCKET = "damage"
OBJECTS = {
    "empty": 0,
    "tiny": 1,
    "small": 4 * KIB,
    "chunk": 64 * KIB,
    "chunks": 200 * KIB,
    "large": 3 * MIB,
    "parts": 5 * MIB + 70_000,
}


def headers_of(name):
    return customer_headers(customer_key()) if name.startswith("c/") else {}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A stopped server with objects of each kind, each under both modes."""
    server = Server(tmp_path_factory.mktemp("damage") / "pristine").start()
    signer = Signer(server, server.root)
    signer("PUT", f"/{BUCKET}")
    for mode in ("c", "s"):
        for kind, size in OBJECTS.items():
            name = f"{mode}/{kind}"
            headers = {"x-amz-meta-plan": f"plan of {name}", **headers_of(name)}
            if kind == "parts":
                put_in_parts(signer, name, content(size, name), headers)
            else:
                assert signer("PUT", f"/{BUCKET}/{name}", content(size, name), headers).status == 200
    assert read_all(server) == 2 * len(OBJECTS)
    assert server.stop() == 0
    return server


def put_in_parts(signer, name, body, headers):
    target = f"/{BUCKET}/{name}"
    upload = signer("POST", f"{target}?uploads", b"", headers).xml().findtext("UploadId")
    parts = ""
    for number, piece in enumerate((body[: 5 * MIB], body[5 * MIB :]), start=1):
        sent = signer("PUT", f"{target}?partNumber={number}&uploadId={upload}", piece, headers_of(name))
        parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{sent.headers['etag']}</ETag></Part>"
    xml = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
    assert signer("POST", f"{target}?uploadId={upload}", xml.encode()).status == 200


def read_all(server):
    """Reads every object whole and in a range; returns how many were right, and fails if one was wrong."""
    signer = Signer(server, server.root)
    right = 0
    for mode in ("c", "s"):
        for kind, size in OBJECTS.items():
            name = f"{mode}/{kind}"
            body = content(size, name)
            try:
                answer = signer("GET", f"/{BUCKET}/{name}", headers=headers_of(name), timeout=20)
                first, last = size // 2, max(size - 2, size // 2)
                ranged = signer(
                    "GET",
                    f"/{BUCKET}/{name}",
                    headers={**headers_of(name), "range": f"bytes={first}-{last}"},
                    timeout=20,
                )
            except (OSError, http.client.HTTPException):
                continue  # The connection was cut: the client knows that it has not got everything.
            if answer.status == 200:
                assert answer.body == body, f"{name}: wrong bytes with status 200"
                assert answer.headers["x-amz-meta-plan"] == f"plan of {name}"
                right += 1
            elif mode == "c":
                # The key is the right one, so the fault is never the client's.
                assert answer.status in (404, 500, 503), (name, answer.status, answer.body)
            if ranged.status == 206:
                assert ranged.body == body[first : last + 1], f"{name}: wrong bytes in a range"
    return right


def flip(stored, dice):
    at = dice.randrange(len(stored))
    return stored[:at] + bytes([stored[at] ^ 1 << dice.randrange(8)]) + stored[at + 1 :]


def flip_at_the_end(stored, dice):
    return stored[:-1] + bytes([stored[-1] ^ 0x80])


def cut(stored, dice):
    return stored[: dice.randrange(len(stored))]


def cut_one_byte(stored, dice):
    return stored[:-1]


def extend(stored, dice):
    return stored + dice.randbytes(dice.choice([1, 16, 65_552]))


def zero_a_block(stored, dice):
    at = dice.randrange(0, len(stored), 512)
    return stored[:at] + bytes(len(stored[at : at + 512])) + stored[at + 512 :]


def swap_chunks(stored, dice):
    """Exchanges two whole sealed chunks, in case the order is not sealed."""
    size = 64 * KIB + 16
    if len(stored) < 3 * size:
        return flip(stored, dice)
    return stored[size : 2 * size] + stored[:size] + stored[2 * size :]


DAMAGES = [flip, flip_at_the_end, cut, cut_one_byte, extend, zero_a_block, swap_chunks]


def damaged_copy(pristine, folder):
    """A server on a copy of the pristine one's folder."""
    shutil.copytree(pristine.folder, folder)
    server = Server(folder)
    server.root = pristine.root
    for stale in (server.log, server.output):
        stale.unlink(missing_ok=True)
    return server


def files_of(server):
    """Stored files: those that hold blobs, and all others of the engine."""
    paths = [
        path
        for path in sorted(server.data_dir.rglob("*"))
        if path.is_file() and "tls" not in path.parts and path.stat().st_size
    ]
    blobs = [path for path in paths if "blob" in str(path.relative_to(server.data_dir))]
    return blobs, [path for path in paths if path not in blobs and path.suffix not in (".lock", ".sock")]


def start_or_refuse(server):
    """Starts it, or checks that the refusal is one that an administrator can read."""
    try:
        server.start(wait=40)
    except RuntimeError as refusal:
        assert "did not answer" not in str(refusal), refusal
        # The engine panics over some damage to its own pages; that is caught, and told as what it is.
        panics = re.findall(r"panicked at (\S+)", server.printed())
        assert all("/redb-" in place for place in panics), server.printed()[:3000]
        assert not panics or "the store is damaged" in str(refusal), refusal
        assert len(server.printed()) > 20, "refused without a word"
        return False
    return True


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damaged_blobs_are_never_read_as_right(pristine, tmp_path, damage):
    server = damaged_copy(pristine, tmp_path / "copy")
    blobs, _ = files_of(server)
    assert len(blobs) >= 4, "the larger objects should have files of their own"
    dice = random.Random(damage.__name__)
    for path in blobs:
        path.write_bytes(damage(path.read_bytes(), dice))
    assert start_or_refuse(server), "damaged blobs must not keep the server from starting"
    assert read_all(server) <= 2 * len(OBJECTS) - len({name for name in ("large", "parts")}) * 2 or damage is extend
    server.stop()
    assert "panicked at" not in server.printed()


def test_blobs_exchanged_with_each_other_are_never_read_as_right(pristine, tmp_path):
    server = damaged_copy(pristine, tmp_path / "copy")
    blobs, _ = files_of(server)
    for one, other in zip(blobs[::2], blobs[1::2]):
        stored = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(stored)
    assert start_or_refuse(server)
    read_all(server)
    server.stop()


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_damage_in_mid_body_cuts_the_connection_or_resets_the_stream(pristine, tmp_path, version):
    """The first chunks have left when the damage is met: the end must not look like one."""
    server = damaged_copy(pristine, tmp_path / "copy")
    blobs, _ = files_of(server)
    for path in blobs:
        stored = bytearray(path.read_bytes())
        stored[-100] ^= 1
        path.write_bytes(stored)
    assert start_or_refuse(server)
    for name in ("c/large", "s/large"):
        headers = {}
        with pytest.raises((http.client.HTTPException, OSError, ssl.SSLError)):
            Signer(server, server.root)("GET", f"/{BUCKET}/{name}", headers=headers_of(name), tamper=headers.update)
        received = 0
        with httpx.Client(http2=version == "2", http1=version != "2", verify=server.tls(), timeout=60) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                with client.stream("GET", f"{server.url}/{BUCKET}/{name}", headers=headers) as answer:
                    assert (answer.status_code, answer.http_version) == (200, f"HTTP/{version}")
                    for piece in answer.iter_raw():
                        received += len(piece)
        assert 0 < received < OBJECTS["large"]
    server.stop()
    assert "panicked at" not in server.printed()


def test_lost_blobs_are_errors_for_their_objects_only(pristine, tmp_path):
    server = damaged_copy(pristine, tmp_path / "copy")
    blobs, _ = files_of(server)
    for path in blobs:
        path.unlink()
    assert start_or_refuse(server)
    assert 0 < read_all(server) < 2 * len(OBJECTS)
    server.stop()
    assert "panicked at" not in server.printed()


def engine_campaign(pristine, tmp_path, count, seed):
    """One place damaged at a time, spread over the engine's files."""
    dice = random.Random(seed)
    for number in range(count):
        folder = tmp_path / str(number)
        server = damaged_copy(pristine, folder)
        _, engine = files_of(server)
        path = engine[number % len(engine)]
        damage = dice.choice(DAMAGES[:-1])
        path.write_bytes(damage(path.read_bytes(), dice))
        try:
            if start_or_refuse(server):
                read_all(server)
        except AssertionError as wrong:
            raise AssertionError(f"{damage.__name__} of {path.relative_to(folder)}") from wrong
        finally:
            server.kill()
        shutil.rmtree(folder)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_records_are_never_read_as_right(pristine, tmp_path, seed):
    engine_campaign(pristine, tmp_path, 5, seed)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 104))
def test_damaged_records_are_never_read_as_right_many_times(pristine, tmp_path, seed):
    engine_campaign(pristine, tmp_path, 100, seed)


def test_a_data_directory_without_its_root_key_is_refused(pristine, tmp_path):
    server = damaged_copy(pristine, tmp_path / "copy")
    outside = [path for path in server.folder.iterdir() if path.is_file() and "key" in path.name]
    assert outside, "the root key should lie beside the data directory"
    for path in outside:
        path.unlink()
    with pytest.raises(RuntimeError) as refusal:
        server.start()
    assert "root key" in str(refusal.value).lower()
    assert not any(path.exists() for path in outside), "a new root key was made for old data"
