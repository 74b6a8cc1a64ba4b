"""Reads: every mode at every size in every shape of range, as GET and HEAD; parts and conditions."""

from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

from matrix.model import (
    NO_PART,
    PRECONDITION,
    Refusal,
    is_answered,
    is_body,
    is_refused,
    no_range,
    resolve,
)
from matrix.runner import Group
from matrix.sizes import shapes, sizes
from matrix.world import META, body_of, get, put

METHODS = ("GET", "HEAD")
NOT_MODIFIED = Refusal(304, "NotModified")
BOTH = Refusal(400, "InvalidRequest", "Cannot specify both Range header and partNumber query parameter")


def groups(world, slow):
    for mode in world.modes:
        for size in sizes(mode, slow):
            yield reads(world, mode, size)


def reads(world, mode, size):
    name = f"read/{mode.name}/{size}"
    body = body_of(size, name)

    def prepare(wire):
        target, etag = put(wire, world, mode, name, body)
        date = get(wire, target, mode, method="HEAD").headers["last-modified"]
        return target, etag, body, parsedate_to_datetime(date)

    group = Group(name, prepare)
    for method in METHODS:
        group.add(f"{method}/all", whole(mode, method))
        for shape, header in shapes(size).items():
            group.add(f"{method}/range-{shape}", ranged(mode, method, header))
        group.add(f"{method}/part-1", one_part(mode, method))
        for number in (2, 10000):
            group.add(f"{method}/part-{number}", refused(mode, method, f"?partNumber={number}", {}, NO_PART))
        group.add(f"{method}/part-and-range", refused(mode, method, "?partNumber=1", {"range": "bytes=0-0"}, BOTH))
        for condition, case in {**conditions(mode, method), **if_range(mode, method)}.items():
            group.add(f"{method}/{condition}", case)
    return group


def told(etag):
    """What every read tells besides encryption and length."""
    return {**META, "etag": etag, "accept-ranges": "bytes"}


def whole(mode, method, headers=None):
    def case(wire, made):
        target, etag, body, *_ = made
        answer = get(wire, target, mode, headers, method)
        is_answered(answer, 200, mode.read, {**told(etag), "content-range": None, "x-amz-mp-parts-count": None})
        is_body(answer, body, method)

    return case


def ranged(mode, method, header):
    """One range header. A header that HTTP says to ignore gives the whole object."""

    def case(wire, made):
        target, etag, body, *_ = made
        answer = get(wire, target, mode, {"range": header}, method)
        wanted = resolve(header, len(body))
        if wanted == "unsatisfiable":
            is_refused(answer, no_range(len(body)), method)
        elif wanted is None:
            is_answered(answer, 200, mode.read, {**told(etag), "content-range": None})
            is_body(answer, body, method)
        else:
            first, last = wanted
            range_told = f"bytes {first}-{last}/{len(body)}"
            is_answered(answer, 206, mode.read, {**told(etag), "content-range": range_told})
            is_body(answer, body[first : last + 1], method)

    return case


def one_part(mode, method):
    """Part 1 of an object in one piece is the object; it has no count of parts. An empty part has no range."""

    def case(wire, made):
        target, etag, body, *_ = made
        answer = get(wire, f"{target}?partNumber=1", mode, method=method)
        if body:
            range_told = f"bytes 0-{len(body) - 1}/{len(body)}"
            headers = {**told(etag), "content-range": range_told, "x-amz-mp-parts-count": None}
            is_answered(answer, 206, mode.read, headers)
        else:
            is_answered(answer, 200, mode.read, {**told(etag), "content-range": None})
        is_body(answer, body, method)

    return case


def refused(mode, method, query, headers, refusal):
    def case(wire, made):
        target, *_ = made
        is_refused(get(wire, target + query, mode, headers, method), refusal, method)

    return case


def conditions(mode, method):
    """Conditional reads (RFC 9110 section 13.2.2): tags outrank dates, and nothing is told without the key."""
    other = '"0123456789abcdef0123456789abcdef"'
    met = {
        "if-match": lambda etag, date: {"if-match": etag},
        "if-match-any": lambda etag, date: {"if-match": "*"},
        "if-match-list": lambda etag, date: {"if-match": f"{other}, {etag}"},
        "if-none-match-other": lambda etag, date: {"if-none-match": other},
        "modified-since": lambda etag, date: {"if-modified-since": http_date(date, -3600)},
        "unmodified-since": lambda etag, date: {"if-unmodified-since": http_date(date, 0)},
        "match-outranks-date": lambda etag, date: {"if-match": etag, "if-unmodified-since": http_date(date, -3600)},
        "none-match-outranks-date": lambda etag, date: {
            "if-none-match": other,
            "if-modified-since": http_date(date, 0),
        },
    }
    unmet = {
        "if-match-other": (lambda etag, date: {"if-match": other}, PRECONDITION),
        "if-none-match": (lambda etag, date: {"if-none-match": etag}, NOT_MODIFIED),
        "if-none-match-any": (lambda etag, date: {"if-none-match": "*"}, NOT_MODIFIED),
        "if-none-match-list": (lambda etag, date: {"if-none-match": f"{other}, {etag}"}, NOT_MODIFIED),
        "not-modified-since": (lambda etag, date: {"if-modified-since": http_date(date, 0)}, NOT_MODIFIED),
        "modified-since-then": (lambda etag, date: {"if-unmodified-since": http_date(date, -3600)}, PRECONDITION),
    }

    def holds(make):
        def case(wire, made):
            target, etag, body, date = made
            answer = get(wire, target, mode, make(etag, date), method)
            is_answered(answer, 200, mode.read, told(etag))
            is_body(answer, body, method)

        return case

    def fails(make, refusal):
        def case(wire, made):
            target, etag, body, date = made
            answer = get(wire, target, mode, make(etag, date), method)
            is_refused(answer, refusal, method)
            if refusal.status == 304:
                assert answer.body == b"" and answer.headers["etag"] == etag, answer.headers.items()

        return case

    return {
        **{f"when-{name}": holds(make) for name, make in met.items()},
        **{f"unless-{name}": fails(*how) for name, how in unmet.items()},
    }


def if_range(mode, method):
    """A range of the object that the client has a part of, or else the whole (RFC 9110 section 13.1.5).

    The date of an object that was just written is no strong validator, so nothing is asked by it.
    """
    table = {
        "its-tag": (lambda etag, date: etag, True),
        "another-tag": (lambda etag, date: '"0123456789abcdef0123456789abcdef"', False),
        "another-date": (lambda etag, date: http_date(date, -3600), False),
    }

    def asked(make, honoured):
        def case(wire, made):
            target, etag, body, date = made
            headers = {"range": "bytes=0-0", "if-range": make(etag, date)}
            answer = get(wire, target, mode, headers, method)
            if not honoured:
                is_answered(answer, 200, mode.read, {**told(etag), "content-range": None})
                is_body(answer, body, method)
            elif body:
                is_answered(answer, 206, mode.read, {**told(etag), "content-range": f"bytes 0-0/{len(body)}"})
                is_body(answer, body[:1], method)
            else:
                is_refused(answer, no_range(0), method)

        return case

    return {f"if-range-{name}": asked(*how) for name, how in table.items()}


def http_date(date, seconds):
    return format_datetime(date + timedelta(seconds=seconds), usegmt=True)
