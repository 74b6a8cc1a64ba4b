"""`canopic key-file`, `put`, `get`, `head`, `ls`, `rm`, `cp` and `which-key`, as a user gives them."""

import base64
import hashlib
import os
import re
import signal
import stat
import subprocess
import sys
import time

import pytest

from harness.checksums import checksum
from harness.clients import Tool, boto3_client
from harness.content import KIB, MIB, b64, content, customer_key, sse_c
from harness.faults import OneAnswer, SlowLink
from harness.server import BINARY, Server

WRONG, MISSING, NOT_APPLICABLE, NOT_CONFIRMED = 10, 11, 12, 13
DENIED, NOT_FOUND, DAMAGED, UNAVAILABLE = 3, 4, 5, 6
# As small as S3 allows, so that small files are uploads in parts.
SMALL_PARTS = ("--part-size", "5MiB")


def cli_of(server, credentials, folder, **environment):
    """The command with a home of its own, so that nothing of an earlier test is resumed."""
    settings = {
        "CANOPIC_ENDPOINT": server.url,
        "CANOPIC_CA_FILE": str(server.ca),
        "CANOPIC_ACCESS_KEY": credentials.access,
        "CANOPIC_SECRET_KEY": credentials.secret,
    }
    return Tool([str(BINARY)], settings | environment, folder)


@pytest.fixture
def cli(server, user, tmp_path):
    return cli_of(server, user, tmp_path)


@pytest.fixture
def link(server):
    """A slow way to the server. It is an endpoint of its own: what is resumed goes the same way."""
    with SlowLink(server.port, bytes_per_second=12 * MIB) as link:
        yield link


@pytest.fixture
def key(tmp_path):
    """A key file with the raw bytes of a key that other clients have too."""
    return key_file(tmp_path / "customer.key", customer_key())


def key_file(path, raw):
    path.write_bytes(raw)
    path.chmod(0o600)
    return path


def fails(done, code, words):
    said = done.stderr.decode()
    assert done.returncode == code and words in said, (done.returncode, said)
    return said


# Key files


def test_a_new_key_is_private_random_and_never_overwritten(cli, tmp_path):
    cli("key-file", "new", "one.key")
    cli("key-file", "new", "two.key")
    one = (tmp_path / "one.key").read_bytes()
    assert stat.S_IMODE((tmp_path / "one.key").stat().st_mode) == 0o600
    assert re.fullmatch(rb"canopic-customer-key-v1:[A-Za-z0-9+/]{48}\n", one)
    assert one != (tmp_path / "two.key").read_bytes()
    fails(cli.run("key-file", "new", "one.key"), 1, "never overwritten")
    (tmp_path / "link").symlink_to("nowhere")
    fails(cli.run("key-file", "new", "link"), 1, "never overwritten")
    assert (tmp_path / "one.key").read_bytes() == one
    raw = cli("key-file", "raw", "one.key")
    decoded = base64.b64decode(one.split(b":")[1])
    assert decoded == raw + hashlib.sha256(raw).digest()[:4]


def test_show_prints_the_headers_and_warns(cli, key):
    done = cli.run("key-file", "show", key)
    assert done.returncode == 0 and b"IS the key" in done.stderr
    lines = done.stdout.decode().splitlines()
    assert f"x-amz-server-side-encryption-customer-key: {b64(customer_key())}" in lines
    digest = b64(hashlib.md5(customer_key()).digest())
    assert f"x-amz-server-side-encryption-customer-key-MD5: {digest}" in lines


@pytest.mark.parametrize("form", ["raw", "raw line", "hex", "HEX", "base64"])
def test_keys_that_researchers_have_are_taken(cli, s3, bucket, tmp_path, form):
    raw = b"0123456789abcdefghijklmnopqrstuv"
    texts = {
        "raw": raw,
        "raw line": raw + b"\n",
        "hex": raw.hex().encode() + b"\n",
        "HEX": raw.hex().upper().encode(),
        "base64": base64.b64encode(raw) + b"\n",
    }
    s3.put_object(Bucket=bucket, Key="o", Body=b"sealed", **sse_c(raw))
    path = key_file(tmp_path / "form.key", texts[form])
    assert cli("get", "--key-file", path, f"s3://{bucket}/o", "-") == b"sealed"


