"""What the process still knows of customer keys when their requests are over: nothing."""

import io
import json
import time
from datetime import timedelta

import httpx
import pytest

from harness import boto2
from harness.clients import boto3_client
from harness.content import MIB, b64, content, customer_headers, sse_c
from harness.memory import keys_in_memory, traceable_key
from harness.server import KeyPair, Server
from harness.signing import REGION, Signer, hmac_sha256, now, v4_chunked

BUCKET = "memory"
BODY = b"Whoever reads this has the key. " * 100


# How long a connection may wait for its next request before the server closes it.
IDLE_S = 2


@pytest.fixture
def server(tmp_path, request):
    """A server of the test's own, with the arguments that it is parametrized with."""
    arguments = getattr(request, "param", ())
    switch = {"CANOPIC_ALLOW_MEMORY_DUMP": "yes"}
    server = Server(tmp_path, *arguments, plain_http=True, environment=switch).start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def pair(server):
    server.create_user("alice")
    pair = server.issue_pair("alice")
    boto3_client(server, pair).create_bucket(Bucket=BUCKET)
    return pair


def test_no_customer_key_outlives_its_requests(server, pair, tmp_path):
    token = KeyPair(server.issue_token("alice"), "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(server.ca))
        for credentials in (pair, token):
            in_boto2(server, credentials)
    for signature in ("s3v4", "s3"):
        in_boto3(server, pair, signature)
    for version in (2, 4):
        raw_requests(server, Signer(server, pair, version))
    posted_form(Signer(server, pair))
    over_http2(server, pair).close()
    left_open = over_http1(server, pair)
    time.sleep(1)
    found = keys_in_memory(server, tmp_path / "core")
    left_open.close()
    assert not found, told(found)


@pytest.mark.parametrize("server", [("--header-timeout", f"{IDLE_S}s")], indirect=True)
def test_an_idle_http2_connection_ends_and_with_it_what_it_remembers(server, pair, tmp_path):
    left_open = over_http2(server, pair)
    time.sleep(4 * IDLE_S)
    found = keys_in_memory(server, tmp_path / "core")
    left_open.close()
    assert not found, told(found)


def test_a_key_in_use_is_found(server, pair, tmp_path):
    """Were it not, the search above would prove nothing."""
    signer = Signer(server, pair)
    headers = customer_headers(traceable_key("in use"))
    connection = signer.connect()
    connection.putrequest("PUT", signer.presign("PUT", f"/{BUCKET}/k", headers=headers))
    for name, value in {**headers, "content-length": "100000"}.items():
        connection.putheader(name, value)
    connection.endheaders(b"the first bytes of a body")
    time.sleep(1)
    found = keys_in_memory(server, tmp_path / "core")
    connection.close()
    assert {"base64 front", "base64 back"} <= {name for name, *_ in found}
    assert {"in use"} == {label for _, labels, *_ in found for label in labels}


def told(found):
    return "\n".join(f"{name} of {whose} at {at:#x}: {around!r}" for name, whose, at, around in found)


def in_boto2(server, credentials):
    """As the guide has it, customer headers together with `encrypt_key`."""
    use = lambda what: customer_headers(traceable_key(f"boto 2, {credentials.access[:4]}, {what}"))
    bucket = boto2.connect("127.0.0.1", server.port, credentials.access, credentials.secret).get_bucket(BUCKET)
    bucket.new_key("small").set_contents_from_string(BODY, headers=use("small"), encrypt_key=True)
    assert bucket.new_key("small").get_contents_as_string(headers=use("small")) == BODY
    upload = bucket.initiate_multipart_upload("parts", headers=use("parts"), encrypt_key=True)
    upload.upload_part_from_file(io.BytesIO(content(5 * MIB)), 1, headers=use("parts"))
    upload.upload_part_from_file(io.BytesIO(BODY), 2, headers=use("parts"))
    upload.complete_upload()
    with pytest.raises(boto2.load().exception.S3ResponseError):
        bucket.new_key("small").get_contents_as_string(headers=use("wrong key"))


def in_boto3(server, credentials, signature):
    s3 = boto3_client(server, credentials, signature=signature)
    use = lambda what, **how: sse_c(traceable_key(f"boto3, {signature}, {what}"), **how)
    at = lambda key: {"Bucket": BUCKET, "Key": key}
    s3.put_object(**at("put"), Body=BODY, **use("put"))
    s3.head_object(**at("put"), **use("put"))
    assert s3.get_object(**at("put"), **use("put"))["Body"].read() == BODY
    assert s3.get_object(**at("put"), Range="bytes=5-9", **use("put"))["Body"].read() == BODY[5:10]
    s3.copy_object(**at("copy"), CopySource=at("put"), **use("put", copy_source=True), **use("copy"))
    s3.copy_object(**at("copy"), CopySource=at("copy"), **use("copy", copy_source=True), **use("copy 2"))
    upload = {**at("parts"), "UploadId": s3.create_multipart_upload(**at("parts"), **use("parts"))["UploadId"]}
    first = s3.upload_part(**upload, PartNumber=1, Body=content(5 * MIB), **use("parts"))
    second = s3.upload_part_copy(
        **upload, PartNumber=2, CopySource=at("put"), **use("put", copy_source=True), **use("parts")
    )
    parts = [
        {"PartNumber": 1, "ETag": first["ETag"]},
        {"PartNumber": 2, "ETag": second["CopyPartResult"]["ETag"]},
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **use("parts"))
    assert s3.get_object(**at("parts"), **use("parts"))["Body"].read() == content(5 * MIB) + BODY
    for call in (s3.get_object, s3.head_object):
        with pytest.raises(s3.exceptions.ClientError):
            call(**at("put"), **use("wrong key"))


def raw_requests(server, signer):
    """Presigned, in chunks, refused at each stage, and put where a key must not be."""
    use = lambda what: customer_headers(traceable_key(f"raw, version {signer.version}, {what}"))
    target = f"/{BUCKET}/raw"
    assert signer("PUT", target, BODY, use("raw")).status == 200
    presign = signer.presign_v2 if signer.version == 2 else signer.presign
    send = Signer(server)
    assert send("GET", presign("GET", target, headers=use("raw")), headers=use("raw")).body == BODY
    assert send("PUT", presign("PUT", target, headers=use("put")), BODY, use("put")).status == 200
    if signer.version == 4:
        assert v4_chunked(signer, "PUT", target, BODY, headers=use("chunked")).status == 200
    refused = [
        signer("GET", target, headers=use("wrong key")),
        signer("PUT", target, BODY, {**use("wrong MD5"), "x-amz-server-side-encryption-customer-key-MD5": "x"}),
        signer("PUT", target, BODY, {**use("DES"), "x-amz-server-side-encryption-customer-algorithm": "DES"}),
        signer("PUT", target, BODY, {**use("with KMS"), "x-amz-server-side-encryption": "aws:kms"}),
        signer("PUT", target, BODY, {**use("unread"), "x-amz-meta-a": "\xc1"}),
        signer("PUT", target, BODY, use("tampered"), tamper=lambda headers: headers.update({"x-amz-meta-a": "1"})),
        Signer(server, KeyPair(signer.credentials.access, "wrong"), signer.version)("PUT", target, BODY, use("forged")),
        send("PUT", target, BODY, use("anonymous")),
        Signer(server, signer.credentials, signer.version, plain_http=True)("PUT", target, BODY, use("in clear")),
        signer("PUT", "/nowhere-at-all/raw", BODY, use("no bucket")),
        signer("PUT", f"{target}?tagging", BODY, use("unknown")),
        signer("PUT", f"{target}?x-amz-server-side-encryption-customer-key=x", BODY, use("twice")),
    ]
    assert all(answer.status >= 400 for answer in refused), [answer.status for answer in refused]


def posted_form(signer):
    """The key comes in the body here."""
    at = now()
    fields = {
        "key": "form",
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{signer.credentials.access}/{at:%Y%m%d}/{REGION}/s3/aws4_request",
        "x-amz-date": f"{at:%Y%m%dT%H%M%SZ}",
        **customer_headers(traceable_key("form")),
    }
    conditions = [{"bucket": BUCKET}, *(["starts-with", f"${name}", ""] for name in fields)]
    expiration = f"{at + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    fields["policy"] = b64(json.dumps({"expiration": expiration, "conditions": conditions}).encode())
    fields["x-amz-signature"] = hmac_sha256(signer.signing_key(at), fields["policy"]).hex()
    head = '--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = "".join(head % field for field in {**fields, "file": BODY.decode()}.items()) + "--x--\r\n"
    form = {"host": signer.host, "content-type": "multipart/form-data; boundary=x"}
    posted = signer.send("POST", f"/{BUCKET}", body.encode(), form)
    assert posted.status == 204, posted.body


def over_http1(server, pair):
    """A connection that the client leaves open after its requests; the last one is shorter and brings no key."""
    signer = Signer(server, pair)
    headers = customer_headers(traceable_key("HTTP/1.1"))
    connection = signer.connect()
    for method, body, headers in (("PUT", BODY, headers), ("GET", None, headers), ("GET", None, {})):
        connection.request(method, signer.presign(method, f"/{BUCKET}/h1", headers=headers), body, headers)
        response = connection.getresponse()
        assert (response.status == 200) == bool(headers), response.read()
        response.read()
    return connection


def over_http2(server, pair):
    """The same in HTTP/2, whose connections remember headers to compress them."""
    signer = Signer(server, pair)
    headers = customer_headers(traceable_key("HTTP/2"))
    client = httpx.Client(http2=True, http1=False, verify=server.tls(), base_url=server.url)
    for method, body in (("PUT", BODY), ("GET", None), ("HEAD", None), ("GET", None)):
        target = signer.presign(method, f"/{BUCKET}/h2", headers=headers)
        answer = client.request(method, target, headers=headers, content=body)
        assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
    return client
