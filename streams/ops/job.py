"""The lifecycle job by which engines are compared: its events, its settings, and what must come of it.

Clicks and orders of many users over 60 days of event time, 10 % of them orders. Per user: first and last activity,
daily and weekly windows, totals and gaps; transitions new, active, dormant after 14 days, returning.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from kafka import TopicPartition

from streams import settings as declared
from streams.settings import DAY, Settings

START = 1_700_006_400_000  # a UTC midnight
DAYS = 60
LAPSE_DAYS = 14
ORDERS = 0.1  # of the events
FILL_MS = 900_000  # the longest transaction that a broker allows by itself
CLICK = '{"user":"u%07d","at":%d,"item":"i%d","category":"c%d","kind":"view"}'
ORDER = '{"user":"u%07d","at":%d,"order":"o%d","amount":%r,"category":"c%d"}'
Row = tuple[str, str, str, int, int]


class Stream(NamedTuple):
    """Events in order of time: user i8[n], at i8[n] (ms UTC), order bool[n], amount f8[n], item i8[n]."""

    user: np.ndarray
    at: np.ndarray
    order: np.ndarray
    amount: np.ndarray
    item: np.ndarray


def generate(events: int, users: int, seed: int = 7) -> Stream:
    """Return the job's events: users of heavy-tailed activity who come, and go after an exponential life."""
    rng = np.random.default_rng(seed)
    weight = rng.gamma(0.6, 1.0, users)
    birth, life = rng.uniform(0, 40, users), rng.exponential(25, users) + 1
    user = rng.choice(users, size=events * 3, p=weight / weight.sum())
    day = rng.uniform(0, DAYS, user.size)
    alive = (day >= birth[user]) & (day <= birth[user] + life[user])
    user, day = user[alive][:events], day[alive][:events]
    order = np.argsort(day, kind="stable")
    user, at = user[order], START + (day[order] * DAY).astype(np.int64)
    bought = rng.random(user.size) < ORDERS
    return Stream(user, at, bought, np.round(rng.gamma(2, 20, user.size), 2), rng.integers(0, 5000, user.size))


def homes(users: int, partitions: int) -> np.ndarray:
    """Return the partition of each user (i8[users]), as Java's default partitioner places them."""
    return np.array([(murmur2(b"u%07d" % user) & 0x7FFFFFFF) % partitions for user in range(users)])


