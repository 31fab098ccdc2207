"""A webhook of our own on this machine, so that there is somebody to push to: it says yes, and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from aiohttp import web

if TYPE_CHECKING:
    from types import TracebackType

    from streams.demo.tally import Tally


class Receiver:
    """Answers 200 to every push and notes its Idempotency-Key in the tally; `url` is there once entered."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        app = web.Application()
        app.router.add_post("/push", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        self.url = ""

    async def __aenter__(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/push"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        await request.read()
        self._tally.receive(request.headers.get("Idempotency-Key", ""))
        return web.Response()