def test_a_bad_key_file_is_refused_without_repeating_it(cli, bucket, tmp_path):
    cli("key-file", "new", "good.key")
    good = (tmp_path / "good.key").read_text()
    for bad in [good[:-3] + "\n", good.replace(good[40], "A" if good[40] != "A" else "B", 1), "hush hush", ""]:
        path = key_file(tmp_path / "bad.key", bad.encode())
        done = cli.run("get", "--key-file", path, f"s3://{bucket}/o", "-")
        assert done.returncode == 1 and b"bad.key" in done.stderr, done.stderr
        assert not bad or bad.strip().encode() not in done.stderr
        assert bad[30:50].encode() not in done.stderr or not bad[30:50]


def test_a_key_file_that_others_can_read_is_used_with_a_warning(cli, bucket, key, tmp_path):
    key.chmod(0o644)
    (tmp_path / "f").write_bytes(b"x")
    done = cli.run("put", "--key-file", key, "f", f"s3://{bucket}/f")
    assert done.returncode == 0 and b"warning" in done.stderr and b"chmod 600" in done.stderr


# There and back


@pytest.mark.parametrize("mode", ["default", "AES256", "customer key"])
def test_every_size_goes_there_and_back(cli, s3, bucket, key, tmp_path, mode):
    write = {"default": [], "AES256": ["--sse", "AES256"], "customer key": ["--key-file", key]}[mode]
    read, theirs = (["--key-file", key], sse_c(customer_key())) if mode == "customer key" else ([], {})
    for size in [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 20 * MIB + 3]:
        (tmp_path / "there").write_bytes(content(size))
        said = cli("put", *write, *SMALL_PARTS, "there", f"s3://{bucket}/{size}").decode()
        assert said == f"s3://{bucket}/{size} {size}\n"
        assert s3.get_object(Bucket=bucket, Key=str(size), **theirs)["Body"].read() == content(size)
        said = cli("get", *read, f"s3://{bucket}/{size}", "back").decode()
        assert "CRC64NVME verified" in said
        assert (tmp_path / "back").read_bytes() == content(size), size
    assert not list(tmp_path.glob("*.part"))
    in_two_parts = 5 * MIB + 1
    head = s3.head_object(Bucket=bucket, Key=str(in_two_parts), ChecksumMode="ENABLED", **theirs)
    assert head["ChecksumType"] == "FULL_OBJECT"
    assert head["ChecksumCRC64NVME"] == checksum("CRC64NVME", content(in_two_parts))


@pytest.mark.parametrize("algorithm", ["crc32", "crc32c", "sha256", "none"])
def test_other_checksums_go_there_and_back(cli, bucket, key, tmp_path, algorithm):
    for size in (70_000, 11 * MIB):
        (tmp_path / "there").write_bytes(content(size))
        cli("put", "--key-file", key, *SMALL_PARTS, "--checksum", algorithm, "there", f"s3://{bucket}/{algorithm}")
        cli("get", "--key-file", key, f"s3://{bucket}/{algorithm}", "back")
        assert (tmp_path / "back").read_bytes() == content(size)


