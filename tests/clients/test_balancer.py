"""The balancer of this harness, on gateways that only echo: what it would hide from the tests if it were wrong."""

import contextlib
import socket
import socketserver
import threading
import time

import pytest

from harness.content import MIB, content
from harness.gateway import Balancer, free_port


class Echo(socketserver.ThreadingTCPServer):
    """Says its name and who called, then everything that it hears, until the client ends its side."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, name):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.sendall(f"{name} {self.client_address[0]}\n".encode())
                with contextlib.suppress(OSError):
                    while heard := self.request.recv(64 * 1024):
                        self.request.sendall(heard)

        super().__init__(("127.0.0.1", free_port()), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


@pytest.fixture
def two():
    gateways = [Echo("one"), Echo("two")]
    balancer = Balancer(free_port(), [each.server_address[1] for each in gateways])
    balancer.start()
    yield balancer, gateways
    balancer.kill()
    for each in gateways:
        each.end()


def connect(balancer, source="127.0.0.1"):
    connection = socket.create_connection(("127.0.0.1", balancer.port), timeout=20, source_address=(source, 0))
    return connection, connection.makefile("rb")


def greeting(balancer, source="127.0.0.1"):
    connection, file = connect(balancer, source)
    with connection, file:
        return file.readline().decode().split()


def test_connections_go_to_either_in_turn_and_keep_their_address(two):
    said = [greeting(two[0], "127.0.0.9") for _ in range(6)]
    assert {source for _, source in said} == {"127.0.0.9"}
    assert [name for name, _ in said] in (["one", "two"] * 3, ["two", "one"] * 3)


def test_everything_comes_through_both_ways_and_an_end_of_one_side_is_passed_on(two):
    body = content(24 * MIB)
    connection, file = connect(two[0])
    with connection, file:
        file.readline()
        sender = threading.Thread(target=lambda: (connection.sendall(body), connection.shutdown(socket.SHUT_WR)))
        sender.start()
        time.sleep(0.5)  # All buffers on the way are full now.
        assert file.read() == body
        sender.join()


def test_a_gateway_that_is_gone_is_passed_over(two):
    balancer, gateways = two
    gateways[0].end()
    assert [greeting(balancer)[0] for _ in range(4)] == ["two"] * 4
    gateways[1].end()
    connection, file = connect(balancer)
    with connection, file, contextlib.suppress(ConnectionResetError):
        assert file.readline() == b""


def test_what_runs_goes_on_when_nothing_new_is_taken(two):
    balancer, _ = two
    connection, file = connect(balancer)
    with connection, file:
        file.readline()
        balancer.ask_to_stop()
        deadline = time.monotonic() + 10
        with pytest.raises(OSError):
            while time.monotonic() < deadline:
                greeting(balancer)
                time.sleep(0.05)
        connection.sendall(b"still here\n")
        assert file.readline() == b"still here\n"
    assert balancer.process.wait(10) == 0
