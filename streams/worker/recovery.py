"""Recovery: a shard read back from its changelog partition, before Faust thinks of any recovery of its own.

The changelog is read read_committed, by fetches, until the reader's *position* has reached the end that the broker
reports with its fetches. Not until a record with the last offset has come: transaction markers take offsets too,
and the last record's offset may never reach the end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams import metrics
from streams.shard import Shard
from streams.wire.block import Block
from streams.worker.batch import records, whole

log = logging.getLogger(__name__)
POLL_MS = 200
SAY_SECONDS = 5.0


class Pace:
    """How a recovery gets on: said every `SAY_SECONDS`, and shown by a metric."""

    def __init__(self, tp: TopicPartition, first: int, now: Callable[[], float] = time.monotonic) -> None:
        self._tp = tp
        self._first = first
        self._now = now
        self._began = self._said = now()
        self._rows = 0
        self._measure = metrics.RECOVERING.labels(str(tp.partition))

    def note(self, rows: int, position: int, end: int | None) -> None:
        """Note that so many rows more were read, up to `position`; `end` is where it ends, if that is known."""
        self._rows += rows
        left = max((end or position) - position, 0)
        self._measure.set(left)
        now = self._now()
        if now - self._said < SAY_SECONDS:
            return
        self._said = now
        done = (position - self._first) / max(position - self._first + left, 1)
        log.info(
            "partition %d: %d rows read back, %.0f rows/s, %.0f %%, at most %d records to go",
            self._tp.partition, self._rows, self._rows / (now - self._began), 100 * done, left,
        )  # fmt: skip

    def end(self) -> None:
        """Note that it is over, well or not."""
        metrics.RECOVERING.remove(str(self._tp.partition))


async def recover(shard: Shard, kafka: str, tp: TopicPartition, position: int, progress: Callable[[], None]) -> int:
    """Read the changelog `tp` from `position` to its end into the shard; return the position reached.

    A shard that was kept since it reached `position` needs the tail only. `progress` is called with every fetch.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.split(","),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
        max_partition_fetch_bytes=8 << 20,
        check_crcs=False,  # TCP and the broker check; a third of a fetch's cost
        key_deserializer=whole,
    )
    await consumer.start()
    try:
        consumer.assign([tp])
        if position:
            consumer.seek(tp, position)
        pace = Pace(tp, await consumer.position(tp))
        try:
            while not await read_to_end(consumer, tp):
                for batches in (await consumer.getmany(tp, timeout_ms=POLL_MS)).values():
                    found = records(batches)
                    _restore(shard, found)
                    progress()
                    pace.note(len(found), await consumer.position(tp), consumer.last_stable_offset(tp))
        finally:
            pace.end()
        reached: int = await consumer.position(tp)
    finally:
        await consumer.stop()
    for _ in shard.settling():
        progress()
        await asyncio.sleep(0)
    return reached


async def read_to_end(consumer: AIOKafkaConsumer, tp: TopicPartition) -> bool:
    """Say whether the position has reached the end that the last fetch reported."""
    end = consumer.last_stable_offset(tp)
    return end is not None and end >= 0 and await consumer.position(tp) >= end


def _restore(shard: Shard, found: Block) -> None:
    """Put what a fetch brought in place."""
    shard.restore(found.pairs)
    metrics.RECOVERED.inc(len(found))
