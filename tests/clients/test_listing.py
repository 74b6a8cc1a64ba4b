"""Listings, version 1 and 2, against what a sorted list of names says."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.expect import refused

NAMES = sorted(
    ["a", "a/1", "a/2", "a/b/3", "a0", "b/", "b/x y", "c+d", "photos/2024/jan.jpg", "photos/2025/feb.jpg", "ü", "z"],
    key=str.encode,
)


@pytest.fixture(scope="module")
def filled(s3):
    name = "listing-of-a-worker"
    s3.create_bucket(Bucket=name)
    for key in NAMES:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    yield name
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": key} for key in NAMES]})
    s3.delete_bucket(Bucket=name)


def expected(prefix="", delimiter="", after=""):
    """Names and common prefixes, in the order in which pages give them."""
    entries = []
    for name in (name for name in NAMES if name.startswith(prefix) and name.encode() > after.encode()):
        head, mark, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
        entry = prefix + head + mark if mark else name
        if entry not in entries and not (mark and after and after.startswith(entry)):
            entries.append(entry)
    return entries


def pages(call, token_in, token_out, **arguments):
    """Every entry over all pages, and the number of pages."""
    entries, count = [], 0
    while True:
        page = call(**arguments)
        keys = [each["Key"] for each in page.get("Contents", [])]
        prefixes = [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        entries += sorted(keys + prefixes, key=str.encode)
        count += 1
        if not page["IsTruncated"]:
            return entries, count
        arguments[token_in] = page.get(token_out) or keys[-1]


@pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("prefix", "delimiter"),
    [
        ("", ""),
        ("", "/"),
        ("a", "/"),
        ("a/", "/"),
        ("a/", ""),
        ("photos/", "/"),
        ("", "0"),
        ("nothing", "/"),
        ("b/", "/"),
    ],
)
def test_every_page_size_gives_the_same_entries(s3, filled, prefix, delimiter, page_size):
    arguments = {"Bucket": filled, "Prefix": prefix, "Delimiter": delimiter, "MaxKeys": page_size}
    wanted = expected(prefix, delimiter)
    for call, token_in, token_out in (
        (s3.list_objects_v2, "ContinuationToken", "NextContinuationToken"),
        (s3.list_objects, "Marker", "NextMarker"),
    ):
        entries, count = pages(call, token_in, token_out, **arguments)
        assert entries == wanted
        assert count == max(1, -(-len(wanted) // page_size))


def test_start_after_skips_names_up_to_and_with_it(s3, filled):
    for after in ("a", "a/1", "a/zzz", "b/", "zz"):
        got = s3.list_objects_v2(Bucket=filled, StartAfter=after)
        assert [each["Key"] for each in got.get("Contents", [])] == expected(after=after)
        assert got["StartAfter"] == after


def test_sizes_dates_and_etags_stand_in_the_list(s3, filled):
    listed = s3.list_objects_v2(Bucket=filled, FetchOwner=True)
    assert listed["KeyCount"] == len(NAMES) and listed["Name"] == filled and listed["MaxKeys"] == 1000
    for each in listed["Contents"]:
        head = s3.head_object(Bucket=filled, Key=each["Key"])
        assert each["Size"] == len(each["Key"].encode()) and each["ETag"] == head["ETag"]
        assert abs((each["LastModified"] - head["LastModified"]).total_seconds()) < 1
        assert each["Owner"]["ID"]


def test_encoding_type_url_escapes_names(raw, filled):
    for query in ("list-type=2&encoding-type=url", "encoding-type=url"):
        xml = raw("GET", f"/{filled}?{query}&prefix=b%2F").xml()
        assert [each.text for each in xml.iter("Key")] == ["b/", "b/x+y"] or [
            each.text for each in xml.iter("Key")
        ] == ["b/", "b/x%20y"]
        assert xml.findtext("EncodingType") == "url"
    xml = raw("GET", f"/{filled}?list-type=2&encoding-type=url&prefix=%C3%BC").xml()
    assert [each.text for each in xml.iter("Key")] == ["%C3%BC"]


def test_max_keys_of_zero_lists_nothing(s3, filled):
    got = s3.list_objects_v2(Bucket=filled, MaxKeys=0)
    assert "Contents" not in got and got["IsTruncated"] is False


def test_bad_paging_arguments_are_refused(s3, raw, filled):
    refused(lambda: s3.list_objects_v2(Bucket=filled, ContinuationToken="not a token"), 400, "InvalidArgument")
    for query in ("max-keys=-1", "max-keys=x", "max-keys=99999999999999", "encoding-type=rot13", "list-type=3"):
        answer = raw("GET", f"/{filled}?{query}")
        assert (answer.status, answer.code) == (400, "InvalidArgument"), (query, answer.body)


def test_a_thousand_names_need_two_pages(s3, bucket):
    names = [f"n/{number:04}" for number in range(1010)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: s3.put_object(Bucket=bucket, Key=name, Body=b""), names))
    first = s3.list_objects_v2(Bucket=bucket)
    assert first["KeyCount"] == 1000 and first["IsTruncated"]
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=first["NextContinuationToken"])
    assert [each["Key"] for each in first["Contents"] + rest["Contents"]] == names
    for start in (0, 1000):
        objects = [{"Key": name} for name in names[start : start + 1000]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        assert "Deleted" not in answer and "Errors" not in answer
    s3.delete_bucket(Bucket=bucket)


ODD_NAMES = [
    "/lead",
    "//two",
    "a//b",
    "dir/",
    "a b",
    " ",
    "a+b",
    "a%b",
    "a%20b",
    "a/./b",
    "..",
    "../x",
    "-/x",
    "ü/é",
    "e\u0301",
    "\U0001f600",
    "tab\t",
    "line\n",
    "\x01",
    "bell\x07",
    "nul\x00",
    "\x7f",
    "\ufffe",
    "\"q\"<>&'",
    "\\back",
    "*?#;=&",
    "x" * 1024,
    "ü" * 512,
]


@pytest.mark.parametrize("paginator", ["list_objects", "list_objects_v2"])
def test_odd_names_are_listed_in_byte_order_page_by_page(s3, bucket, paginator):
    for name in ODD_NAMES:
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    pages = s3.get_paginator(paginator).paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
    listed = [each["Key"] for page in pages for each in page["Contents"]]
    assert listed == sorted(ODD_NAMES, key=str.encode)
    for name in listed:
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == name.encode()


@pytest.mark.parametrize("delimiter", ["/", "//", "%", "ü", " ", "\n"])
def test_any_text_may_be_a_delimiter(s3, bucket, delimiter):
    for name in ODD_NAMES:
        s3.put_object(Bucket=bucket, Key=name, Body=b"")
    cut = lambda name: name[: name.index(delimiter) + len(delimiter)]
    listed = s3.list_objects_v2(Bucket=bucket, Delimiter=delimiter)
    wanted = sorted({cut(name) for name in ODD_NAMES if delimiter in name}, key=str.encode)
    assert [each["Prefix"] for each in listed["CommonPrefixes"]] == wanted
    assert len(listed["Contents"]) == sum(delimiter not in name for name in ODD_NAMES)
