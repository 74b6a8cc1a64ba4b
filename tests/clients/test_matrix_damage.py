"""Each attack on the sealed bytes by name, for each mode: what comes back is right, or it is an error.

The names are in `matrix/attacks.py`; `MATRIX_CASE='attack/sse-c-a/single/truncated-to-nothing'` runs one.
"""

import http.client

import pytest

from harness.server import Server
from matrix.attacks import EXTENDED, ON_CHUNKS, ON_OBJECTS, ON_PARTS, SEALED, Victim
from matrix.modes import KEY_A, KMS, S3
from matrix.runner import Group, run
from matrix.uploads import begin, complete, put_part
from matrix.wire import Wire
from matrix.world import CHUNK, PART, World, body_of, put

pytestmark = pytest.mark.embedded_only("It damages the files of the embedded store; tests/ceph does the like to objects in the cluster.")

SINGLE = 4 * CHUNK + 99
SIZES = {1: PART, 2: PART, 3: CHUNK + 4464}
KINDS = {
    "single": {**ON_OBJECTS, **ON_CHUNKS, **EXTENDED},
    "parts": {**ON_OBJECTS, **ON_PARTS},
}
# One mode of each holder of keys.
MODES = [KEY_A, S3, KMS]
AT_LEAST = 41


class Disk:
    """The files of the sealed bytes, and which of them the last write made."""

    def __init__(self, server):
        self.folder = server.data_dir / "store" / "blobs"
        self.known = set()

    def new_files(self):
        """The files that came since the last question."""
        found = set(self.folder.glob("*/*"))
        new, self.known = found - self.known, found
        return list(new)


def write(wire, world, disk, mode, name, kind, seed):
    """Writes an object and returns it as a victim."""
    attempt = b""
    if kind == "single":
        body = body_of(SINGLE, f"{name}/{seed}")
        put(wire, world, mode, name, body)
        files = disk.new_files()
        assert len(files) == 1
    else:
        bodies = {number: body_of(size, f"{name}/{seed}/{number}") for number, size in SIZES.items()}
        upload, files = begin(wire, world, mode, name), []
        put_part(wire, upload, 3, body_of(SIZES[3], f"{name}/{seed}/attempt"))
        (file,) = disk.new_files()
        attempt = file.read_bytes()
        for number, body in bodies.items():
            put_part(wire, upload, number, body)
            (file,) = disk.new_files()
            files.append(file)
        complete(wire, upload, mode.headers)
        body = b"".join(bodies.values())
    return Victim(name, mode, body, files, [file.read_bytes() for file in files], attempt=attempt)


class Attacked:
    """A server on a disk on which every attack was made, and objects that nobody touched."""

    def __init__(self, folder, mode):
        self.server = Server(folder).start()
        self.world = World(self.server, self.server.root, "attacked")
        self.wire, self.disk = Wire(self.server, self.server.root), Disk(self.server)
        self.world.prepare(self.wire)
        self.bystanders = {kind: self._write(mode, f"bystander/{kind}", kind, "now") for kind in KINDS}
        self.pairs = {(kind, attack): self._pair(mode, kind, attack) for kind in KINDS for attack in KINDS[kind]}
        assert self.server.stop() == 0
        for (kind, attack), (victim, twin) in self.pairs.items():
            make(victim, KINDS[kind][attack](victim, twin))
            if attack == "swapped-object":
                make(twin, KINDS[kind][attack](twin, victim))
        self.server.start()

    def _write(self, mode, name, kind, seed):
        return write(self.wire, self.world, self.disk, mode, name, kind, seed)

    def _pair(self, mode, kind, attack):
        """A victim with a history, where the attack needs one, and its twin."""
        name = f"{kind}/{attack}"
        older = self._write(mode, name, kind, "older") if kind == "single" or "version" in attack else None
        victim = self._write(mode, name, kind, "now")
        victim.older = older.sealed if older else []
        swapped = attack == "swapped-object"
        return victim, self._write(mode, f"{name}/twin", kind, "twin") if swapped else self.bystanders[kind]


