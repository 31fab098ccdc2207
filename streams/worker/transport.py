"""The transport: Faust's, except that a message is a chunk.

Stock Faust costs some 80 µs a message, most of it in the four asyncio tasks with which it hands a record to its
agent. That price is per message, and nothing says that a message must be a record. Here it is everything that one
fetch brought of one partition: thousands of records in a list, with the last one's offset. Faust stays what it is
(group membership, assignment, flow control, agents); it only sees fewer and larger messages.

What is overridden, from the wire inwards:

- `batch` lets aiokafka hand over whole record batches, as its compiled parser has read them.
- `ChunkThread` builds the aiokafka consumer (read_committed, short waits, large fetches) and runs in Faust's
  consumer thread. After each fetch it notes which partitions are *read to their end*; the merge and the clock
  depend on it. Two facts must never be seen apart there: that a partition's position has reached the end, and that
  the records which brought it there are still on their way to the agent. So the thread first counts the chunks under
  way and then publishes the ends, and whoever asks looks at both.
  After a rebalance aiokafka starts to read by itself, from offsets that it asked for perhaps before the last owner's
  transaction was settled, and Faust lets the flow go on before it seeks. So the thread hands on nothing of an
  assignment before it has sought each of its partitions: else a chunk would come twice or, in a partition of which
  nothing is committed yet, be dropped and never read again. And it does not seek before each of them is taken over:
  a seek that is late, and meant for the assignment before, would ask for offsets that its last owner still moves.
  It also holds back: a partition of which two chunks are under way is not asked for more. Faust's own bound, the
  length of a stream's queue, stops *all* topics at once; so a webhook that takes its time would stop the fold.
  Each chunk says which one it follows. Between a fetch and an agent lie two threads and much of Faust, and what gets
  lost there amid a rebalance would be passed over for good by the next commit; so whoever takes a chunk that does
  not follow the last one ends the worker (`Partition.follow`), and it is read again.
- `ChunkConsumer` turns a fetch into one message a partition, and leaves committing to the ledger: offsets are
  committed in the same Kafka transaction as what follows from them, or not at all. Faust's own bookkeeping of acks
  goes on, since it decides when a stream is idle; its gaps and its commits do not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, NamedTuple

import aiokafka
from faust.transport.consumer import ConsumerMessage
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.wire.block import Block
from streams.worker import step
from streams.worker.batch import records, whole
from streams.worker.chunk import Chunk

log = logging.getLogger(__name__)
FETCH_BYTES = 1 << 20
FETCH_LEAST_BYTES, FETCH_WAIT_MS = 256 << 10, 10
"""A broker that answers at once brings a few records a thousand times a second, and has time for nothing else."""
EMBEDDED_FETCH_WAIT_MS = 20
"""The embedded broker sleeps through half of a fetch's wait before it looks again, new records or not."""
MOST_UNDER_WAY = 2
"""Chunks of a partition: one at work, one that waits for it. The rest stays with the broker, where it is lag."""
UNDER_WAY_SECONDS = 0.02
DOUBTS, DOUBT_SECONDS = 5, 1.0
METADATA_MS = 5000
"""How often the brokers are asked about the topics: a number of partitions that changes must be seen soon."""


class End(NamedTuple):
    """How far a partition was read, how far it can be read, and when the broker said so (int ms UTC)."""

    position: int
    stable: int
    heard_at: int


class Fetched(NamedTuple):
    """What a fetch brought of a partition, and the offset after what the fetch before it brought, if there was one."""

    records: Block
    follows: int | None


class ChunkThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, fetching by chunks and watching for the ends of partitions."""

    _cpu_seconds = 0.0  # what this thread has used, as it was counted last

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fetched: Counter[TP] = Counter()  # chunks, ever; written by this thread alone
        self.arrived: Counter[TP] = Counter()  # of them, with their agents; written by the app's thread alone
        self.ends: dict[TP, End] = {}
        self._sought: Any = None  # the assignment of which every partition was sought …
        self._sought_at = 0  # … and when: what was heard before says nothing about now
        self._fetched_of: Any = None  # the assignment of which the last fetch was
        self._handed: dict[TP, int] = {}  # the offset after the newest record that was fetched since the last seek

    async def on_thread_stop(self) -> None:
        """Stop the consumer, and let nothing that it raises keep the process from ending.

        Stopped while its broker is away, aiokafka's raises; Faust's thread would die of it and be waited for for ever.
        """
        try:
            await super().on_thread_stop()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
            log.warning("the consumer did not end in good order: %r", error)

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._key_deserializer = whole  # noqa: SLF001
        consumer._isolation_level = "read_committed"  # noqa: SLF001 (Faust passes it for its own guarantee only)
        least, wait = FETCH_LEAST_BYTES, FETCH_WAIT_MS
        if self.app.settings.guarantee != "exactly-once":
            least, wait = 1, EMBEDDED_FETCH_WAIT_MS
        consumer._fetch_min_bytes, consumer._fetch_max_wait_ms = least, wait  # noqa: SLF001 (Faust hard-codes 1500)
        consumer._max_partition_fetch_bytes = FETCH_BYTES  # noqa: SLF001
        consumer._client._metadata_max_age_ms = METADATA_MS  # noqa: SLF001
        return consumer

    async def _fetch_records(
        self, consumer: aiokafka.AIOKafkaConsumer, active_partitions: set[TP], *args: Any, **kwargs: Any
    ) -> Mapping[TP, Any]:
        self._cpu_seconds = step.FETCH.since(self._cpu_seconds)
        wanted = {tp for tp in active_partitions if self.fetched[tp] - self.arrived[tp] < MOST_UNDER_WAY}
        if not wanted:  # asked for none, aiokafka would hand over all
            await asyncio.sleep(UNDER_WAY_SECONDS)
            return {}
        if len(wanted) < len(active_partitions):  # to wait long for these would be to wait long with the others
            kwargs["timeout"] = UNDER_WAY_SECONDS
        batches = await super()._fetch_records(consumer, wanted, *args, **kwargs)
        if _assignment(consumer) is not self._sought:
            return {}
        fetched = {tp: Fetched(records(found), self._handed.get(tp)) for tp, found in batches.items()}
        self._handed |= {tp: int(found.records.offsets[-1]) + 1 for tp, found in fetched.items()}
        self.fetched.update(fetched.keys())
        self._fetched_of = self._sought
        self.ends = {tp: end for tp, end in _ends(consumer) if end.heard_at > self._sought_at}
        return fetched

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek each partition to the offset that the group has committed, or to its beginning."""
        offsets: Mapping[TP, int] = await self.call_thread(self._seek_to_committed)
        return offsets

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        assignment = _assignment(consumer)
        tps = list(consumer.assignment())
        if not self._opened(tps):
            return {}
        committed = await self._committed(consumer, tps)
        if assignment is not _assignment(consumer):
            return {}  # amid a rebalance: the next seek is for the next assignment
        offsets = {tp: max(committed[tp].offset, 0) if tp in committed else 0 for tp in tps}
        for tp, offset in offsets.items():
            consumer.seek(tp, offset)
        self.ends, self._handed = {}, {}
        self._sought, self._sought_at = assignment, time.time_ns() // 1_000_000
        return offsets

    async def _committed(self, consumer: aiokafka.AIOKafkaConsumer, tps: list[TP]) -> Mapping[TP, Any]:
        """Return what the group has committed of these partitions.

        A broker that has just come back may not know every topic yet, and aiokafka takes that for nothing committed;
        everything would be read and decided again. So where we know that there was something, we ask again.
        """
        for doubt in range(DOUBTS + 1):
            committed: Mapping[TP, Any] = await consumer._coordinator.fetch_committed_offsets(tps)  # noqa: SLF001
            missing = [tp for tp in tps if tp not in committed and self.app.was_read(tp)]
            if not missing:
                break
            if doubt == DOUBTS:
                log.warning("nothing is committed of %s: it is read from its beginning; were offsets reset?", missing)
                break
            await asyncio.sleep(DOUBT_SECONDS)
        return committed

    def _opened(self, tps: Iterable[TP]) -> bool:
        """Say whether each of these partitions is taken over: before that, its last owner may still commit.

        What would be read from an older offset would be read again from the newer one. The fold would know it again;
        the decisions would stand there twice.
        """
        topics = self.app.settings.topics
        held = self.app.partitions
        return all(tp.partition in held for tp in tps if tp.topic in (topics.clicks, topics.orders))

    def is_current(self) -> bool:
        """Say whether the last fetch was of the assignment that holds now: what was of an earlier one is read anew."""
        consumer, fetched_of = self._consumer, self._fetched_of
        return consumer is not None and fetched_of is not None and fetched_of is _assignment(consumer)

    def read_to_end(self, tp: TP) -> int | None:
        """Return when the broker last said that there is no more, all records having reached their agent.

        None while there is more to read, or while nothing is known yet. In int ms UTC, by this machine's clock.
        """
        end = self.ends.get(tp)
        if end is None or end.position < end.stable or self.arrived[tp] < self.fetched[tp]:
            return None
        return end.heard_at

    def partition_counts(self) -> dict[str, int]:
        """Return how many partitions each topic has, as the brokers last told; nothing before they did."""
        if self._consumer is None:
            return {}
        cluster = self._consumer._client.cluster  # noqa: SLF001 (no public call is synchronous)
        counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in list(cluster.topics())}
        return {topic: count for topic, count in counts.items() if count}

    def lag(self, tp: TP) -> int | None:
        """Return how many offsets of the partition have not been read; None while that is unknown."""
        end = self.ends.get(tp)
        return None if end is None else max(end.stable - end.position, 0)


