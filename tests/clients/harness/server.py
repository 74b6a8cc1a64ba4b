"""The real binary as a child process, on a free port and a data directory of its own."""

import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("CANOPIC_BINARY", REPOSITORY / "target/debug/canopic"))


@dataclass(frozen=True)
class KeyPair:
    access: str
    secret: str


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One data directory and, between `start` and `stop`, the process that serves it."""

    def __init__(self, folder, *arguments, log="info", plain_http=False, environment=None, data_dir=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = Path(data_dir) if data_dir else self.folder / "data"
        self.log = self.folder / "server.log"
        self.output = self.folder / "server.out"
        self.port = free_port()
        self.http_port = free_port() if plain_http else None
        self.root = KeyPair("ROOT" + secrets.token_hex(8).upper(), secrets.token_hex(20))
        self.arguments = list(arguments)
        self.environment = {"RUST_LOG": log, "RUST_BACKTRACE": "1", **(environment or {})}
        self.process = None

    @property
    def ca(self):
        return self.data_dir / "tls" / "ca.pem"

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    @property
    def http_url(self):
        return f"http://127.0.0.1:{self.http_port}"

    def start(self, wait=30):
        """Starts the process and waits until it answers; RuntimeError with its words when it gives up before."""
        self.spawn()
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server gave up ({self.process.returncode}): {self.last_words()}")
            if self._answers():
                return self
            time.sleep(0.03)
        self.kill()
        raise RuntimeError(f"the server did not answer within {wait} s: {self.last_words()}")

    def spawn(self):
        """Starts the process without waiting for it."""
        command = [str(BINARY), "serve", "--data-dir", str(self.data_dir), "--listen", f"127.0.0.1:{self.port}"]
        if self.http_port:
            command += ["--listen-http", f"127.0.0.1:{self.http_port}"]
        with open(self.output, "ab") as out, open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command + self.arguments, env=self._environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=log
            )

    def stop(self, wait=30):
        """Asks politely and returns the exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(wait)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not end the server within {wait} s") from None

    def kill(self):
        """Ends the process as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def last_words(self):
        return self.printed()[-3000:]

    def printed(self):
        """Everything that the server wrote, to either stream."""
        texts = [path.read_text(errors="replace") for path in (self.output, self.log) if path.exists()]
        return "\n".join(texts)

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

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as raw:
                with self.tls().wrap_socket(raw, server_hostname="127.0.0.1"):
                    return True
        except (OSError, ssl.SSLError):
            return False

    def _environment(self):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        root = {"CANOPIC_ROOT_ACCESS_KEY": self.root.access, "CANOPIC_ROOT_SECRET_KEY": self.root.secret}
        return {**kept, **root, **self.environment}
