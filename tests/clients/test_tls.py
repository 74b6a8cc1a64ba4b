"""The listeners: TLS versions, HTTP/2, a new certificate, shutdown, and what plain HTTP may not carry."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from http.client import HTTPSConnection

import httpx
import pytest
import trustme

from harness.content import MIB, content, customer_headers, customer_key
from harness.expect import is_error
from harness.server import KeyPair, Server
from harness.signing import Signer


def handshake(port, context):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        with context.wrap_socket(connection, server_hostname="localhost") as tls:
            return tls.version(), tls.selected_alpn_protocol(), tls.getpeercert(binary_form=True)


@pytest.mark.parametrize(
    ("version", "name"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
)
def test_tls_1_2_and_1_3_are_spoken(server, version, name):
    context = server.tls()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    assert handshake(server.port, context)[:2] == (name, "h2")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_refused(server):
    context = server.tls()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, OSError)):
        handshake(server.port, context)


def test_a_client_without_alpn_gets_http_1(server):
    context = server.tls()
    context.set_alpn_protocols(["http/1.1"])
    assert handshake(server.port, context)[1] == "http/1.1"


def test_objects_go_over_http_2(server, user, bucket):
    signer = Signer(server, user)
    body = content(3 * MIB)
    headers = {}
    signer("PUT", f"/{bucket}/k", body, customer_headers(customer_key()), tamper=headers.update)
    with httpx.Client(http2=True, verify=server.tls(), base_url=server.url, timeout=60) as client:
        put = client.put(f"/{bucket}/k", content=body, headers=headers)
        assert (put.status_code, put.http_version) == (200, "HTTP/2")
        headers = {}
        signer("GET", f"/{bucket}/k", headers=customer_headers(customer_key()), tamper=headers.update)
        got = client.get(f"/{bucket}/k", headers=headers)
        assert (got.status_code, got.http_version, got.content) == (200, "HTTP/2", body)


def test_a_refused_upload_over_http_2_gets_its_answer(server, raw, bucket, tmp_path):
    """Also by clients that are still sending when the answer comes."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    (tmp_path / "body").write_bytes(content(5 * MIB))
    for target in (f"/{bucket}/k", f"/{bucket}/k?unknown", raw.presign("PUT", f"/{bucket}/k") + "x"):
        command = ["curl", "-sS", "--http2", "--cacert", server.ca, "-T", tmp_path / "body", "-w", "%{http_version}"]
        done = subprocess.run([*command, server.url + target], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "<Code>" in done.stdout and done.stdout.endswith("2"), (target, done)


def write_certificate(authority, folder):
    """A fresh certificate for localhost, put in place as an administrator's tool does: by renaming."""
    issued = authority.issue_cert("localhost", "127.0.0.1")
    for name, blobs in (("cert.pem", issued.cert_chain_pems), ("key.pem", [issued.private_key_pem])):
        temporary = folder / f"{name}.new"
        temporary.write_bytes(b"".join(blob.bytes() for blob in blobs))
        temporary.chmod(0o600)
        os.replace(temporary, folder / name)


@pytest.fixture
def own_certificate(tmp_path):
    """A server with a certificate of a CA of the test's, and the context that trusts it."""
    authority = trustme.CA()
    write_certificate(authority, tmp_path)
    server = Server(
        tmp_path / "server", "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"), gateways=1
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    server.tls = lambda: context
    server.start()
    yield server, authority, tmp_path, context
    server.kill()


def test_a_new_certificate_is_taken_up_without_dropping_connections(own_certificate):
    server, authority, folder, context = own_certificate
    old = handshake(server.port, context)[2]
    kept = HTTPSConnection("localhost", server.port, context=context, timeout=30)
    kept.request("GET", "/")
    assert kept.getresponse().read()
    write_certificate(authority, folder)
    deadline = time.monotonic() + 40
    while handshake(server.port, context)[2] == old and time.monotonic() < deadline:
        time.sleep(0.5)
    assert handshake(server.port, context)[2] != old, "the new certificate was not taken up"
    socket_before = kept.sock
    kept.request("GET", "/")
    assert kept.getresponse().read() and kept.sock is socket_before, "the old connection was dropped"

    # A broken file keeps the good certificate in use.
    current = handshake(server.port, context)[2]
    (folder / "cert.pem").write_text("not a certificate")
    time.sleep(3)
    assert handshake(server.port, context)[2] == current


def test_shutdown_finishes_what_runs_and_takes_nothing_new(tmp_path):
    server = Server(tmp_path).start()
    signer = Signer(server, server.root)
    signer("PUT", "/shutdown")
    body = content(96 * MIB)
    assert signer("PUT", "/shutdown/k", body).status == 200
    headers = {}
    signer("HEAD", "/shutdown/k", tamper=headers.update)
    target = signer.presign("GET", "/shutdown/k")
    connection = signer.connect()
    connection.request("GET", target)
    response = connection.getresponse()
    received = response.read(MIB)

    code = []
    stopper = threading.Thread(target=lambda: code.append(server.stop(wait=60)))
    stopper.start()
    time.sleep(0.7)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=2).close()
    received += response.read()
    assert received == body
    connection.close()
    stopper.join(60)
    assert code == [0]


