"""Serve: what was told on our topics, kept in Redis by user: his tags, what was decided and what became of it.

A topic has one position in the group, so it has one reader. Where decide or deliver is that reader, its chunk is told
to Redis first and worked on then (`Serve.first`); what nobody else reads has an agent of its own. So the position is
committed when both are done, and a decision stands in Redis before anything can become of it.

A transition only says whose tags may have changed: what is written is his row as it is now, which has come as far or
farther. Hence a user is written once for all his transitions of a chunk; and one who was erased has no row, so that a
transition of his that comes late writes nothing. Who is erased amid the writing is forgotten again after it.

Whether the tags of a partition are whole is looked at as it is opened and every `LOOK_SECONDS`; if not, they are
written anew from the rows, some at a time, while all else goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

import numpy as np
from redis.asyncio import Redis

from streams import metrics
from streams.push.journal import Journal
from streams.settings import Settings
from streams.shard import Shard, is_blank
from streams.tags import Tags, known, tagged
from streams.wire.message import Decision, read_decision, read_outcome
from streams.worker.chunk import Chunk
from streams.worker.partition import Partition
from streams.worker.patience import patiently, regularly

log = logging.getLogger(__name__)
Work = Callable[[Partition, Chunk], Awaitable[None]]
AT_ONCE = 100
"""Users whose tags are made ready and sent at once: some milliseconds, in which nothing else can happen."""
LOOK_SECONDS = 5.0


class Serve:
    """Tells Redis what the topics tell. Without `tags` it keeps journals alone."""

    def __init__(self, settings: Settings, journal: Journal, tags: Tags | None) -> None:
        names = settings.topics
        moved = (names.lifecycle_transitions, names.value_transitions, names.growth_transitions) if tags else ()
        self.journal = journal
        self.tags = tags
        self._tellers: dict[str, Work] = dict.fromkeys(moved, self._tag)
        self._tellers |= {names.push_decisions: self._note, names.push_outcomes: self._conclude}

    @classmethod
    def open(cls, settings: Settings, redis: Redis) -> Serve:
        """Return what serves this deployment."""
        return cls(settings, Journal.open(settings, redis), Tags(redis, settings.group) if settings.tags else None)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are told to Redis."""
        return tuple(self._tellers)

    async def take(self, partition: Partition, chunk: Chunk) -> bool:
        """Tell Redis a chunk.

        Raises:
            RedisError: Redis is gone or cannot write; hold the chunk and call again.
        """
        await self._tellers[chunk.topic](partition, chunk)
        return True

    def first(self, work: Work) -> Work:
        """Return an agent's work with its chunks told to Redis before it."""

        async def both(partition: Partition, chunk: Chunk) -> None:
            if chunk.topic not in self._tellers or await patiently(partition, partial(self.take, partition, chunk)):
                await work(partition, chunk)

        return both

    async def alone(self, partition: Partition, chunk: Chunk) -> None:
        """Tell Redis a chunk that nobody else reads."""
        if await patiently(partition, partial(self.take, partition, chunk)):
            partition.ledger.position(chunk.topic, chunk.next_offset)

    async def forget(self, user: str) -> None:
        """Remove all that is told of a user; his tags too if they were kept once."""
        await self.journal.forget(user)
        await Tags(self.journal.redis, self.journal.prefix).forget(user)

    async def tend(self, partition: Partition) -> None:
        """Keep the tags of a partition whole for as long as it is held."""
        if self.tags is None:
            return
        async for _ in regularly(partition, LOOK_SECONDS):
            await patiently(partition, partial(make_whole, self.tags, partition))

    async def _tag(self, partition: Partition, chunk: Chunk) -> None:
        assert self.tags is not None  # noqa: S101 (else these topics are not told)
        users = list(dict.fromkeys(record.key for record in chunk.records if record.key))
        for first in range(0, len(users), AT_ONCE):
            some = known(partition.shard, users[first : first + AT_ONCE])
            await write_tags(self.tags, partition.shard, some)

    async def _note(self, partition: Partition, chunk: Chunk) -> None:
        shard = partition.shard
        told = [read_decision(record.value).data for record in chunk.records if record.value]
        decisions = [decision for decision in told if is_of_this_life(shard, decision)]
        numbers = known(shard, list({decision.user.encode(): None for decision in decisions}))
        await _unless_erased(shard, numbers, self.journal.note(decisions), self.journal.forget)

    async def _conclude(self, partition: Partition, chunk: Chunk) -> None:  # noqa: ARG002 (a decision must be there)
        await self.journal.conclude(read_outcome(record.value).data for record in chunk.records if record.value)


async def make_whole(tags: Tags, partition: Partition) -> None:
    """Write all tags of a partition if they are not whole, for as long as it is held."""
    shard = partition.shard
    if await tags.are_whole(partition.number, shard.book):
        return
    whole, began = await tags.begin(partition.number, shard.book), time.monotonic()
    for first in range(0, len(shard.index), AT_ONCE):
        if partition.closing:
            return
        await write_tags(tags, shard, np.arange(first, min(first + AT_ONCE, len(shard.index))))
    await tags.end(partition.number, whole)
    spent = time.monotonic() - began
    log.info("partition %d: tags of %d users written anew in %.1f s", partition.number, len(shard.index), spent)


async def write_tags(tags: Tags, shard: Shard, numbers: np.ndarray) -> None:
    """Write the tags of the users in these rows (i8[n]); not too many, since it is done at a stretch."""
    users = tagged(shard, numbers)
    await _unless_erased(shard, numbers, tags.write(users), tags.forget)
    metrics.TAGS.inc(len(users))


def is_of_this_life(shard: Shard, decision: Decision) -> bool:
    """Say whether a decision's user is known, and has not been erased since, though he may have begun anew."""
    number = shard.number(decision.user.encode())
    return number is not None and decision.at >= shard.rows["first_at"][number]


async def _unless_erased(
    shard: Shard, numbers: np.ndarray, writing: Awaitable[None], forget: Callable[[str], Awaitable[None]]
) -> None:
    """Await what writes of the users in these rows, then forget those who were erased meanwhile.

    Their own erasure may have come before it. Who has begun anew by then is told of by what he does.
    """
    before = shard.rows["seq"][numbers]
    there = ~is_blank(shard.rows[numbers])
    await writing
    rows = shard.rows[numbers]
    for key in shard.index.keys(numbers[there & (is_blank(rows) | (rows["seq"] < before))]):
        await forget(key.decode())
