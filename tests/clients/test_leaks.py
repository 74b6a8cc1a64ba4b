"""After the whole flow at the loudest log level, nothing secret stands in the data directory or in the logs."""

import base64
import hashlib
import io
import pathlib
import socket
from urllib.parse import quote

import pytest

from harness import boto2
from harness.clients import boto3_client
from harness.content import MIB, b64, customer_headers, customer_key, sse_c
from harness.server import KeyPair, Server
from harness.signing import Signer, v4_chunked

SENTENCE = b"Nobody but its owner may ever read this sentence. "
METADATA = "the-plan-in-the-metadata"
BUCKET = "leaks"


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    """A server at TRACE after every kind of request; yields it stopped, with the secrets that were used."""
    server = Server(tmp_path_factory.mktemp("leaks"), log="trace", plain_http=True).start()
    secrets = {"plaintext": [SENTENCE[:40], base64.b64encode(SENTENCE[:39])], "metadata": [METADATA.encode()]}
    server.create_user("alice")
    pair, token = server.issue_pair("alice"), KeyPair(server.issue_token("alice"), "")
    key_forms(secrets, customer_key())
    key_forms(secrets, b"0123456789abcdefghijklmnopqrstuv")
    secrets["token"] = text_forms(token.access)
    secrets["secret keys"] = text_forms(pair.secret) + text_forms(server.root.secret)
    secrets["presigned signatures"] = run_flow(server, pair, token)
    assert server.stop() == 0
    return server, secrets


def key_forms(secrets, raw):
    digest = hashlib.md5(raw).digest()
    forms = secrets.setdefault("customer keys", [])
    for value in (raw, digest):
        forms += [
            value,
            b64(value).encode(),
            b64(value).rstrip("=").encode(),
            value.hex().encode(),
            value.hex().upper().encode(),
        ]
        forms += [quote(b64(value), safe="").encode(), base64.urlsafe_b64encode(value)]
        forms.append(", ".join(map(str, value)).encode())  # How Debug prints bytes.


def text_forms(text):
    return [text.encode(), b64(text.encode()).rstrip("=").encode(), ", ".join(map(str, text.encode())).encode()]


