"""What one gateway is told counts at the other: at once for objects, within a second for who may do what."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import cluster_settings as settings
from harness.content import MIB, content, customer_headers, customer_key
from harness.server import Server
from harness.signing import Signer
from leaks import Inventory

# docs/decisions/0008: how long a gateway may believe what it knew.
WITHIN_S = 1.0


@pytest.fixture
def both(server):
    """A function that gives each gateway's signer for a pair."""
    return lambda credentials: [Signer(each, credentials) for each in server.each_gateway()]


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


def at_once(calls):
    """The answers of calls that run at the same time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.result() for each in [pool.submit(call) for call in calls]]


def test_of_many_that_create_one_name_exactly_one_wins(server, stored, both):
    signers = both(server.root)
    assert signers[0]("PUT", "/race").status == 200
    for number in range(10):
        size = [10, 200_000][number % 2]
        put = lambda who: signers[who % 2]("PUT", f"/race/{number}", content(size, who), {"if-none-match": "*"})
        answers = at_once([lambda who=who: put(who) for who in range(6)])
        statuses = sorted(answer.status for answer in answers)
        assert statuses[0] == 200 and set(statuses[1:]) <= {409, 412}, statuses
        winner = next(who for who, answer in enumerate(answers) if answer.status == 200)
        for signer in signers:
            assert signer("GET", f"/race/{number}").body == content(size, winner)
    Inventory(stored).agrees()


def test_of_many_that_create_one_bucket_all_see_one(server, both):
    signers = both(server.root)
    for number in range(5):
        answers = at_once([lambda who=who: signers[who % 2]("PUT", f"/bucket-{number}") for who in range(6)])
        assert {answer.status for answer in answers} <= {200, 409}
        assert signers[0]("PUT", f"/bucket-{number}/k", b"x").status == 200
        assert signers[1]("GET", f"/bucket-{number}/k").body == b"x"


def test_a_bucket_is_not_deleted_while_another_gateway_writes_into_it(server, both):
    """Either the object is there and the bucket too, or both are gone."""
    one, other = both(server.root)
    for number in range(12):
        bucket = f"/shaky-{number}"
        assert one("PUT", bucket).status == 200
        put, delete = at_once([lambda: other("PUT", f"{bucket}/k", b"x"), lambda: one("DELETE", bucket)])
        assert (put.status, delete.status) in {(200, 409), (404, 204)}, (put.status, delete.status)
        for signer in (one, other):
            assert signer("GET", f"{bucket}/k").status == put.status
        if put.status == 200:
            assert other("DELETE", f"{bucket}/k").status == 204 and one("DELETE", bucket).status == 204


def test_an_upload_is_completed_or_aborted_and_never_both(server, stored, both):
    signers = both(server.root)
    assert signers[0]("PUT", "/parts").status == 200
    for number in range(10):
        target = f"/parts/{number}"
        upload = signers[number % 2]("POST", f"{target}?uploads").xml().findtext("UploadId")
        sent = [
            signers[part % 2]("PUT", f"{target}?partNumber={part}&uploadId={upload}", content(size, part))
            for part, size in ((1, 5 * MIB), (2, 70_000))
        ]
        listed = "".join(
            f"<Part><PartNumber>{part}</PartNumber><ETag>{answer.headers['etag']}</ETag></Part>"
            for part, answer in enumerate(sent, 1)
        )
        xml = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        complete = lambda: signers[0]("POST", f"{target}?uploadId={upload}", xml)
        abort = lambda: signers[1]("DELETE", f"{target}?uploadId={upload}")
        completed, aborted = at_once([complete, abort])
        assert (completed.status, aborted.status) in {(200, 404), (404, 204), (200, 204)}, (completed.body, aborted.body)
        found = signers[1]("GET", target)
        assert found.status == completed.status
        assert found.status == 404 or found.body == content(5 * MIB, 1) + content(70_000, 2)
    Inventory(stored).agrees()


def test_of_many_that_change_one_customer_key_the_last_winner_holds_it(server, both):
    signers = both(server.root)
    keys = [customer_key(number) for number in range(5)]
    assert signers[0]("PUT", "/rekey").status == 200
    assert signers[0]("PUT", "/rekey/k", content(100_000), customer_headers(keys[0])).status == 200

    def rekey(who):
        headers = {
            "x-amz-copy-source": "/rekey/k",
            **customer_headers(keys[0], copy_source=True),
            **customer_headers(keys[who]),
        }
        return signers[who % 2]("PUT", "/rekey/k", b"", headers)

    answers = at_once([lambda who=who: rekey(who) for who in range(1, 5)])
    assert {answer.status for answer in answers} <= {200, 403, 409, 412}, [answer.body for answer in answers]
    opened = [who for who in range(5) if signers[who % 2]("GET", "/rekey/k", headers=customer_headers(keys[who])).status == 200]
    winners = [who for who, answer in enumerate(answers, 1) if answer.status == 200]
    assert len(opened) == 1 and opened[0] in winners, (opened, winners)


def test_the_location_picks_the_pools(server, stored, both):
    one, other = both(server.root)
    constraint = b"<CreateBucketConfiguration><LocationConstraint>:cou</LocationConstraint></CreateBucketConfiguration>"
    assert one("PUT", "/usual").status == 200
    assert one("PUT", "/placed", constraint).status == 200
    unknown = constraint.replace(b":cou", b":nowhere")
    assert one("PUT", "/unknown", unknown).status == 400
    before = set(stored.names(settings.POOL_DATA)), set(stored.names(settings.COU_DATA))
    assert other("PUT", "/placed/k", content(MIB)).status == 200
    assert one("GET", "/placed/k").body == content(MIB)
    assert set(stored.names(settings.POOL_DATA)) == before[0]
    assert len(set(stored.names(settings.COU_DATA)) - before[1]) == 1
    assert b":cou" in other("GET", "/placed?location").body
    # From one placement to another.
    assert other("PUT", "/usual/copy", b"", {"x-amz-copy-source": "/placed/k"}).status == 200
    assert one("GET", "/usual/copy").body == content(MIB)
    assert len(set(stored.names(settings.POOL_DATA)) - before[0]) == 1
    Inventory(stored).agrees()


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


def test_objects_on_an_erasure_coded_pool(cluster, tmp_path):
    server = Server(tmp_path / "ec", environment={"CANOPIC_POOL_DATA": settings.POOL_EC}).start()
    try:
        signer = Signer(server, server.root)
        assert signer("PUT", "/coded").status == 200
        for size in (0, 1, 20_000, 4 * MIB - 1, 4 * MIB, 9 * MIB + 3):
            assert signer("PUT", f"/coded/{size}", content(size)).status == 200
            assert signer("GET", f"/coded/{size}").body == content(size)
            if size:
                tail = signer("GET", f"/coded/{size}", headers={"range": "bytes=-1000"})
                assert tail.body == content(size)[-1000:]
    finally:
        assert server.stop() == 0
    assert "panicked at" not in server.printed()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"CANOPIC_POOL_INDEX": settings.POOL_EC}, "replicated"),
        ({"CANOPIC_POOL_DATA": "no-such-pool"}, "no-such-pool"),
        ({"CANOPIC_CEPH_CONF": "/nonexistent/ceph.conf"}, "/nonexistent/ceph.conf"),
        ({"CANOPIC_CEPH_USER": "client.nobody"}, "client.nobody"),
    ],
)
def test_what_is_set_wrongly_is_refused_at_start_with_its_name(cluster, tmp_path, setting, words):
    server = Server(tmp_path / "wrong", environment=setting)
    with pytest.raises(RuntimeError) as refusal:
        server.start(wait=60)
    assert words in str(refusal.value), refusal.value
    assert "panicked" not in str(refusal.value)
