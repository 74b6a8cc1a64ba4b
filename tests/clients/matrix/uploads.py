"""Multipart uploads as the cases use them: each step checks its whole answer."""

import hashlib
from dataclasses import dataclass, field
from urllib.parse import quote

from harness.signing import v4_chunked
from matrix.model import is_answered
from matrix.world import META


@dataclass
class Upload:
    """An upload in progress."""

    world: object
    mode: object
    target: str
    id: str
    parts: dict = field(default_factory=dict)

    def at(self, query=""):
        """The path of the upload, or of one of its parts."""
        return f"{self.target}?{query}uploadId={quote(self.id)}"


def begin(wire, world, mode, name, headers=None, target=None):
    """Begins an upload in a mode, in its own bucket or at `target`."""
    target = target or world.target(mode, name)
    answer = wire("POST", f"{target}?uploads", b"", {**META, **mode.write, **(headers or {})})
    is_answered(answer, 200, mode.written)
    result = answer.xml()
    assert result.tag == "InitiateMultipartUploadResult" and result.findtext("UploadId"), answer.body
    return Upload(world, mode, target, result.findtext("UploadId"))


def put_part(wire, upload, number, body, headers=None):
    """Sends a part and returns the answer."""
    answer = wire("PUT", upload.at(f"partNumber={number}&"), body, {**upload.mode.headers, **(headers or {})})
    is_answered(answer, 200, upload.mode.part)
    etag = answer.headers["etag"]
    has_part_tag(upload.mode, etag, body)
    upload.parts[number] = etag
    return answer


def put_part_in_chunks(wire, upload, number, body, trailer=None, signed=True):
    """Sends a part in chunks, with or without a checksum behind them, and returns the answer."""
    target = upload.at(f"partNumber={number}&")
    headers = dict(upload.mode.headers)
    answer = v4_chunked(wire, "PUT", target, body, trailer=trailer, signed=signed, headers=headers)
    is_answered(answer, 200, upload.mode.part)
    has_part_tag(upload.mode, answer.headers["etag"], body)
    upload.parts[number] = answer.headers["etag"]
    return answer


def copy_part(wire, upload, number, source, where, body):
    """Copies a whole object as a part and returns what the answer tells of it."""
    headers = {"x-amz-copy-source": where, **source.source, **upload.mode.headers}
    answer = wire("PUT", upload.at(f"partNumber={number}&"), b"", headers)
    is_answered(answer, 200, upload.mode.part)
    result = answer.xml()
    assert result.tag == "CopyPartResult" and result.findtext("LastModified"), answer.body
    upload.parts[number] = result.findtext("ETag")
    has_part_tag(upload.mode, upload.parts[number], body)
    return result


def has_part_tag(mode, etag, body):
    """The tag of a part is the MD5 of its bytes, or says nothing of them."""
    by_content = etag.strip('"')[:32] == hashlib.md5(body).hexdigest()
    assert by_content != mode.opaque, etag


def list_of(parts, checksums=None):
    """The document of a completion."""
    entries = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{(checksums or {}).get(number, '')}</Part>"
        for number, etag in sorted(parts.items())
    )
    return f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>".encode()


def complete(wire, upload, headers=None, checksums=None):
    """Completes it and returns the answer; its tag is the MD5 over the parts' tags in every mode."""
    answer = wire("POST", upload.at(), list_of(upload.parts, checksums), headers or {})
    is_answered(answer, 200, upload.mode.completed)
    result = answer.xml()
    assert result.tag == "CompleteMultipartUploadResult", answer.body
    assert result.findtext("ETag") == combined_tag(upload.parts), (result.findtext("ETag"), upload.parts)
    return answer


def combined_tag(parts):
    """MD5 over the digests in the tags of the parts, then how many there are."""
    digests = b"".join(bytes.fromhex(etag.strip('"')[:32]) for _, etag in sorted(parts.items()))
    return f'"{hashlib.md5(digests).hexdigest()}-{len(parts)}"'
