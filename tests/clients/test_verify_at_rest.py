"""`canopic verify-at-rest`: clean over a sound store, and a finding for whatever was done to it."""

import json
import os
import random
import subprocess
import sys
import time

import pytest

from harness.content import KIB, MIB, content, customer_headers, customer_key
from harness.server import BINARY, Server
from harness.signing import Signer

pytestmark = pytest.mark.embedded_only("It reads and damages the files of the embedded store.")

BUCKET = "at-rest"
MODES = {
    "c": customer_headers(customer_key()),
    "s": {},
    "k": {"x-amz-server-side-encryption": "aws:kms"},
}
SIZES = [0, 1, 4 * KIB, 16 * KIB, 16 * KIB + 1, 64 * KIB + 1, MIB]
OBJECTS = len(MODES) * (len(SIZES) + 1)


def text(length):
    """What somebody could read."""
    line = b"Dear diary, this is a plain text that nobody should be able to read on a disk.\n"
    return (line * (length // len(line) + 1))[:length]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A stopped server with objects of each mode and kind, and uploads in progress."""
    server = Server(tmp_path_factory.mktemp("at-rest") / "pristine").start()
    signer = Signer(server, server.root)
    assert signer("PUT", f"/{BUCKET}").status == 200
    for mode, headers in MODES.items():
        for size in SIZES:
            put = signer("PUT", f"/{BUCKET}/{mode}/{size}", text(size), {**headers, "x-amz-meta-plan": "x" * 200})
            assert put.status == 200, put.body
        keyed = headers if mode == "c" else {}
        for name, is_complete in (("parts", True), ("upload", False)):
            target = f"/{BUCKET}/{mode}/{name}"
            upload = signer("POST", f"{target}?uploads", b"", headers).xml().findtext("UploadId")
            sent = signer("PUT", f"{target}?partNumber=4&uploadId={upload}", text(300_000), keyed)
            assert sent.status == 200, sent.body
            part = f"<Part><PartNumber>4</PartNumber><ETag>{sent.headers['etag']}</ETag></Part>"
            xml = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
            assert not is_complete or signer("POST", f"{target}?uploadId={upload}", xml, keyed).status == 200
    assert server.stop() == 0
    return server


@pytest.fixture
def server(pristine, tmp_path):
    """A copy of it, to be damaged."""
    subprocess.run(["cp", "-a", str(pristine.folder), str(tmp_path / "copy")], check=True)
    return Server(tmp_path / "copy")


def verify(server, *arguments):
    """Runs it; gives the finished process and the lines of its report."""
    report = server.folder / "report.jsonl"
    report.unlink(missing_ok=True)
    command = [str(BINARY), "verify-at-rest", "--data-dir", str(server.data_dir), "--json", str(report)]
    done = subprocess.run(
        [*command, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240
    )
    lines = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
    return done, lines


def of_type(lines, kind):
    return [line for line in lines if line["type"] == kind]


def problems(server, *arguments):
    """What it finds, expecting that it finds something."""
    done, lines = verify(server, *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    found = of_type(lines, "finding")
    assert all(line["message"] in done.stdout for line in found)
    return found


def blobs(server, *sizes):
    """The files of blobs that have one of these sizes."""
    paths = [path for path in (server.data_dir / "store" / "blobs").rglob("*") if path.is_file()]
    return [path for path in paths if path.stat().st_size in sizes]


def sealed(size):
    return size + 16 * max(1, -(-size // (64 * KIB)))


def test_a_sound_store_is_clean(server):
    done, lines = verify(server)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 findings, 0 notes" in done.stdout
    assert os.stat(server.folder / "report.jsonl").st_mode & 0o777 == 0o600
    objects, uploads, (summary,) = (of_type(lines, kind) for kind in ("object", "upload", "summary"))
    assert len(objects) == summary["objects"] == OBJECTS and len(uploads) == summary["uploads"] == len(MODES)
    by_name = {line["object_key"]: line for line in objects}
    for mode, (shown, key_id, chunks) in {
        "c": ("SSE-C", lambda key_id: key_id is None, "sealed by their looks"),
        "s": ("SSE-S3", lambda key_id: len(key_id) == 32, "authenticated"),
        "k": ("SSE-KMS", lambda key_id: key_id == "aws/s3", "authenticated"),
    }.items():
        for size in SIZES:
            line = by_name[f"{mode}/{size}"]
            assert line["mode"] == shown and key_id(line["key_id"]) and line["record_authenticates"]
            assert line["sealed_bytes"] == sealed(size) and line["chunks"] == max(1, -(-size // (64 * KIB)))
            assert line["chunks_are"] == chunks and line["findings"] == 0
    assert {key["mode"]: key["count"] for key in summary["keys"]} == dict.fromkeys(
        ("SSE-C", "SSE-S3", "SSE-KMS"), OBJECTS // 3 + 1
    )
    # It changed nothing: the server starts, and a second look finds the same.
    assert server.start().stop() == 0
    assert verify(server)[0].returncode == 0


def test_a_store_that_the_server_left_by_a_crash_is_clean_but_for_notes(server):
    server.start()
    signer = Signer(server, server.root)
    signer("PUT", f"/{BUCKET}/late", text(MIB))
    server.kill()
    done, lines = verify(server)
    assert done.returncode == 0, done.stdout + done.stderr
    assert of_type(lines, "summary")[0]["objects"] == OBJECTS + 1


@pytest.mark.parametrize("place", ["", "blobs", "blobs/3f"])
def test_a_planted_file_is_found(server, place):
    planted = server.data_dir / "store" / place / "backup of my diary.txt"
    planted.write_bytes(text(10_000))
    (finding,) = problems(server)
    assert finding["problem"] == "stranger" and planted.name in finding["what"] and "10000 bytes" in finding["message"]
    (finding,) = problems(server, "--quick")
    assert finding["problem"] == "stranger" and planted.exists()


def test_a_planted_file_with_the_name_of_a_blob_is_judged_by_its_looks(server):
    planted = server.data_dir / "store" / "blobs" / "3f" / ("3f" * 16)
    planted.write_bytes(text(200_000))
    (finding,) = problems(server)
    assert finding["problem"] == "looks-like-plaintext" and "3f3f" in finding["what"]
    planted.write_bytes(content(200_000))
    done, lines = verify(server)
    assert done.returncode == 0 and [line["problem"] for line in of_type(lines, "note")] == ["unnamed-bytes"]
    assert planted.exists(), "looking at it must not delete it"


@pytest.mark.parametrize("size", [16 * KIB + 1, MIB, 300_000])
def test_plaintext_under_a_record_is_found_in_every_mode(server, size):
    for path in blobs(server, sealed(size)):
        path.write_bytes(text(sealed(size)))
    found = problems(server)
    assert {line["problem"] for line in found} == {"looks-like-plaintext"}
    expected = {f"{mode}/{size}" for mode in MODES}
    if size == 300_000:
        expected = {f"{mode}/{name}" for mode in MODES for name in ("parts", "upload")}
    assert {line["object_key"] for line in found} == expected


def test_plaintext_of_its_own_length_is_found_twice(server):
    """As a server would leave it that forgets to seal."""
    for path in blobs(server, sealed(MIB)):
        path.write_bytes(text(MIB))
    found = problems(server)
    assert sorted(line["problem"] for line in found) == ["length"] * 3 + ["looks-like-plaintext"] * 3


@pytest.mark.parametrize(
    "damage, expected",
    [
        (lambda path: os.truncate(path, 100_000), "length"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "length"),
        (lambda path: path.write_bytes(b""), "length"),
        (lambda path: path.unlink(), "missing"),
    ],
)
def test_blobs_of_another_length_and_lost_ones_are_found_without_a_key_too(server, damage, expected):
    for path in blobs(server, sealed(MIB)):
        damage(path)
    for arguments in ([], ["--quick"]):
        found = problems(server, *arguments)
        assert {line["object_key"] for line in found if line["problem"] == expected} == {f"{mode}/{MIB}" for mode in MODES}


def test_a_flipped_bit_is_found_where_the_server_has_the_key(server):
    dice = random.Random(3)
    for path in blobs(server, sealed(MIB)):
        stored = bytearray(path.read_bytes())
        at = dice.randrange(len(stored))
        stored[at] ^= 1 << dice.randrange(8)
        path.write_bytes(stored)
    found = problems(server)
    assert {line["problem"] for line in found} == {"chunks-not-authentic"}
    # Without the customer's key nobody can see it; that is what the report says of those chunks.
    assert {line["object_key"] for line in found} == {f"s/{MIB}", f"k/{MIB}"}


def test_exchanged_blobs_are_found(server):
    paths = blobs(server, sealed(300_000))
    stored = [path.read_bytes() for path in paths]
    for path, bytes_of_another in zip(paths, stored[1:] + stored[:1]):
        path.write_bytes(bytes_of_another)
    found = problems(server)
    assert {line["problem"] for line in found} == {"chunks-not-authentic"}
    assert {line["object_key"] for line in found} == {f"{mode}/{name}" for mode in "sk" for name in ("parts", "upload")}


def test_a_selection_looks_at_no_more(server):
    for path in blobs(server, sealed(MIB)):
        path.unlink()
    done, lines = verify(server, "--bucket", BUCKET, "--prefix", "s/4")
    assert done.returncode == 0, done.stdout
    assert [line["object_key"] for line in of_type(lines, "object")] == ["s/4096"]
    assert problems(server, "--bucket", BUCKET, "--prefix", f"c/{MIB}")


def test_what_cannot_be_looked_at_is_told_with_an_exit_code_of_its_own(server, tmp_path):
    for arguments, words in [
        (["--bucket", "no-such-bucket"], "there is no bucket"),
        (["--bucket", "B/A/D"], "no name that a bucket can have"),
        (["--data-dir", tmp_path / "nothing"], "there is no data directory"),
        (["--rate", "0"], "0 is not in"),
    ]:
        command = [str(BINARY), "verify-at-rest", *map(str, arguments)]
        command += [] if "--data-dir" in arguments else ["--data-dir", str(server.data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and words in done.stderr, done.stderr
    taken = server.folder / "taken"
    taken.write_text("precious")
    command = [str(BINARY), "verify-at-rest", "--data-dir", str(server.data_dir), "--json", str(taken)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and taken.read_text() == "precious"
    server.start()
    done, _ = verify(server)
    assert done.returncode == 2 and "a server is running" in done.stderr
    server.stop()
    os.unlink(f"{server.data_dir}.root-key")
    done, _ = verify(server)
    assert done.returncode == 2 and "keys are needed" in done.stderr


# Runs a command from a small process, and prints its exit code and the most memory that it had, in KiB.
MEASURE = """import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)"""


def test_memory_does_not_grow_with_an_object(tmp_path):
    server = Server(tmp_path / "server").start()
    signer = Signer(server, server.root)
    signer("PUT", f"/{BUCKET}")
    assert signer("PUT", f"/{BUCKET}/large", content(100 * MIB), MODES["c"], timeout=200).status == 200
    assert server.stop() == 0
    for arguments in (["verify-at-rest"], ["export-sealed", BUCKET, "large", "--output", str(tmp_path / "export")]):
        command = [sys.executable, "-S", "-c", MEASURE, str(BINARY), *arguments, "--data-dir", str(server.data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
        code, memory = map(int, done.stdout.split())
        assert code == 0 and memory < 64 * KIB, (arguments, code, memory)


def test_a_rate_is_kept(server):
    began = time.monotonic()
    done, lines = verify(server, "--rate", "3")
    took, read = time.monotonic() - began, of_type(lines, "summary")[0]["sealed_bytes"]
    assert done.returncode == 0
    # A piece of a MiB is let through before the first wait.
    assert read > 4 * MIB and took > (read / MIB - 1) / 3 - 0.1, (read, took)
