"""What an operator says on `control`, where every worker of the group hears it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from streams.ops import NotReady
from streams.ops.admin import connect
from streams.worker.control import Control, View, Writer

if TYPE_CHECKING:
    from streams.settings import Settings

T = TypeVar("T")
WAIT_SECONDS = 30.0


def free_id(start: int, taken: Collection[str]) -> str:
    """Return a name for a span from `start` (int ms UTC), made of its time, that is not taken."""
    base = datetime.fromtimestamp(start // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    return next(name for n in range(1, len(taken) + 2) if (name := base if n == 1 else f"{base}-{n}") not in taken)


def at_control(settings: Settings, work: Callable[[View, Writer], Awaitable[T]]) -> T:
    """Do some work with all that stands on `control`, and a writer to it.

    Raises:
        NotReady: Kafka is not there, or has no such topic.
    """
    with connect(settings.kafka) as admin:
        if settings.topics.control not in admin.list_topics():
            raise NotReady(f"the topic {settings.topics.control} is missing", "create what is missing: awaken topics")
    return asyncio.run(asyncio.wait_for(_work(settings, work), WAIT_SECONDS))


async def _work(settings: Settings, work: Callable[[View, Writer], Awaitable[T]]) -> T:
    control = Control(settings)
    writer = await Writer.open(settings)
    try:
        await control.open()
        return await work(control.view, writer)
    finally:
        await asyncio.gather(control.close(), writer.close())
