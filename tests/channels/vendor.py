"""A vendor of our own: a server that answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import contextlib

import orjson
from aiohttp import web
from msgspec import Struct

from streams.channels import Message

SILENCE, CUT = "silence", "cut"
MESSAGE = Message(
    "reactivation:t1",
    "u1",
    "reactivation",
    1_700_000_000_000,
    "我们想念你",
    "Come back & see",
    kind="offer",
    link="https://shop.example/new?awaken=reactivation:t1",
    picture="https://cdn.example/p.jpg",
    unsubscribe="https://push.example/preferences?t=x",
)
PLAIN = Message("reactivation:t1", "u1", "reactivation", 1_700_000_000_000, "我们想念你", "Come back")


class Asked(Struct):
    """A request as it came."""

    path: str
    query: dict
    headers: dict
    body: bytes

    @property
    def json(self):
        return orjson.loads(self.body)


class Vendor:
    """Answers by a script, the last answer for ever; or by a function of what was asked.

    An answer is JSON or bytes, or (status, one of them), or (status, one of them, headers), or SILENCE, or CUT.
    """

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.url = ""
        self._end = asyncio.Event()

    async def handle(self, request):
        asked = Asked(request.path, dict(request.query), dict(request.headers), await request.read())
        self.asked.append(asked)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = answer(asked) if callable(answer) else answer
        if answer == SILENCE:
            await self._end.wait()
        if answer in (SILENCE, CUT):
            request.transport.abort()
            return web.Response()
        status, said, headers = _whole(answer)
        return web.Response(
            status=status, body=said if isinstance(said, bytes) else orjson.dumps(said), headers=headers
        )

    @contextlib.asynccontextmanager
    async def listening(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._end.set()
            await runner.cleanup()


def _whole(answer):
    status, said, *headers = answer if isinstance(answer, tuple) else (200, answer)
    return status, said, *(headers or [{}])


class Patience:
    """Pauses that take no time and are noted; a clock that goes only as they do."""

    def __init__(self):
        self.now = 1000.0
        self.pauses = []

    async def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self):
        return self.now


def send(make, *answers, to=("a1",), message=MESSAGE, **more):
    """Send a message to one address after the other.

    `make` returns the channel of a vendor's URL and of what its patience needs.

    Returns:
        The receipts, what the vendor was asked, and the pauses that were made.
    """
    patience = Patience()

    async def run():
        async with Vendor(*answers).listening() as vendor:
            channel = make(vendor.url, pause=patience.pause, draw=lambda: 1, clock=patience.clock, **more)
            try:
                return [await channel.send(message, address) for address in to], vendor.asked
            finally:
                await channel.close()

    receipts, asked = asyncio.run(run())
    return receipts, asked, patience.pauses


def ending(receipt):
    return receipt.outcome, receipt.attempts, receipt.permanent, receipt.uncertain


DELIVERED, AGAIN = ("delivered", 1, False, False), ("delivered", 2, False, False)
BAD, REFUSED, UNKNOWN = ("failed", 1, True, False), ("failed", 1, False, False), ("failed", 1, False, True)
UNASKED = ("failed", 0, True, False)
