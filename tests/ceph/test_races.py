"""Two gateways that want the same thing at the same time: exactly one wins, and nothing is left behind."""

from concurrent.futures import ThreadPoolExecutor

from harness.content import MIB, content, customer_headers, customer_key
from leaks import Inventory


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
        # A completion that finds parts gone says of them what it says of any that are not there.
        refused = {(404, "NoSuchUpload"), (400, "InvalidPart")}
        if completed.status == 200:
            assert aborted.status in (204, 404), aborted.body
        else:
            assert (completed.status, completed.code) in refused and aborted.status == 204, (completed.body, aborted.body)
        found = signers[1]("GET", target)
        assert found.status == (200 if completed.status == 200 else 404)
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
