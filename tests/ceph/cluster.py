#!/usr/bin/env python3
"""A real little Ceph cluster on loopback: a monitor, a manager and three OSDs, in one folder, from Debian's packages.

    tests/ceph/cluster.py --folder FOLDER up      from nothing, or what is not running
    tests/ceph/cluster.py --folder FOLDER env     what the tests want to know, for `eval`
    tests/ceph/cluster.py --folder FOLDER down    stops it; with --wipe its state goes too

Tests use `Cluster` directly. It installs nothing, needs no systemd and no root. Daemons are stopped by the pids that
they wrote down themselves, when the process is still a daemon of this folder, so that several clusters live side by side.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import cluster_settings as settings

OSDS = (0, 1, 2)
NEEDED = {"ceph-mon": "ceph-mon", "ceph-mgr": "ceph-mgr", "ceph-osd": "ceph-osd", "ceph": "ceph-common"}
GIB = 1 << 30


class Missing(Exception):
    """What this machine lacks."""


def missing_packages():
    """Debian's packages that stand for the commands this machine lacks."""
    return sorted({package for command, package in NEEDED.items() if not shutil.which(command)})


class Cluster:
    """The cluster whose state is in one folder, running or not."""

    def __init__(self, folder, store="bluestore", osd_gib=12):
        self.folder = Path(folder).resolve()
        self.store, self.osd_bytes = store, osd_gib * GIB
        # Of the daemons and the administrator; and what Canopic gets.
        self.conf = self.folder / "ceph.conf"
        self.client_conf = self.folder / "client.conf"

    # --- Up and down.

    def up(self):
        """Makes what is missing, starts what is not running, and waits until every OSD is up."""
        self._refuse_to_fail_later()
        for name in ("run", "log", "crash", "mgr"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if not self.conf.exists():
            self._configure()
        if not (self.folder / "mon" / "kv_backend").exists():
            self._make_monitor()
        self.start("mon.a")
        self.start("mgr.x")
        made = [number for number in OSDS if not self._has_osd(number)]
        if made:
            self._make_osds(made)
        for number in OSDS:
            self.start(f"osd.{number}", wait=False)
        self.wait_for_osds()
        if made:
            self.order(settings.pools())
        self.wait_until_clean()
        return self

    def mend(self):
        """Takes back whatever was done to it by the methods here, and waits until it is whole."""
        for name in self.daemons:
            self.go_on(name)
        self.start("mon.a")
        if self._is_full():
            self.set_full(False)
        for pool in self.ask("osd", "pool", "ls", "detail"):
            if pool["quota_max_bytes"]:
                self.set_quota(pool["pool_name"], 0)
        for osd in self.ask("osd", "dump")["osds"]:
            if not osd["in"]:
                self.ceph("osd", "in", osd["osd"])
        self.up()

    def down(self, wipe=False):
        """Stops the daemons; with `wipe` the folder goes as well."""
        for name in self.daemons:
            self.go_on(name)
            self.signal(name, signal.SIGTERM)
        for name in self.daemons:
            if not self._ended(name, wait=10):
                self.signal(name, signal.SIGKILL)
                assert self._ended(name, wait=10), f"{name} does not stop"
        if wipe:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- Daemons by name, such as "osd.1".

    @property
    def daemons(self):
        """The names of all, in the order in which they stop best."""
        return [*(f"osd.{number}" for number in OSDS), "mgr.x", "mon.a"]

    def pid(self, name):
        """The process of a daemon of this folder, or None."""
        try:
            pid = int((self.folder / "run" / f"{name}.pid").read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        # A dead process that nobody waited for has no command line.
        return pid if str(self.conf).encode() in words else None

    def start(self, name, wait=True):
        """Starts a daemon that is not running. A daemon goes to the background when it has begun."""
        if self.pid(name):
            return
        kind, _, number = name.partition(".")
        with open(self.folder / "log" / f"{name}.out", "ab") as out:
            process = subprocess.Popen(
                [f"ceph-{kind}", "-c", str(self.conf), "-i", number],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder,
            )  # fmt: skip
        if wait and process.wait(60) != 0:
            raise RuntimeError(f"{name} did not start: {self.last_words(name)}")

    def signal(self, name, number):
        """Sends a signal to a daemon; one that is not running is no error."""
        pid = self.pid(name)
        if pid:
            os.kill(pid, number)

    def kill(self, name):
        """Ends a daemon as a power cut would."""
        self.signal(name, signal.SIGKILL)
        assert self._ended(name, wait=10), f"{name} survived SIGKILL"

    def stop(self, name):
        """Ends a daemon politely: an OSD tells the monitor."""
        self.signal(name, signal.SIGTERM)
        assert self._ended(name, wait=30), f"{name} does not stop"

    def freeze(self, name):
        """A daemon says nothing any more, as behind a cut cable: its connections stay."""
        self.signal(name, signal.SIGSTOP)

    def go_on(self, name):
        """Ends that."""
        self.signal(name, signal.SIGCONT)

    def last_words(self, name):
        """The end of what a daemon said."""
        texts = [(self.folder / "log" / f"{name}.{end}") for end in ("out", "log")]
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in texts if path.exists())

    # --- Questions and orders to the monitor.

    def ceph(self, *arguments):
        """Runs `ceph …` as the administrator and returns what it printed."""
        command = ["ceph", "-c", str(self.conf), "--connect-timeout", "20", *map(str, arguments)]
        # It is seen to do its work and then not to end. All that is asked of it here may be asked twice.
        for wait in (30, 60):
            try:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=wait)
                break
            except subprocess.TimeoutExpired:
                pass
        else:
            raise TimeoutError(f"{' '.join(command)} does not end")
        if done.returncode != 0:
            raise RuntimeError(f"ceph {' '.join(map(str, arguments))}: {done.stderr}{done.stdout}")
        return done.stdout

    def ask(self, *arguments):
        """The same, as data."""
        return json.loads(self.ceph(*arguments, "--format", "json"))

    def order(self, commands):
        """Several, one after another; the first that fails ends it."""
        for command in commands:
            self.ceph(*command.split())

    def wait_for(self, question, what, wait=90):
        """Asks until the answer is yes."""
        deadline = time.monotonic() + wait
        while not question():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} after {wait} s: {self.ceph('-s')}")
            time.sleep(0.3)

    def wait_for_osds(self, count=len(OSDS)):
        """Waits until exactly so many OSDs are up."""
        self.wait_for(lambda: self.ask("osd", "stat")["num_up_osds"] == count, f"not {count} OSDs are up")

    def wait_until_clean(self, wait=180):
        """Waits until every placement group is whole."""

        def clean():
            groups = self.ask("pg", "stat")["pg_summary"]
            states = {each["name"]: each["num"] for each in groups["num_pg_by_state"]}
            return groups["num_pgs"] and states == {"active+clean": groups["num_pgs"]}

        self.wait_for(clean, "not every placement group is clean", wait)

    def set_full(self, full):
        """Makes every OSD believe that it is full, or ends that; returns when the cluster says so."""
        ratios = (0.0001, 0.0002, 0.0003) if full else (0.85, 0.9, 0.95)
        names = ("nearfull", "backfillfull", "full")
        # Never out of order, or the monitor complains of that instead.
        steps = [f"osd set-{name}-ratio {ratio}" for name, ratio in zip(names, ratios)]
        self.order(steps if full else reversed(steps))
        self.wait_for(lambda: self._is_full() == full, "the OSDs think otherwise")

    def _is_full(self):
        return "OSD_FULL" in self.ask("health")["checks"]

    def set_quota(self, pool, max_bytes):
        """Bounds a pool, from the next report of its size on; 0 ends that."""
        self.ceph("osd", "pool", "set-quota", pool, "max_bytes", max_bytes)

    def environment(self):
        """What the tests are told, in the environment."""
        return {
            "CANOPIC_TEST_CEPH": str(self.folder),
            "CANOPIC_TEST_CEPH_CONF": str(self.client_conf),
            "CANOPIC_TEST_CEPH_USER": settings.USER,
            "CANOPIC_TEST_CEPH_POOL_DATA": settings.POOL_DATA,
            "CANOPIC_TEST_CEPH_POOL_INDEX": settings.POOL_INDEX,
            "CANOPIC_TEST_CEPH_POOL_EC": settings.POOL_EC,
        }

    # --- From nothing.

    def _refuse_to_fail_later(self):
        lacking = missing_packages()
        if lacking:
            raise Missing(f"this machine lacks (by the names of Debian's packages): {' '.join(lacking)}")
        # The name of a socket is at most 107 bytes long.
        if len(str(self.folder)) > 80:
            raise Missing(f"the folder's path is too long for the daemons' sockets: {self.folder}")

    def _configure(self):
        facts = {"folder": self.folder, "fsid": uuid.uuid4(), "port": free_port(), "port_v1": free_port()}
        self.client_conf.write_text(settings.CLIENT_CONFIGURATION.format(**facts))
        self.conf.write_text(settings.configuration(**facts, store=self.store, size=self.osd_bytes))

    def _make_monitor(self):
        """Keys for all, and the store of the monitor, which learns them from the file."""
        keyring, client, monmap = (self.folder / name for name in ("keyring", "client.keyring", "monmap"))
        everybody = {**settings.KEYRING_OF_DAEMONS, **{f"osd.{number}": settings.OSD_CAPS for number in OSDS}}
        run("ceph-authtool", "--create-keyring", keyring)
        run("ceph-authtool", "--create-keyring", client)
        for name, caps in everybody.items():
            run("ceph-authtool", keyring, "--gen-key", "-n", name, *cap_arguments(caps))
        run("ceph-authtool", client, "--gen-key", "-n", settings.USER, *cap_arguments(settings.client_caps()))
        run("ceph-authtool", keyring, "--import-keyring", client)
        facts = dict(line.split(" = ", 1) for line in self.client_conf.read_text().splitlines() if " = " in line)
        run("monmaptool", "--create", "--clobber", "--fsid", facts["fsid"], "--addv", "a", facts["mon host"], monmap)
        shutil.rmtree(self.folder / "mon", ignore_errors=True)
        run("ceph-mon", "-c", self.conf, "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)

    def _has_osd(self, number):
        return (self.folder / f"osd.{number}" / "ready").exists()

    def _make_osds(self, numbers):
        ids = {number: uuid.uuid4() for number in numbers}
        self.order(f"osd new {ids[number]} {number}" for number in numbers)
        making = []
        for number in numbers:
            (self.folder / f"osd.{number}").mkdir(exist_ok=True)
            command = ["ceph-osd", "-c", self.conf, "-i", number, "--mkfs", "--osd-uuid", ids[number]]
            with open(self.folder / "log" / f"osd.{number}.out", "ab") as out:
                making.append(subprocess.Popen([*map(str, command)], stdout=out, stderr=out))
        for number, process in zip(numbers, making):
            if process.wait(120) != 0:
                raise RuntimeError(f"osd.{number} was not made: {self.last_words(f'osd.{number}')}")

    def _ended(self, name, wait):
        deadline = time.monotonic() + wait
        while self.pid(name):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def run(*command):
    """A tool that must succeed."""
    done = subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stderr}{done.stdout}")


