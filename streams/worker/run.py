"""Putting a worker together, and running it until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import logging.config
import sys
from collections.abc import Mapping, Sequence
from functools import partial

import faust
from redis.asyncio import Redis

from streams.channels import Channel
from streams.channels.inbox import Inbox
from streams.push.breaker import RedisBreaker
from streams.push.connection import connect
from streams.push.decider import Decider
from streams.push.deliverer import Deliverer, close_channels, open_channels
from streams.push.gate import RedisGate
from streams.push.purse import Purse
from streams.settings import Settings
from streams.worker import pages, preferences
from streams.worker.agents import add_agents, watch_time
from streams.worker.app import Awaken
from streams.worker.census import add_census
from streams.worker.ending import Ending
from streams.worker.garbage import take_over
from streams.worker.health import add_pages
from streams.worker.partition import Forget, rules_of
from streams.worker.pause import add_pauses
from streams.worker.serve import Serve
from streams.worker.warm import warm
from streams.worker.watchdog import Watchdog

TABLE = "users"


def build(settings: Settings) -> Awaken:
    """Return the worker's Faust app: table, agents, pages."""
    app = Awaken(settings)
    app.Table(TABLE, partitions=settings.partitions)
    redis = connect(settings)
    gate = RedisGate.open(settings, redis)
    channels = open_channels(settings, redis)
    purse, breaker = Purse.open(settings, redis), RedisBreaker.open(settings, redis)
    decider = Decider(settings, gate, purse, breaker)
    deliverer = Deliverer(settings, gate, purse, channels)
    serve = Serve.open(settings, redis) if settings.push.channels else None  # without them Redis need not be there
    add_agents(app, decider, deliverer, serve)
    if serve is not None:
        app.served = serve.topics
        app.watch_time = partial(watch_time, decider=decider, deliverer=deliverer, serve=serve)
        app.forget = partial(_forget, (gate.forget, Inbox(redis, settings.group).forget, serve.forget))
    add_pages(app)
    pages.add(app, serve.journal if serve else None)
    preferences.add(app)
    add_census(app)
    add_pauses(app)
    take_over(app)
    app.on_before_shutdown.connect(_closing(channels, redis), weak=False)
    return app


def run(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT; return the exit code (`Ending`)."""
    logging.config.dictConfig(logging_config(settings))
    warm(rules_of(settings))
    app = build(settings)
    worker = faust.Worker(
        app,
        loglevel=settings.log_level.upper(),
        quiet=True,
        stdout=sys.stderr,
        redirect_stdouts=False,
        logging_config=logging_config(settings),
    )
    watchdog = Watchdog(app, worker.loop)
    watchdog.start()
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        return watchdog.ending or _ending(app, int(ended.code or 0))
    except (Exception, asyncio.CancelledError):  # what Faust was amid when it gave up, it cancels
        logging.getLogger(__name__).exception("the worker ended by an error")
        return watchdog.ending or Ending.CRASHED
    return watchdog.ending or _ending(app, 0)


def _ending(app: Awaken, code: int) -> int:
    """Return the exit code of a worker that Faust has brought to an end with `code`."""
    if app.crashed or code:
        return Ending.CRASHED
    return Ending.UNSETTLED if app.unsettled else Ending.STOPPED


def logging_config(settings: Settings) -> dict[str, object]:
    """Return the logging of a worker: one line an event, to stderr."""
    level = settings.log_level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "streams": {"level": level},
            "faust": {"level": "DEBUG" if level == "DEBUG" else "WARNING"},
            "mode": {"level": "DEBUG" if level == "DEBUG" else "WARNING"},
        },
    }


async def _forget(keepers: Sequence[Forget], user: str) -> None:
    """Have each keeper forget a user."""
    for forget in keepers:
        await forget(user)


def _closing(channels: Mapping[str, Channel], redis: Redis) -> object:
    async def close(app: Awaken, **_: object) -> None:
        await app.close_partitions()
        await close_channels(channels)
        await redis.aclose()
        logging.getLogger(__name__).info("stopped")

    return close
