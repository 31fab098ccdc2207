"""Placement: whether producers place keys as Java does, judged by the newest records of each input topic.

A few misplaced records are a producer gone astray: the worker sets them aside (`wrong-partition`), and goes on. A
topic of which most are misplaced is partitioned otherwise: a worker would set nearly everything aside, and is
refused before it begins.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from streams.core.row import SOURCES
from streams.ops.scan import scan, wait_for
from streams.ops.topics import Problem
from streams.wire.partitioner import home

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord

    from streams.settings import Settings

NEWEST = 50
"""Offsets of each partition that are looked at."""
LEAST = 20
"""Keyed records of a topic, under which it is not judged."""
SECONDS = 20.0


def check(settings: Settings) -> list[Problem]:
    """Return a problem for each input topic of which most new records stand in another partition than their key's.

    Raises:
        NotReady: Kafka does not answer.
    """
    if settings.partitioner == "any" or settings.partitions == 1:
        return []
    problems = []
    for topic in (getattr(settings.topics, source) for source in SOURCES):
        seen, misplaced = wait_for(_sample(settings, topic))
        if seen >= LEAST and misplaced > seen / 2 * (1 - 1 / settings.partitions):
            problems.append(_problem(topic, seen, misplaced))
    return problems


async def _sample(settings: Settings, topic: str) -> tuple[int, int]:
    """Return how many of a topic's newest records have a key, and how many of these are misplaced."""
    count: Counter[bool] = Counter()

    def take(record: ConsumerRecord) -> None:
        if record.key:
            count[home(record.key, settings.partitions) != record.partition] += 1

    await scan(settings.kafka, topic, take, NEWEST, SECONDS)
    return count.total(), count[True]


def _problem(topic: str, seen: int, misplaced: int) -> Problem:
    return Problem(
        (topic,),
        f"of the newest {seen} records of {topic}, {misplaced} stand in another partition than Java's default "
        "partitioner (murmur2) gives their keys, so a user's events of different topics do not meet",
        "set the producers' partitioner (librdkafka: partitioner=murmur2_random), or set AWAKEN_PARTITIONER=any if all "
        "producers of all topics place keys alike",
    )
