"""The ledger: what follows from the input, and how far the input was read, written as one.

One partition has one ledger. Between two commits it gathers records (transitions, changed rows, decisions,
outcomes, dead letters) and positions (the offset of each input after which reading goes on). A commit writes all
of it in a single Kafka transaction:

    begin → the records, in batches, and the positions beside them → commit

so that a subscriber with read_committed, the changelog and the group's offsets can never tell different stories.
After a crash at any moment the transaction has either happened, whole, or not at all; then the next owner reads
the old positions and comes to the same records again.

Who owns a partition is settled by the *transactional id*, `<group>-<partition>`. A worker that is given a partition
starts a producer with that id before it reads anything. The broker then does two things for it: it settles the
transaction that the last owner may have left open, and it refuses every later step of that owner ("fenced"). So it
does not matter if the last owner is dead, slow, or stopped for an hour and believes that it still owns the
partition: it cannot write. A fenced ledger stays fenced; its shard must be read anew.

When a commit fails for any other reason, nobody here can know whether it happened. It is not tried again: the
worker ends, and the next start learns from the log what was committed.

`PlainLedger` serves brokers without transactions: outputs, then rows, then positions, each awaited before the next.
A crash in between repeats outputs (same ids, same content); rows know which offsets were applied to them, so state
does not count twice.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, InvalidProducerEpoch, ProducerFenced
from aiokafka.structs import TopicPartition

from streams import metrics
from streams.settings import Settings
from streams.wire.block import Keyed, Pairs
from streams.worker import step
from streams.worker.batch import written

BATCH_BYTES = 900_000
Waiting = Mapping[TopicPartition, Sequence[Pairs]]
Going = Iterable[tuple[TopicPartition, Sequence[Pairs]]]
Positions = Mapping[TopicPartition, int]


class Fenced(Exception):
    """Another worker has taken this partition over; nothing more can be written for it."""


class Ledger(Protocol):
    """What a partition writes through."""

    pending_bytes: int
    changelog_position: int

    def record(self, topic: str, records: Pairs | Iterable[Keyed], partition: int | None = None) -> None:
        """Let records wait for the next commit; for our own partition of the topic, or for another."""

    def position(self, topic: str, offset: int) -> None:
        """Note that reading of the input `topic` goes on at `offset` once the next commit is done."""

    async def commit(self, changelog: Sequence[Pairs]) -> bool:
        """Write everything that waits, and the changed rows; say whether there was anything to write."""

    async def close(self) -> None:
        """Let go of the partition."""


class Broken(Exception):
    """An earlier commit failed, and nobody knows whether it happened: nothing may be written after it."""


class Gathering(ABC):
    """What both ledgers share: records and positions that wait, by topic."""

    transactional = False

    def __init__(self, partition: int, changelog_topic: str) -> None:
        self.partition = partition
        self.changelog_topic = changelog_topic
        self.pending_bytes = 0
        self.changelog_position = 0  # after the newest row that this ledger wrote
        self._records: dict[TopicPartition, list[Pairs]] = {}
        self._changelog = TopicPartition(changelog_topic, partition)
        self._positions: dict[TopicPartition, int] = {}
        self._failure: Exception | None = None

    def record(self, topic: str, records: Pairs | Iterable[Keyed], partition: int | None = None) -> None:
        """Let records wait for the next commit; for our own partition of the topic, or for another."""
        place = TopicPartition(topic, self.partition if partition is None else partition)
        pairs = _pairs(records)
        if len(pairs):
            self._records.setdefault(place, []).append(pairs)
            self.pending_bytes += len(pairs.data)

    def position(self, topic: str, offset: int) -> None:
        """Note that reading of the input `topic` goes on at `offset` once the next commit is done."""
        self._positions[TopicPartition(topic, self.partition)] = offset

    async def commit(self, changelog: Sequence[Pairs]) -> bool:
        """Write everything that waits, and the changed rows; say whether there was anything to write.

        Raises:
            Fenced: another worker owns the partition now.
            Broken: an earlier commit failed.
        """
        if self._failure is not None:
            raise self._failure
        records, positions, rows = self._records, self._positions, [pairs for pairs in changelog if len(pairs)]
        if not records and not positions and not rows:
            return False
        self._records, self._positions, self.pending_bytes = {}, {}, 0
        started = time.perf_counter()
        try:
            await step.COMMIT.between(self._write_all(records, positions, rows))
        except (ProducerFenced, InvalidProducerEpoch) as error:
            self._failure = Fenced(f"partition {self.partition}")
            raise self._failure from error
        except BaseException as error:
            self._failure = Broken(f"partition {self.partition}: an earlier commit failed: {error!r}")
            raise
        metrics.COMMITS.observe(time.perf_counter() - started)
        return True

    @abstractmethod
    async def _write_all(self, records: Waiting, positions: Positions, changelog: Sequence[Pairs]) -> None:
        """Write a commit's records, rows and positions."""

    async def _write(self, producer: AIOKafkaProducer, going: Going) -> None:
        """Write records, by where they go, and wait until the broker has them all."""
        sent: list[Awaitable[Any]] = []
        refused: list[BaseException] = []
        try:
            for place, parts in going:
                await self._send(producer, place, parts, sent)
        except IllegalOperation as error:  # what was sent before has failed; its own future says why
            refused.append(error)
        # Every future is looked at, failed or not: asyncio would complain of an exception that nobody saw.
        results: list[Any] = await asyncio.gather(*sent, return_exceptions=True)
        for failure in [r for r in results if isinstance(r, BaseException)] + refused:
            raise failure
        rows = [r.offset for r in results if r.topic == self.changelog_topic]
        self.changelog_position = max(rows, default=self.changelog_position)

    async def _send(
        self, producer: AIOKafkaProducer, place: TopicPartition, parts: Sequence[Pairs], sent: list[Awaitable[Any]]
    ) -> None:
        """Hand records to the producer in batches; add to `sent` what to await for their acknowledgement."""
        for pairs in _gathered(parts):
            for batch in written(pairs, BATCH_BYTES, transactional=self.transactional):
                acknowledged = await producer.send_batch(batch, place.topic, partition=place.partition)
                sent.append(acknowledged)
                await asyncio.sleep(0)  # a producer that has room would wait for nothing
            metrics.COMMITTED.labels(place.topic).inc(len(pairs))


