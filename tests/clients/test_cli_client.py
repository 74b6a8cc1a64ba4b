"""`canopic put`, `get`, `head`, `ls`, `rm`, `cp` and `which-key`, as a user gives them."""

import re
import subprocess

import certifi
import pytest

from harness.checksums import checksum
from harness.cli import (
    DAMAGED,
    DENIED,
    MISSING,
    NOT_APPLICABLE,
    NOT_CONFIRMED,
    NOT_FOUND,
    SMALL_PARTS,
    UNAVAILABLE,
    WRONG,
    cli_of,
    fails,
    key_file,
)
from harness.content import KIB, MIB, content, customer_key, sse_c
from harness.faults import OneAnswer

# There and back


@pytest.mark.parametrize("mode", ["default", "aws:kms", "customer key"])
def test_every_size_goes_there_and_back(cli, s3, bucket, key, tmp_path, mode):
    write = {"default": [], "aws:kms": ["--sse", "aws:kms"], "customer key": ["--key-file", key]}[mode]
    shown = {"default": "SSE-S3", "aws:kms": "SSE-KMS", "customer key": "SSE-C"}[mode]
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
    assert f'"encryption":"{shown}' in cli("head", "--json", *read, f"s3://{bucket}/1").decode()
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
            + ["text/plain", "--meta", "Plan=a  b"],
            env=cli.environment,
            input=content(size),
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        head = s3.head_object(Bucket=bucket, Key="stream", **sse_c(customer_key()))
        assert (head["ContentType"], head["Metadata"], head["ContentLength"]) == ("text/plain", {"plan": "a  b"}, size)
        assert cli("get", "--key-file", key, f"s3://{bucket}/stream", "-") == content(size)
    shown = cli("head", "--key-file", key, f"s3://{bucket}/stream").decode()
    assert re.search(r"^encryption +SSE-C$", shown, re.MULTILINE) and re.search(r"^meta plan +a  b$", shown, re.MULTILINE)


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


def test_a_certificate_of_another_authority_is_refused_at_once(cli, bucket):
    done = cli.run("ls", f"s3://{bucket}", "--ca-file", certifi.where())
    assert "(attempts: 1)" in fails(done, UNAVAILABLE, "certificate")


def test_a_very_long_name_is_no_obstacle(cli, bucket, key, tmp_path):
    name = "n" * 250
    (tmp_path / "f").write_bytes(content(1000))
    cli("put", "--key-file", key, "f", f"s3://{bucket}/{name}")
    cli("get", "--key-file", key, f"s3://{bucket}/{name}")
    assert (tmp_path / name).read_bytes() == content(1000)


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
