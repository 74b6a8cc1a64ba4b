"""Requests of our own making, signed by AWS's rules, with nothing between the test and the wire.

The SDKs repair what a test wants broken: they encode paths, sort queries, drop odd headers. Here the target is sent
as it is given, and `tamper` can change the request after it was signed.
"""

import base64
import hashlib
import hmac
import http.client
import ssl
import urllib.parse
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
REGION = "us-east-1"
# The subresources and overrides that a V2 signature covers.
V2_QUERY = {
    "acl",
    "cors",
    "delete",
    "encryption",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "partNumber",
    "policy",
    "policyStatus",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
}


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self):
        return self._error_field("Code")

    @property
    def message(self):
        return self._error_field("Message")

    @property
    def resource(self):
        return self._error_field("Resource")

    @property
    def request_id(self):
        return self.headers.get("x-amz-request-id")

    def xml(self):
        """The body without namespaces."""
        root = ElementTree.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    def _error_field(self, name):
        if self.status < 300 or not self.body.strip():
            return None
        try:
            return self.xml().findtext(name)
        except ElementTree.ParseError:
            return None


def now():
    return datetime.now(timezone.utc)


class Signer:
    """Sends requests to one server as one user; without credentials they are anonymous."""

    def __init__(self, server, credentials=None, version=4, plain_http=False, source=None):
        self.server = server
        self.credentials = credentials
        self.version = version
        self.plain_http = plain_http
        self.source = source

    def __call__(self, method, target, body=b"", headers=None, *, payload_hash=None, tamper=None, at=None, timeout=60):
        """One request; `target` is path and query as they go on the wire, `tamper` changes the signed headers."""
        headers = {name.lower(): value for name, value in (headers or {}).items()}
        headers.setdefault("host", self.host)
        if self.credentials and "authorization" not in headers:
            sign = self._sign_v2 if self.version == 2 else self._sign_v4
            sign(method, target, body, headers, payload_hash, at or now())
        if tamper:
            tamper(headers)
        return self.send(method, target, body, headers, timeout)

    @property
    def host(self):
        return f"127.0.0.1:{self.server.http_port if self.plain_http else self.server.port}"

    def send(self, method, target, body, headers, timeout=60):
        """Sends exactly this, and reads the answer to its end."""
        connection = self.connect(timeout)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, value)
            if "content-length" not in headers and "transfer-encoding" not in headers and (body or method != "GET"):
                connection.putheader("content-length", str(len(body)))
            try:
                connection.endheaders()
                if body:
                    connection.send(body)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                pass  # The server answered before the end of the body; the answer is what counts.
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def connect(self, timeout=60):
        """A connection for what `send` cannot do; the caller closes it."""
        if self.plain_http:
            return http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=timeout)
        context = self.server.tls()
        return http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=timeout, context=context)

    def presign(self, method, target, *, expires=600, headers=None, at=None):
        """The target with a V4 signature in its query; `headers` are signed too and must be sent along."""
        at = at or now()
        headers = {"host": self.host, **{name.lower(): value for name, value in (headers or {}).items()}}
        names = ";".join(sorted(headers))
        scope = f"{at:%Y%m%d}/{REGION}/s3/aws4_request"
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.credentials.access}/{scope}",
            "X-Amz-Date": f"{at:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": names,
        }
        joint = "&" if "?" in target else "?"
        target += joint + urllib.parse.urlencode(query, quote_via=urllib.parse.quote, safe="-_.~")
        canonical = canonical_request(method, target, headers, names, "UNSIGNED-PAYLOAD")
        return f"{target}&X-Amz-Signature={self._v4_signature(canonical, scope, at)}"

    def presign_v2(self, method, target, *, expires=600, headers=None):
        """The target with a V2 signature in its query; `x-amz-` headers are signed and must be sent along."""
        deadline = str(int(now().timestamp()) + expires)
        signature = self._v2_signature(method, target, headers or {}, deadline)
        quoted = urllib.parse.quote(signature, safe="")
        joint = "&" if "?" in target else "?"
        access = urllib.parse.quote(self.credentials.access, safe="")
        return f"{target}{joint}AWSAccessKeyId={access}&Expires={deadline}&Signature={quoted}"

    def _sign_v4(self, method, target, body, headers, payload_hash, at):
        payload_hash = payload_hash or hashlib.sha256(body).hexdigest()
        headers.setdefault("x-amz-content-sha256", payload_hash)
        headers.setdefault("x-amz-date", f"{at:%Y%m%dT%H%M%SZ}")
        scope = f"{at:%Y%m%d}/{REGION}/s3/aws4_request"
        signed = sorted(
            n for n in headers if n == "host" or n == "content-type" or n.startswith(("x-amz-", "content-md5"))
        )
        names = ";".join(signed)
        canonical = canonical_request(method, target, headers, names, headers["x-amz-content-sha256"])
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.credentials.access}/{scope}, SignedHeaders={names}, "
            f"Signature={self._v4_signature(canonical, scope, at)}"
        )

    def _v4_signature(self, canonical, scope, at):
        digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{at:%Y%m%dT%H%M%SZ}\n{scope}\n{digest}"
        return hmac_sha256(self.signing_key(at), to_sign).hex()

    def signing_key(self, at):
        """The key of the day, from which chunk signatures are made too."""
        derived = f"AWS4{self.credentials.secret}".encode()
        for part in (f"{at:%Y%m%d}", REGION, "s3", "aws4_request"):
            derived = hmac_sha256(derived, part)
        return derived

    def _sign_v2(self, method, target, body, headers, payload_hash, at):
        headers.setdefault("date", format_datetime(at, usegmt=True))
        signature = self._v2_signature(method, target, headers, "" if "x-amz-date" in headers else headers["date"])
        headers["authorization"] = f"AWS {self.credentials.access}:{signature}"

    def _v2_signature(self, method, target, headers, date):
        headers = {name.lower(): value for name, value in headers.items()}
        amz = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-amz-"))
        path, _, query = target.partition("?")
        pairs = [pair.partition("=") for pair in query.split("&") if pair]
        covered = sorted((name, mark, urllib.parse.unquote(value)) for name, mark, value in pairs if name in V2_QUERY)
        resource = path + ("?" + "&".join(name + mark + value for name, mark, value in covered) if covered else "")
        lines = [method, headers.get("content-md5", ""), headers.get("content-type", ""), date]
        to_sign = "\n".join(lines) + "\n" + amz + resource
        mac = hmac.new(self.credentials.secret.encode(), to_sign.encode(), hashlib.sha1)
        return base64.b64encode(mac.digest()).decode()


