"""What somebody in the cluster can do to the sealed bytes of an object: nothing of it is read as right, or is a 500."""

import http.client
from urllib.parse import quote

import pytest

import cluster_settings as settings
from harness.content import MIB, content, customer_headers, customer_key

BUCKET = "damaged"
SIZE = 9 * MIB + 5
CUSTOMER = customer_headers(customer_key())
MODES = {"server": {}, "customer": CUSTOMER}


def blobs_of(stored):
    """{id: {stripe: name}} of everything in the data pool."""
    found = {}
    for name in stored.names(settings.POOL_DATA):
        if name.startswith("blob."):
            _, blob, stripe = name.split(".")
            found.setdefault(blob, {})[int(stripe, 16)] = name
    return found


def flip(sealed, at):
    at %= len(sealed)
    return sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]


def body(stored, name):
    return stored.read(settings.POOL_DATA, name).body


def change(stripe, how):
    """An attack on the bytes of one stripe."""

    def attack(stored, mine, _):
        before = body(stored, mine[stripe])
        after = how(before)
        assert before != after
        stored.write(settings.POOL_DATA, mine[stripe], after)

    return attack


def swap(stored, mine, _):
    first, second = body(stored, mine[0]), body(stored, mine[1])
    stored.write(settings.POOL_DATA, mine[0], second)
    stored.write(settings.POOL_DATA, mine[1], first)


def take_the_others(stored, mine, others):
    stored.write(settings.POOL_DATA, mine[1], body(stored, others[1]))


ATTACKS = {
    "a bit of the first stripe": change(0, lambda sealed: flip(sealed, 70_000)),
    "a bit of the last stripe": change(2, lambda sealed: flip(sealed, -1)),
    "a shorter last stripe": change(2, lambda sealed: sealed[:-1]),
    "a shorter middle stripe": change(1, lambda sealed: sealed[:MIB]),
    "an empty first stripe": change(0, lambda sealed: b""),
    "a longer middle stripe": change(1, lambda sealed: sealed + sealed[:100_000]),
    "no first stripe": lambda stored, mine, _: stored.remove(settings.POOL_DATA, mine[0]),
    "no middle stripe": lambda stored, mine, _: stored.remove(settings.POOL_DATA, mine[1]),
    "no last stripe": lambda stored, mine, _: stored.remove(settings.POOL_DATA, mine[2]),
    "stripes in another order": swap,
    "a stripe of another object": take_the_others,
}


@pytest.mark.parametrize("mode", MODES)
def test_no_attack_on_the_stripes_is_read_as_right(server, signer, stored, mode):
    assert signer("PUT", f"/{BUCKET}").status == 200
    ids = {name: write(signer, stored, name, MODES[mode]) for name in ("bystander", *ATTACKS)}
    blobs = blobs_of(stored)
    for name, attack in ATTACKS.items():
        assert len(blobs[ids[name]]) == 3
        attack(stored, blobs[ids[name]], blobs[ids["bystander"]])
    for name in ATTACKS:
        for _ in server.gateways:
            found = read(signer, name, MODES[mode])
            # What lies behind the end of a stripe is not read.
            may_be_right = name == "a longer middle stripe"
            assert found is None or (may_be_right and found == content(SIZE, name)), f"{name}: read to the end"
    assert read(signer, "bystander", MODES[mode]) == content(SIZE, "bystander")


def write(signer, stored, name, headers):
    """Writes an object and returns the id of its blob."""
    before = set(blobs_of(stored))
    assert signer("PUT", f"/{BUCKET}/{quote(name)}", content(SIZE, name), headers).status == 200
    (blob,) = set(blobs_of(stored)) - before
    return blob


def read(signer, name, headers):
    """The whole body; None when the client sees that something is wrong."""
    try:
        answer = signer("GET", f"/{BUCKET}/{quote(name)}", headers=headers)
    except (OSError, http.client.HTTPException):
        return None
    assert answer.status in (200, 500), (name, answer.status, answer.body[:200])
    return answer.body if answer.status == 200 else None
