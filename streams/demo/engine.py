"""The worker as a process of its own, started with our settings and stopped when we are done."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Self

from aiohttp import ClientError, ClientSession, ClientTimeout

from streams.ops import NotReady
from streams.ops.child import Child
from streams.settings import environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from streams.settings import Settings

COMMAND = (sys.executable, "-m", "streams.cli", "worker")
READY_SECONDS = 180.0
"""A first start compiles the fold, which takes a while."""
POLL_SECONDS = 0.1
STOP_SECONDS = 15.0


class WorkerFailed(NotReady):
    """The worker ended by itself or did not become ready; the text ends with what it logged last."""


class Engine:
    """A worker with these settings, in a session of its own; `url` is where its pages are."""

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        self._settings, self._command = settings, command
        self.url = f"http://{settings.web_host}:{settings.web_port}"
        self._child: Child | None = None

    async def __aenter__(self) -> Self:
        """Start the process, from this thread: it lives as long as the thread does."""
        self._child = Child("the worker", self._command, env=environment(self._settings))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask the worker to end and wait for it, without holding up what it may still need from us."""
        if self._child is not None:
            await asyncio.to_thread(self._child.stop, STOP_SECONDS)
            self._child.close()

    def check(self) -> None:
        """Return if the worker lives.

        Raises:
            WorkerFailed: it does not.

        """
        if self._child is None or not self._child.alive:
            raise WorkerFailed(f"the worker ended by itself; the last it said:\n{self._said()}")

    async def ready(self, stop: asyncio.Event) -> None:
        """Return when the worker says that it is ready, or when `stop` is set.

        Raises:
            WorkerFailed: it ended, or took longer than READY_SECONDS.

        """
        deadline = time.monotonic() + READY_SECONDS
        async with ClientSession(timeout=ClientTimeout(total=2)) as session:
            while not stop.is_set():
                self.check()
                if await self._answers(session):
                    return
                if time.monotonic() > deadline:
                    raise WorkerFailed(f"no worker was ready in {READY_SECONDS:g} s; it said:\n{self._said()}")
                await asyncio.sleep(POLL_SECONDS)

    async def _answers(self, session: ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/health/ready") as answer:
                return answer.status == 200  # noqa: PLR2004 (OK)
        except (ClientError, TimeoutError):
            return False

    def _said(self) -> str:
        return self._child.end() if self._child is not None else ""
