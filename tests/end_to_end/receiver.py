"""Somebody's webhook: takes each push that is POSTed and remembers it by its Idempotency-Key."""

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Receiver:
    """A web server in a thread of its own; `taken` maps each key to the bodies that came with it."""

    def __init__(self):
        self.taken = defaultdict(list)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}/push"

    def _handler(self):
        taken = self.taken

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                taken[unquote(self.headers["Idempotency-Key"])].append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        return Handler