class TransactionalLedger(Gathering):
    """Exactly once: one transaction a commit."""

    transactional = True

    def __init__(self, producer: AIOKafkaProducer, group: str, partition: int, changelog_topic: str) -> None:
        super().__init__(partition, changelog_topic)
        self._producer = producer
        self._group = group

    @classmethod
    async def open(cls, settings: Settings, partition: int, changelog_topic: str) -> TransactionalLedger:
        """Take the partition over: settle what its last owner left open, and fence him."""
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka.split(","),
            transactional_id=f"{settings.group}-{partition}",
            max_batch_size=BATCH_BYTES,
            retry_backoff_ms=10,
        )
        await producer.start()
        return cls(producer, settings.group, partition, changelog_topic)

    async def _write_all(self, records: Waiting, positions: Positions, changelog: Sequence[Pairs]) -> None:
        await self._producer.begin_transaction()
        going = [(place, parts) for place, parts in ((self._changelog, changelog), *records.items()) if parts]
        for place, _ in going:  # told of them one by one, the producer would ask the coordinator for each
            self._producer._txn_manager.maybe_add_partition_to_txn(place)  # noqa: SLF001
        try:
            async with asyncio.TaskGroup() as side_by_side:
                if positions:
                    side_by_side.create_task(self._producer.send_offsets_to_transaction(positions, self._group))
                await self._write(self._producer, going)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        await self._producer.commit_transaction()

    async def close(self) -> None:
        """Stop the producer; what waits is not written."""
        await _stop(self._producer)


class PlainLedger(Gathering):
    """At least once: outputs, then rows, then positions, each awaited before the next."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        partition: int,
        changelog_topic: str,
        commit_positions: Callable[[Positions], Awaitable[object]],
    ) -> None:
        super().__init__(partition, changelog_topic)
        self._producer = producer
        self._commit_positions = commit_positions

    @classmethod
    async def open(
        cls,
        settings: Settings,
        partition: int,
        changelog_topic: str,
        commit_positions: Callable[[Positions], Awaitable[object]],
    ) -> PlainLedger:
        """Connect a producer; `commit_positions` writes the group's offsets."""
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.split(","), acks="all", max_batch_size=BATCH_BYTES)
        await producer.start()
        return cls(producer, partition, changelog_topic, commit_positions)

    async def _write_all(self, records: Waiting, positions: Positions, changelog: Sequence[Pairs]) -> None:
        await self._write(self._producer, records.items())
        await self._write(self._producer, [(self._changelog, changelog)])
        if positions:
            await self._commit_positions(positions)

    async def close(self) -> None:
        """Stop the producer; what waits is not written."""
        await _stop(self._producer)


def _gathered(parts: Iterable[Pairs]) -> Iterator[Pairs]:
    """Yield parts that follow upon one another, joined where they are small, for each batch costs its own."""
    some: list[Pairs] = []
    for part in parts:
        some.append(part)
        if sum(len(one.data) for one in some) >= BATCH_BYTES:
            yield Pairs.joined(some)
            some = []
    if some:
        yield Pairs.joined(some)


def _pairs(records: Pairs | Iterable[Keyed]) -> Pairs:
    return records if isinstance(records, Pairs) else Pairs.of(records)


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stop a producer that may be fenced or without its broker: letting go must not fail."""
    try:
        await asyncio.wait_for(producer.stop(), 10)
    except Exception:  # noqa: BLE001
        producer._closed = True  # noqa: SLF001 (it would warn of itself at collection)
