"""A client that is fast enough for thousands of cases: the signatures of the harness on a connection that is kept.

Boto3 needs some ten times as long for a small request, and mends what a case wants broken.
"""

import http.client
import ssl

from harness.signing import Response, Signer

# What a connection that the server has meanwhile closed looks like.
STALE = (http.client.RemoteDisconnected, http.client.CannotSendRequest, ConnectionError, ssl.SSLError)


class Wire(Signer):
    """Requests of one user over one TLS connection, one after another. Not for two threads at once.

    With several gateways it has as many connections and takes them in turn, so that a case goes to all of them.
    """

    def __init__(self, server, credentials=None, version=4):
        super().__init__(server, credentials, version)
        # Those that are open, by turn.
        self._connections = {}
        self._requests = 0
        self._others = {}

    def as_version(self, version):
        """The same user, signing with another version."""
        return self._other(self.credentials, version)

    def anonymous(self):
        """Nobody: what is sent is exactly what was given, for presigned targets."""
        return self._other(None, 4)

    def send(self, method, target, body, headers, timeout=60):
        """Sends exactly this. A kept connection that turns out closed is replaced once, a fresh one is not."""
        self._requests += 1
        turn = self._requests % len(self.server.gateways)
        kept = turn in self._connections
        try:
            return self._exchange(turn, method, target, body, headers, timeout)
        except STALE:
            self._close(turn)
            if not kept:
                raise
        return self._exchange(turn, method, target, body, headers, timeout)

    def close(self):
        """Ends the connections; the next request opens another."""
        for other in self._others.values():
            other.close()
        for turn in list(self._connections):
            self._close(turn)

    def _close(self, turn):
        if turn in self._connections:
            self._connections.pop(turn).close()

    def _other(self, credentials, version):
        if (credentials, version) not in self._others:
            self._others[credentials, version] = Wire(self.server, credentials, version)
        return self._others[credentials, version]

    def _exchange(self, turn, method, target, body, headers, timeout):
        if turn not in self._connections:
            self._connections[turn] = self.connect(timeout)
        connection = self._connections[turn]
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if "content-length" not in headers and (body or method not in ("GET", "HEAD")):
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        response = Response(answer.status, answer.headers, answer.read())
        if answer.will_close:
            self._close(turn)
        return response
