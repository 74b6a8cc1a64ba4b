"""Passes connections on to several gateways in turn: what stands before them in a test.

    python balancer.py PORT BACKEND_PORT...

A connection goes to the next gateway that takes it, and stays there; when none does it is dropped. What is passed on
is not looked at, so that TLS is between the client and the gateway. The gateway sees the address of the client. SIGTERM
ends the listening, and the program when the last connection has ended. It is a process of its own, so that the tests'
threads do not wait for it.
"""

import asyncio
import itertools
import signal
import socket
import sys

BUFFER = 256 * 1024


class Side(asyncio.BufferedProtocol):
    """One of the two ends of a connection: what comes in here goes out at the other."""

    def __init__(self, other=None):
        self.other = other
        self.transport = None
        self.buffer = memoryview(bytearray(BUFFER))

    def connection_made(self, transport):
        self.transport = transport
        if self.other:
            self.other.other = self

    def get_buffer(self, _):
        return self.buffer

    def buffer_updated(self, length):
        # A copy, because a transport keeps what it cannot send at once.
        self.other.transport.write(bytes(self.buffer[:length]))

    def pause_writing(self):
        self.other.transport.pause_reading()

    def resume_writing(self):
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def eof_received(self):
        """A gateway that ends its side has ended the connection."""
        return False

    def connection_lost(self, error):
        if self.other and self.other.transport:
            (self.other.transport.abort if error else self.other.transport.close)()


class Balancer:
    """The gateways, and how many connections there are."""

    def __init__(self, ports):
        self.turns = itertools.cycle(ports)
        self.count = len(ports)
        self.open = 0
        self.all_ended = asyncio.Event()

    async def serve(self, port):
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        with socket.create_server(("127.0.0.1", port), backlog=1024) as listener:
            listener.setblocking(False)
            accepting = asyncio.create_task(self.accept(loop, listener))
            await stop.wait()
            accepting.cancel()
        while self.open:
            self.all_ended.clear()
            await self.all_ended.wait()

    async def accept(self, loop, listener):
        running = set()
        while True:
            near, address = await loop.sock_accept(listener)
            task = asyncio.create_task(self.pass_on(loop, near, address[0]))
            running.add(task)
            task.add_done_callback(running.discard)

    async def pass_on(self, loop, near, source):
        """Connects to a gateway first, so that nothing is read from a client that none would have."""
        self.open += 1
        ended = loop.create_future()
        try:
            far = await self.connect(loop, source)
            if far is None:
                near.close()
                return
            _, gateway = await loop.create_connection(Side, sock=far)
            gateway.transport.pause_reading()
            _, client = await loop.create_connection(lambda: Watched(gateway, ended), sock=near)
            gateway.transport.resume_reading()
            await asyncio.shield(ended)
        except OSError:
            near.close()
        finally:
            self.open -= 1
            self.all_ended.set()

    async def connect(self, loop, source):
        for _ in range(self.count):
            far = socket.socket()
            far.setblocking(False)
            try:
                far.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                far.bind((source, 0))
                await loop.sock_connect(far, ("127.0.0.1", next(self.turns)))
                return far
            except OSError:
                far.close()
        return None


class Watched(Side):
    """The client's end, which tells when the connection has ended."""

    def __init__(self, other, ended):
        super().__init__(other)
        self.ended = ended

    def eof_received(self):
        """A client that ends its side may still read."""
        self.other.transport.write_eof()
        return True

    def connection_lost(self, error):
        super().connection_lost(error)
        if not self.ended.done():
            self.ended.set_result(None)


# Its name is missing from the module; without it each address would have as many connections as there are ports.
IP_BIND_ADDRESS_NO_PORT = 24

if __name__ == "__main__":
    own, *theirs = map(int, sys.argv[1:])

    async def main():
        await Balancer(theirs).serve(own)

    asyncio.run(main())
