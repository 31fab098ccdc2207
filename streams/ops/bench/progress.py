"""How far the group has come in the job's events, and what it wrote."""

from __future__ import annotations

import time
from typing import Any

import aiokafka
import orjson
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import CoordinatorNotAvailableError
from kafka.protocol.consumer import IsolationLevel

from streams.ops.job import Row
from streams.settings import Settings
from streams.worker.recovery import read_to_end

Ends = dict[TopicPartition, int]


def await_readable(client: KafkaAdminClient, ends: Ends) -> None:
    """Wait until a transaction's events can be read: its marker stands behind them in every partition."""
    asked = dict.fromkeys(ends, OffsetSpec.LATEST)
    while True:
        found = client.list_partition_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED)
        if all(found[place].offset > end for place, end in ends.items()):
            return
        time.sleep(0.05)


def is_done(client: KafkaAdminClient, settings: Settings, ends: Ends) -> bool:
    """Say whether the group has committed that it has read everything."""
    try:
        offsets = client.list_group_offsets(settings.group).get(settings.group, {})
    except CoordinatorNotAvailableError:  # a new broker makes its offsets topic at the first question
        return False
    return all(place in offsets and offsets[place].offset >= end for place, end in ends.items())


async def read_transitions(settings: Settings) -> list[Row]:
    """Return all committed transitions of the activity class, as rows."""
    consumer = await subscribed(settings)
    rows: list[Row] = []
    while not await is_at_end(consumer):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            rows += [_row(event) for event in (orjson.loads(r.value) for r in records) if is_activity(event)]
    await consumer.stop()
    return rows


async def subscribed(settings: Settings) -> aiokafka.AIOKafkaConsumer:
    """Return a consumer of committed transitions, from the first on."""
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    topic = settings.topics.lifecycle_transitions
    consumer.assign([aiokafka.TopicPartition(topic, p) for p in range(settings.partitions)])
    for place in consumer.assignment():
        await consumer.position(place)
    return consumer


async def is_at_end(consumer: aiokafka.AIOKafkaConsumer) -> bool:
    """Say whether a consumer has read all that there is."""
    return all([await read_to_end(consumer, place) for place in consumer.assignment()])


def is_activity(event: dict[str, Any]) -> bool:
    """Say whether a transition is one of the activity class."""
    return bool(event["data"]["dimension"] == "activity")


def _row(event: dict[str, Any]) -> Row:
    data = event["data"]
    return event["subject"], data["from"], data["to"], data["at"], data["seq"]