def _assignment(consumer: aiokafka.AIOKafkaConsumer) -> Any:
    """Return what the group has assigned, an object of its own after each rebalance; None while there is nothing."""
    subscription = consumer._subscription.subscription  # noqa: SLF001 (no public call is synchronous)
    return None if subscription is None else subscription.assignment


def _ends(consumer: aiokafka.AIOKafkaConsumer) -> list[tuple[TP, End]]:
    """Return what is known of each partition's end."""
    assignment = _assignment(consumer)
    if assignment is None:
        return []
    states = [(tp, assignment.state_value(tp)) for tp in assignment.tps]
    return [
        (TP(tp.topic, tp.partition), End(state.position, state.lso, state.timestamp))
        for tp, state in states
        if state is not None and state.has_valid_position and state.lso is not None
    ]


class ChunkConsumer(driver.Consumer):
    """Faust's consumer, whose messages are chunks and whose commits are the ledger's."""

    _thread: ChunkThread

    def _new_consumer_thread(self) -> ChunkThread:
        return ChunkThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109 (Faust's)
        """Fetch, and yield one message a partition."""
        fetched, _active = await self._wait_next_records(timeout)
        if fetched is None or self.should_stop:
            return
        if not self.flow_active:
            # A fetch that was under way when a rebalance began may end after the seek that followed it. It is kept
            # then: dropped, it would be lost, and a seek back would bring what came after it twice.
            await self.wait(self.can_resume_flow)
        for tp, found in fetched.items():
            if self.flow_active and self._thread.is_current():
                yield tp, self._to_message(tp, found)

    def _to_message(self, tp: TP, record: Fetched) -> ConsumerMessage:
        offset, at = int(record.records.offsets[-1]), int(record.records.timestamps[-1])
        end = self._thread.ends.get(tp)
        # Of an unknown end the latest that it can be: what another topic said before must not let this one pass.
        heard_at = end.heard_at if end else time.time_ns() // 1_000_000
        chunk = Chunk(tp.topic, tp.partition, record.records, offset + 1, heard_at, record.follows)
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            offset,
            at / 1000,
            0,
            (),
            None,
            chunk,
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def arrived(self, chunk: Chunk) -> None:
        """Note that a chunk has reached its agent."""
        self._thread.arrived[TP(chunk.topic, chunk.partition)] += 1

    def restart_reading(self) -> None:
        """Forget what was under way: after a rebalance everything is fetched anew from the committed offsets."""
        # Faust drops what lies before the last that it saw. That it is to see it again it learns only when the seek has
        # been answered, and the thread may have handed over the first chunk by then: it would be lost.
        self._read_offset.clear()
        self._thread.arrived = Counter(self._thread.fetched)
        self._thread.ends = {}

    def read_to_end(self, topic: str, partition: int) -> int | None:
        """Return when the broker last said that there is no more in a partition (`ChunkThread.read_to_end`)."""
        return self._thread.read_to_end(TP(topic, partition))

    def lag(self, topic: str, partition: int) -> int | None:
        """Return how many offsets of a partition have not been read; None while that is unknown."""
        return self._thread.lag(TP(topic, partition))

    def partition_counts(self) -> dict[str, int]:
        """Return how many partitions each topic has (`ChunkThread.partition_counts`)."""
        return self._thread.partition_counts()

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002 (Faust's signature)
        """Commit nothing: the ledger does. Faust only forgets what it had acked."""
        self._committed_offset.update(offsets)
        return True

    async def commit_plainly(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets through the group's coordinator, for brokers without transactions."""
        return bool(await super()._commit(offsets))

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked[tp]
        if not acked:
            return None
        newest: int = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return newest + 1

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Keep no gaps: between two chunks there are only offsets that no record has."""


class ChunkTransport(driver.Transport):
    """Faust's transport, with our consumer."""

    Consumer = ChunkConsumer
