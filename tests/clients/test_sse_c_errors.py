"""Each way to get customer keys wrong: status, code and message as AWS gives them, and nothing changed.

The rows are those of AWS's behaviour as recorded from the real service; messages are checked word for word because
clients match on them.
"""

import base64
import hashlib

import pytest

from harness.content import customer_headers, customer_key
from harness.expect import is_error

ALGORITHM, KEY, MD5 = customer_headers(customer_key())
MESSAGES = {
    "algorithm": "The Encryption request you specified is not valid. Supported value: AES256.",
    "no algorithm": "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.",
    "no key": "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.",
    "bad key": "The secret key was invalid for the specified algorithm.",
    "md5": "The calculated MD5 hash of the key did not match the hash that was provided.",
    "needed": "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
    "wrong": "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.",
    "not applicable": "The encryption parameters are not applicable to this object.",
    "mix": "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
}


def changed(**changes):
    """A good set of headers with some replaced, or dropped by None."""
    headers = dict(customer_headers(customer_key()))
    for name, value in changes.items():
        header = {"algorithm": ALGORITHM, "key": KEY, "md5": MD5}[name]
        if value is None:
            del headers[header]
        else:
            headers[header] = value
    return headers


def sized(length):
    raw_key = b"k" * length
    return {
        ALGORITHM: "AES256",
        KEY: base64.b64encode(raw_key).decode(),
        MD5: base64.b64encode(hashlib.md5(raw_key).digest()).decode(),
    }


# Case: headers, code, message or None where AWS's wording is not known.
WRITES = {
    "other algorithm": (changed(algorithm="AES128"), "InvalidEncryptionAlgorithmError", "algorithm"),
    "algorithm in lower case": (changed(algorithm="aes256"), "InvalidEncryptionAlgorithmError", "algorithm"),
    "empty algorithm": (changed(algorithm=""), None, None),
    "no algorithm": (changed(algorithm=None), "InvalidArgument", "no algorithm"),
    "key alone": (changed(algorithm=None, md5=None), "InvalidArgument", "no algorithm"),
    "MD5 alone": (changed(algorithm=None, key=None), "InvalidArgument", "no algorithm"),
    "no key": (changed(key=None), "InvalidArgument", "no key"),
    "algorithm alone": (changed(key=None, md5=None), "InvalidArgument", "no key"),
    "no MD5": (changed(md5=None), "InvalidArgument", None),
    "key of 16 bytes": (sized(16), "InvalidArgument", "bad key"),
    "key of 31 bytes": (sized(31), "InvalidArgument", "bad key"),
    "key of 33 bytes": (sized(33), "InvalidArgument", "bad key"),
    "empty key": (changed(key=""), "InvalidArgument", None),
    "key not base64": (changed(key="!" * 44), "InvalidArgument", None),
    "key in hex": (changed(key=customer_key().hex()), "InvalidArgument", None),
    "key without padding": (
        changed(key=base64.b64encode(customer_key()).decode().rstrip("=")),
        "InvalidArgument",
        None,
    ),
    "key with a blank inside": (changed(key="AAAA " + "A" * 39 + "="), "InvalidArgument", None),
    "MD5 of another key": (
        changed(md5=base64.b64encode(hashlib.md5(b"other").digest()).decode()),
        "InvalidArgument",
        "md5",
    ),
    "MD5 in hex": (changed(md5=hashlib.md5(customer_key()).hexdigest()), "InvalidArgument", None),
    "MD5 not base64": (changed(md5="!"), "InvalidArgument", None),
    "with aws:kms": ({**changed(), "x-amz-server-side-encryption": "aws:kms"}, "InvalidArgument", "mix"),
    "with aws:kms:dsse": ({**changed(), "x-amz-server-side-encryption": "aws:kms:dsse"}, "InvalidArgument", "mix"),
    "with a key id": ({**changed(), "x-amz-server-side-encryption-aws-kms-key-id": "k"}, "InvalidArgument", None),
    "mode and algorithm both wrong": (
        {**changed(algorithm="x"), "x-amz-server-side-encryption": "aws:kms"},
        "InvalidArgument",
        "mix",
    ),
    "unknown mode": ({"x-amz-server-side-encryption": "AES128"}, "InvalidArgument", None),
}


def hides_the_key(answer):
    for secret in (base64.b64encode(customer_key()), customer_key().hex().encode(), customer_key()):
        assert secret not in answer.body


@pytest.mark.parametrize("case", WRITES)
@pytest.mark.parametrize("operation", ["put", "create", "copy"])
def test_a_write_with_bad_headers_is_refused_and_stores_nothing(raw, bucket, operation, case):
    headers, code, message = WRITES[case]
    raw("PUT", f"/{bucket}/source", b"x")
    if operation == "put":
        answer = raw("PUT", f"/{bucket}/k", b"x", headers)
    elif operation == "create":
        answer = raw("POST", f"/{bucket}/k?uploads", b"", headers)
    else:
        answer = raw("PUT", f"/{bucket}/k", b"", {"x-amz-copy-source": f"/{bucket}/source", **headers})
    is_error(answer, 400, code or answer.code)
    if message:
        assert answer.message == MESSAGES[message]
    hides_the_key(answer)
    is_error(raw("GET", f"/{bucket}/k"), 404, "NoSuchKey")
    assert raw("GET", f"/{bucket}?uploads").xml().find("Upload") is None


