"""`canopic export-sealed` and tools/open_sealed.py: what one writes, the other opens, and nothing else."""

import base64
import hashlib
import json
import os
import random
import subprocess
import sys

import pytest

from harness.checksums import checksum
from harness.content import KIB, MIB, content, customer_headers, customer_key
from harness.server import BINARY, REPOSITORY, Server
from harness.signing import Signer

pytestmark = pytest.mark.embedded_only("It copies and damages the files of the embedded store.")

BUCKET = "exports"
OPENER = REPOSITORY / "tools" / "open_sealed.py"
# Around the border between records and blobs, and around those of chunks.
SIZES = [0, 1, 16 * KIB, 16 * KIB + 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 3 * MIB]
MODES = {
    "sse-s3": {},
    "sse-c": customer_headers(customer_key()),
    "sse-kms": {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-bucket-key-enabled": "true"},
}
# Each with a key of its own under a named key, and a context that the wrap is bound to.
CONTEXT = base64.b64encode(json.dumps({"project": "tool", "step": "7"}).encode()).decode()
KMS_WITH_CONTEXT = {
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-context": CONTEXT,
    "x-amz-server-side-encryption-bucket-key-enabled": "false",
}
HEADERS = {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    "x-amz-meta-plan": "a plan, sealed",
    "x-amz-meta-empty": "",
}


def upload(signer, name, pieces, headers, with_key=True):
    """A multipart upload; returns after its completion, with or without the customer's headers."""
    target = f"/{BUCKET}/{name}"
    begun = signer("POST", f"{target}?uploads", b"", {**HEADERS, **headers})
    assert begun.status == 200, begun.body
    upload_id, parts = begun.xml().findtext("UploadId"), ""
    keyed = {name: value for name, value in headers.items() if "customer" in name}
    for number, piece in pieces.items():
        sent = signer("PUT", f"{target}?partNumber={number}&uploadId={upload_id}", piece, keyed)
        assert sent.status == 200, sent.body
        parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{sent.headers['etag']}</ETag></Part>"
    xml = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    done = signer("POST", f"{target}?uploadId={upload_id}", xml, keyed if with_key else {})
    assert done.status == 200, done.body
    return begun


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A stopped server, and what its objects hold by their keys."""
    server = Server(tmp_path_factory.mktemp("exports")).start()
    signer = Signer(server, server.root)
    assert signer("PUT", f"/{BUCKET}").status == 200
    bodies = {}
    for mode, headers in MODES.items():
        for size in SIZES:
            name = f"{mode}/{size}"
            bodies[name] = content(size, name)
            sums = {"x-amz-checksum-crc32": checksum("CRC32", bodies[name])}
            put = signer("PUT", f"/{BUCKET}/{name}", bodies[name], {**HEADERS, **headers, **sums})
            assert put.status == 200, put.body
        pieces = {2: content(5 * MIB, mode), 9: content(5 * MIB + 70_000, mode), 10_000: b"the end"}
        for with_key in (True, False):
            name = f"{mode}/parts-{'with' if with_key else 'without'}-key"
            upload(signer, name, pieces, headers, with_key)
            bodies[name] = b"".join(pieces.values())
        name = f"{mode}/one-empty-part"
        upload(signer, name, {1: b""}, headers)
        bodies[name] = b""
    name = "sse-kms/with-context"
    bodies[name] = content(100_000, name)
    assert signer("PUT", f"/{BUCKET}/{name}", bodies[name], {**HEADERS, **KMS_WITH_CONTEXT}).status == 200
    assert server.stop() == 0
    return server, bodies


@pytest.fixture
def keys(site, tmp_path):
    """The arguments of the opener for each mode."""
    path = tmp_path / "customer.key"
    path.write_bytes(customer_key())
    return {"sse-c": ["--customer-key-file", path], "sse-s3": server_keys(site[0]), "sse-kms": server_keys(site[0])}


def server_keys(server):
    return ["--root-key", f"{server.data_dir}.root-key", "--keyring", server.data_dir / "keyring"]


def canopic(server, *arguments):
    command = [str(BINARY), *map(str, arguments), "--data-dir", str(server.data_dir)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def export(server, name, path, *arguments):
    done = canopic(server, "export-sealed", BUCKET, name, "--output", path, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path}\n" and path.stat().st_mode & 0o777 == 0o600
    return done


def opened(path, output, *arguments):
    command = [sys.executable, str(OPENER), str(path), *map(str, arguments), "-o", str(output)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)


def refused(done, output, *words):
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr and not done.stdout
    assert not words or any(word in done.stderr for word in words), done.stderr
    assert not output.exists() and not list(output.parent.glob("*.unproven"))


def with_digest(export):
    """The export with a digest that is right again, as an attacker would make it."""
    return export[:-32] + hashlib.sha256(export[:-32]).digest()


def test_every_mode_place_and_size_is_opened_again(site, keys, tmp_path):
    server, bodies = site
    for name, body in bodies.items():
        path, output = tmp_path / "export", tmp_path / "plain"
        export(server, name, path)
        mode = name.split("/")[0]
        done = opened(path, output, *keys[mode])
        assert done.returncode == 0, (name, done.stderr)
        assert output.read_bytes() == body and output.stat().st_mode & 0o777 == 0o600
        facts = json.loads(done.stdout)
        assert (facts["bucket"], facts["object_key"], facts["size"]) == (BUCKET, name, len(body))
        assert facts["mode"].lower() == mode and facts["kms_key"] == ("aws/s3" if mode == "sse-kms" else None)
        assert facts["sha256"] == hashlib.sha256(body).hexdigest()
        assert facts["headers"] == {name: HEADERS[name] for name in ("content-type", "cache-control")}
        assert facts["user_metadata"] == {"plan": "a plan, sealed", "empty": ""}
        if "parts" in name:
            assert facts["parts"] == 3 and facts["etag"] is None or facts["etag"].endswith("-3")
        elif "empty" not in name and "context" not in name:
            assert facts["checksums_verified"]["CRC32"] == checksum("CRC32", body)
        if mode == "sse-s3" and "part" not in name:
            assert facts["etag"] == hashlib.md5(body).hexdigest()
        assert facts["records_are_proven"] == (mode != "sse-c")
        assert facts["parts_are_proven"] == (name != "sse-c/parts-without-key")
        if KIB < len(body) < MIB:
            assert body[:64] not in path.read_bytes()
        path.unlink()
        output.unlink()


GOLDEN = REPOSITORY / "testdata" / "export"


@pytest.mark.parametrize("name", sorted(json.loads((GOLDEN / "expected.json").read_text())))
def test_exports_of_earlier_versions_open_for_ever(name, tmp_path):
    expected = json.loads((GOLDEN / "expected.json").read_text())[name]
    customer = ["--customer-key-file", GOLDEN / "customer-key"]
    keyrings = [["--root-key", GOLDEN / "root-key", "--keyring", GOLDEN / f"keyring-format-{number}"] for number in (1, 2)]
    # The first format of the keyring has no KMS keys.
    ways = {"sse-c": [customer], "sse-s3": keyrings, "sse-kms": keyrings[1:]}[expected["mode"].lower()]
    for number, way in enumerate(ways):
        output = tmp_path / str(number)
        done = opened(GOLDEN / f"{name}.sealed", output, *way)
        assert done.returncode == 0 and json.loads(done.stdout) == expected, done.stderr
        assert hashlib.sha256(output.read_bytes()).hexdigest() == expected["sha256"]
    if expected["mode"] == "SSE-KMS":
        refused(opened(GOLDEN / f"{name}.sealed", tmp_path / "x", *keyrings[0]), tmp_path / "x", "KMS key aws/s3")


def test_with_the_keyring_the_records_of_a_customers_object_are_proven_too(site, keys, tmp_path):
    path, output = tmp_path / "export", tmp_path / "plain"
    export(site[0], "sse-c/parts-without-key", path)
    done = opened(path, output, *keys["sse-c"], *keys["sse-s3"])
    facts = json.loads(done.stdout)
    assert facts["records_are_proven"] and facts["parts_are_proven"], done.stderr


def key_file_line(raw):
    """As `canopic key-file new` writes it."""
    return b"canopic-customer-key-v1:" + base64.b64encode(raw + hashlib.sha256(raw).digest()[:4]) + b"\n"


@pytest.mark.parametrize(
    "form",
    [bytes, lambda raw: raw + b"\n", lambda raw: raw.hex().encode(), lambda raw: base64.b64encode(raw), key_file_line],
)
def test_customer_keys_are_read_in_every_form(site, tmp_path, form):
    path, output, file = tmp_path / "export", tmp_path / "plain", tmp_path / "key"
    file.write_bytes(form(customer_key()))
    export(site[0], "sse-c/1", path)
    assert opened(path, output, "--customer-key-file", file).returncode == 0


def test_a_file_of_key_file_new_is_read(tmp_path):
    server = Server(tmp_path / "server").start()
    path, output, file = tmp_path / "export", tmp_path / "plain", tmp_path / "key"
    made = subprocess.run([str(BINARY), "key-file", "new", str(file)], capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    raw = base64.b64decode(file.read_bytes().partition(b":")[2])[:32]
    signer = Signer(server, server.root)
    signer("PUT", f"/{BUCKET}")
    assert signer("PUT", f"/{BUCKET}/k", b"hello", customer_headers(raw)).status == 200
    assert server.stop() == 0
    export(server, "k", path)
    assert opened(path, output, "--customer-key-file", file).returncode == 0 and output.read_bytes() == b"hello"
    file.write_bytes(file.read_bytes()[:-6] + b"AAAAA\n")
    refused(opened(path, tmp_path / "again", "--customer-key-file", file), tmp_path / "again", "mistyped")


def test_every_checksum_is_verified_over_the_plaintext(tmp_path):
    server = Server(tmp_path / "server").start()
    signer = Signer(server, server.root)
    signer("PUT", f"/{BUCKET}")
    body, pieces, expected = content(70_000), {1: content(5 * MIB, "first"), 2: content(70_000, "second")}, {}
    hashes = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256}
    for name in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
        compute = (
            (lambda data, name=name: base64.b64encode(hashes[name](data).digest()).decode())
            if name in hashes
            else (lambda data, name=name: checksum(name, data))
        )
        expected[name] = compute(body)
        sent = {f"x-amz-checksum-{name.lower()}": expected[name]}
        assert signer("PUT", f"/{BUCKET}/{name}", body, {**sent, **MODES["sse-c"]}).status == 200
        if name == "CRC64NVME":
            continue  # It is only ever over the whole object.
        wanted = {"x-amz-checksum-algorithm": name, "x-amz-checksum-type": "COMPOSITE", **MODES["sse-c"]}
        upload(signer, f"{name}-parts", pieces, wanted)
        expected[f"{name}-parts"] = compute(b"".join(base64.b64decode(compute(piece)) for piece in pieces.values()))
    assert server.stop() == 0
    key = tmp_path / "key"
    key.write_bytes(customer_key())
    for object_key, value in expected.items():
        path, output = tmp_path / f"{object_key}.export", tmp_path / f"{object_key}.plain"
        export(server, object_key, path)
        done = opened(path, output, "--customer-key-file", key)
        assert done.returncode == 0, (object_key, done.stderr)
        assert json.loads(done.stdout)["checksums_verified"] == {object_key.partition("-")[0]: value}, object_key


def test_a_wrong_key_is_told_from_damage(site, keys, tmp_path):
    server, _ = site
    path, output, wrong = tmp_path / "export", tmp_path / "plain", tmp_path / "wrong"
    wrong.write_bytes(customer_key("wrong"))
    for name in ("sse-c/1", "sse-c/parts-with-key"):
        export(server, name, path)
        refused(opened(path, output, "--customer-key-file", wrong), output, "the key is not the one of this object")
        refused(opened(path, output, *keys["sse-s3"]), output, "sealed under a customer key")
        path.unlink()
    export(server, "sse-s3/1", path)
    refused(opened(path, output, *keys["sse-c"]), output, "--root-key and --keyring")
    other = Server(tmp_path / "other").start()
    assert other.stop() == 0
    refused(opened(path, output, *server_keys(other)), output, "keyring is foreign")
    mixed = ["--root-key", f"{other.data_dir}.root-key", "--keyring", server.data_dir / "keyring"]
    refused(opened(path, output, *mixed), output, "another root key")
    wrong.write_bytes(b"short")
    refused(opened(path, output, "--customer-key-file", wrong), output, "holds no key of this kind")


def test_a_flipped_byte_anywhere_is_refused(site, keys, tmp_path):
    dice = random.Random(7)
    output, damaged = tmp_path / "plain", tmp_path / "damaged"
    for name in ("sse-c/1", "sse-s3/16385", "sse-kms/65536", "sse-c/parts-with-key"):
        path = tmp_path / name.replace("/", "-")
        export(site[0], name, path)
        stored = path.read_bytes()
        for at in [0, 16, 17, len(stored) - 33, len(stored) - 1, *dice.sample(range(len(stored)), 3)]:
            damaged.write_bytes(stored[:at] + bytes([stored[at] ^ 1 << dice.randrange(8)]) + stored[at + 1 :])
            refused(opened(damaged, output, *keys[name.split("/")[0]]), output, "damaged", "no export")
        for cut in (stored[:-1], stored[: len(stored) // 2], stored[:40], b"", stored + b"\0"):
            damaged.write_bytes(cut)
            refused(opened(damaged, output, *keys[name.split("/")[0]]), output)


def test_forged_digests_do_not_help(site, keys, tmp_path):
    """The digest is made right again after each flip; with the server's keys every byte that means something proves itself."""
    output, damaged, path = tmp_path / "plain", tmp_path / "damaged", tmp_path / "export"
    for name, step in (("sse-c/1", 11), ("sse-kms/1", 23)):
        export(site[0], name, path)
        stored = path.read_bytes()
        # The name of the bucket is for people, and nothing proves it.
        name_at = stored.index(BUCKET.encode())
        for at in [*range(0, 60, 3), *range(60, len(stored) - 32, step)]:
            if not name_at <= at < name_at + len(BUCKET):
                damaged.write_bytes(with_digest(stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :]))
                refused(opened(damaged, output, *keys["sse-c"], *keys["sse-s3"]), output)
        path.unlink()