def cap_arguments(caps):
    return [word for service, allowed in caps.items() for word in ("--cap", service, allowed)]


def free_port():
    """A port below those that outgoing connections are given, so that it is still free when a daemon comes back."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=os.environ.get("CANOPIC_TEST_CEPH"), help="default: $CANOPIC_TEST_CEPH")
    parser.add_argument("--store", default="bluestore", choices=["bluestore", "memstore"], help="of the OSDs")
    parser.add_argument("--osd-gib", type=int, default=12, help="the size of each OSD's sparse file")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up")
    commands.add_parser("down").add_argument("--wipe", action="store_true")
    commands.add_parser("status")
    commands.add_parser("env")
    for name in ("osd-start", "osd-stop", "osd-kill", "osd-down", "osd-out", "osd-in"):
        commands.add_parser(name).add_argument("number", type=int, choices=OSDS)
    commands.add_parser("full").add_argument("state", choices=["on", "off"])
    quota = commands.add_parser("quota", help="0 is none")
    quota.add_argument("pool")
    quota.add_argument("bytes", type=int)
    arguments = parser.parse_args()
    if not arguments.folder:
        parser.error("which --folder?")
    try:
        obey(Cluster(arguments.folder, arguments.store, arguments.osd_gib), arguments)
    except (Missing, RuntimeError, TimeoutError) as problem:
        sys.exit(f"cluster.py: {problem}")


def obey(cluster, arguments):
    """One command."""
    verb = arguments.command
    if verb == "up":
        began = time.monotonic()
        cluster.up()
        print(f"up after {time.monotonic() - began:.1f} s in {cluster.folder}")
    elif verb == "down":
        cluster.down(arguments.wipe)
    elif verb == "status":
        print(cluster.ceph("-s"), end="")
    elif verb == "env":
        print("\n".join(f"export {name}='{value}'" for name, value in cluster.environment().items()))
    elif verb == "full":
        cluster.set_full(arguments.state == "on")
    elif verb == "quota":
        cluster.set_quota(arguments.pool, arguments.bytes)
    else:
        daemon = f"osd.{arguments.number}"
        {
            "osd-start": lambda: cluster.start(daemon),
            "osd-stop": lambda: cluster.stop(daemon),
            "osd-kill": lambda: cluster.kill(daemon),
        }.get(verb, lambda: cluster.ceph("osd", verb.removeprefix("osd-"), arguments.number))()


if __name__ == "__main__":
    main()
