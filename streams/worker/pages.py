"""The worker's pages about its users: /users/{id}, its /decisions and /preview, /growth, /population, /lift.

They tell of the partitions that this worker holds, and say which these are, so that who asks several workers can add
up what they say and see what is missing. Contacts are told as the channels on which there is an address, never the
address. The two families of activity stand under their own names: `period-based` counts who came in a period,
`threshold-based` who is in which class now.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

import msgspec
import numpy as np
import orjson
from aiohttp import web
from faust.web.views import View as Routed
from redis.exceptions import RedisError

from streams import tally
from streams.core import period
from streams.core.row import DAY
from streams.forecast import forecast
from streams.population import population
from streams.portrait import portrait
from streams.push.journal import Journal
from streams.settings import Settings, SettingsError
from streams.wire.partitioner import home
from streams.worker.app import Awaken
from streams.worker.control import View, trusted
from streams.worker.health import unready
from streams.worker.partition import Partition
from streams.worker.preview import preview, wished

USERS, DECISIONS, PREVIEW = "/users/", "decisions", "preview"
EVERYTHING = r"{user:[\s\S]*}"
"""A user's id may hold a slash, a line feed or whatever else, percent-encoded."""
PERIODS, CLASSES = "period-based", "threshold-based"
MOST_PERIODS = period.SIZE - 1
DEFAULT_GRAIN, DEFAULT_COUNT = "week", 12
OK = 200
REDIS_SECONDS = 3.0
"""Who asks a page waits no longer for Redis."""


class Known(Protocol):
    """What must be known of `control`."""

    view: View


class Held(Protocol):
    """What must be known of a worker to tell of its users."""

    settings: Settings
    working: bool
    waiting_since: float
    control: Known

    @property
    def should_stop(self) -> bool:
        """Whether it is ending."""

    @property
    def partitions(self) -> Mapping[int, Partition]:
        """What it holds."""


class Answer(NamedTuple):
    """What a page says: an HTTP status, and JSON."""

    status: int
    body: dict[str, Any] | list[Any]


def add(app: Awaken, journal: Journal | None = None) -> None:
    """Add the pages to Faust's web server; without a journal nothing is decided about anybody."""

    class Users(Routed):
        """The pages about one user, as Faust routes them."""

        async def get(self, request: Any, **_: str) -> web.Response:
            """Tell of him, or what was decided about him."""
            who, slash, what = _path(request)
            if slash and what == DECISIONS:
                return _written(_not_yet(app) or await decisions(app, unquote(who), journal))
            return _respond(app, lambda: user(app, unquote(who + slash + what)))

        async def post(self, request: Any, **_: str) -> web.Response:
            """Tell what he would be sent."""
            who, slash, what = _path(request)
            if not slash or what != PREVIEW:
                return _written(Answer(405, {"error": f"only {USERS}{{id}}/{PREVIEW} takes a POST"}))
            return _written(_not_yet(app) or await previewed(app, unquote(who), await request.read()))

    app.page(USERS + EVERYTHING)(Users)

    @app.page("/growth")
    async def growth_page(_self: Any, request: Any) -> web.Response:
        return _respond(app, lambda: growth(app, request.rel_url.query))

    @app.page("/population")
    async def population_page(_self: Any, _request: Any) -> web.Response:
        return _respond(app, lambda: Answer(200, _held(app) | _classes(app)))

    @app.page("/lift")
    async def lift_page(_self: Any, _request: Any) -> web.Response:
        return _respond(app, lambda: lift(app))


def user(app: Held, who: str) -> Answer:
    """Tell all that is known of a user; 404 says where he belongs, and whether that is held here."""
    settings = app.settings
    number = home(who.encode(), settings.partitions) if settings.partitioner == "murmur2" else None
    place = {"user": who, "partition": number}
    held = [p for p in app.partitions.values() if number in (None, p.number)]
    if not held:
        return Answer(404, place | {"held": False, "error": f"partition {number} is not held here"} | _held(app))
    _, stops = trusted(settings, app.control.view)
    for partition in held:
        if told := tell(partition, who, stops):
            return Answer(200, told)
    # With producers that place keys in their own way the user may as well stand in a partition of another worker.
    whole = number is not None or len(app.partitions) == settings.partitions
    return Answer(404, place | {"held": whole, "error": "nothing is known of this user"} | _held(app))


async def decisions(app: Held, who: str, journal: Journal | None) -> Answer:
    """Tell what was decided about a user and what became of it, the newest first; 404 as of the user himself."""
    found = user(app, who)
    if found.status != OK or journal is None:
        return found if found.status != OK else Answer(OK, [])
    try:
        async with asyncio.timeout(REDIS_SECONDS):
            return Answer(OK, msgspec.to_builtins(await journal.read(who)))
    except (RedisError, TimeoutError) as error:
        return Answer(503, {"error": f"Redis, which keeps what was decided about him, does not answer: {error!r}"})