def test_swapped_and_dropped_chunks_are_refused_without_the_servers_keys_too(site, keys, tmp_path):
    output, damaged, path = tmp_path / "plain", tmp_path / "damaged", tmp_path / "export"
    export(site[0], f"sse-c/{3 * MIB}", path)
    stored, chunk = path.read_bytes(), 64 * KIB + 16
    first = stored.rindex(b"\5" + bytes(8)) - 48 * chunk
    swapped = stored[:first] + stored[first + chunk : first + 2 * chunk] + stored[first : first + chunk]
    dropped = stored[: first + chunk] + stored[first + 2 * chunk :]
    padded = dropped[:-41] + bytes(chunk) + dropped[-41:]
    for forged in (swapped + stored[first + 2 * chunk :], dropped, padded):
        damaged.write_bytes(with_digest(forged))
        refused(opened(damaged, output, *keys["sse-c"]), output, "is damaged", "is not in its place")


def test_nothing_is_overwritten(site, keys, tmp_path):
    path, output = tmp_path / "export", tmp_path / "plain"
    path.write_text("precious")
    done = canopic(site[0], "export-sealed", BUCKET, "sse-c/1", "--output", path)
    assert done.returncode == 1 and "not overwritten" in done.stderr and path.read_text() == "precious"
    path.unlink()
    export(site[0], "sse-c/1", path)
    output.write_text("precious")
    done = opened(path, output, *keys["sse-c"])
    assert done.returncode == 1 and output.read_text() == "precious"


