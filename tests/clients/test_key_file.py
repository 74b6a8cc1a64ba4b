"""`canopic key-file`: keys in files, what other clients are given of them, and that they are nowhere else."""

import base64
import hashlib
import os
import re
import stat
import subprocess
import sys
import time

import pytest

from harness import boto2
from harness.cli import SMALL_PARTS, fails, journals, key_file
from harness.content import MIB, b64, content, customer_key, sse_c
from harness.server import BINARY



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
    (tmp_path / "big").write_bytes(content(32 * MIB))
    command = [*cli.command, "put", "--key-file", key, *SMALL_PARTS, "--endpoint", link.url, "big", f"s3://{bucket}/big"]
    process = subprocess.Popen(list(map(str, command)), env=cli.environment, cwd=tmp_path)
    while not (written := b"".join(path.read_bytes() for path in journals(tmp_path))).count(b"\n") >= 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
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



def snippet(cli, key, client):
    """The lines under the comment that names a client."""
    shown = cli("key-file", "show", key).decode()
    sections = re.split(r"\n(?=# \S)", shown)
    (found,) = [section for section in sections if section.startswith(f"# {client}")]
    return "\n".join(found.splitlines()[1:])


def test_the_snippet_for_boto3_works(cli, s3, bucket, key, tmp_path):
    (tmp_path / "FILE").write_bytes(content(70_000))
    code = snippet(cli, key, "boto3").replace('"FILE"', repr(str(tmp_path / "FILE"))).replace("BUCKET", bucket)
    exec(code.replace("s3.download", f"import os; os.remove({str(tmp_path / 'FILE')!r}); s3.download"), {"s3": s3})
    assert (tmp_path / "FILE").read_bytes() == content(70_000)
    assert cli("get", "--key-file", key, f"s3://{bucket}/KEY", "-") == content(70_000)


def test_the_snippet_for_boto2_works(cli, server, user, bucket, key, tmp_path, monkeypatch):
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
