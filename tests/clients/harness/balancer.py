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
# How long a client may go on sending to a gateway that has ended its side.
LINGER_S = 0.5
# Its name is missing from the module; without it each address would have as many connections as there are ports.
IP_BIND_ADDRESS_NO_PORT = 24


class Balancer:
    """The gateways, and the connections that run."""

    def __init__(self, ports):
        self.turns = itertools.cycle(ports)
        self.count = len(ports)
        self.running = set()

    async def serve(self, port):
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        with socket.create_server(("127.0.0.1", port), backlog=1024) as listener:
            listener.setblocking(False)
            accepting = asyncio.create_task(self.accept(loop, listener))
            await stop.wait()
            accepting.cancel()
        while self.running:
            await asyncio.wait(self.running)

    async def accept(self, loop, listener):
        while True:
            near, address = await loop.sock_accept(listener)
            task = asyncio.create_task(self.pass_on(loop, near, address[0]))
            self.running.add(task)
            task.add_done_callback(self.running.discard)

    async def pass_on(self, loop, near, source):
        """One connection, from its beginning to its end."""
        with near:
            far = await self.connect(loop, source)
            if far is None:
                return
            with far:
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                up = asyncio.create_task(pump(loop, near, far))
                # What a gateway answered before it ended goes out, even if nothing could be sent to it any more.
                await pump(loop, far, near)
                await asyncio.wait([up], timeout=LINGER_S)
                up.cancel()

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


async def pump(loop, source, sink):
    """Passes on what comes, until one of the two ends; tells the sink that nothing more comes."""
    buffer = memoryview(bytearray(BUFFER))
    try:
        while length := await loop.sock_recv_into(source, buffer):
            await loop.sock_sendall(sink, buffer[:length])
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


if __name__ == "__main__":
    own, *theirs = map(int, sys.argv[1:])

    async def main():
        await Balancer(theirs).serve(own)

    asyncio.run(main())