async def previewed(app: Held, who: str, body: bytes) -> Answer:
    """Tell what a playbook would send a user; 400 for what cannot be asked, 404 as of the user himself."""
    found = user(app, who)
    if not isinstance(found.body, dict) or found.status != OK:
        return found
    try:
        name, settings = wished(body, app.settings)
    except SettingsError as error:
        return Answer(400, {"error": str(error)})
    return Answer(OK, await preview(app.partitions[found.body["partition"]], who, name, settings))


def tell(partition: Partition, who: str, stops: np.ndarray) -> dict[str, Any] | None:
    """Return a user's portrait, what comes next, and as of when that is; None where nothing is known of him."""
    shard, key, now = partition.shard, who.encode(), partition.time_now()
    told = portrait(shard, key)
    if told is None:
        return None
    when = {"partition": partition.number, "now": now, "decided_through": shard.watermark}
    return told | {"next": forecast(shard, key, now, stops)} | when


def growth(app: Held, query: Mapping[str, str]) -> Answer:
    """Tell the growth accounting of the partitions held here, and beside it who is in which class now."""
    try:
        grain, count, until = _asked(query)
    except ValueError as error:
        return Answer(400, {"error": str(error)})
    partitions = list(app.partitions.values())
    newest = until or max((p.time_now() // DAY for p in partitions), default=0)
    place = period.GRAINS.index(grain)
    merged = period.merge([p.shard.periods for p in partitions])
    accounts = period.table(merged, place, period.number(place, newest), count) if newest else []
    told = {"family": PERIODS, "grain": grain, "periods": accounts}
    return Answer(200, told | _held(app) | {"population": _classes(app, "activity")})


def lift(app: Held) -> Answer:
    """Tell the sums of the trials of the partitions held here, and how many users' windows are open."""
    trials = [p.shard.trials for p in app.partitions.values()]
    waiting = sum((t.waiting() for t in trials), Counter[tuple[str, str]]())
    told = {
        "attribution_days": app.settings.push.attribution_days,
        "trials": tally.plain(tally.merge(t.sums for t in trials)),
        "waiting": [{"trial": name, "arm": arm, "users": users} for (name, arm), users in sorted(waiting.items())],
    }
    return Answer(200, told | _held(app))


def _asked(query: Mapping[str, str]) -> tuple[str, int, int]:
    """Return grain, count and the day of the newest period (0: the present one's) that were asked for.

    Raises:
        ValueError: that cannot be asked for.
    """
    grain, count = query.get("grain", DEFAULT_GRAIN), query.get("count", str(DEFAULT_COUNT))
    if grain not in period.GRAINS:
        raise ValueError(f"grain={grain}: must be one of {', '.join(period.GRAINS)}")
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_PERIODS):
        raise ValueError(f"count={count}: must be a whole number from 1 to {MOST_PERIODS}")
    try:
        until = (date.fromisoformat(query["until"]) - date(1970, 1, 1)).days if "until" in query else 0
    except ValueError:
        until = -1
    if until < 0:
        raise ValueError(f"until={query['until']}: must be a date, such as 2026-11-22")
    return grain, int(count), until


def _held(app: Held) -> dict[str, Any]:
    """Return which partitions are told of, out of how many."""
    return {"partitions": sorted(app.partitions), "of": app.settings.partitions}


def _classes(app: Held, only: str | None = None) -> dict[str, Any]:
    """Return the users by value of every dimension, or of one."""
    users = population([p.shard for p in app.partitions.values()])
    return {"family": CLASSES, "users": users if only is None else {only: users.get(only, {})}}


def _path(request: Any) -> tuple[str, str, str]:
    """Return what stands before the last slash of a path below /users/, the slash, and what stands behind it.

    From the raw path: what the router hands over is decoded but in part.
    """
    before, slash, behind = request.rel_url.raw_path.removeprefix(USERS).rpartition("/")
    return before, slash, behind


def _respond(app: Held, answer: Callable[[], Answer]) -> web.Response:
    """Answer once the users are read back, and not while somebody else may hold them."""
    return _written(_not_yet(app) or answer())


def _not_yet(app: Held) -> Answer | None:
    problems = unready(app)
    return Answer(503, {"error": "; ".join(problems)}) if problems else None


def _written(answer: Answer) -> web.Response:
    return web.Response(body=orjson.dumps(answer.body), status=answer.status, content_type="application/json")
