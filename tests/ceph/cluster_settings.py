"""What the daemons of the little cluster are told, and who may do what in it.

Everything listens on loopback, on ports that were free. Two kinds of settings are unlike a real cluster: those that make
it small (few threads, no messages gathered for a log that nobody reads, sparse files for disks) and those that make it
quick to notice (heartbeats by the second).
"""

POOL_DATA, POOL_INDEX, POOL_EC = "canopic-data", "canopic-index", "canopic-ec"
# Those of a second placement.
COU_DATA, COU_INDEX = "canopic-cou-data", "canopic-cou-index"
POOLS = (POOL_INDEX, POOL_DATA, POOL_EC, COU_INDEX, COU_DATA)

USER = "client.canopic"
# Tests take namespaces of their own, all of which begin so.
NAMESPACES = "canopic*"

COPIES = 2
GROUPS = 8

CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{port},v1:127.0.0.1:{port_v1}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms async op threads = 2
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = {folder}/keyring
admin socket = {folder}/run/$name.asok
pid file = {folder}/run/$name.pid
log file = {folder}/log/$name.log
mon cluster log file = {folder}/log/cluster.log
crash dir = {folder}/crash
max open files = 0
osd pool default size = {copies}
osd pool default min size = 1
osd pool default pg num = {groups}
osd pool default pgp num = {groups}
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd heartbeat interval = 1
osd heartbeat grace = 5
{quiet}
[mon]
mon data = {folder}/mon
mon data avail warn = 2
mon data avail crit = 1
mon allow pool delete = true
mon max pg per osd = 2000
mon warn on pool no redundancy = false
mon warn on insecure global id reclaim = false
mon warn on insecure global id reclaim allowed = false
mon osd down out interval = 3600
mon osd min down reporters = 1
mon osd adjust heartbeat grace = false
[mgr]
mgr data = {folder}/mgr
mgr initial modules =
[osd]
osd data = {folder}/osd.$id
osd objectstore = {store}
memstore device bytes = {bytes}
bluestore block size = {bytes}
bluestore block create = true
bluestore block db size = 0
bluestore block wal size = 0
osd memory target = 1G
osd op num shards = 2
osd mclock force run benchmark on init = false
osd scrub load threshold = 0.1
"""

# Nothing is gathered for a log: at the usual levels that is a good part of what the daemons do.
QUIET_LOGS = (
    "asok auth bdev bluefs bluestore crush finisher heartbeatmap journal kstore memdb mgr mgrc mon monc ms objclass "
    "objecter optracker osd paxos rocksdb timer throttle tp"
).split()

CLIENT_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{port},v1:127.0.0.1:{port_v1}]
ms bind ipv6 = false
keyring = {folder}/client.keyring
"""

KEYRING_OF_DAEMONS = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *", "mgr": "allow *", "mds": "allow *"},
    "mgr.x": {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"},
}
OSD_CAPS = {"mon": "allow profile osd", "mgr": "allow profile osd", "osd": "allow *"}


def configuration(folder, fsid, port, port_v1, store, size):
    """The file that the daemons and the administrator read."""
    quiet = "\n".join(f"debug {name} = 0/0" for name in QUIET_LOGS)
    return CONFIGURATION.format(
        folder=folder, fsid=fsid, port=port, port_v1=port_v1, store=store, bytes=size, copies=COPIES, groups=GROUPS,
        quiet=quiet,
    )  # fmt: skip


def client_caps():
    """The least that Canopic gets along with; operations-ceph.md tells what each word is for."""
    index = [f"allow rw pool={pool} namespace={NAMESPACES}" for pool in (POOL_INDEX, COU_INDEX)]
    locks = [f"allow pool={pool} namespace={NAMESPACES} class lock" for pool in (POOL_INDEX, COU_INDEX)]
    data = [f"allow rw pool={pool} namespace={NAMESPACES}" for pool in (POOL_DATA, COU_DATA, POOL_EC)]
    return {"mon": "allow r", "osd": ", ".join(index + locks + data)}


def pools():
    """The commands that make the pools."""
    yield "osd erasure-code-profile set canopic plugin=jerasure k=2 m=1 crush-failure-domain=osd"
    for pool in (POOL_INDEX, POOL_DATA, COU_INDEX, COU_DATA):
        yield f"osd pool create {pool} {GROUPS} {GROUPS} replicated"
    yield f"osd pool create {POOL_EC} {GROUPS} {GROUPS} erasure canopic"
    # With one of the three away it goes on.
    yield f"osd pool set {POOL_EC} min_size 2"
    for pool in (POOL_INDEX, POOL_DATA, COU_INDEX, COU_DATA, POOL_EC):
        yield f"osd pool application enable {pool} canopic"