def canonical_request(method, target, headers, signed_names, payload_hash):
    """What V4 signs: the path and the query escaped in the one right way, the query sorted, blanks folded."""
    path, _, query = target.partition("?")
    path = urllib.parse.quote(urllib.parse.unquote_to_bytes(path), safe="/-_.~")
    pairs = []
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        pairs.append(tuple(urllib.parse.quote(urllib.parse.unquote(part), safe="-_.~") for part in (name, value)))
    canonical_query = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    lines = "".join(f"{name}:{' '.join(str(headers[name]).split())}\n" for name in signed_names.split(";"))
    return "\n".join([method, path, canonical_query, lines, signed_names, payload_hash])


def hmac_sha256(secret, text):
    return hmac.new(secret, text.encode() if isinstance(text, str) else text, hashlib.sha256).digest()


def v4_chunked(signer, method, target, body, *, chunk=64 * 1024, trailer=None, signed=True, headers=None, spoil=None):
    """An upload in `aws-chunked` encoding: signed chunks or not, with or without a trailing checksum.

    `trailer` is a (name, value) pair; `spoil` changes the encoded body after it was signed.
    """
    at = now()
    kind = {
        (True, False): "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        (True, True): "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        (False, True): "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }[signed, trailer is not None]
    headers = {
        "host": signer.host,
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(body)),
        **{name.lower(): value for name, value in (headers or {}).items()},
    }
    if trailer:
        headers["x-amz-trailer"] = trailer[0]
    signer._sign_v4(method, target, b"", headers, kind, at)
    chain = headers["authorization"].rpartition("Signature=")[2] if signed else None
    encoded = _chunks(signer, body, chunk, trailer, chain, at)
    if spoil:
        encoded = spoil(encoded)
    return signer.send(method, target, encoded, headers)


def _chunks(signer, body, chunk, trailer, previous, at):
    secret = signer.signing_key(at)
    scope = f"{at:%Y%m%dT%H%M%SZ}\n{at:%Y%m%d}/{REGION}/s3/aws4_request"
    encoded = bytearray()
    pieces = [body[start : start + chunk] for start in range(0, len(body), chunk)] + [b""]
    for piece in pieces:
        line = f"{len(piece):x}"
        if previous:
            digest = hashlib.sha256(piece).hexdigest()
            previous = hmac_sha256(
                secret, f"AWS4-HMAC-SHA256-PAYLOAD\n{scope}\n{previous}\n{EMPTY_SHA256}\n{digest}"
            ).hex()
            line += f";chunk-signature={previous}"
        encoded += line.encode() + b"\r\n" + piece + (b"\r\n" if piece else b"")
    if trailer:
        text = f"{trailer[0]}:{trailer[1]}\n"
        encoded += text.replace("\n", "\r\n").encode()
        if previous:
            digest = hashlib.sha256(text.encode()).hexdigest()
            mac = hmac_sha256(secret, f"AWS4-HMAC-SHA256-TRAILER\n{scope}\n{previous}\n{digest}").hex()
            encoded += f"x-amz-trailer-signature:{mac}\r\n".encode()
    return bytes(encoded + b"\r\n")