def make(victim, contents):
    """Puts the attacker's bytes on the disk. An attack that changes nothing would prove nothing."""
    assert contents != victim.sealed, f"{victim.name}: nothing changed"
    for file, sealed in zip(victim.files, contents, strict=True):
        if sealed is None:
            file.unlink()
        else:
            file.write_bytes(sealed)
    victim.attacked = contents


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_no_attack_on_the_disk_is_read_as_right(tmp_path, record_property, mode):
    attacked = Attacked(tmp_path / "attacked", mode)
    group = Group(f"attack/{mode.name}")
    for (kind, attack), (victim, twin) in attacked.pairs.items():
        objects = [victim, twin] if attack == "swapped-object" else [victim]
        group.add(f"{kind}/{attack}", never_right(attacked.world, objects, attack in EXTENDED))
    for kind, bystander in attacked.bystanders.items():
        group.add(f"{kind}/bystander", still_right(attacked.world, bystander))
    record_property("matrix_cases", len(group.cases))
    run([group], attacked.server, attacked.server.root, AT_LEAST)
    assert attacked.server.stop() == 0
    assert "panicked at" not in attacked.server.printed()


def never_right(world, objects, may_be_right):
    def case(wire, _):
        for victim in objects:
            whole = read(wire, world, victim)
            assert whole is None or may_be_right, "read to the end as if nothing had happened"
            read_chunks(wire, world, victim)
            nothing_is_copied(wire, world, victim, may_be_right)
        for victim in objects:
            is_healed(wire, world, victim)

    return case


def still_right(world, bystander):
    def case(wire, _):
        assert read(wire, world, bystander) == bystander.body

    return case


def read(wire, world, victim, first=None, last=None):
    """The bytes that a client has at the end of a read that went well, else None; they must be the right ones."""
    headers = {**victim.mode.headers, **({} if first is None else {"range": f"bytes={first}-{last}"})}
    expected = victim.body if first is None else victim.body[first : last + 1]
    try:
        answer = wire("GET", world.target(victim.mode, victim.name), b"", headers, timeout=30)
    except (http.client.HTTPException, OSError):
        wire.close()
        return None  # Cut: the client knows that it has not got everything.
    if answer.status in (200, 206):
        assert answer.body == expected, f"{victim.name}: {len(answer.body)} other bytes came back as right"
        return answer.body
    # The key is right, so the fault is never the client's.
    assert (answer.status, answer.code) == (500, "InternalError"), (answer.status, answer.body)
    return None


def read_chunks(wire, world, victim):
    """A chunk that was touched never comes back; one that was not may."""
    start = 0
    for before, after in zip(victim.sealed, victim.attacked, strict=True):
        count = -(-len(before) // SEALED)
        # All chunks of a small file; of a large one the first three and the last.
        for index in sorted({0, 1, 2, count - 1} if count > 8 else set(range(count))):
            at = slice(index * SEALED, (index + 1) * SEALED)
            touched = after is None or before[at] != after[at.start : at.start + len(before[at])]
            first = start + index * CHUNK
            last = min(first + CHUNK, start + len(before) - 16 * count) - 1
            for span in ((first, last), (first, first), (last, last)):
                found = read(wire, world, victim, *span)
                assert not touched or found is None, f"a touched chunk was read: {index} of {victim.name}"
        start += len(before) - 16 * count


def nothing_is_copied(wire, world, victim, may_be_right):
    """A copy reads all of its source before it exists."""
    source, mode = world.target(victim.mode, victim.name), victim.mode
    to = f"{source}/copy"
    answer = wire("PUT", to, b"", {"x-amz-copy-source": source, **mode.source, **mode.write})
    if answer.status == 200:
        assert may_be_right, "a copy of damaged bytes was made"
        assert wire("GET", to, b"", mode.headers).body == victim.body
        return
    assert answer.status == 500, (answer.status, answer.body)
    assert wire("GET", to, b"", mode.headers).status == 404, "something was stored"
    upload = begin(wire, world, mode, f"{victim.name}/parts")
    sent = {"x-amz-copy-source": source, **mode.source, **mode.headers}
    answer = wire("PUT", upload.at("partNumber=1&"), b"", sent)
    assert answer.status == 500, (answer.status, answer.body)


def is_healed(wire, world, victim):
    """An object that was attacked can be replaced and deleted."""
    target, _ = put(wire, world, victim.mode, victim.name, b"healed")
    assert wire("GET", target, b"", victim.mode.headers).body == b"healed"
    assert wire("DELETE", target).status == 204
