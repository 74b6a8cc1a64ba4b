"""The store of the gateways when it is a Ceph cluster: `CANOPIC_TEST_CEPH` names the folder of one from tests/ceph."""

import os
import secrets
from pathlib import Path

import cluster_settings as settings
import rados_objects

FOLDER = os.environ.get("CANOPIC_TEST_CEPH")
GATEWAYS = 2


def fresh_namespace():
    """One that nobody has used."""
    return f"{settings.NAMESPACES.rstrip('*')}-{secrets.token_hex(6)}"


def environment(namespace):
    """What makes any command of the binary use the cluster."""
    return {
        "CANOPIC_STORE": "rados",
        "CANOPIC_CEPH_CONF": str(Path(FOLDER) / "client.conf"),
        "CANOPIC_CEPH_USER": settings.USER,
        "CANOPIC_CEPH_NAMESPACE": namespace,
        "CANOPIC_POOL_DATA": settings.POOL_DATA,
        "CANOPIC_POOL_INDEX": settings.POOL_INDEX,
        # Tests write more than a little cluster has room for.
        "CANOPIC_BLOB_GRACE": "60s",
        "CANOPIC_PLACEMENTS": f"cou={settings.COU_DATA}:{settings.COU_INDEX}",
    }


def clear(namespace):
    """Removes everything in it: a cluster of sparse files is small."""
    with rados_objects.Namespace(Path(FOLDER) / "client.conf", namespace) as opened:
        opened.clear()


def blobs(namespace):
    """The objects with the bytes of blobs, and the version of each: whatever is written anew shows."""
    with rados_objects.Namespace(Path(FOLDER) / "client.conf", namespace) as opened:
        return opened.changes(settings.POOL_DATA)


def stored(namespace):
    """(where, bytes) of every object in the cluster."""
    with rados_objects.Namespace(Path(FOLDER) / "client.conf", namespace) as opened:
        for found in opened.objects():
            yield f"{found.pool}/{found.name}", found.bytes()
