"""Patience: work that waits for Redis, and is left to the next owner where a partition is given up meanwhile."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from redis.exceptions import RedisError

from streams.worker.partition import RETRY_SECONDS, Partition

CLOSING_SECONDS = 0.2
"""So often is looked whether a partition is still held."""
LOOK_SECONDS = 0.1
GIVE_UP_SECONDS = 2.0
T = TypeVar("T")
log = logging.getLogger(__name__)


async def regularly(partition: Partition, seconds: float) -> AsyncIterator[None]:
    """Yield at once, and every so many seconds, for as long as the partition is held."""
    next_at = -math.inf
    while not partition.closing:
        if time.monotonic() >= next_at:
            yield
            next_at = time.monotonic() + seconds
        await asyncio.sleep(CLOSING_SECONDS)


async def patiently(partition: Partition, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
    """Try until Redis answers; None if the partition is given up meanwhile. What waits is held, not lost."""
    said = False
    while not partition.closing:
        try:
            return await _while_held(partition, attempt())
        except RedisError as error:
            if not said:
                log.warning("partition %d: pushes are held, Redis does not answer: %s", partition.number, error)
                said = True
            await asyncio.sleep(RETRY_SECONDS)
    return None


async def _while_held(partition: Partition, work: Coroutine[Any, Any, T]) -> T | None:
    """Await the work; None if the partition is given up and the work takes longer than `GIVE_UP_SECONDS` from then.

    A group waits for its slowest member, so a channel that takes its time must not hold a rebalance up. What is
    broken off is to the next owner as if we had died: the gate knows that it was begun.
    """
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
            if partition.closing:
                await asyncio.wait({task}, timeout=GIVE_UP_SECONDS)
                return task.result() if task.done() else None
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