def run_flow(server, pair, token):
    """The guide in boto 2 and boto3, raw requests of every kind, refusals too; returns the presigned signatures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(server.ca))
        for credentials in (pair, token):
            guide_in_boto2(server, credentials)
    for credentials in (pair, KeyPair(token.access, "ignored")):
        flow_in_boto3(boto3_client(server, credentials))
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"no handshake")
    signatures = []
    for version in (2, 4):
        for credentials in (pair, token, KeyPair(pair.access, "wrong")):
            signer = Signer(server, credentials, version)
            signatures += raw_flow(server, signer, version)
    return signatures


def guide_in_boto2(server, credentials):
    header = {"x-amz-meta-plan": METADATA, **customer_headers(b"0123456789abcdefghijklmnopqrstuv")}
    bucket = boto2.connect("127.0.0.1", server.port, credentials.access, credentials.secret).create_bucket(BUCKET)
    bucket.new_key("small").set_contents_from_string(SENTENCE, headers=dict(header), encrypt_key=True)
    bucket.new_key("large").set_contents_from_string(SENTENCE * 20_000, headers=dict(header), encrypt_key=True)
    upload = bucket.initiate_multipart_upload("parts", headers=dict(header), encrypt_key=True)
    customer = {name: value for name, value in header.items() if "customer" in name}
    upload.upload_part_from_file(io.BytesIO((SENTENCE * 110_000)[: 5 * MIB]), 1, headers=dict(customer))
    upload.upload_part_from_file(io.BytesIO(SENTENCE), 2, headers=dict(customer))
    upload.complete_upload()
    assert bucket.new_key("small").get_contents_as_string(headers=dict(customer)) == SENTENCE
    with pytest.raises(boto2.load().exception.S3ResponseError):
        bucket.new_key("small").get_contents_as_string(headers=customer_headers(customer_key()))


def flow_in_boto3(s3):
    put = lambda key, **how: s3.put_object(Bucket=BUCKET, Key=key, Body=SENTENCE, Metadata={"plan": METADATA}, **how)
    put("c", **sse_c(customer_key()))
    put("ours")
    s3.put_object(Bucket=BUCKET, Key="ours large", Body=SENTENCE * 20_000, Metadata={"plan": METADATA})
    s3.copy_object(
        Bucket=BUCKET,
        Key="copy",
        CopySource={"Bucket": BUCKET, "Key": "c"},
        **sse_c(customer_key(), copy_source=True),
        **sse_c(customer_key()),
    )
    s3.head_object(Bucket=BUCKET, Key="copy", **sse_c(customer_key()))
    assert (
        s3.get_object(Bucket=BUCKET, Key="copy", Range="bytes=0-9", **sse_c(customer_key()))["Body"].read()
        == SENTENCE[:10]
    )


def raw_flow(server, signer, version):
    """Requests that pass and requests that fail, over TLS and not; also such as put the key where it must not be."""
    headers = customer_headers(customer_key())
    signer("PUT", f"/{BUCKET}/raw", SENTENCE, headers)
    signer("GET", f"/{BUCKET}/raw", headers=headers)
    broken = {**headers, "x-amz-server-side-encryption-customer-key-MD5": "x"}
    signer("PUT", f"/{BUCKET}/raw", SENTENCE, broken)
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in headers.items())
    signer("PUT", f"/{BUCKET}/raw?{query}", SENTENCE)
    Signer(server, signer.credentials, version, plain_http=True)("PUT", f"/{BUCKET}/raw", SENTENCE, headers)
    Signer(server, signer.credentials, version, plain_http=True)("GET", f"/{BUCKET}")
    if version == 4:
        v4_chunked(signer, "PUT", f"/{BUCKET}/raw", SENTENCE, headers=headers)
        targets = [signer.presign("GET", f"/{BUCKET}/raw", headers=headers), signer.presign("GET", f"/{BUCKET}/ours")]
    else:
        targets = [
            signer.presign_v2("GET", f"/{BUCKET}/raw", headers=headers),
            signer.presign_v2("GET", f"/{BUCKET}/ours"),
        ]
    anonymous = Signer(server)
    signatures = []
    for target in targets:
        anonymous("GET", target, headers=headers)
        signature = target.rpartition("Signature=")[2]
        signatures += [
            signature.encode(),
            signature.replace("%3D", "=").replace("%2F", "/").replace("%2B", "+").encode(),
        ]
    return signatures


def places(server):
    """Everything that the server wrote."""
    yield from server.at_rest()
    yield server.log, server.log.read_bytes()


def test_the_log_is_loud_enough_to_tell(flow):
    """A line for each request, and those of a level that is off unless asked for."""
    server, _ = flow
    log = server.log.read_bytes()
    assert log.count(b'"target":"canopic::request"') > 70 and b'"level":"DEBUG"' in log


@pytest.mark.parametrize(
    "kind", ["plaintext", "metadata", "customer keys", "token", "secret keys", "presigned signatures"]
)
def test_no_file_holds(flow, kind):
    server, secrets = flow
    assert secrets[kind]
    for path, stored in places(server):
        for form in secrets[kind]:
            at = stored.find(form)
            assert at < 0, (
                f"{kind} in {path} at {at}: {stored[max(0, at - 200) : at + 20]!r}"
            )


def test_the_search_finds_what_is_there(flow):
    """The names of objects are not secret; were they not found, the search above would prove nothing."""
    server, _ = flow
    assert any(b"ours large" in stored for _, stored in places(server))


def test_files_with_secrets_are_for_their_owner_only(flow):
    server, _ = flow
    private = [
        path for path in server.folder.rglob("*") if path.suffix == ".pem" and "ca" != path.stem or "key" in path.name
    ]
    assert private
    for path in private:
        assert path.stat().st_mode & 0o077 == 0 or "PRIVATE" not in path.read_text(errors="replace"), path


def test_the_process_forbids_core_dumps(server):
    limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"], core