def test_the_guides_mix_is_the_only_one_accepted(raw, bucket):
    headers = {**changed(), "x-amz-server-side-encryption": "AES256"}
    put = raw("PUT", f"/{bucket}/k", b"x", headers)
    assert put.status == 200 and put.headers[ALGORITHM] == "AES256" and put.headers[MD5] == changed()[MD5]
    assert put.headers["x-amz-server-side-encryption"] is None
    begun = raw("POST", f"/{bucket}/k?uploads", b"", headers)
    assert begun.status == 200 and begun.headers[ALGORITHM] == "AES256"
    copied = raw(
        "PUT",
        f"/{bucket}/c",
        b"",
        {"x-amz-copy-source": f"/{bucket}/k", **customer_headers(customer_key(), True), **headers},
    )
    assert copied.status == 200, copied.body
    assert raw("GET", f"/{bucket}/c", headers=changed()).body == b"x"


@pytest.fixture
def sealed(raw, bucket):
    assert raw("PUT", f"/{bucket}/sealed", b"plaintext", changed()).status == 200
    return f"/{bucket}/sealed"


READS = {
    "no headers": ({}, 400, "InvalidRequest", "needed"),
    "another key": (customer_headers(customer_key("other")), 403, "AccessDenied", "wrong"),
    "no algorithm": (changed(algorithm=None), 400, "InvalidArgument", "no algorithm"),
    "no key": (changed(key=None), 400, "InvalidArgument", "no key"),
    "other algorithm": (changed(algorithm="AES128"), 400, "InvalidEncryptionAlgorithmError", "algorithm"),
    "MD5 of another key": (
        changed(md5=base64.b64encode(hashlib.md5(b"other").digest()).decode()),
        400,
        "InvalidArgument",
        "md5",
    ),
    "key not base64": (changed(key="!" * 44), 400, "InvalidArgument", None),
}


@pytest.mark.parametrize("case", READS)
def test_a_read_with_bad_headers_is_refused(raw, sealed, case):
    headers, status, code, message = READS[case]
    answer = is_error(raw("GET", sealed, headers=headers), status, code)
    if message:
        assert answer.message == MESSAGES[message]
    assert b"plaintext" not in answer.body
    hides_the_key(answer)
    head = raw("HEAD", sealed, headers=headers)
    assert (head.status, head.body) == (status, b"")
    ranged = raw("GET", sealed, headers={**headers, "range": "bytes=0-0"})
    assert (ranged.status, ranged.code) == (status, code)


def test_a_mode_header_on_a_read_is_refused(raw, sealed):
    for method in ("GET", "HEAD"):
        assert raw(method, sealed, headers={**changed(), "x-amz-server-side-encryption": "AES256"}).status == 400


def test_a_customer_key_for_an_object_without_one_is_not_applicable(raw, bucket):
    raw("PUT", f"/{bucket}/ours", b"x")
    answer = is_error(raw("GET", f"/{bucket}/ours", headers=changed()), 400, "InvalidRequest")
    assert answer.message == MESSAGES["not applicable"]
    assert raw("HEAD", f"/{bucket}/ours", headers=changed()).status == 400


def test_a_missing_object_is_missing_whatever_the_key(raw, bucket):
    is_error(raw("GET", f"/{bucket}/none", headers=changed()), 404, "NoSuchKey")


def test_deleting_needs_no_customer_key(raw, sealed):
    assert raw("DELETE", sealed).status == 204
    is_error(raw("GET", sealed, headers=changed()), 404, "NoSuchKey")


def test_write_errors_name_the_argument(raw, bucket):
    answer = raw("PUT", f"/{bucket}/k", b"x", changed(key=None))
    assert answer.xml().findtext("ArgumentName") == "x-amz-server-side-encryption"


def test_duplicate_customer_headers_are_not_chosen_between(server, raw, bucket):
    """Two different keys in one request: no answer but a refusal is safe."""
    headers = changed()
    signed = {}
    raw("PUT", f"/{bucket}/k", b"x", headers, tamper=signed.update)
    connection = raw.connect()
    connection.putrequest("PUT", f"/{bucket}/k", skip_host=True, skip_accept_encoding=True)
    for name, value in signed.items():
        connection.putheader(name, value)
    connection.putheader(KEY, base64.b64encode(customer_key("other")).decode())
    connection.putheader("content-length", "1")
    connection.endheaders(b"x")
    assert 400 <= connection.getresponse().status < 500
    connection.close()
