"""Somebody's webhook: takes each push that is POSTed and remembers it by its Idempotency-Key."""

import json
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Server(ThreadingHTTPServer):
    """A web server that takes a caller who dies amid his call for what he is."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Receiver:
    """A web server in a thread of its own; `taken` maps each key to the bodies that came with it.

    While it is held (`hold`), it answers nobody; what came meanwhile is in `held`.
    """

    def __init__(self):
        self.taken = defaultdict(list)
        self.held = set()
        self._open = threading.Event()
        self._open.set()
        self._server = Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def hold(self):
        self._open.clear()

    def release(self):
        self._open.set()

    def __exit__(self, *_):
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}/push"

    def _handler(self):
        taken, held, is_open = self.taken, self.held, self._open

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = unquote(self.headers["Idempotency-Key"])
                if not is_open.is_set():
                    held.add(key)
                    is_open.wait()
                taken[key].append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        return Handler
