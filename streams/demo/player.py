"""The player: produces the history to Kafka at a chosen pace, in short slices, without bursts.

Every 20 ms it plays what event time has become due. If it falls behind (the machine is busy, or the speed is
more than it can do) it catches up on 50 ms at most and lets the rest of the plan slip: the stream is then
slower, never jerky.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Protocol

from aiokafka.partitioner import murmur2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from streams.demo.history import Event, Topic
    from streams.demo.tally import Tally

SLICE_SECONDS = 0.02
MAX_BEHIND_SECONDS = 0.05
MAX_FLYING = 256
"""Batches sent and not yet acknowledged."""


class Producer(Protocol):
    """What the player needs of aiokafka's producer."""

    def create_batch(self) -> Any:
        """Return an empty batch."""

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Awaitable[Any]:
        """Queue a batch; what is returned ends when the broker has acknowledged it."""


class Player:
    """Plays `events`, in order of time, at `speed` (ms of event time per second) and notes it in `tally`.

    `names` are the topics' names in Kafka; each has `partitions`, and a key goes where Java would put it.
    `ends` holds, by topic and partition, the offset after the last event that the broker acknowledged.
    """

    def __init__(
        self,
        events: Iterator[Event],
        producer: Producer,
        tally: Tally,
        *,
        speed: float,
        names: Mapping[Topic, str],
        partitions: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._events, self._producer, self._tally = events, producer, tally
        self._speed, self._names, self._partitions = speed, names, partitions
        self._clock, self._sleep = clock, sleep
        self._partition: dict[bytes, int] = {}
        self._flying: deque[tuple[int, Awaitable[Any]]] = deque()
        self.ends: dict[tuple[str, int], int] = {}

    async def play(self, stop: asyncio.Event) -> None:
        """Play until the history ends or `stop` is set; return when all that was sent is acknowledged."""
        following = next(self._events, None)
        began, origin, played = self._clock(), following.at if following else 0, 0.0
        while following and not stop.is_set():
            now = self._clock()
            began += max(now - began - played - MAX_BEHIND_SECONDS, 0.0)
            played = now - began
            until = origin + int(played * self._speed)
            due: list[Event] = []
            while following and following.at <= until:
                due.append(following)
                following = next(self._events, None)
            await self._send(due, until)
            await self._sleep(max(SLICE_SECONDS - (self._clock() - now), 0.0))
        while self._flying:
            await self._land()

    async def _send(self, due: list[Event], until: int) -> None:
        """Send the events that are due, a batch per topic and partition."""
        self._tally.play(Counter(event.topic for event in due), until, self._clock())
        batches: dict[tuple[Topic, int], Any] = {}
        for event in due:
            place = event.topic, self._place(event.key)
            if place not in batches:
                batches[place] = self._producer.create_batch()
            if batches[place].append(timestamp=None, key=event.key, value=event.value) is None:  # it is full
                await self._ship(place, batches[place])
                batches[place] = self._producer.create_batch()
                batches[place].append(timestamp=None, key=event.key, value=event.value)
        for place, batch in batches.items():
            await self._ship(place, batch)

    async def _ship(self, place: tuple[Topic, int], batch: Any) -> None:
        while len(self._flying) >= MAX_FLYING:
            await self._land()
        topic, partition = place
        acknowledged = await self._producer.send_batch(batch, self._names[topic], partition=partition)
        self._flying.append((batch.record_count(), acknowledged))

    async def _land(self) -> None:
        """Wait until the oldest batch under way is acknowledged."""
        count, acknowledged = self._flying.popleft()
        written = await acknowledged
        self.ends[written.topic, written.partition] = written.offset + count

    def _place(self, key: bytes) -> int:
        """Return the key's partition, as the Java client and aiokafka's own partitioner have it."""
        if key not in self._partition:
            self._partition[key] = (murmur2(key) & 0x7FFFFFFF) % self._partitions
        return self._partition[key]
