"""Which pools are used, and which are refused."""

import pytest

import cluster_settings as settings
from harness.content import MIB, content
from harness.server import Server
from harness.signing import Signer
from leaks import Inventory


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
