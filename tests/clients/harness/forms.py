"""Uploads by HTML form: the document that allows one, both ways to sign it, and the body that a browser would send."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta

from harness.signing import REGION, hmac_sha256, now

BOUNDARY = "----matrix-boundary"


def signed_form(signer, bucket, fields, *, version=4, uncovered=()):
    """All fields of a form that the signer allows. Each has a condition but those in `uncovered`."""
    at = now()
    scope = f"{at:%Y%m%d}/{REGION}/s3/aws4_request"
    proof = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{signer.credentials.access}/{scope}",
        "x-amz-date": f"{at:%Y%m%dT%H%M%SZ}",
    }
    fields = {**fields, **(proof if version == 4 else {})}
    conditions = [{"bucket": bucket}, *({name: value} for name, value in fields.items() if name not in uncovered)]
    expiration = f"{at + timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}"
    document = json.dumps({"expiration": expiration, "conditions": conditions})
    policy = base64.b64encode(document.encode()).decode()
    if version == 4:
        return {**fields, "policy": policy, "x-amz-signature": hmac_sha256(signer.signing_key(at), policy).hex()}
    mac = hmac.new(signer.credentials.secret.encode(), policy.encode(), hashlib.sha1).digest()
    signature = base64.b64encode(mac).decode()
    return {**fields, "AWSAccessKeyId": signer.credentials.access, "policy": policy, "signature": signature}


def form_body(fields, body, filename="file.bin"):
    """The fields and the file as multipart/form-data, and the header that says so."""
    parts = []
    for name, value in fields.items():
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
    parts += [
        head.encode(),
        b"Content-Type: application/octet-stream\r\n\r\n",
        body,
        f"\r\n--{BOUNDARY}--\r\n".encode(),
    ]
    return b"".join(parts), {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
