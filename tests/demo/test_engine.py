import asyncio
import os
import sys

import msgspec
import pytest

from streams.demo import engine
from streams.demo.engine import Engine, WorkerFailed
from streams.ops.child import free_port
from streams.settings import Settings

READY = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Page(BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Page.asked += 1
        self.send_response(200 if Page.asked > 2 else 503)
        self.end_headers()
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", int(os.environ["AWAKEN_WEB_PORT"])), Page)
print("group is", os.environ["AWAKEN_GROUP"], flush=True)
server.serve_forever()
"""


def settings():
    return msgspec.structs.replace(Settings(), web_port=free_port(), group="a-demo")


def run(code, act):
    """Run `act(engine)` with a process that runs `code` in the worker's place."""

    async def main():
        async with Engine(settings(), (sys.executable, "-c", code)) as worker:
            await act(worker)
            return worker

    return asyncio.run(main())


def test_it_waits_until_the_worker_is_ready_and_stops_it(monkeypatch):
    monkeypatch.setattr(engine, "POLL_SECONDS", 0.01)
    pids = []

    async def act(worker):
        await worker.ready(asyncio.Event())
        worker.check()
        pids.append(worker._child.pid)

    run(READY, act)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_worker_that_ends_is_told_with_its_last_lines():
    async def act(worker):
        await worker.ready(asyncio.Event())

    with pytest.raises(WorkerFailed, match=r"(?s)ended by itself.*no such topic"):
        run("import sys; print('no such topic', file=sys.stderr); sys.exit(3)", act)


def test_a_worker_that_dies_later_is_noticed():
    async def act(worker):
        await worker.ready(asyncio.Event())
        worker._child.kill()
        worker.check()

    with pytest.raises(WorkerFailed, match="group is a-demo"):
        run(READY, act)


def test_a_worker_that_does_not_get_ready_is_given_up(monkeypatch):
    monkeypatch.setattr(engine, "READY_SECONDS", 0.2)

    async def act(worker):
        await worker.ready(asyncio.Event())

    with pytest.raises(WorkerFailed, match="no worker was ready"):
        run("import time; time.sleep(60)", act)


def test_who_stops_need_not_wait_until_it_is_ready():
    async def act(worker):
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set)
        await worker.ready(stop)

    run("import time; time.sleep(60)", act)


def test_our_own_environment_is_as_before():
    before = dict(os.environ)

    async def act(_worker):
        assert dict(os.environ) == before

    run("", act)
    assert "AWAKEN_GROUP" not in os.environ
