"""A producer on a schedule: event n is due at `start + n / rate`, whatever became of those before it.

So no wait of the broker's or the engine's thins the events out: what is held up is written later, and its latency is
counted from when it was due. Every `TICK_SECONDS` all that have become due are written, a batch a partition; that is
the linger of Kafka's own producers. While a batch is on its way, the next one gathers. The events lie ready as columns,
from which batches are written whole: what the producer takes of a core is missing to a broker that shares it.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
from aiokafka import AIOKafkaProducer
from kafka import TopicPartition

from streams.ops import job
from streams.ops.job import Message, Stream
from streams.settings import Settings
from streams.wire.block import Pairs
from streams.worker.batch import written

TICK_SECONDS = 0.005
BATCH_BYTES = 900_000


class Produced(NamedTuple):
    """How a producer kept its schedule.

    Attributes:
        late: how long after it was due the oldest event of each tick was handed over, f8[ticks], s.
        acknowledged: how long after it was due the broker had the oldest event of each batch, f8[batches], s.
        core: the share of a core that was used.
    """

    late: np.ndarray
    acknowledged: np.ndarray
    core: float


def produce(pipe: Connection, settings: Settings, stream: Stream, homes: np.ndarray, rate: int) -> None:
    """Prepare the events, be told when to start (s, by the monotonic clock), write them, and say `Produced`."""
    gc.disable()  # what is made here stays until the end
    lanes = lanes_of(job.messages(settings, stream, homes))
    asyncio.run(_produce(pipe, settings, lanes, rate))


async def _produce(pipe: Connection, settings: Settings, lanes: list[Lane], rate: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", max_batch_size=BATCH_BYTES)
    await producer.start()
    pipe.send("ready")
    start = pipe.recv()
    outlets = [Outlet(producer, lane, start, rate) for lane in lanes]
    await asyncio.sleep(start - time.monotonic())
    used, began = time.process_time(), time.monotonic()
    late = await keep_pace(outlets, rate, start)
    core = (time.process_time() - used) / (time.monotonic() - began)
    await settle(outlets)
    await producer.stop()
    acknowledged = [seconds for outlet in outlets for seconds in outlet.acknowledged]
    pipe.send(Produced(np.array(late), np.array(acknowledged), core))


class Lane(NamedTuple):
    """The events of one partition, in order; `numbers` (i8[n], ascending) are theirs among all events."""

    place: TopicPartition
    numbers: np.ndarray
    pairs: Pairs


def lanes_of(messages: Iterable[Message]) -> list[Lane]:
    """Return the events by their partitions, and have what writes them compiled."""
    numbers, rows = defaultdict(list), defaultdict(list)
    for number, message in enumerate(messages):
        numbers[message.place].append(number)
        rows[message.place].append((message.key, message.value))
    lanes = [Lane(place, np.array(numbers[place]), Pairs.of(rows.pop(place))) for place in numbers]
    for lane in lanes[:1]:
        next(written(lane.pairs[:1], BATCH_BYTES, transactional=False))
    return lanes


async def keep_pace(outlets: Sequence[Outlet], rate: float, start: float) -> list[float]:
    """Write each event when it is due; return how late (s) the oldest of each tick was handed over."""
    late: list[float] = []
    count, done = sum(len(outlet.lane.numbers) for outlet in outlets), 0
    while done < count:
        now = time.monotonic()
        due = min(int((now - start) * rate) + 1, count)
        if due > done:
            for outlet in outlets:
                await outlet.send(due)
            late.append(time.monotonic() - (start + done / rate))
            done = due
        await asyncio.sleep(max(now + TICK_SECONDS - time.monotonic(), 0))
    return late


async def settle(outlets: Sequence[Outlet]) -> None:
    """Send everything, and wait until it has arrived."""
    while left := [outlet for outlet in outlets if not outlet.is_empty]:
        for outlet in left:
            await outlet.arrived()
            await outlet.send()


class Outlet:
    """The way to one partition, on which one batch is at a time; event n is due at `start + n / rate` (s).

    `acknowledged`: of each batch how long (s) after its oldest event was due the broker had it.
    """

    def __init__(self, producer: Any, lane: Lane, start: float, rate: float) -> None:
        self.acknowledged: list[float] = []
        self.lane = lane
        self._producer = producer
        self._start, self._rate = start, rate
        self._sent = 0
        self._on_the_way: asyncio.Future[Any] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether all has arrived."""
        return self._on_the_way is None and self._sent == len(self.lane.numbers)

    async def send(self, until: int | None = None) -> None:
        """Send a batch of the events up to number `until`, of all without it, unless one is on its way."""
        lane, first = self.lane, self._sent
        last = len(lane.numbers) if until is None else int(np.searchsorted(lane.numbers, until))
        if self._on_the_way is not None or first == last:
            return
        batch = next(written(lane.pairs[first:last], BATCH_BYTES, transactional=False))
        self._sent += batch.record_count()
        due = self._start + lane.numbers[first] / self._rate
        self._on_the_way = await self._producer.send_batch(batch, lane.place.topic, partition=lane.place.partition)
        self._on_the_way.add_done_callback(lambda done: self._note(due, done))

    async def arrived(self) -> None:
        """Wait for the batch that is on its way, if any."""
        if self._on_the_way is not None:
            await self._on_the_way
            await asyncio.sleep(0)  # its callback has its turn

    def _note(self, due: float, done: asyncio.Future[Any]) -> None:
        if done.exception() is None:  # one that failed stays on its way, for `arrived` to raise
            self.acknowledged.append(time.monotonic() - due)
            self._on_the_way = None
