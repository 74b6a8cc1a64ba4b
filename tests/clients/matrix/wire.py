"""A client that is fast enough for thousands of cases: the signatures of the harness on a connection that is kept.

Boto3 needs some ten times as long for a small request, and mends what a case wants broken.
"""

import http.client
import ssl

from harness.signing import Response, Signer

# What a connection that the server has meanwhile closed looks like.
STALE = (http.client.RemoteDisconnected, http.client.CannotSendRequest, ConnectionError, ssl.SSLError)


class Wire(Signer):
    """Requests of one user over one TLS connection, one after another. Not for two threads at once."""

    def __init__(self, server, credentials=None, version=4):
        super().__init__(server, credentials, version)
        self._connection = None
        self._others = {}

    def as_version(self, version):
        """The same user, signing with another version."""
        return self._other(self.credentials, version)

    def anonymous(self):
        """Nobody: what is sent is exactly what was given, for presigned targets."""
        return self._other(None, 4)

    def send(self, method, target, body, headers, timeout=60):
        """Sends exactly this. A kept connection that turns out closed is replaced once, a fresh one is not."""
        kept = self._connection is not None
        try:
            return self._exchange(method, target, body, headers, timeout)
        except STALE:
            self.close()
            if not kept:
                raise
        return self._exchange(method, target, body, headers, timeout)

    def close(self):
        """Ends the connections; the next request opens another."""
        for other in self._others.values():
            other.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _other(self, credentials, version):
        if (credentials, version) not in self._others:
            self._others[credentials, version] = Wire(self.server, credentials, version)
        return self._others[credentials, version]

    def _exchange(self, method, target, body, headers, timeout):
        if self._connection is None:
            self._connection = self.connect(timeout)
        connection = self._connection
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if "content-length" not in headers and (body or method not in ("GET", "HEAD")):
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        response = Response(answer.status, answer.headers, answer.read())
        if answer.will_close:
            self.close()
        return response
