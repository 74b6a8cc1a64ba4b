"""What one gateway is told counts at the other: at once for objects, within a second for who may do what."""

import json
import time

from harness.content import content

# docs/decisions/0008: how long a gateway may believe what it knew.
WITHIN_S = 1.0


def until(question, wait=WITHIN_S):
    """How long it took until the answer was yes."""
    began = time.monotonic()
    while not question():
        assert time.monotonic() - began < wait, f"not within {wait} s"
        time.sleep(0.01)
    return time.monotonic() - began


def test_a_revoked_pair_is_refused_everywhere_within_a_second(server, signer, both):
    server.create_user("alice")
    for _ in range(5):
        pair = server.issue_pair("alice")
        one, other = both(pair)
        until(lambda: one("GET", "/").status == 200 and other("GET", "/").status == 200)
        server.command("key", "revoke", pair.access)
        until(lambda: one("GET", "/").status == 403)
        until(lambda: other("GET", "/").status == 403)
        assert one("GET", "/").status == other("GET", "/").status == 403


def test_a_policy_counts_everywhere_within_a_second(server, both):
    server.create_user("alice"), server.create_user("bob")
    alice, bob = both(server.issue_pair("alice")), both(server.issue_pair("bob"))
    assert alice[0]("PUT", "/shared").status == 200
    assert alice[1]("PUT", "/shared/k", b"x").status == 200
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shared/*"}
            ],
        }
    ).encode()
    for writer, reader in [(0, 1), (1, 0)] * 3:
        assert bob[reader]("GET", "/shared/k").status == 403
        assert alice[writer]("PUT", "/shared?policy", policy).status == 204
        until(lambda: bob[reader]("GET", "/shared/k").status == 200)
        assert alice[writer]("DELETE", "/shared?policy").status == 204
        until(lambda: bob[reader]("GET", "/shared/k").status == 403)


def test_an_object_is_seen_at_the_other_at_once(server, both):
    one, other = both(server.root)
    assert one("PUT", "/at-once").status == 200
    for number in range(60):
        size = [10, 20_000, 300_000][number % 3]
        assert one("PUT", "/at-once/k", content(size, number)).status == 200
        assert other("GET", "/at-once/k").body == content(size, number)
        assert b"<Key>k</Key>" in other("GET", "/at-once?list-type=2").body
        assert other("DELETE", "/at-once/k").status == 204
        assert one("GET", "/at-once/k").status == 404
        one, other = other, one


def test_a_key_that_is_rotated_or_disabled_at_one_counts_at_the_other(server, both):
    one, other = both(server.root)
    server.command("kms", "create", "tenant")
    sealed = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "tenant"}
    assert one("PUT", "/sealed").status == 200
    until(lambda: other("PUT", "/sealed/first", b"first", sealed).status == 200)
    server.command("kms", "rotate", "tenant")
    assert one("PUT", "/sealed/second", b"second", sealed).status == 200
    assert other("GET", "/sealed/second").body == b"second"
    server.command("keyring", "rotate")
    assert one("PUT", "/sealed/third", b"third").status == 200
    assert other("GET", "/sealed/third").body == b"third"
    server.command("kms", "disable", "tenant")
    until(lambda: one("GET", "/sealed/first").status >= 400)
    until(lambda: other("GET", "/sealed/first").status >= 400)
    server.command("kms", "enable", "tenant")
    until(lambda: one("GET", "/sealed/first").body == b"first" and other("GET", "/sealed/first").body == b"first")


def test_each_gateway_has_its_part_of_the_audit_log(server, both):
    signers = both(server.root)
    assert signers[0]("PUT", "/audited").status == 200
    for number in range(10):
        assert signers[number % 2]("PUT", f"/audited/{number}", b"x").status == 200
    assert server.stop() == 0
    names = []
    for data_dir in server.data_dirs:
        entries = [json.loads(line) for path in (data_dir / "audit").iterdir() for line in path.read_text().splitlines()]
        names.append([entry["object"] for entry in entries if entry.get("operation") == "wrap"])
    assert names == [[str(number) for number in range(begin, 10, 2)] for begin in (0, 1)]
    server.start()