@pytest.fixture
def http(server, user):
    return Signer(server, user, plain_http=True)


def test_customer_keys_over_plain_http_are_refused(http, raw, bucket):
    raw("PUT", f"/{bucket}/sealed", b"x", customer_headers(customer_key()))
    headers = customer_headers(customer_key())
    is_error(http("PUT", f"/{bucket}/k", b"x", headers), 400, "InvalidRequest")
    is_error(http("POST", f"/{bucket}/k?uploads", b"", headers), 400, "InvalidRequest")
    is_error(http("GET", f"/{bucket}/sealed", headers=headers), 400, "InvalidRequest")
    is_error(http("PUT", f"/{bucket}/k", b"x", {**headers, "x-forwarded-proto": "https"}), 400, "InvalidRequest")
    source = {"x-amz-copy-source": f"/{bucket}/sealed", **customer_headers(customer_key(), copy_source=True)}
    is_error(http("PUT", f"/{bucket}/k", b"", source), 400, "InvalidRequest")
    is_error(raw("GET", f"/{bucket}/k"), 404, "NoSuchKey")
    assert http("PUT", f"/{bucket}/k", b"without a customer key").status == 200


def test_a_refused_upload_is_refused_before_its_body_is_read(http, bucket):
    signed = {}
    http("PUT", f"/{bucket}/k", content(MIB), customer_headers(customer_key()), tamper=signed.update)
    connection = http.connect(timeout=10)
    connection.putrequest("PUT", f"/{bucket}/k", skip_host=True, skip_accept_encoding=True)
    for name, value in {**signed, "content-length": str(MIB)}.items():
        connection.putheader(name, value)
    connection.endheaders()  # Not one byte of the body follows.
    assert connection.getresponse().status == 400
    connection.close()


def test_a_token_over_plain_http_is_refused(server, token, bucket):
    for version in (2, 4):
        answer = Signer(server, KeyPair(token.access, "any"), version, plain_http=True)("GET", f"/{bucket}")
        assert 400 <= answer.status < 500, answer.body
        assert token.access.encode() not in answer.body


def test_a_trusted_proxy_may_say_that_it_spoke_tls(tmp_path):
    server = Server(tmp_path, "--trusted-proxy", "127.0.0.1/32", plain_http=True).start()
    signer = Signer(server, server.root, plain_http=True)
    signer("PUT", "/proxied")
    headers = customer_headers(customer_key())
    forwarded = {**headers, "x-forwarded-proto": "https"}
    is_error(signer("PUT", "/proxied/k", b"x", headers), 400, "InvalidRequest")
    is_error(signer("PUT", "/proxied/k", b"x", {**headers, "x-forwarded-proto": "http"}), 400, "InvalidRequest")
    assert signer("PUT", "/proxied/k", b"x", forwarded).status == 200
    assert signer("GET", "/proxied/k", headers=forwarded).body == b"x"
    assert server.stop() == 0
