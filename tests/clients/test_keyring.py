"""The keys of the server: versions, backups, root keys from every source, and the drill with the lost machine."""

import os
import pty
import re
import select
import shutil
import subprocess
import threading
import time

import pytest

from harness import ceph
from harness.clients import boto3_client
from harness.content import KIB, MIB, content, customer_headers, customer_key
from harness.server import BINARY, Server
from harness.signing import Signer

BUCKET = "keys"
PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def site(tmp_path):
    """A server of the test's own, with a bucket."""
    server = Server(tmp_path / "site").start()
    assert Signer(server, server.root)("PUT", f"/{BUCKET}").status == 200
    yield server
    server.kill()
    assert "panicked at" not in server.printed()


@pytest.fixture
def passphrase_file(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return str(path)


def root_key_file(server):
    return server.data_dir.with_name(server.data_dir.name + ".root-key")


def run(server, *arguments, environment=None):
    """`canopic …` on a data directory, whatever it comes to."""
    return subprocess.run(
        [str(BINARY), *arguments, "--data-dir", str(server.data_dir)],
        env={**server._environment(), **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def refused(server, *arguments, environment=None):
    done = run(server, *arguments, environment=environment)
    assert done.returncode == 1, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stderr


def does_not_start(server):
    """The words of a server that refuses to start; nothing of it runs then."""
    with pytest.raises(RuntimeError) as refusal:
        server.start()
    assert "panicked at" not in str(refusal.value)
    return str(refusal.value)


def versions(server, *options):
    """The versions of the keyring's key by id: state, and with --count objects and uploads."""
    lines = server.command("keyring", "status", *options).splitlines()[1:]
    rows = [line.split() for line in lines if re.match(r"[0-9a-f]{32} ", line)]
    return {row[0]: (row[1], *map(int, row[3:])) for row in rows}


def root_key_id(server):
    return server.command("keyring", "status").split()[2]


def fill(server):
    """One object of each kind; returns a function that reads them all back from a server."""
    s3 = boto3_client(server, server.root)
    server.command("kms", "create", "tenant")
    extra = {
        "small": {},
        "large": {},
        "customers": {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": customer_key()},
        "kms": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "tenant"},
        "default-kms": {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True},
    }
    for name, headers in extra.items():
        size = 3 * MIB if name == "large" else 100
        s3.put_object(Bucket=BUCKET, Key=name, Body=content(size, name), **headers)
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="multipart")["UploadId"]
    bodies = [content(5 * MIB, "a"), content(7, "b")]
    parts = []
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(Bucket=BUCKET, Key="multipart", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(
        Bucket=BUCKET, Key="multipart", UploadId=upload, MultipartUpload={"Parts": parts}
    )

    def check(server):
        s3 = boto3_client(server, server.root)
        for name, headers in extra.items():
            wanted = {key: value for key, value in headers.items() if key.startswith("SSECustomer")}
            got = s3.get_object(Bucket=BUCKET, Key=name, **wanted)["Body"].read()
            assert got == content(3 * MIB if name == "large" else 100, name), name
        assert s3.get_object(Bucket=BUCKET, Key="multipart")["Body"].read() == b"".join(bodies)

    check(server)
    return check


@pytest.mark.embedded_only("It loses the files of one machine; of gateways the record is lost with the cluster.")
def test_the_drill_a_lost_machine(site, tmp_path, passphrase_file):
    """docs/operations.md, "The drill": data and keyring come back elsewhere, and every object opens."""
    site.command("keyring", "rotate")
    check = fill(site)
    site.command("keyring", "rotate")
    backup = tmp_path / "keyring.age"
    site.command("keyring", "backup", str(backup), "--passphrase-file", passphrase_file)
    assert backup.stat().st_mode & 0o777 == 0o600
    sealed = backup.read_bytes()
    assert sealed.startswith(b"age-encryption.org/v1\n") and b"canopic-root-key" not in sealed
    lost_root_key = root_key_file(site).read_text()
    assert site.stop() == 0

    other = Server(tmp_path / "elsewhere")
    other.root = site.root
    other.data_dir.mkdir(parents=True)
    shutil.copytree(site.data_dir / "store", other.data_dir / "store")
    shutil.rmtree(site.data_dir)
    root_key_file(site).unlink()
    assert "is not there" in does_not_start(other), "data without keys are not served"
    other.command("keyring", "restore", str(backup), "--passphrase-file", passphrase_file)
    other.start()
    check(other)
    assert len(versions(other)) == 3
    assert root_key_file(other).read_text() != lost_root_key, "the lost machine's root key is not needed"
    other.command("keyring", "rotate")
    check(other)
    assert other.stop() == 0


@pytest.mark.embedded_only("It takes the keyring file away; crates/server tests the record.")
def test_a_backup_that_is_older_than_a_key_that_objects_need_is_told(site, tmp_path, passphrase_file):
    """The default KMS key comes with the first object that asks for one, after the backup."""
    backup = str(tmp_path / "keyring.age")
    site.command("keyring", "backup", backup, "--passphrase-file", passphrase_file)
    s3 = boto3_client(site, site.root)
    s3.put_object(Bucket=BUCKET, Key="plain", Body=b"plain")
    s3.put_object(Bucket=BUCKET, Key="kms", Body=b"kms", ServerSideEncryption="aws:kms")
    assert site.stop() == 0
    keyring = site.data_dir / "keyring"
    keyring.unlink()

    restore = ("keyring", "restore", backup, "--passphrase-file", passphrase_file)
    told = refused(site, *restore)
    assert "aws/s3 (1 objects" in told and "--incomplete" in told, told
    assert not keyring.exists()
    site.command(*restore, "--incomplete")
    counted = site.command("keyring", "status", "--count", "--offline")
    assert re.search(r"^aws/s3 +missing ", counted, re.M) and "1 without their key" in counted, counted
    assert run(site, "verify-at-rest", "--quick").returncode != 0
    site.start()
    assert boto3_client(site, site.root).get_object(Bucket=BUCKET, Key="plain")["Body"].read() == b"plain"


def test_a_backup_needs_its_passphrase_and_is_never_written_over_a_file(site, tmp_path, passphrase_file):
    backup = tmp_path / "keyring.age"
    site.command("keyring", "backup", str(backup), "--passphrase-file", passphrase_file)
    assert "not overwritten" in refused(site, "keyring", "backup", str(backup), "--passphrase-file", passphrase_file)
    short = tmp_path / "short"
    short.write_text("12345")
    told = refused(site, "keyring", "backup", str(tmp_path / "other.age"), "--passphrase-file", str(short))
    assert "12 characters" in told and not (tmp_path / "other.age").exists()
    assert "no terminal" in refused(site, "keyring", "backup", str(tmp_path / "other.age"))

    wrong = tmp_path / "wrong"
    wrong.write_text("incorrect horse battery staple")
    other = Server(tmp_path / "elsewhere")
    told = refused(other, "keyring", "restore", str(backup), "--passphrase-file", str(wrong))
    assert "passphrase is wrong" in told and PASSPHRASE not in told
    assert not other.data_dir.exists() and not root_key_file(other).exists()
    for damage in (backup.read_bytes()[:-1], backup.read_bytes()[:-1] + b"x", b"", b"no age file"):
        broken = tmp_path / "broken.age"
        broken.write_bytes(damage)
        assert refused(other, "keyring", "restore", str(broken), "--passphrase-file", passphrase_file)
        assert not other.data_dir.exists()


def typed(server, *arguments, answers):
    """Runs `canopic …` at a terminal of its own and answers its questions; returns its end and all that was shown."""
    process, terminal = pty.fork()
    if process == 0:
        os.execve(str(BINARY), [str(BINARY), *arguments, "--data-dir", str(server.data_dir)], server._environment())
    shown, deadline = "", time.monotonic() + 60
    answers = list(answers)
    while time.monotonic() < deadline and select.select([terminal], [], [], 60)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        shown += piece.decode()
        if answers and shown.endswith(answers[0][0]):
            os.write(terminal, answers.pop(0)[1].encode() + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown


def test_a_passphrase_is_asked_for_twice_and_not_shown(site, tmp_path, passphrase_file):
    backup = tmp_path / "keyring.age"
    code, shown = typed(
        site, "keyring", "backup", str(backup), answers=[("Passphrase: ", PASSPHRASE), ("Again: ", PASSPHRASE + "!")]
    )
    assert (code, "differ" in shown, backup.exists()) == (1, True, False), shown
    answers = [("Passphrase: ", PASSPHRASE), ("Again: ", PASSPHRASE)]
    code, shown = typed(site, "keyring", "backup", str(backup), answers=answers)
    assert code == 0 and PASSPHRASE not in shown, shown
    other = Server(tmp_path / "elsewhere")
    other.command("keyring", "restore", str(backup), "--passphrase-file", passphrase_file)


@pytest.mark.embedded_only("It takes the keyring file away; crates/server tests the record.")
def test_a_restore_never_replaces_other_keys(site, tmp_path, passphrase_file):
    backup = tmp_path / "keyring.age"
    site.command("keyring", "backup", str(backup), "--passphrase-file", passphrase_file)
    restore = ("keyring", "restore", str(backup), "--passphrase-file", passphrase_file)
    assert "in use" in refused(site, *restore)
    assert site.stop() == 0
    before = (site.data_dir / "keyring").read_bytes()
    assert "there already" in run(site, *restore).stderr
    site.start().command("keyring", "rotate")
    assert site.stop() == 0
    assert "other keys than the backup" in refused(site, *restore)
    other = Server(tmp_path / "other").start()
    assert other.stop() == 0
    assert "other keys than the backup" in refused(other, *restore)
    (other.data_dir / "keyring").unlink()
    assert "does not belong to the store" in refused(other, *restore)
    assert not (other.data_dir / "keyring").exists()
    assert (site.data_dir / "keyring").read_bytes() != before, "the rotation wrote it, and nothing else did"


class Traffic(threading.Thread):
    """Writes and reads back until it is told to stop."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.signer, self.number = Signer(server, server.root), number
        self.is_over = threading.Event()
        self.kept, self.failure = {}, None

    def run(self):
        step = 0
        try:
            while not self.is_over.is_set():
                step += 1
                name, size = f"{self.number}/{step % 20}", [10, 40 * KIB, 300 * KIB][step % 3]
                headers = customer_headers(customer_key()) if step % 4 == 0 else {}
                body = content(size, f"{self.number}/{step}")
                assert self.signer("PUT", f"/{BUCKET}/{name}", body, headers).status == 200
                self.kept[name] = (body, headers)
                self.check(*list(self.kept)[step % len(self.kept) :][:1])
        except Exception as failure:
            self.failure = failure

    def check(self, *names):
        for name in names:
            body, headers = self.kept[name]
            answer = self.signer("GET", f"/{BUCKET}/{name}", headers=headers)
            assert (answer.status, answer.body == body) == (200, True), (name, answer.status, answer.body[:200])


def test_rotation_and_rewrap_under_traffic(site):
    workers = [Traffic(site, number) for number in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(3):
        time.sleep(0.5)
        site.command("keyring", "rotate")
        assert re.search(r"^\d+ looked at, \d+ wrapped anew, 0 failed$", site.command("keyring", "rewrap").strip())
    for worker in workers:
        worker.is_over.set()
        worker.join(60)
        assert not worker.is_alive() and worker.failure is None, worker.failure
    # What was begun before a rotation may have ended behind the rewrap: the next one takes it.
    site.command("keyring", "rewrap")
    counted = versions(site, "--count")
    assert len(counted) == 4
    assert [row[1:] for row in counted.values() if row[0] == "retired"] == [(0, 0)] * 3
    later = "prune tomorrow" if ceph.FOLDER else "restart the server"
    assert later in refused(site, "keyring", "prune"), "an upload may still be under way"

    assert site.stop() == 0
    site.start()
    if not ceph.FOLDER:
        assert len(site.command("keyring", "prune").split()) == 3
        assert len(versions(site)) == 1
    for worker in workers:
        worker.signer = Signer(site, site.root)
        worker.check(*worker.kept)


@pytest.mark.embedded_only("Of gateways no version is pruned within a day of its use.")
def test_a_version_that_an_upload_needs_is_not_pruned(site):
    signer = Signer(site, site.root)
    upload = signer("POST", f"/{BUCKET}/object?uploads").xml().findtext("UploadId")
    site.command("keyring", "rotate")
    assert site.stop() == 0
    site.start()
    assert site.command("keyring", "prune") == ""
    assert sorted(row[1:] for row in versions(site, "--count").values()) == [(0, 0), (0, 1)]
    site.command("keyring", "rewrap", "--rate", "5/s")
    assert len(site.command("keyring", "prune").split()) == 1
    signer = Signer(site, site.root)
    part = signer("PUT", f"/{BUCKET}/object?partNumber=1&uploadId={upload}", b"part")
    assert part.status == 200, part.body


def test_kill_9_during_rotations_leaves_one_keyring_that_opens_everything(site):
    check = fill(site)
    seen = set(versions(site))
    for number in range(8):
        rotations = [
            subprocess.Popen(
                [str(BINARY), "keyring", "rotate", "--data-dir", str(site.data_dir)],
                env=site._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for _ in range(4)
        ]
        time.sleep(0.01 + 0.012 * number)
        site.kill()
        promised = {line for rotation in rotations for line in rotation.communicate(timeout=60)[0].split()}
        site.start()
        found = set(versions(site))
        assert seen | promised <= found, "a version that was shown is kept"
        seen = found
        check(site)


@pytest.mark.embedded_only("Another gateway goes on when the lease has expired; crates/server tests that.")
def test_kill_9_during_a_rewrap_and_the_next_start_goes_on(site):
    signer = Signer(site, site.root)
    for number in range(300):
        assert signer("PUT", f"/{BUCKET}/{number}", b"%d" % number).status == 200
    [old] = versions(site)
    site.command("keyring", "rotate")
    rewrap = subprocess.Popen(
        [str(BINARY), "keyring", "rewrap", "--rate", "100/s", "--data-dir", str(site.data_dir)],
        env=site._environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(1.5)
    site.kill()
    assert rewrap.wait(60) != 0
    site.start()
    assert "going on with a rewrap" in site.printed()
    # It joins what goes on, and takes the limit away.
    done = re.match(r"(\d+) looked at, (\d+) wrapped anew, 0 failed", site.command("keyring", "rewrap"))
    # What was wrapped but not written down before the kill is not counted twice.
    assert int(done[1]) == 300 and 200 <= int(done[2]) <= 300, done[0]
    assert versions(site, "--count")[old] == ("retired", 0, 0)
    signer = Signer(site, site.root)
    for number in range(300):
        assert signer("GET", f"/{BUCKET}/{number}").body == b"%d" % number


def test_a_missing_or_wrong_root_key_is_named_and_nothing_starts(site, tmp_path):
    check = fill(site)
    right = root_key_id(site)
    assert site.stop() == 0
    key = root_key_file(site)
    kept = key.rename(tmp_path / "kept")
    assert right in does_not_start(site)
    assert not key.exists(), "no new root key was made"
    other = Server(tmp_path / "other").start()
    wrong = root_key_id(other)
    assert other.stop() == 0
    shutil.copy(root_key_file(other), key)
    told = does_not_start(site)
    assert right in told and wrong in told, told
    key.write_text("canopic-root-key-v1:AAAA\n")
    assert "damaged" in does_not_start(site)
    os.replace(kept, key)
    site.start()
    check(site)


def test_the_root_key_comes_from_a_variable_or_a_credential(tmp_path):
    key = tmp_path / "secret"
    other = Server(tmp_path / "none")
    done = subprocess.run(
        [str(BINARY), "keyring", "new-root-key", str(key)], env=other._environment(), capture_output=True, text=True
    )
    assert done.returncode == 0 and key.stat().st_mode & 0o777 == 0o600, done.stderr
    text = key.read_text()
    variable = {"CANOPIC_ROOT_KEY": text.strip()}
    server = Server(tmp_path / "site", environment=variable).start()
    assert Signer(server, server.root)("PUT", f"/{BUCKET}").status == 200
    check = fill(server)
    assert not root_key_file(server).exists(), "the variable is used, no file is made"
    assert server.stop() == 0
    assert text.strip().split(":")[1] not in server.printed()

    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "canopic-root-key").write_text(text)
    server.environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
    server.start()
    check(server)
    assert server.stop() == 0

    both = run(server, "keyring", "status", "--offline", "--root-key-file", str(key), environment=variable)
    assert both.returncode == 2 and "one of them" in both.stderr
    server.environment = {"CANOPIC_ROOT_KEY": "nonsense"}
    assert "CANOPIC_ROOT_KEY" in does_not_start(server)
    server.environment = {}
    server.arguments = ["--root-key-file", str(key)]
    server.start()
    check(server)
    assert server.stop() == 0


def test_a_resealed_keyring_needs_the_new_root_key(site, tmp_path):
    check = fill(site)
    old = root_key_id(site)
    new = tmp_path / "new-root-key"
    new_id = site.command("keyring", "reseal", "--new-root-key-file", str(new)).split()[2]
    assert new_id != old and new.stat().st_mode & 0o777 == 0o600
    check(site)
    site.command("keyring", "rotate")
    assert site.stop() == 0
    told = does_not_start(site)
    assert old in told and new_id in told
    os.replace(new, root_key_file(site))
    site.start()
    check(site)
    assert root_key_id(site) == new_id


def counts_everywhere():
    """Another gateway knows within about a second what became of a key."""
    if ceph.FOLDER:
        time.sleep(2)


def test_kms_keys_are_looked_after_online_and_offline(site):
    s3 = boto3_client(site, site.root)
    assert site.command("kms", "create", "tenant").split()[:2] == ["tenant", "enabled"]
    assert "already" in refused(site, "kms", "create", "tenant")
    s3.put_object(Bucket=BUCKET, Key="object", Body=b"bytes", ServerSideEncryption="aws:kms", SSEKMSKeyId="tenant")
    read = Signer(site, site.root)
    assert site.command("kms", "disable", "tenant").split()[1] == "disabled"
    counts_everywhere()
    answer = read("GET", f"/{BUCKET}/object")
    assert 400 <= answer.status < 500, (answer.status, answer.body)
    assert "disabled" in refused(site, "kms", "rotate", "tenant")
    site.command("kms", "enable", "tenant")
    counts_everywhere()
    assert site.command("kms", "rotate", "tenant").split()[3] == "2"
    assert read("GET", f"/{BUCKET}/object").body == b"bytes"
    assert "1 outdated" in site.command("keyring", "status", "--count")
    site.command("keyring", "rewrap")
    assert "0 outdated" in site.command("keyring", "status", "--count")
    assert site.stop() == 0

    assert site.command("kms", "schedule-deletion", "tenant", "--days", "7", "--offline").split()[1] == "pending-deletion"
    assert run(site, "kms", "schedule-deletion", "tenant", "--days", "6", "--offline").returncode == 2
    site.start()
    assert 400 <= Signer(site, site.root)("GET", f"/{BUCKET}/object").status < 500
    assert "pending" in refused(site, "kms", "disable", "tenant")
    site.command("kms", "enable", "tenant")
    counts_everywhere()
    assert Signer(site, site.root)("GET", f"/{BUCKET}/object").body == b"bytes"
    assert "aws/s3" not in site.command("kms", "list")


def test_only_the_administrator_looks_after_keys(site):
    site.create_user("alice")
    alice = Signer(site, site.issue_pair("alice"))
    for call in ("keyring-status", "rotate-keyring", "export-keyring", "reseal-keyring", "create-kms-key", "prune-keyring"):
        answer = alice("POST", f"/-/admin/v1/{call}", b"{}")
        assert answer.status == 403, (call, answer.status, answer.body)
    assert len(versions(site)) == 1
