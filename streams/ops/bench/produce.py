"""A producer on a schedule: event n is due at `start + n / rate`, whatever became of those before it.

So no wait of the broker's or the engine's thins the events out: what is held up is written later, and its latency is
counted from when it was due. Every `TICK_SECONDS` all that have become due are written, a batch a partition; that is
the linger of Kafka's own producers. While a batch is on its way, the next one gathers.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
from aiokafka import AIOKafkaProducer
from kafka import TopicPartition

from streams.ops import job
from streams.ops.job import Message, Stream
from streams.settings import Settings

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
    asyncio.run(_produce(pipe, settings, list(job.messages(settings, stream, homes)), rate))


async def _produce(pipe: Connection, settings: Settings, messages: list[Message], rate: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", max_batch_size=BATCH_BYTES)
    await producer.start()
    gc.freeze()
    gc.disable()
    pipe.send("ready")
    start = pipe.recv()
    outlets = Outlets(producer)
    await asyncio.sleep(start - time.monotonic())
    used, began = time.process_time(), time.monotonic()
    late = await keep_pace(outlets, messages, rate, start)
    core = (time.process_time() - used) / (time.monotonic() - began)
    await outlets.settle()
    await producer.stop()
    pipe.send(Produced(np.array(late), np.array(outlets.acknowledged), core))


async def keep_pace(outlets: Outlets, messages: Sequence[Message], rate: float, start: float) -> list[float]:
    """Write each message when it is due; return how late (s) the oldest of each tick was handed over."""
    late: list[float] = []
    done = 0
    while done < len(messages):
        now = time.monotonic()
        due = min(int((now - start) * rate) + 1, len(messages))
        if due > done:
            oldest_due = start + done / rate
            for message in messages[done:due]:
                await outlets.append(message, oldest_due)
            await outlets.send()
            late.append(time.monotonic() - oldest_due)
            done = due
        await asyncio.sleep(max(now + TICK_SECONDS - time.monotonic(), 0))
    return late


class Outlets:
    """Batches by partition, of each one on its way at most; `acknowledged`: how long (s) after its oldest was due."""

    def __init__(self, producer: Any) -> None:
        self.acknowledged: list[float] = []
        self._producer = producer
        self._gathering: dict[TopicPartition, tuple[Any, float]] = {}
        self._on_the_way: dict[TopicPartition, asyncio.Future[Any]] = {}

    async def append(self, message: Message, due: float) -> None:
        """Let a message go with its partition's next batch; wait only where that is full."""
        while not self._fits(message, due):
            await self._arrived(message.place)
            await self._send(message.place)

    def _fits(self, message: Message, due: float) -> bool:
        place, at, key, value = message
        if place not in self._gathering:
            self._gathering[place] = self._producer.create_batch(), due
        return self._gathering[place][0].append(timestamp=at, key=key, value=value) is not None

    async def send(self) -> None:
        """Send what has gathered, but where the batch before is still on its way."""
        for place in list(self._gathering):
            if place not in self._on_the_way:
                await self._send(place)

    async def settle(self) -> None:
        """Send everything, and wait until it has arrived."""
        while self._gathering or self._on_the_way:
            for place in list(self._on_the_way):
                await self._arrived(place)
            await self.send()

    async def _send(self, place: TopicPartition) -> None:
        batch, due = self._gathering.pop(place)
        sent = await self._producer.send_batch(batch, place.topic, partition=place.partition)
        self._on_the_way[place] = sent
        sent.add_done_callback(lambda done: self._note(place, due, done))

    def _note(self, place: TopicPartition, due: float, done: asyncio.Future[Any]) -> None:
        if done.exception() is None:  # one that failed stays on its way, for `_arrived` to raise
            self.acknowledged.append(time.monotonic() - due)
            del self._on_the_way[place]

    async def _arrived(self, place: TopicPartition) -> None:
        if place in self._on_the_way:
            await self._on_the_way[place]
            await asyncio.sleep(0)  # its callback has its turn
