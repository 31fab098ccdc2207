"""A web server of a test's own, which answers paths as it is told."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def site(answer):
    """Yield the URL of a server; `answer(path)`, of a POST `answer(path, body)`, returns (status, JSON or bytes)."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self):
            self.say(*answer(self.path))

        def do_POST(self):
            self.say(*answer(self.path, self.rfile.read(int(self.headers["Content-Length"]))))

        def say(self, status, body):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
