"""The real binary as a child process, on a free port and a data directory of its own.

With `CANOPIC_TEST_CEPH` the same class is two gateways on one Ceph cluster behind one address, and the tests need not
know: `data_dir`, the admin socket in it, and `process` are those of the first gateway.
"""

import copy
import os
import re
import secrets
import shutil
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness import ceph
from harness.gateway import BINARY, REPOSITORY, Balancer, Gateway, free_port

__all__ = ["BINARY", "REPOSITORY", "KeyPair", "Server", "clear_what_is_over", "free_port"]


@dataclass(frozen=True)
class KeyPair:
    access: str
    secret: str


# Whose namespaces in a cluster are not cleared yet.
_served = []


def clear_what_is_over():
    """Removes from the cluster what servers left there that do not run any more."""
    for server in [each for each in _served if not each.runs()]:
        _served.remove(server)
        if all(each.namespace != server.namespace for each in _served):
            ceph.clear(server.namespace)


class Server:
    """One data directory and, between `start` and `stop`, the process that serves it."""

    def __init__(
        self, folder, *arguments, log="info", plain_http=False, environment=None, data_dir=None, namespace=None,
        gateways=ceph.GATEWAYS,
    ):  # fmt: skip
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = Path(data_dir) if data_dir else self.folder / "data"
        self.log = self.folder / "server.log"
        self.output = self.folder / "server.out"
        self.port = free_port()
        self.http_port = free_port() if plain_http else None
        self.root = KeyPair("ROOT" + secrets.token_hex(8).upper(), secrets.token_hex(20))
        self.arguments = list(arguments)
        self.namespace = (namespace or ceph.fresh_namespace()) if ceph.FOLDER else None
        self.environment = {"RUST_LOG": log, "RUST_BACKTRACE": "1", **(environment or {})}
        several = ceph.FOLDER and gateways > 1
        self.gateways, self.balancers = self._several(gateways) if several else ([self._gateway(self.data_dir)], [])

    def _gateway(self, data_dir, port=None, http_port=None):
        return Gateway(data_dir, port or self.port, http_port or self.http_port, self.log, self.output)

    def _several(self, count):
        """Gateways with ports and data directories of their own, and what makes them one address."""
        others = [self.data_dir.with_name(f"{self.data_dir.name}-{number}") for number in range(2, count + 1)]
        dirs = [self.data_dir, *others]
        gateways = [self._gateway(each, free_port(), self.http_port and free_port()) for each in dirs]
        balancers = [Balancer(self.port, [each.port for each in gateways])]
        if self.http_port:
            balancers.append(Balancer(self.http_port, [each.http_port for each in gateways]))
        return gateways, balancers

    @property
    def ca(self):
        return self.data_dir / "tls" / "ca.pem"

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    @property
    def http_url(self):
        return f"http://127.0.0.1:{self.http_port}"

    def runs(self):
        """Whether any process of it does."""
        return any(each.process is not None and each.process.poll() is None for each in self.gateways)

    @property
    def process(self):
        return self.gateways[0].process

    def each_gateway(self):
        """The same server as seen past the balancer, once for each gateway."""
        seen = []
        for gateway in self.gateways:
            alone = copy.copy(self)
            alone.port, alone.http_port, alone.gateways = gateway.port, gateway.http_port, [gateway]
            seen.append(alone)
        return seen

    @property
    def data_dirs(self):
        """Those of all gateways."""
        return [each.data_dir for each in self.gateways]

    def start(self, wait=30):
        """Starts the processes and waits until they answer; RuntimeError with their words when one gives up before."""
        first, *others = self.gateways
        if ceph.FOLDER and self not in _served:
            _served.append(self)
        self.spawn(first)
        if others and others[-1].process is None:
            # The first one makes the keys and the certificates that the others use too.
            self._wait_for(first, wait)
            for each in others:
                self._share_certificate(first, each)
        for each in others:
            self.spawn(each)
        for each in self.gateways:
            self._wait_for(each, wait)
        for balancer in self.balancers:
            balancer.start()
        return self

    def revive(self, wait=30):
        """Starts again what was killed of it by itself."""
        dead = [each for each in self.gateways if each.process.poll() is not None]
        for each in dead:
            self.spawn(each)
        for each in dead:
            self._wait_for(each, wait)

    def spawn(self, gateway):
        """Starts one of the processes without waiting for it."""
        number = self.gateways.index(gateway) + 1
        gateway.spawn(self.arguments if number == 1 else self._arguments_of_another(number), self._environment())

    def _wait_for(self, gateway, wait):
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if gateway.process.poll() is not None:
                code = gateway.process.returncode
                self.kill()
                raise RuntimeError(f"the server gave up ({code}): {self.last_words()}")
            if gateway.answers(self.tls):
                return
            time.sleep(0.03)
        self.kill()
        raise RuntimeError(f"the server did not answer within {wait} s: {self.last_words()}")

    def _share_certificate(self, first, other):
        if (first.data_dir / "tls").exists() and not other.data_dir.exists():
            other.data_dir.mkdir(mode=0o700, exist_ok=True)
            shutil.copytree(first.data_dir / "tls", other.data_dir / "tls")

    def _arguments_of_another(self, number):
        """The root key is the same file, whatever is written is not."""
        arguments = list(self.arguments)
        if "--audit-dir" in arguments:
            arguments[arguments.index("--audit-dir") + 1] += f"-{number}"
        if not any(each.startswith("--root-key-file") for each in arguments) and not self._gives_root_key():
            arguments += ["--root-key-file", f"{self.data_dir}.root-key"]
        return arguments

    def _gives_root_key(self):
        return bool({"CANOPIC_ROOT_KEY", "CANOPIC_ROOT_KEY_FILE", "CREDENTIALS_DIRECTORY"} & set(self._environment()))

    def stop(self, wait=30):
        """Asks politely and returns the exit code, of the first that has a bad one."""
        if self.process is None:
            return None
        for each in [*self.balancers, *self.gateways]:
            each.ask_to_stop()
        deadline = time.monotonic() + wait
        codes = []
        try:
            for each in self.gateways:
                codes.append(each.process.wait(max(deadline - time.monotonic(), 0.1)))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not end the server within {wait} s") from None
        for each in self.balancers:
            each.wait()
        return next((code for code in codes if code), 0)

    def kill(self):
        """Ends the processes as a power cut would."""
        for each in [*self.gateways, *self.balancers]:
            each.kill()

    def last_words(self):
        return self.printed()[-3000:]

    def printed(self):
        """Everything that the server wrote, to either stream."""
        texts = [path.read_text(errors="replace") for path in (self.output, self.log) if path.exists()]
        return "\n".join(texts)

    def at_rest(self):
        """(where, bytes) of everything that it keeps: on the disk, and in the cluster if that is the store."""
        for data_dir in self.data_dirs:
            for path in sorted(data_dir.rglob("*")):
                if path.is_file():
                    yield path.relative_to(self.folder), path.read_bytes()
        if ceph.FOLDER:
            yield from ceph.stored(self.namespace)

    def command(self, *arguments):
        """Runs `canopic …` on this data directory and returns what it printed."""
        done = subprocess.run(
            [str(BINARY), *arguments, "--data-dir", str(self.data_dir)],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"canopic {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def create_user(self, name):
        self.command("user", "create", name)

    def issue_pair(self, name):
        """A key pair of the user, read from the two lines that name its halves."""
        printed = self.command("key", "issue", name)
        access = re.search(r"access[ _]key[^:=]*[:=]\s*(\S+)", printed, re.IGNORECASE)
        secret = re.search(r"secret[ _]key[^:=]*[:=]\s*(\S+)", printed, re.IGNORECASE)
        assert access and secret, f"no key pair in: {printed}"
        return KeyPair(access[1], secret[1])

    def issue_token(self, name):
        """A token of the user: the one long alphanumeric word that was printed."""
        words = re.findall(r"\b[A-Za-z0-9]{32,}\b", self.command("key", "issue", name, "--token"))
        assert len(words) == 1, "expected one token"
        return words[0]

    def revoke_everything_of(self, name):
        """Revokes each key pair and token of the user, as `key list` shows them."""
        for line in self.command("key", "list", name).splitlines():
            if line.strip() and name not in line.split()[:1]:
                self.command("key", "revoke", line.split()[0])

    def tls(self):
        return ssl.create_default_context(cafile=str(self.ca))

    def command_environment(self):
        """What any command of the binary needs to find the store, whatever environment the gateways have besides."""
        return self._environment()

    def _environment(self):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        root = {"CANOPIC_ROOT_ACCESS_KEY": self.root.access, "CANOPIC_ROOT_SECRET_KEY": self.root.secret}
        store = ceph.environment(self.namespace) if ceph.FOLDER else {}
        return {**kept, **root, **store, **self.environment}