def oracle(stream: Stream, partition: np.ndarray, lateness_ms: int = 0) -> Iterator[Row]:
    """Yield (user, from, to, at, seq) of every transition that the job demands; `partition` i8[users].

    Time in a partition ends with its last event, less the lateness: later deadlines have not passed there.
    """
    end = np.zeros(partition.max() + 1, np.int64)
    np.maximum.at(end, partition[stream.user], stream.at)
    lapse, state = LAPSE_DAYS * DAY, {}
    for user, at in zip(stream.user.tolist(), stream.at.tolist(), strict=True):
        key = f"u{user:07d}"
        if user not in state:
            state[user] = [at, "new", at // DAY, 1]
            yield key, "none", "new", at, 1
            continue
        known = state[user]
        if known[1] != "dormant" and at > known[0] + lapse:
            known[3] += 1
            yield key, known[1], "dormant", known[0] + lapse, known[3]
            known[1] = "dormant"
        if known[1] == "dormant":
            known[1:] = ["returning", at // DAY, known[3] + 1]
            yield key, "dormant", "returning", at, known[3]
        elif known[1] != "active" and at // DAY > known[2]:
            yield key, known[1], "active", at, known[3] + 1
            known[1:] = ["active", at // DAY, known[3] + 1]
        known[0] = at
    for user, (last_at, stage, _, seq) in state.items():
        if stage != "dormant" and last_at + lapse < end[partition[user]] - lateness_ms:
            yield f"u{user:07d}", stage, "dormant", last_at + lapse, seq + 1


def settings_of(
    kafka: str, partitions: int, guarantee: str, commit_seconds: float, lateness_ms: int = 0, *, every_dimension: bool
) -> Settings:
    """Return the job's settings: no churned, new and returning end with the second active day, nothing is pushed."""
    name = f"bench-{os.getpid()}-{time.time_ns() // 1_000_000}"
    names = {f"AWAKEN_TOPICS_{f}".upper(): f"{name}-{f.replace('_', '-')}" for f in declared.Topics.__struct_fields__}
    dimensions = {} if every_dimension else {"AWAKEN_DIMENSIONS": "activity"}
    return declared.load(
        Path(os.devnull),
        {
            **names,
            **dimensions,
            "AWAKEN_KAFKA": kafka,
            "AWAKEN_GROUP": name,
            "AWAKEN_PARTITIONS": str(partitions),
            "AWAKEN_GUARANTEE": guarantee,
            "AWAKEN_CLOCK": "event",
            "AWAKEN_LATENESS_SECONDS": str(lateness_ms / 1000),
            "AWAKEN_ACTIVITY_NEW_DAYS": "0",
            "AWAKEN_ACTIVITY_DORMANT_DAYS": str(LAPSE_DAYS),
            "AWAKEN_ACTIVITY_CHURNED_DAYS": "0",
            "AWAKEN_PUSH_CHANNELS": "",
            "AWAKEN_COMMIT_SECONDS": str(commit_seconds),
        },
    )


class Message(NamedTuple):
    """An event as it is written."""

    place: TopicPartition
    at: int
    key: bytes
    value: bytes


def messages(settings: Settings, stream: Stream, homes: np.ndarray) -> Iterator[Message]:
    """Yield the events in order, where Java's default partitioner would place them; `homes` i8[users]."""
    topics = settings.topics
    places = [[TopicPartition(t, p) for p in range(settings.partitions)] for t in (topics.clicks, topics.orders)]
    home = homes.tolist()
    for n, (user, at, order, amount, item) in enumerate(zip(*(column.tolist() for column in stream), strict=True)):
        value = (ORDER % (user, at, n, amount, item % 50)) if order else (CLICK % (user, at, item, item % 50))
        yield Message(places[order][home[user]], at, b"u%07d" % user, value.encode())


def ends(settings: Settings, stream: Stream, homes: np.ndarray) -> dict[TopicPartition, int]:
    """Return of each partition in which there are events how many there are."""
    found: dict[TopicPartition, int] = {}
    for topic, chosen in ((settings.topics.clicks, ~stream.order), (settings.topics.orders, stream.order)):
        counts = np.bincount(homes[stream.user[chosen]], minlength=settings.partitions)
        found |= {TopicPartition(topic, p): int(count) for p, count in enumerate(counts) if count}
    return found


@asynccontextmanager
async def written(settings: Settings, stream: Stream, homes: np.ndarray) -> AsyncIterator[None]:
    """Write the events, in batches; only after the block can they be read, all at once: it is a transaction."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        transactional_id=f"{settings.group}-fill",
        transaction_timeout_ms=FILL_MS,
        compression_type="lz4",
        max_batch_size=500_000,
    )
    await producer.start()
    try:
        async with producer.transaction():
            await _write(producer, messages(settings, stream, homes))
            yield
    finally:
        await producer.stop()


async def _write(producer: AIOKafkaProducer, messages: Iterator[Message]) -> None:
    batches: dict[TopicPartition, Any] = {}
    sent = []
    for place, at, key, value in messages:
        while (batches.get(place) or batches.setdefault(place, producer.create_batch())).append(
            timestamp=at, key=key, value=value
        ) is None:
            sent.append(await producer.send_batch(batches.pop(place), place.topic, partition=place.partition))
    for place, batch in batches.items():
        sent.append(await producer.send_batch(batch, place.topic, partition=place.partition))
    await asyncio.gather(*sent)
