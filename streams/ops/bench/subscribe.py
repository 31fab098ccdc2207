"""A subscriber with read_committed that notes when it sees each transition."""

from __future__ import annotations

import asyncio
import gc
import time
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np
import orjson

from streams.ops.bench.progress import is_activity, is_at_end, subscribed
from streams.settings import Settings
from streams.worker.pause import watch_pauses


class Seen(NamedTuple):
    """What a subscriber saw of the transitions that events caused.

    Attributes:
        user, at: whose and of when (ms UTC) each is, i8[n].
        seen: when it was seen, by the monotonic clock, f8[n], s.
        pauses: for how long the subscriber itself was held up, at each look, f8[looks], s.
        core: the share of a core that was used.
    """

    user: np.ndarray
    at: np.ndarray
    seen: np.ndarray
    pauses: np.ndarray
    core: float


def subscribe(pipe: Connection, settings: Settings) -> None:
    """Note what comes until told to end and all is read; say `Seen`."""
    asyncio.run(_subscribe(pipe, settings))


async def _subscribe(pipe: Connection, settings: Settings) -> None:
    consumer = await subscribed(settings)
    gc.freeze()
    gc.disable()
    pipe.send("ready")
    pauses: list[float] = []
    watching = asyncio.create_task(watch_pauses(pauses.append))
    values: list[bytes] = []
    seen: list[float] = []
    used, began = time.process_time(), time.monotonic()
    while not (pipe.poll() and await is_at_end(consumer)):
        fetched = await consumer.getmany(timeout_ms=100)
        now = time.monotonic()
        for records in fetched.values():
            values += [record.value for record in records]
            seen += [now] * len(records)
    core = (time.process_time() - used) / (time.monotonic() - began)
    watching.cancel()
    await consumer.stop()
    pipe.send(_caused_by_events(values, seen, pauses, core))


def _caused_by_events(values: list[bytes], seen: list[float], pauses: list[float], core: float) -> Seen:
    events = [orjson.loads(value) for value in values]
    chosen = [k for k, event in enumerate(events) if is_activity(event) and event["data"]["cause"] == "event"]
    return Seen(
        np.array([int(events[k]["subject"][1:]) for k in chosen], np.int64),
        np.array([events[k]["data"]["at"] for k in chosen], np.int64),
        np.array([seen[k] for k in chosen], float),
        np.array(pauses, float),
        core,
    )