def test_what_is_not_there_is_told(site, tmp_path):
    path = tmp_path / "export"
    for bucket, name, words in [
        ("no-such-bucket", "k", "bucket does not exist"),
        (BUCKET, "no-such-object", "key does not exist"),
        ("B/A/D", "k", "no name that a bucket can have"),
    ]:
        done = canopic(site[0], "export-sealed", bucket, name, "--output", path)
        assert done.returncode == 1 and words in done.stderr and not path.exists(), done.stderr


def copied(site, folder):
    """A copy of the stopped server's folder, to be damaged."""
    subprocess.run(["cp", "-a", str(site[0].folder), str(folder)], check=True)
    return Server(folder)


def test_a_running_server_is_in_the_way(site, tmp_path):
    server = copied(site, tmp_path / "copy").start()
    done = canopic(server, "export-sealed", BUCKET, "sse-c/1", "--output", tmp_path / "export")
    assert done.returncode == 1 and "a server is running" in done.stderr
    server.stop()


def test_without_the_servers_keys_a_customers_object_is_exported_and_opened(site, keys, tmp_path):
    server = copied(site, tmp_path / "copy")
    os.unlink(f"{server.data_dir}.root-key")
    (server.data_dir / "keyring").unlink()
    path, output = tmp_path / "export", tmp_path / "plain"
    done = export(server, "sse-c/65537", path)
    assert "not authenticated" in done.stderr
    assert opened(path, output, *keys["sse-c"]).returncode == 0
    assert output.read_bytes() == site[1]["sse-c/65537"]


def test_a_damaged_object_is_exported_only_by_force_and_does_not_open(site, keys, tmp_path):
    for number, damage in enumerate((lambda path: path.unlink(), lambda path: os.truncate(path, 100_000))):
        server = copied(site, tmp_path / f"copy{number}")
        size = 3 * MIB + 48 * 16
        for blob in [path for path in server.data_dir.rglob("*") if path.is_file() and path.stat().st_size == size]:
            damage(blob)
        path, output = tmp_path / f"export{number}", tmp_path / "plain"
        done = canopic(server, "export-sealed", BUCKET, f"sse-c/{3 * MIB}", "--output", path)
        assert done.returncode == 1 and "damaged: " in done.stderr and "--force" in done.stderr, done.stderr
        assert not path.exists()
        export(server, f"sse-c/{3 * MIB}", path, "--force")
        refused(opened(path, output, *keys["sse-c"]), output, "cut or too long")
