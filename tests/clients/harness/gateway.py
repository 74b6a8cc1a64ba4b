"""One process of the real binary, and the balancer that stands before several."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("CANOPIC_BINARY", REPOSITORY / "target/debug/canopic"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """A process that serves, with a data directory and ports of its own."""

    def __init__(self, data_dir, port, http_port, log, output):
        self.data_dir, self.port, self.http_port = Path(data_dir), port, http_port
        self.log, self.output = log, output
        self.process = None

    def spawn(self, arguments, environment):
        """Starts the process without waiting for it."""
        command = [str(BINARY), "serve", "--data-dir", str(self.data_dir), "--listen", f"127.0.0.1:{self.port}"]
        if self.http_port:
            command += ["--listen-http", f"127.0.0.1:{self.http_port}"]
        with open(self.output, "ab") as out, open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command + arguments, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=log
            )

    def answers(self, context):
        """Whether a TLS connection comes about."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as raw:
                with context().wrap_socket(raw, server_hostname="127.0.0.1"):
                    return True
        except (OSError, ssl.SSLError):
            return False

    def ask_to_stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self):
        """Ends the process as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Balancer:
    """One address for several gateways, between `start` and `stop`."""

    def __init__(self, port, backends):
        self.port, self.backends = port, backends
        self.process = None

    def start(self):
        program = Path(__file__).with_name("balancer.py")
        command = [sys.executable, "-S", str(program), str(self.port), *map(str, self.backends)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._listens():
            assert self.process.poll() is None and time.monotonic() < deadline, "the balancer did not start"
            time.sleep(0.01)

    def ask_to_stop(self):
        """Takes nothing new; what runs goes on."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self, wait=5):
        """Waits for the end; a client that keeps its side open is not waited for."""
        try:
            self.process.wait(wait)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _listens(self):
        """Without a connection, which would take a turn."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                return True
            return False
