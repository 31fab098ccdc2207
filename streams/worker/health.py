"""The worker's pages: /metrics, /health/live and /health/ready, which tell the truth.

Live: the event loop turns (or the page would not answer), and every partition held has committed, or had nothing to
commit, within `stuck_seconds`; none was taken over by another worker without a rebalance following; and the group
resumes after a rebalance, within `stuck_seconds` above the time for which it may wait for its slowest member. Reading
users back may take as long as it takes, for as long as rows come in. Ready: the group has given this worker its
partitions, and their users are read back.

The watchdog asks the same question from a thread of its own, and ends the worker; the page is for who watches it
from outside.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.settings import Settings
from streams.worker.app import Awaken

REBALANCE_SECONDS = 60
"""For so long a group may wait for a member that lives and does not join again (Faust's broker_rebalance_timeout)."""


class HeldPartition(Protocol):
    """What must be known of a partition to say how it does."""

    number: int
    worked_at: float
    closing: bool


class Held(Protocol):
    """What must be known of a worker to say how it does.

    `waiting_since`: since when it has waited for the group, or read users back, with no progress; or since when it
    has been at work. By the monotonic clock, in seconds.
    """

    settings: Settings
    working: bool
    waiting_since: float

    @property
    def should_stop(self) -> bool:
        """Whether it is ending."""

    @property
    def partitions(self) -> Mapping[int, HeldPartition]:
        """What it holds."""


def add_pages(app: Awaken) -> None:
    """Add the pages to Faust's web server."""

    @app.page("/metrics")
    async def metrics_page(_self: Any, _request: Any) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.page("/health/live")
    async def live_page(_self: Any, _request: Any) -> web.Response:
        return _answer(stuck(app))

    @app.page("/health/ready")
    async def ready_page(_self: Any, _request: Any) -> web.Response:
        return _answer(unready(app))


def stuck(app: Held, now: float | None = None) -> list[str]:
    """Return why this worker should be restarted; nothing if it should not."""
    now = time.monotonic() if now is None else now
    limit = app.settings.stuck_seconds
    if not app.working:
        since = now - app.waiting_since
        return [f"without work from the group for {since:.0f} s"] if since > limit + REBALANCE_SECONDS else []
    return [
        f"partition {p.number}: {'taken over' if p.closing else 'has not committed'} for {now - p.worked_at:.0f} s"
        for p in list(app.partitions.values())  # the watchdog asks while the loop may change it
        if now - max(p.worked_at, app.waiting_since) > limit
    ]


def unready(app: Held) -> list[str]:
    """Return what this worker still waits for before it can do its work, or why it will do no more."""
    if app.should_stop:
        return ["it is ending"]
    if not app.working:
        return ["waiting for the group to assign partitions, and for their users to be read back"]
    return [f"partition {p.number} was taken over" for p in app.partitions.values() if p.closing]


def _answer(problems: list[str]) -> web.Response:
    body = orjson.dumps({"ok": not problems, "problems": problems})
    return web.Response(body=body, status=503 if problems else 200, content_type="application/json")
