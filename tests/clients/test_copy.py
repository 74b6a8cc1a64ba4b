"""Copies: every pair of modes, both header sets, parts of uploads, and what must be refused."""

import pytest

from harness.content import KIB, MIB, content, customer_headers, customer_key, sse_c
from harness.expect import is_error, refused

MODES = {"sse-s3": None, "key a": customer_key("a"), "key b": customer_key("b")}


def arguments(name, copy_source=False):
    return sse_c(MODES[name], copy_source) if MODES[name] else {}


@pytest.mark.parametrize("size", [0, 1, 64 * KIB + 1, 3 * MIB])
@pytest.mark.parametrize("target", MODES)
@pytest.mark.parametrize("source", MODES)
def test_a_copy_is_sealed_as_its_own_headers_say(s3, bucket, source, target, size):
    body = content(size)
    s3.put_object(
        Bucket=bucket, Key="from", Body=body, Metadata={"plan": "a"}, ContentType="text/x", **arguments(source)
    )
    copied = s3.copy_object(
        Bucket=bucket,
        Key="to",
        CopySource={"Bucket": bucket, "Key": "from"},
        **arguments(source, copy_source=True),
        **arguments(target),
    )
    assert copied["CopyObjectResult"]["ETag"]
    got = s3.get_object(Bucket=bucket, Key="to", **arguments(target))
    assert got["Body"].read() == body and got["Metadata"] == {"plan": "a"} and got["ContentType"] == "text/x"
    assert got.get("SSECustomerAlgorithm") == ("AES256" if MODES[target] else None)
    if MODES[target]:
        refused(lambda: s3.get_object(Bucket=bucket, Key="to"), 400, "InvalidRequest")


def test_metadata_is_replaced_when_asked(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from", Body=b"x", Metadata={"old": "1"}, **sse_c(customer_key()))
    s3.copy_object(
        Bucket=bucket,
        Key="to",
        CopySource={"Bucket": bucket, "Key": "from"},
        MetadataDirective="REPLACE",
        Metadata={"new": "2"},
        **sse_c(customer_key(), copy_source=True),
        **sse_c(customer_key("b")),
    )
    assert s3.head_object(Bucket=bucket, Key="to", **sse_c(customer_key("b")))["Metadata"] == {"new": "2"}


@pytest.mark.parametrize(("old", "new"), [("key a", "key b"), ("key a", "sse-s3"), ("sse-s3", "key a")])
def test_a_copy_onto_itself_changes_the_key(s3, bucket, old, new):
    body = content(200_000)
    s3.put_object(Bucket=bucket, Key="k", Body=body, **arguments(old))
    s3.copy_object(
        Bucket=bucket,
        Key="k",
        CopySource={"Bucket": bucket, "Key": "k"},
        MetadataDirective="REPLACE",
        **arguments(old, copy_source=True),
        **arguments(new),
    )
    assert s3.get_object(Bucket=bucket, Key="k", **arguments(new))["Body"].read() == body


def test_a_copy_onto_itself_that_changes_nothing_is_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    refused(
        lambda: s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k"}), 400, "InvalidRequest"
    )


def test_the_source_opens_only_with_its_own_key(raw, s3, bucket):
    s3.put_object(Bucket=bucket, Key="sealed", Body=b"x", **sse_c(customer_key()))
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    from_sealed, from_plain = {"x-amz-copy-source": f"/{bucket}/sealed"}, {"x-amz-copy-source": f"/{bucket}/plain"}
    right = customer_headers(customer_key(), copy_source=True)
    wrong = customer_headers(customer_key("wrong"), copy_source=True)
    copy = lambda *sets: raw("PUT", f"/{bucket}/to", headers={name: v for each in sets for name, v in each.items()})
    is_error(copy(from_sealed), 400, "InvalidRequest")
    is_error(copy(from_sealed, customer_headers(customer_key())), 400, "InvalidRequest")
    is_error(copy(from_sealed, wrong), 403, "AccessDenied")
    is_error(copy(from_plain, right), 400, "InvalidRequest")
    for dropped in right:
        partial = {name: value for name, value in right.items() if name != dropped}
        assert copy(from_sealed, partial).status == 400, dropped
    is_error(raw("GET", f"/{bucket}/to"), 404, "NoSuchKey")
    assert copy(from_sealed, right).status == 200


def test_a_copy_obeys_the_conditions_on_its_source(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="from", Body=b"x")["ETag"]
    copy = lambda **how: s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"}, **how)
    refused(lambda: copy(CopySourceIfMatch='"other"'), 412, "PreconditionFailed")
    refused(lambda: copy(CopySourceIfNoneMatch=etag), 412, "PreconditionFailed")
    copy(CopySourceIfMatch=etag)


@pytest.mark.parametrize(
    "source", ["", "/", "nobucket", "/b", "/b/", "//k", "b/k?versionId=nope", "b/%ff", "/b/" + "k" * 1100]
)
def test_a_bad_copy_source_is_a_clear_error(raw, bucket, source):
    answer = raw("PUT", f"/{bucket}/to", headers={"x-amz-copy-source": source})
    assert answer.status in (400, 404) and answer.code, answer.body
    is_error(raw("GET", f"/{bucket}/to"), 404, "NoSuchKey")


@pytest.mark.parametrize("name", ["a%.txt", "a%25.txt", "a+b c", "ü"])
def test_an_escaped_copy_source_means_the_name_it_escapes(s3, bucket, name):
    s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": name})
    assert s3.get_object(Bucket=bucket, Key="to")["Body"].read() == name.encode()


@pytest.mark.parametrize("target", MODES)
@pytest.mark.parametrize("source", MODES)
def test_parts_are_copied_between_all_modes(s3, bucket, source, target):
    body = content(6 * MIB)
    s3.put_object(Bucket=bucket, Key="from", Body=body, **arguments(source))
    upload = s3.create_multipart_upload(Bucket=bucket, Key="to", **arguments(target))
    where = {"Bucket": bucket, "Key": "to", "UploadId": upload["UploadId"]}
    parts = []
    for number, wanted in enumerate(("bytes=3-5242883", "bytes=100-65636"), start=1):
        done = s3.upload_part_copy(
            **where,
            PartNumber=number,
            CopySource={"Bucket": bucket, "Key": "from"},
            CopySourceRange=wanted,
            **arguments(source, copy_source=True),
            **arguments(target),
        )
        parts.append({"PartNumber": number, "ETag": done["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert (
        s3.get_object(Bucket=bucket, Key="to", **arguments(target))["Body"].read() == body[3:5242884] + body[100:65637]
    )


@pytest.mark.parametrize("bad", ["bytes=0-", "bytes=-5", "bytes=5-2", "bytes=0-99999999", "0-5", "bytes=a-b", ""])
def test_a_part_copy_takes_only_a_full_range_inside_its_source(raw, s3, bucket, bad):
    s3.put_object(Bucket=bucket, Key="from", Body=b"0123456789")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    headers = {"x-amz-copy-source": f"/{bucket}/from", "x-amz-copy-source-range": bad}
    answer = raw("PUT", f"/{bucket}/to?partNumber=1&uploadId={upload}", headers=headers)
    assert answer.status in (400, 416) and answer.code in ("InvalidArgument", "InvalidRange", "InvalidRequest"), (
        answer.body
    )
    s3.abort_multipart_upload(Bucket=bucket, Key="to", UploadId=upload)
