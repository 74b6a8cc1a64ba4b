"""Real key services as child processes: OpenBao, and the server of PyKMIP."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import trustme

from harness.server import free_port

TOOLS = Path(sys.executable).parent
ROOT_TOKEN = "root-of-a-test"

# What a gateway needs that creates and manages keys too; docs/kms.md has it as well.
POLICY = """
path "transit/encrypt/*" { capabilities = ["update"] }
path "transit/decrypt/*" { capabilities = ["update"] }
path "transit/keys"      { capabilities = ["list"] }
path "transit/keys/*"    { capabilities = ["create", "read", "update", "delete"] }
"""


class Process:
    """A child with processes of its own, which end with it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None

    def spawn(self, *command, **environment):
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self):
        return (self.folder / "output").read_text(errors="replace")

    def wait_until(self, ready, wait=60):
        deadline = time.monotonic() + wait
        while not ready():
            assert self.process.poll() is None and time.monotonic() < deadline, self.output()[-3000:]
            time.sleep(0.1)

    def environment(self):
        """The settings as variables, for commands that have no flags for them."""
        pairs = (flag.removeprefix("--").split("=", 1) for flag in self.settings())
        return {"CANOPIC_" + name.replace("-", "_").upper(): value for name, value in pairs}

    def pause(self):
        """From now on it neither answers nor refuses."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def kill(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


class OpenBao(Process):
    """OpenBao in its development mode, with the Transit engine and an AppRole for the gateway."""

    def start(self):
        self.spawn(
            TOOLS / "bao", "server", "-dev", "-dev-tls", "-dev-no-store-token", f"-dev-tls-cert-dir={self.folder}",
            f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{self.port}",
        )  # fmt: skip
        self.wait_until(lambda: self.ca.exists() and self._run("status").returncode == 0)
        self("secrets", "enable", "transit")
        self("auth", "enable", "approle")
        policy = self.folder / "policy.hcl"
        policy.write_text(POLICY)
        self("policy", "write", "canopic", policy)
        self("write", "auth/approle/role/canopic", "token_policies=canopic", "token_ttl=1m", "token_max_ttl=5m")
        self.secrets = []
        for name, command in (
            ("role-id", ["read", "-field=role_id", "auth/approle/role/canopic/role-id"]),
            ("secret-id", ["write", "-f", "-field=secret_id", "auth/approle/role/canopic/secret-id"]),
        ):
            self.secrets.append(self(*command))
            (self.folder / name).write_text(self.secrets[-1] + "\n")
            (self.folder / name).chmod(0o600)
        return self

    @property
    def ca(self):
        return self.folder / "vault-ca.pem"

    def settings(self):
        """The flags of `canopic serve`."""
        return [
            "--kms=vault", f"--kms-address=https://127.0.0.1:{self.port}", f"--kms-ca-file={self.ca}",
            f"--kms-role-id-file={self.folder}/role-id", f"--kms-secret-id-file={self.folder}/secret-id",
        ]  # fmt: skip

    def __call__(self, *arguments):
        """Runs `bao …` as root and returns what it printed."""
        done = self._run(*arguments)
        assert done.returncode == 0, f"bao {arguments}: {done.stderr}"
        return done.stdout.strip()

    def seal(self):
        self("operator", "seal")

    def unseal(self):
        self("operator", "unseal", re.search(r"Unseal Key: (\S+)", self.output())[1])

    def _run(self, *arguments):
        return subprocess.run(
            [str(TOOLS / "bao"), *map(str, arguments)],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "BAO_ADDR": f"https://127.0.0.1:{self.port}",
                "BAO_CACERT": str(self.ca),
                "BAO_TOKEN": ROOT_TOKEN,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )


class PyKmip(Process):
    """PyKMIP's server with certificates of its own authority. Its keys are in a file and outlive it."""

    def __init__(self, folder):
        super().__init__(folder)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.folder / "ca.pem")
        for name in ("server", "client"):
            issued = authority.issue_cert("127.0.0.1", common_name=f"the {name} of a test")
            issued.private_key_and_cert_chain_pem.write_to_path(self.folder / f"{name}.pem")
            issued.private_key_pem.write_to_path(self.folder / f"{name}.key")
        (self.folder / "server.conf").write_text(
            f"[server]\nhostname=127.0.0.1\nport={self.port}\nauth_suite=TLS1.2\nenable_tls_client_auth=True\n"
            f"certificate_path={self.folder}/server.pem\nkey_path={self.folder}/server.key\n"
            f"ca_path={self.folder}/ca.pem\npolicy_path={self.folder}\ndatabase_path={self.folder}/keys.sqlite\n"
        )

    def start(self):
        self.spawn(TOOLS / "pykmip-server", "-f", self.folder / "server.conf", "-l", self.folder / "server.log")
        self.wait_until(self._listens)
        return self

    def settings(self):
        """The flags of `canopic serve`."""
        return [
            "--kms=kmip", f"--kms-address=127.0.0.1:{self.port}", f"--kms-ca-file={self.folder}/ca.pem",
            f"--kms-client-cert={self.folder}/client.pem", f"--kms-client-key={self.folder}/client.key",
        ]  # fmt: skip

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
