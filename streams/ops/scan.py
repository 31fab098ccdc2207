"""Topics read through as an operator reads them: each record once, read_committed, up to what was their end."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from streams.ops import NotReady
from streams.ops.admin import START_KAFKA

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiokafka.structs import ConsumerRecord, TopicPartition

T = TypeVar("T")
SCAN_SECONDS = 600.0
POLL_MS = 200


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own, whether or not one runs here."""
    with ThreadPoolExecutor(1) as own:
        return own.submit(asyncio.run, work).result()


async def scan(
    kafka: str,
    topic: str,
    each: Callable[[ConsumerRecord], None],
    newest: int | None = None,
    seconds: float = SCAN_SECONDS,
) -> None:
    """Hand each record of a topic to `each`; with `newest` only so many offsets of each partition, at most.

    Raises:
        NotReady: Kafka does not answer, or not within `seconds`.
    """
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka.split(","),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
        max_partition_fetch_bytes=8 << 20,
    )
    try:
        async with asyncio.timeout(seconds):
            await consumer.start()
            await _read(consumer, each, newest)
    except TimeoutError as error:
        raise NotReady(f"{topic} could not be read to its end within {seconds:g} seconds", "try again") from error
    except KafkaError as error:
        raise NotReady(f"Kafka at {kafka} would not let {topic} be read: {error}", START_KAFKA) from error
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, each: Callable[[ConsumerRecord], None], newest: int | None) -> None:
    tps = list(consumer.assignment())
    ends: dict[TopicPartition, int] = await consumer.end_offsets(tps)
    first = await consumer.beginning_offsets(tps)
    for tp in tps:
        consumer.seek(tp, first[tp] if newest is None else max(first[tp], ends[tp] - newest))
    for tp in tps:
        # By position, not by the last record's offset: transaction markers take offsets too.
        while await consumer.position(tp) < ends[tp]:
            for records in (await consumer.getmany(*tps, timeout_ms=POLL_MS)).values():
                for record in records:
                    each(record)
