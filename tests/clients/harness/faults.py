"""What goes wrong between a client and a server: a link that is slow, and a server that always says the same."""

import http.server
import socket
import threading
import time


class SlowLink:
    """Passes connections on to a port of this machine, at a bounded speed in each direction and over all of them."""

    def __init__(self, target, bytes_per_second):
        self.target = target
        self.speed = bytes_per_second
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.lock = threading.Lock()
        self.free_at = time.monotonic()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def unleash(self):
        self.speed = None

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source, sink):
        try:
            while piece := source.recv(64 * 1024):
                self._wait(len(piece))
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _wait(self, length):
        """Takes a turn on the link; the lock is held for the bookkeeping only."""
        if not self.speed:
            return
        with self.lock:
            self.free_at = max(self.free_at, time.monotonic()) + length / self.speed
            wait = self.free_at - time.monotonic()
        time.sleep(max(wait, 0))


class OneAnswer:
    """A plain HTTP server that answers everything alike, and counts."""

    def __init__(self, status, headers, body=b""):
        self.requests = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                outer.requests += 1
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
