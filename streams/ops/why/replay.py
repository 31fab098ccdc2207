"""A user's life folded anew from the topics, without a worker and without its changelog.

His partition is driven exactly as a worker drives it (`worker.partition`), with everybody in it: when it is whose turn
depends on what others did. The reading ends where the topics ended as it began. What the broker no longer keeps of the
topics is not known here; a worker's row still knows it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.ops import NotReady
from streams.ops.admin import START_KAFKA, connect
from streams.ops.scan import wait_for
from streams.ops.topics import CREATE
from streams.ops.why.ask import unknown
from streams.settings import Settings
from streams.shard import Shard
from streams.wire.block import Keyed, Pairs
from streams.wire.message import Transition, read_transition
from streams.wire.partitioner import home
from streams.worker.batch import records, whole
from streams.worker.chunk import Chunk
from streams.worker.control import Control, View, trusted
from streams.worker.pages import tell
from streams.worker.partition import Partition, rules_of

POLL_MS = 200
CONTROL_SECONDS = 30.0


class Life(NamedTuple):
    """A user's row as `worker.pages` tells it, every transition of his, and what is to be known of both."""

    told: dict[str, Any]
    transitions: list[Transition]
    notes: list[str]


class Notebook:
    """A ledger that keeps a single user's transitions in mind, and commits nothing."""

    pending_bytes = 0
    changelog_position = 0

    def __init__(self, key: bytes, topics: Iterable[str]) -> None:
        self.transitions: list[Transition] = []
        self._key = key
        self._topics = frozenset(topics)

    def record(self, topic: str, found: Pairs | Iterable[Keyed]) -> None:
        """Take note of the user's transitions."""
        if topic in self._topics:
            pairs = found if isinstance(found, Pairs) else Pairs.of(found)
            self.transitions += [read_transition(v).data for key, v in pairs.each() if key == self._key and v]

    def position(self, topic: str, offset: int) -> None:
        """Nothing: nobody goes on from here."""

    async def commit(self, changelog: Sequence[Pairs]) -> bool:  # noqa: ARG002
        """Nothing: nothing is written."""
        return False

    async def close(self) -> None:
        """Nothing: nothing is open."""


class Replayed(Partition):
    """A partition that writes nobody's transitions but one user's: the others' would cost more than their folding."""

    key = b""

    def _emit(self, moves: np.ndarray) -> None:
        super()._emit(moves[moves["row"] == self.shard.index.find(self.key)])


class Reached:
    """Which topics were read to their end, and when (int ms UTC): what a partition must know of its consumer."""

    def __init__(self) -> None:
        self.ends: dict[str, int] = {}

    def read_to_end(self, topic: str, partition: int) -> int | None:  # noqa: ARG002
        """Return when a topic was read to its end; None while it is not."""
        return self.ends.get(topic)


def replay(settings: Settings, user: str) -> Life:
    """Return a user's life as the topics tell it.

    Raises:
        NotReady: Kafka or a topic is not there, keys are placed by other rules than ours, or nothing is known of him.
    """
    if settings.partitioner != "murmur2" and settings.partitions > 1:
        raise NotReady(
            f"partitioner = {settings.partitioner!r}: nobody can tell in which partition {user!r} stands",
            "ask the running workers: awaken why USER --url http://host:port",
        )
    names = settings.topics
    inputs = (names.clicks, names.orders, names.profiles, names.push_feedback, names.control)
    with connect(settings.kafka) as admin:
        missing = sorted(set(inputs) - set(admin.list_topics()))
    if missing:
        raise NotReady(f"there is no topic {', '.join(missing)}", f"create what is missing: {CREATE}")
    try:
        return wait_for(_live(settings, user))
    except KafkaError as error:
        raise NotReady(f"Kafka at {settings.kafka} would not let the topics be read: {error}", START_KAFKA) from error


async def _live(settings: Settings, user: str) -> Life:
    """Fold his partition from its beginning to its end."""
    number, names = home(user.encode(), settings.partitions), settings.topics
    outputs = [getattr(names, field) for field in names.__struct_fields__ if field.endswith("_transitions")]
    notebook, reached = Notebook(user.encode(), outputs), Reached()
    partition = Replayed(number, settings, Shard(rules_of(settings)), notebook, reached)  # type: ignore[arg-type] # a twin
    partition.key = user.encode()
    view = await _said(settings)
    partition.heed(view)
    vouched, stops = trusted(settings, view)
    notes = await _read(settings, partition, reached)
    told = tell(partition, user, stops)
    if told is None:
        raise unknown(user)
    if not vouched:
        notes.append("no worker has watched the input yet, so nobody's absence is decided; see gate.enabled")
    return Life(told, notebook.transitions, notes)


async def _said(settings: Settings) -> View:
    """Return all that stands on `control` now."""
    control = Control(settings)
    try:
        await asyncio.wait_for(control.open(), CONTROL_SECONDS)
    except TimeoutError as error:
        raise NotReady(f"{settings.topics.control} could not be read to its end", "try again") from error
    finally:
        await control.close()
    return control.view


async def _read(settings: Settings, partition: Partition, reached: Reached) -> list[str]:
    """Hand all that the partition's topics hold to it; return what to note of those that are cut."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.split(","),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
        max_partition_fetch_bytes=8 << 20,
        key_deserializer=whole,
    )
    await consumer.start()
    try:
        tps = [TopicPartition(topic, partition.number) for topic in partition.topics]
        consumer.assign(tps)
        first, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        for tp in tps:
            consumer.seek(tp, first[tp])
        while await _note_ends(consumer, ends, reached):
            await _read_some(consumer, partition, settings.buffer_events, reached)
        partition.pump()
        return [
            f"{tp.topic} begins at offset {start}: what was before is not in this"
            for tp, start in first.items()
            if start
        ]
    finally:
        await consumer.stop()


async def _note_ends(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int], reached: Reached) -> bool:
    """Note which topics are read to what was their end, by position; say whether one is not."""
    for tp, end in ends.items():
        if tp.topic not in reached.ends and await consumer.position(tp) >= end:
            consumer.pause(tp)
            reached.ends[tp.topic] = time.time_ns() // 1_000_000
    return len(reached.ends) < len(ends)


async def _read_some(consumer: AIOKafkaConsumer, partition: Partition, most: int, reached: Reached) -> None:
    """Fold what one fetch brings; a topic whose events wait for another's is not read further for now."""
    for tp, batches in (await consumer.getmany(timeout_ms=POLL_MS)).items():
        partition.receive(Chunk(tp.topic, tp.partition, records(batches), await consumer.position(tp)))
    partition.pump()
    for tp in consumer.assignment():
        if partition.waiting(tp.topic) > most:
            consumer.pause(tp)
        elif tp.topic not in reached.ends:
            consumer.resume(tp)
