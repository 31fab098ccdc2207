"""Recovery: a shard read back from its changelog partition, before Faust thinks of any recovery of its own.

The changelog is read read_committed, by fetches, until the reader's *position* has reached the end that the broker
reports with its fetches. Not until a record with the last offset has come: transaction markers take offsets too,
and the last record's offset may never reach the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams import metrics
from streams.shard import Shard
from streams.wire.changelog import decode_rows
from streams.worker.batch import records, whole

POLL_MS = 200


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
        key_deserializer=whole,
    )
    await consumer.start()
    try:
        consumer.assign([tp])
        if position:
            consumer.seek(tp, position)
        while not await read_to_end(consumer, tp):
            for batches in (await consumer.getmany(tp, timeout_ms=POLL_MS)).values():
                _restore(shard, records(batches))
                progress()
        reached: int = await consumer.position(tp)
    finally:
        await consumer.stop()
    shard.settle()
    return reached


async def read_to_end(consumer: AIOKafkaConsumer, tp: TopicPartition) -> bool:
    """Say whether the position has reached the end that the last fetch reported."""
    end = consumer.last_stable_offset(tp)
    return end is not None and end >= 0 and await consumer.position(tp) >= end


def _restore(shard: Shard, found: list[Any]) -> None:
    """Put a fetch's rows in place; a tombstone blanks its user's row."""
    start = 0
    for k, record in enumerate(found):
        if record.value is None:
            _put(shard, found[start:k])
            shard.erase(int(shard.intern([record.key])[0]))
            start = k + 1
    _put(shard, found[start:])


def _put(shard: Shard, found: list[Any]) -> None:
    if found:
        rows, profiles = decode_rows([r.value for r in found])
        shard.restore([r.key for r in found], rows, profiles)
        metrics.RECOVERED.inc(len(found))
