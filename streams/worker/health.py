"""The worker's pages: /metrics, /health/live and /health/ready, which tell the truth.

Live: the event loop turns (or the page would not answer), and every partition held has committed, or had nothing to
commit, within `STUCK_SECONDS`; none was taken over by another worker without a rebalance following. Ready: the group
has given this worker its partitions, and their users are read back.
"""

from __future__ import annotations

import time
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.worker.app import Awaken

STUCK_SECONDS = 60


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


def stuck(app: Awaken, now: float | None = None) -> list[str]:
    """Return why this worker should be restarted; nothing if it should not."""
    now = time.monotonic() if now is None else now
    if not app.working:
        since = now - app.waiting_since
        return [f"without work from the group for {since:.0f} s"] if since > STUCK_SECONDS else []
    return [
        f"partition {p.number}: {'taken over' if p.closing else 'has not committed'} for {now - p.worked_at:.0f} s"
        for p in app.partitions.values()
        if now - p.worked_at > STUCK_SECONDS
    ]


def unready(app: Awaken) -> list[str]:
    """Return what this worker still waits for before it can do its work, or why it will do no more."""
    if app.should_stop:
        return ["it is ending"]
    if not app.working:
        return ["waiting for the group to assign partitions, and for their users to be read back"]
    return [f"partition {p.number} was taken over" for p in app.partitions.values() if p.closing]


def _answer(problems: list[str]) -> web.Response:
    body = orjson.dumps({"ok": not problems, "problems": problems})
    return web.Response(body=body, status=503 if problems else 200, content_type="application/json")
