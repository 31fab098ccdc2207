"""What was told of a user, read where it stands: the transitions, which his row does not keep, and more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.ops import NotReady
from streams.ops.admin import START_KAFKA, connect
from streams.ops.scan import wait_for
from streams.settings import Settings
from streams.wire.message import Transition, read_transition
from streams.worker.batch import records, whole

POLL_MS = 200
SECONDS = 20.0
DAY_MS = 86_400_000
EPOCH = date(1970, 1, 1)


def find(settings: Settings, told: dict[str, Any]) -> list[Transition]:
    """Return the transitions of the user that are told of since the oldest of his values holds, topic by topic.

    Raises:
        NotReady: Kafka or a topic is not there, or there are too many to be read in time.
    """
    since = [held["since"] for held in told["values"].values() if held["since"]]
    if not since:
        return []
    names = settings.topics
    outputs = [getattr(names, field) for field in names.__struct_fields__ if field.endswith("_transitions")]
    from_ms = (date.fromisoformat(min(since)) - EPOCH).days * DAY_MS - round(settings.max_ahead_seconds * 1000)
    found = read(settings, outputs, told["partition"], told["user"], from_ms)
    return [read_transition(value).data for values in found.values() for value in values]


def read(
    settings: Settings, topics: Sequence[str], partition: int, user: str, from_ms: int = 0
) -> dict[str, list[bytes]]:
    """Return by topic what a partition holds about the user, of what was written since `from_ms` (int ms UTC).

    Raises:
        NotReady: Kafka is not there, or there is too much to be read in time.
    """
    with connect(settings.kafka) as admin:
        there = set(admin.list_topics())
    tps = [TopicPartition(topic, partition) for topic in topics if topic in there]
    return wait_for(_find(settings.kafka, tps, from_ms, user.encode()))


async def _find(kafka: str, tps: list[TopicPartition], from_ms: int, key: bytes) -> dict[str, list[bytes]]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.split(","),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
        max_partition_fetch_bytes=8 << 20,
        key_deserializer=whole,
    )
    try:
        async with asyncio.timeout(SECONDS):
            await consumer.start()
            return await _read(consumer, tps, from_ms, key)
    except TimeoutError as error:
        raise NotReady(
            f"{', '.join(tp.topic for tp in tps)} could not be read within {SECONDS:g} seconds", "try again"
        ) from error
    except KafkaError as error:
        raise NotReady(f"Kafka at {kafka} would not let them be read: {error}", START_KAFKA) from error
    finally:
        await consumer.stop()


async def _read(
    consumer: AIOKafkaConsumer, tps: list[TopicPartition], from_ms: int, key: bytes
) -> dict[str, list[bytes]]:
    """Read from the time on to what is the end now: nothing was told before it happened."""
    consumer.assign(tps)
    ends = await consumer.end_offsets(tps)
    places = await consumer.offsets_for_times(dict.fromkeys(tps, from_ms))
    for tp in tps:
        consumer.seek(tp, places[tp].offset if places[tp] else ends[tp])
    found: dict[str, list[bytes]] = {tp.topic: [] for tp in tps}
    for tp in tps:
        while await consumer.position(tp) < ends[tp]:
            for of, batches in (await consumer.getmany(*tps, timeout_ms=POLL_MS)).items():
                found[of.topic] += [r.value for r in records(batches) if r.key == key and r.value]
    return found