def test_a_directory_goes_there_and_back(cli, s3, bucket, key, tmp_path):
    names = ["a", "b c+d.txt", "sub/ü.bin", "sub/deep/%41", "sub/new\nline"]
    for number, name in enumerate(names):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(1000 * number))
    (tmp_path / "tree" / "link").symlink_to("/etc/passwd")
    done = cli.run("put", "--recursive", "--key-file", key, "tree", f"s3://{bucket}/t")
    assert done.returncode == 0 and b"link: passed over" in done.stderr
    keys = sorted(each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"])
    assert keys == sorted(f"t/{name}" for name in names)
    s3.put_object(Bucket=bucket, Key="t10/x", Body=b"another folder")
    cli("get", "--recursive", "--key-file", key, f"s3://{bucket}/t", "back")
    for number, name in enumerate(names):
        assert (tmp_path / "back" / name).read_bytes() == content(1000 * number), name
    assert sum(1 for path in (tmp_path / "back").rglob("*") if path.is_file()) == len(names)
    assert b"\n\n" not in cli("ls", "--recursive", f"s3://{bucket}/t/"), "a name must not break a line"
    cli("rm", "--recursive", f"s3://{bucket}/t")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["t10/x"]


def test_one_failure_in_a_directory_does_not_stop_the_others(cli, s3, bucket, key, tmp_path):
    s3.put_object(Bucket=bucket, Key="d/1", Body=b"one", **sse_c(customer_key()))
    s3.put_object(Bucket=bucket, Key="d/2", Body=b"two", **sse_c(customer_key("other")))
    s3.put_object(Bucket=bucket, Key="d/3", Body=b"three", **sse_c(customer_key()))
    fails(cli.run("get", "--recursive", "--key-file", key, f"s3://{bucket}/d", "out"), WRONG, f"s3://{bucket}/d/2")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1", "3"]


def test_a_key_cannot_get_out_of_the_directory(cli, raw, bucket, tmp_path):
    raw("PUT", f"/{bucket}/d/good", b"good")
    for name in ("d/%2E%2E/%2E%2E/evil", "d//abs"):
        assert raw("PUT", f"/{bucket}/{name}", b"evil").status == 200
    done = cli.run("get", "--recursive", f"s3://{bucket}/d", "inner/out")
    assert done.returncode == 1 and b"no file below the directory" in done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["good"]


def test_streams_and_metadata(cli, s3, bucket, key):
    for size in (0, 5, 11 * MIB):
        done = subprocess.run(
            [*cli.command, "put", "--key-file", key, *SMALL_PARTS, "-", f"s3://{bucket}/stream", "--content-type"]
            + ["text/plain", "--meta", "Plan=a b"],
            env=cli.environment,
            input=content(size),
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        head = s3.head_object(Bucket=bucket, Key="stream", **sse_c(customer_key()))
        assert (head["ContentType"], head["Metadata"], head["ContentLength"]) == ("text/plain", {"plan": "a b"}, size)
        assert cli("get", "--key-file", key, f"s3://{bucket}/stream", "-") == content(size)
    shown = cli("head", "--key-file", key, f"s3://{bucket}/stream").decode()
    assert re.search(r"^encryption +SSE-C$", shown, re.MULTILINE) and re.search(r"^meta plan +a b$", shown, re.MULTILINE)


def test_a_bucket_is_made(cli, s3, bucket_name):
    cli("mb", f"s3://{bucket_name}")
    assert f"s3://{bucket_name}\n".encode() in cli("ls")
    s3.head_bucket(Bucket=bucket_name)


# Clear words


def test_wrong_missing_and_needless_keys_are_told_apart(cli, s3, bucket, key, tmp_path):
    other = key_file(tmp_path / "other.key", customer_key("other"))
    s3.put_object(Bucket=bucket, Key="sealed", Body=b"sealed", **sse_c(customer_key()))
    s3.put_object(Bucket=bucket, Key="plain", Body=b"plain")
    sealed, plain = f"s3://{bucket}/sealed", f"s3://{bucket}/plain"
    for command in (["get"], ["head"]):
        fails(cli.run(*command, "--key-file", other, sealed), WRONG, "wrong customer key")
        fails(cli.run(*command, sealed), MISSING, "customer key missing")
        fails(cli.run(*command, "--key-file", key, plain), NOT_APPLICABLE, "not applicable")
        fails(cli.run(*command, "--key-file", key, f"{sealed}s"), NOT_FOUND, "no such object")
    fails(cli.run("get", f"s3://{bucket}-none/x"), NOT_FOUND, "no such bucket")
    fails(cli.run("put", key, f"s3://{bucket}-none/x"), NOT_FOUND, "no such bucket")
    fails(cli.run("cp", sealed, f"{sealed}2"), MISSING, "--source-key-file")
    fails(cli.run("cp", "--source-key-file", other, sealed, f"{sealed}2"), WRONG, "wrong customer key")
    assert not (tmp_path / "sealed").exists() and not list(tmp_path.glob("*.part"))


def test_denied_is_not_called_a_wrong_key(server, other_user, s3, bucket, key, tmp_path):
    s3.put_object(Bucket=bucket, Key="sealed", Body=b"sealed", **sse_c(customer_key()))
    stranger = cli_of(server, other_user, tmp_path)
    for command in ("get", "head", "which-key"):
        fails(stranger.run(command, "--key-file", key, f"s3://{bucket}/sealed"), DENIED, "access denied")
    fails(stranger.run("rm", f"s3://{bucket}/sealed"), DENIED, "access denied")


def test_a_server_that_ignores_the_key_is_found_out(cli, key, tmp_path):
    with OneAnswer(200, {"etag": '"e"'}) as stub:
        done = cli.run("put", "--endpoint", stub.url, "--key-file", key, key, "s3://bucket/o")
        fails(done, NOT_CONFIRMED, "did not confirm the customer key")
    with OneAnswer(200, {"etag": '"e"'}, b"in the clear") as stub:
        done = cli.run("get", "--endpoint", stub.url, "--key-file", key, "s3://bucket/o")
        fails(done, NOT_APPLICABLE, "not applicable")


def test_an_answer_that_does_not_have_its_checksum_is_damaged(cli, tmp_path):
    headers = {"etag": '"e"', "x-amz-checksum-crc32": checksum("CRC32", b"another body")}
    with OneAnswer(200, headers, b"not this body") as stub:
        fails(cli.run("get", "--endpoint", stub.url, "s3://bucket/o"), DAMAGED, "damaged")
    assert not list(tmp_path.glob("o*"))


def test_a_server_that_is_busy_is_asked_again_and_then_given_up(cli, tmp_path):
    (tmp_path / "f").write_bytes(b"x")
    with OneAnswer(503, {}, b"<Error><Code>SlowDown</Code></Error>") as stub:
        done = cli.run("put", "--endpoint", stub.url, "--attempts", "3", "f", "s3://bucket/f")
        fails(done, UNAVAILABLE, "503 SlowDown")
        assert stub.requests == 3
    fails(cli.run("get", "--endpoint", stub.url, "--attempts", "2", "s3://bucket/f"), UNAVAILABLE, "cannot be reached")


def test_a_certificate_of_another_authority_is_refused(cli, server, bucket):
    done = cli.run("ls", f"s3://{bucket}", "--attempts", "1", "--ca-file", "/etc/ssl/certs/ca-certificates.crt")
    assert done.returncode in (1, UNAVAILABLE) and (b"TLS" in done.stderr or b"no such" in done.stderr.lower())


# Which key


def test_which_key_finds_the_one_that_opens(cli, s3, bucket, tmp_path):
    (tmp_path / "keys").mkdir()
    for name in "abc":
        key_file(tmp_path / "keys" / f"{name}.key", customer_key(name))
    (tmp_path / "keys" / "notes.txt").write_text("no key")
    s3.put_object(Bucket=bucket, Key="sealed", Body=content(70_000), **sse_c(customer_key("b")))
    s3.put_object(Bucket=bucket, Key="plain", Body=b"plain")
    sealed = f"s3://{bucket}/sealed"
    assert cli("which-key", sealed, "--key-dir", "keys") == b"keys/b.key\n"
    assert cli("which-key", sealed, "--key-file", "keys/a.key", "--key-file", "keys/b.key") == b"keys/b.key\n"
    fails(cli.run("which-key", sealed, "--key-file", "keys/a.key"), WRONG, "none of 1 keys")
    fails(cli.run("which-key", f"s3://{bucket}/plain", "--key-dir", "keys"), NOT_APPLICABLE, "needs no customer key")
    fails(cli.run("which-key", f"s3://{bucket}/gone", "--key-dir", "keys"), NOT_FOUND, "no such object")


# Copies


def test_a_copy_onto_itself_changes_the_key(cli, s3, bucket, key, tmp_path):
    new = key_file(tmp_path / "new.key", customer_key("new"))
    (tmp_path / "there").write_bytes(content(11 * MIB))
    for name in ("d/1", "d/2"):
        cli("put", "--key-file", key, *SMALL_PARTS, "--meta", "plan=a", "there", f"s3://{bucket}/{name}")
    cli("cp", "--source-key-file", key, "--key-file", new, f"s3://{bucket}/d/1", f"s3://{bucket}/d/1")
    assert s3.get_object(Bucket=bucket, Key="d/1", **sse_c(customer_key("new")))["Metadata"] == {"plan": "a"}
    fails(cli.run("get", "--key-file", key, f"s3://{bucket}/d/1"), WRONG, "wrong customer key")
    cli("cp", "--source-key-file", new, f"s3://{bucket}/d/1", f"s3://{bucket}/e/")
    assert cli("get", f"s3://{bucket}/e/1", "-") == content(11 * MIB)
    cli("cp", "--source-key-file", new, "--key-file", key, f"s3://{bucket}/d/1", f"s3://{bucket}/d/1")
    cli("cp", "--recursive", "--source-key-file", key, "--key-file", new, f"s3://{bucket}/d", f"s3://{bucket}/f")
    for name in ("f/1", "f/2"):
        assert cli("get", "--key-file", new, f"s3://{bucket}/{name}", "-") == content(11 * MIB)


# Interruptions


def killed_when(command, environment, folder, ready):
    """Starts a command, kills it as soon as `ready` says so, and returns its process."""
    process = subprocess.Popen(list(map(str, command)), env=environment, cwd=folder, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not ready():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "it never got so far"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def unfinished(s3, bucket):
    return s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


def journals(tmp_path):
    return list((tmp_path / ".local/state/canopic/uploads").glob("*"))


def cut_upload(cli, link, bucket, key, tmp_path):
    """An upload of 32 MiB that dies when the server has at least two parts; then the link is quick."""
    (tmp_path / "big").write_bytes(content(32 * MIB))
    command = ["put", "--endpoint", link.url, "--key-file", key, *SMALL_PARTS, "--parallel", "2"]
    killed_when(
        [*cli.command, *command, "big", f"s3://{bucket}/big"],
        cli.environment,
        tmp_path,
        lambda: any(path.read_bytes().count(b"\n") >= 3 for path in journals(tmp_path)),
    )
    link.unleash()


def test_an_upload_goes_on_after_a_kill(cli, link, s3, bucket, key, tmp_path):
    cut_upload(cli, link, bucket, key, tmp_path)
    assert len(unfinished(s3, bucket)) == 1 and len(journals(tmp_path)) == 1
    said = cli("put", "--endpoint", link.url, "--key-file", key, *SMALL_PARTS, "big", f"s3://{bucket}/big").decode()
    resumed = re.search(r"an earlier run had uploaded (\d+)", said)
    assert resumed and int(resumed[1]) >= 2 * 5 * MIB, said
    assert s3.get_object(Bucket=bucket, Key="big", **sse_c(customer_key()))["Body"].read() == content(32 * MIB)
    assert unfinished(s3, bucket) == [] and journals(tmp_path) == []


@pytest.mark.parametrize("change", ["file", "key", "mode"])
def test_an_upload_of_something_else_begins_anew(cli, link, s3, bucket, key, tmp_path, change):
    cut_upload(cli, link, bucket, key, tmp_path)
    body, mode, theirs = content(32 * MIB), ["--key-file", key], sse_c(customer_key())
    if change == "file":
        body = content(32 * MIB, seed="other")
        (tmp_path / "big").write_bytes(body)
    elif change == "key":
        mode, theirs = ["--key-file", key_file(tmp_path / "other.key", customer_key("o"))], sse_c(customer_key("o"))
    else:
        mode, theirs = ["--sse", "AES256"], {}
    said = cli("put", "--endpoint", link.url, *mode, *SMALL_PARTS, "big", f"s3://{bucket}/big").decode()
    assert "earlier run" not in said
    assert s3.get_object(Bucket=bucket, Key="big", **theirs)["Body"].read() == body
    assert unfinished(s3, bucket) == [] and journals(tmp_path) == []


def test_uploads_of_others_are_left_alone(cli, s3, bucket, key, tmp_path):
    theirs = s3.create_multipart_upload(Bucket=bucket, Key="big", **sse_c(customer_key()))["UploadId"]
    (tmp_path / "big").write_bytes(content(11 * MIB))
    cli("put", "--key-file", key, *SMALL_PARTS, "big", f"s3://{bucket}/big")
    assert [each["UploadId"] for each in unfinished(s3, bucket)] == [theirs]
    assert theirs in cli("ls", "--uploads", f"s3://{bucket}").decode()
    cli("rm", "--uploads", f"s3://{bucket}/bi")
    assert len(unfinished(s3, bucket)) == 1, "another key, although it begins alike"
    cli("rm", "--uploads", f"s3://{bucket}/big")
    assert unfinished(s3, bucket) == []


def test_a_refused_upload_leaves_nothing_behind(cli, server, s3, bucket, other_user, tmp_path):
    (tmp_path / "big").write_bytes(content(11 * MIB))
    stranger = cli_of(server, other_user, tmp_path)
    fails(stranger.run("put", *SMALL_PARTS, "big", f"s3://{bucket}/big"), DENIED, "access denied")
    assert unfinished(s3, bucket) == [] and journals(tmp_path) == []


def part_files(tmp_path):
    return list(tmp_path.glob("back.*.part"))


def cut_download(cli, link, bucket, key, tmp_path):
    """A download that dies when 5 MiB are there; then the link is quick. Gives the arguments to go on with."""
    arguments = ["get", "--key-file", key, "--endpoint", link.url, f"s3://{bucket}/big", "back"]
    killed_when(
        [*cli.command, *arguments],
        cli.environment,
        tmp_path,
        lambda: any(path.stat().st_size >= 5 * MIB for path in part_files(tmp_path)),
    )
    link.unleash()
    assert len(part_files(tmp_path)) == 1 and not (tmp_path / "back").exists()
    return arguments


@pytest.fixture
def big(s3, bucket):
    """An object of 24 MiB under the customer key."""
    s3.put_object(Bucket=bucket, Key="big", Body=content(24 * MIB), **sse_c(customer_key()))
    return content(24 * MIB)


def test_a_download_goes_on_after_a_kill(cli, link, big, bucket, key, tmp_path):
    said = cli(*cut_download(cli, link, bucket, key, tmp_path)).decode()
    resumed = re.search(r"(\d+) of an earlier run", said)
    assert resumed and int(resumed[1]) >= 5 * MIB and "verified" in said, said
    assert (tmp_path / "back").read_bytes() == big and part_files(tmp_path) == []


def test_the_beginning_of_another_object_is_not_gone_on_with(cli, link, s3, big, bucket, key, tmp_path):
    arguments = cut_download(cli, link, bucket, key, tmp_path)
    s3.put_object(Bucket=bucket, Key="big", Body=content(24 * MIB, "new"), **sse_c(customer_key()))
    assert "earlier run" not in cli(*arguments).decode()
    assert (tmp_path / "back").read_bytes() == content(24 * MIB, "new")


def test_a_spoiled_beginning_is_noticed(cli, link, big, bucket, key, tmp_path):
    arguments = cut_download(cli, link, bucket, key, tmp_path)
    (path,) = part_files(tmp_path)
    spoiled = bytearray(path.read_bytes())
    spoiled[1000] ^= 1
    path.write_bytes(spoiled)
    fails(cli.run(*arguments), DAMAGED, "checksum")
    assert not (tmp_path / "back").exists() and part_files(tmp_path) == []
    cli(*arguments)
    assert (tmp_path / "back").read_bytes() == big


def test_transfers_survive_a_restart_of_the_server(user, tmp_path):
    server = Server(tmp_path / "own").start()
    try:
        cli = cli_of(server, server.root, tmp_path)
        boto3_client(server, server.root).create_bucket(Bucket="bucket")
        (tmp_path / "big").write_bytes(content(24 * MIB))
        with SlowLink(server.port, bytes_per_second=6 * MIB) as link:
            for command in (
                ["put", "--endpoint", link.url, *SMALL_PARTS, "big", "s3://bucket/big"],
                ["get", "--endpoint", link.url, "s3://bucket/big", "back"],
            ):
                process = subprocess.Popen([*cli.command, *command], env=cli.environment, cwd=tmp_path)
                time.sleep(1.5)
                assert process.poll() is None
                server.kill()
                time.sleep(0.5)
                server.start()
                assert process.wait(90) == 0, command
        assert (tmp_path / "back").read_bytes() == content(24 * MIB)
    finally:
        server.kill()


# Damage


@pytest.mark.parametrize("place", ["beginning", "end"])
def test_a_damaged_object_is_called_damaged(tmp_path, place):
    server = Server(tmp_path / "own").start()
    cli = cli_of(server, server.root, tmp_path)
    key = key_file(tmp_path / "customer.key", customer_key())
    boto3_client(server, server.root).create_bucket(Bucket="bucket")
    (tmp_path / "f").write_bytes(content(3 * MIB))
    cli("put", "--key-file", key, "f", "s3://bucket/f")
    assert server.stop() == 0
    blobs = [path for path in server.data_dir.rglob("*") if path.is_file() and path.stat().st_size > 3 * MIB]
    blobs = [path for path in blobs if "blob" in str(path.relative_to(server.data_dir))]
    assert len(blobs) == 1
    stored = bytearray(blobs[0].read_bytes())
    stored[100 if place == "beginning" else -100] ^= 1
    blobs[0].write_bytes(stored)
    server.start()
    try:
        said = fails(cli.run("get", "--key-file", key, "s3://bucket/f", "back"), DAMAGED, "damaged")
        assert place == "beginning" or re.search(r"stops sending at byte \d{7} of 3145728", said), said
        assert not (tmp_path / "back").exists()
        fails(cli.run("get", "--key-file", key, "s3://bucket/f", "-"), DAMAGED, "damaged")
    finally:
        server.kill()


# Secrets


def test_the_key_is_nowhere_but_in_its_file(cli, link, s3, bucket, tmp_path):
    raw = customer_key("secret")
    key = key_file(tmp_path / "customer.key", raw)
    forms = [raw, b64(raw).encode(), b64(raw).rstrip("=").encode(), raw.hex().encode(), raw.hex().upper().encode()]
    forms.append(", ".join(map(str, raw)).encode())
    s3.put_object(Bucket=bucket, Key="other", Body=b"x", **sse_c(customer_key("other")))
    said = b""
    for arguments in (
        ["put", key, f"s3://{bucket}/f"],
        ["get", f"s3://{bucket}/other"],
        ["head", f"s3://{bucket}/other"],
        ["get", f"s3://{bucket}/gone"],
        ["get", f"s3://{bucket}/f", "--endpoint", "https://127.0.0.1:1", "--attempts", "1"],
        ["get", f"s3://{bucket}/f", "--endpoint", "http://192.0.2.1"],
        ["which-key", f"s3://{bucket}/other"],
        ["put", tmp_path / "nothing", f"s3://{bucket}/f"],
    ):
        done = cli.run(*arguments, "--key-file", key)
        said += done.stdout + done.stderr
    said += cli("put", "--help") + cli("key-file", "--help")
    cut_upload(cli, link, bucket, key, tmp_path)
    written = b"".join(path.read_bytes() for path in journals(tmp_path))
    assert written
    for form in forms:
        assert form not in said and form not in written


def test_no_option_takes_a_secret(cli):
    for command in ("put", "get", "head", "cp", "which-key", "ls", "rm"):
        usage = cli(command, "--help").decode()
        options = re.findall(r"--[a-z-]+", usage)
        assert options
        assert not {"--key", "--secret-key", "--access-key", "--customer-key", "--password"} & set(options), command


def test_the_key_is_not_in_the_list_of_processes(cli, link, bucket, key, tmp_path):
    (tmp_path / "big").write_bytes(content(20 * MIB))
    command = [*cli.command, "put", "--key-file", str(key), "--endpoint", link.url, "big", f"s3://{bucket}/big"]
    process = subprocess.Popen(command, env=cli.environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    seen = b"".join(open(f"/proc/{process.pid}/{name}", "rb").read() for name in ("cmdline", "environ"))
    assert process.wait(60) == 0
    assert b"put" in seen and b64(customer_key()).encode() not in seen and customer_key().hex().encode() not in seen


# What `key-file show` gives to other clients


def snippet(cli, key, client):
    """The lines under the comment that names a client."""
    shown = cli("key-file", "show", key).decode()
    sections = re.split(r"\n(?=# )", shown)
    (found,) = [section for section in sections if section.startswith(f"# {client}")]
    return "\n".join(found.splitlines()[1:])


def test_the_snippet_for_boto3_works(cli, s3, bucket, key, tmp_path):
    (tmp_path / "FILE").write_bytes(content(70_000))
    code = snippet(cli, key, "boto3").replace('"FILE"', repr(str(tmp_path / "FILE"))).replace("BUCKET", bucket)
    exec(code.replace("s3.download", f"import os; os.remove({str(tmp_path / 'FILE')!r}); s3.download"), {"s3": s3})
    assert (tmp_path / "FILE").read_bytes() == content(70_000)
    assert cli("get", "--key-file", key, f"s3://{bucket}/KEY", "-") == content(70_000)


def test_the_snippet_for_boto2_works(cli, server, user, bucket, key, tmp_path, monkeypatch):
    from harness import boto2

    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca))
    their_bucket = boto2.connect("127.0.0.1", server.port, user.access, user.secret).get_bucket(bucket)
    (tmp_path / "FILE").write_bytes(content(70_000))
    code = snippet(cli, key, "boto 2").replace('"FILE"', repr(str(tmp_path / "FILE")))
    exec(code, {"bucket": their_bucket})
    assert (tmp_path / "FILE").read_bytes() == content(70_000)
    assert cli("get", "--key-file", key, f"s3://{bucket}/KEY", "-") == content(70_000)


def environment_of(client, server, user, tmp_path):
    """How a command line client is told of the server; each reads what is the others' too, so it gets only its own."""
    host = f"127.0.0.1:{server.port}"
    if client == "aws-cli":
        return {
            "AWS_ACCESS_KEY_ID": user.access,
            "AWS_SECRET_ACCESS_KEY": user.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": server.url,
            "AWS_CA_BUNDLE": str(server.ca),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    if client == "rclone":
        remote = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": server.url, "REGION": "us-east-1"}
        remote |= {"ACCESS_KEY_ID": user.access, "SECRET_ACCESS_KEY": user.secret, "FORCE_PATH_STYLE": "true"}
        settings = {f"RCLONE_CONFIG_REMOTE_{name}": value for name, value in remote.items()}
        return settings | {"RCLONE_CA_CERT": str(server.ca), "RCLONE_CONFIG": "/dev/null"}
    (tmp_path / ".s3cfg").write_text(
        f"[default]\naccess_key = {user.access}\nsecret_key = {user.secret}\nhost_base = {host}\nhost_bucket = {host}\n"
        f"ca_certs_file = {server.ca}\nuse_https = True\nbucket_location = us-east-1\n"
    )
    return {}


@pytest.mark.parametrize("client", ["aws-cli", "s3cmd", "rclone"])
def test_the_snippet_for_a_command_works(cli, server, user, bucket, key, tmp_path, client):
    (tmp_path / "FILE").write_bytes(content(70_000))
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "canopic").symlink_to(BINARY)
    environment = cli.environment | environment_of(client, server, user, tmp_path)
    environment["PATH"] = f"{bin_folder}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    commands = snippet(cli, key, client).replace("s3://BUCKET", f"s3://{bucket}").replace(":BUCKET", f":{bucket}")
    done = subprocess.run(
        ["bash", "-c", f"set -e\n{commands}"], env=environment, cwd=tmp_path, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "FILE").read_bytes() == content(70_000)
    assert cli("get", "--key-file", key, f"s3://{bucket}/KEY", "-") == content(70_000)
