"""The transitions that a worker has told of a user, read where they stand: the reasons that his row does not keep."""

from __future__ import annotations

import asyncio
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
    with connect(settings.kafka) as admin:
        there = set(admin.list_topics())
    tps = [TopicPartition(topic, told["partition"]) for topic in outputs if topic in there]
    from_ms = (date.fromisoformat(min(since)) - EPOCH).days * DAY_MS - round(settings.max_ahead_seconds * 1000)
    return wait_for(_find(settings.kafka, tps, from_ms, told["user"].encode()))


async def _find(kafka: str, tps: list[TopicPartition], from_ms: int, key: bytes) -> list[Transition]:
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
            f"the transitions could not be read within {SECONDS:g} seconds", "ask the topics: --topics"
        ) from error
    except KafkaError as error:
        raise NotReady(f"Kafka at {kafka} would not let the transitions be read: {error}", START_KAFKA) from error
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, tps: list[TopicPartition], from_ms: int, key: bytes) -> list[Transition]:
    """Read from the time on to what is the end now: nothing was told before it happened."""
    consumer.assign(tps)
    ends = await consumer.end_offsets(tps)
    places = await consumer.offsets_for_times(dict.fromkeys(tps, from_ms))
    for tp in tps:
        consumer.seek(tp, places[tp].offset if places[tp] else ends[tp])
    found = []
    for tp in tps:
        while await consumer.position(tp) < ends[tp]:
            for batches in (await consumer.getmany(*tps, timeout_ms=POLL_MS)).values():
                found += [read_transition(r.value).data for r in records(batches) if r.key == key and r.value]
    return found
