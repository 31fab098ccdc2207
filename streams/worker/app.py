"""The Faust app: membership, assignment and agents are Faust's; what a partition holds is opened and closed here.

In the order of a rebalance:

    revoked:   Faust stops the flow and waits for its agents; then each partition commits once more and lets go.
               Its shard is kept warm: if the partition comes back, only the changelog's tail is read.
    assigned:  each partition's ledger is opened (which fences the last owner), then its shard is read back from the
               changelog; only then does Faust go on, finds nothing to recover, and seeks the inputs to the offsets
               that the last owner committed in his last whole transaction.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import faust
from aiokafka.structs import TopicPartition
from faust.types import TP
from mode.utils.objects import cached_property

from streams import metrics
from streams.push.trigger import trigger_topics
from streams.rulebook import refreeze_ms
from streams.settings import Settings
from streams.shard import Shard
from streams.worker import garbage
from streams.worker.control import LET_GO_SECONDS, Control
from streams.worker.flow import FlowControl
from streams.worker.freeze import sketch_regularly
from streams.worker.ledger import Fenced, Ledger, PlainLedger, TransactionalLedger
from streams.worker.partition import Forget, Partition, nobody, rules_of
from streams.worker.recovery import recover
from streams.worker.store import UserTable
from streams.worker.transport import ChunkTransport
from streams.worker.watch import Watch

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1"}
_found = {name: version(name) for name in PINNED}
if _found != PINNED:
    raise ImportError(f"Awaken works with {PINNED}, not {_found}: install it anew with pip")

log = logging.getLogger(__name__)
WatchTime = Callable[[Partition], Awaitable[None]]


class Awaken(faust.App):
    """A Faust app that holds partitions of users."""

    settings: Settings

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.settings = settings
        self.partitions: dict[int, Partition] = {}
        self.recovered: dict[int, int] = {}
        self.forget: Forget = nobody
        self.watch_time: WatchTime | None = None  # what does what time asks for, as long as a partition is held
        self.served: tuple[str, ...] = ()  # the topics that are told to Redis
        self._decided = trigger_topics(settings)
        self.working = False  # the group has assigned, and the users are read back
        self.waiting_since = time.monotonic()
        self.unsettled = False  # it ended without having been able to commit all that it had folded
        self.control = Control(settings, self._note_progress)
        self.control.on_change.append(self._heed)
        self._watch: asyncio.Task[None] | None = None
        self._sketching: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # had by one partition at a time
        self._started_at = time.time_ns() // 1_000_000
        self._warm: dict[int, tuple[Shard, int]] = {}
        self._committers: dict[int, asyncio.Task[None]] = {}
        self._watching: dict[int, asyncio.Task[None]] = {}
        super().__init__(settings.group, **faust_options(settings), **options)

    @property
    def changelog_topic(self) -> str:
        """The changelog of the table of users."""
        return f"{self.settings.group}-users-changelog"

    def _create_directories(self) -> None:
        """Make none: everything is in Kafka."""

    @cached_property
    def flow_control(self) -> FlowControl:
        """Flow control that keeps what it has let through."""
        return FlowControl(loop=self.loop)

    def _new_transport(self) -> ChunkTransport:
        return ChunkTransport(self.conf.broker_consumer, self)

    def on_rebalance_start(self) -> None:
        """Tell agents that are amid a long chunk to leave the rest of it to the next owner."""
        self.working = False
        self.waiting_since = time.monotonic()
        for partition in self.partitions.values():
            partition.closing = True
        super().on_rebalance_start()

    def on_rebalance_end(self) -> None:
        """Note that work goes on."""
        super().on_rebalance_end()
        self.waiting_since = time.monotonic()
        self.working = True
        users = sum(len(p.shard.index) for p in self.partitions.values())
        log.info("working on %d partitions with %d users: %s", len(self.partitions), users, sorted(self.partitions))

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        await super()._on_partitions_revoked(revoked)
        await self.close_partitions()

    async def _stop_consumer(self) -> None:
        """Have the agents leave what they have not begun: however long it takes, the next owner does it."""
        for partition in self.partitions.values():
            partition.closing = True
        await super()._stop_consumer()

    def was_read(self, tp: TP) -> bool:
        """Say whether the users of a partition that is held show that something of this topic was read before."""
        partition = self.partitions.get(tp.partition)
        if partition is None or tp.topic == self.changelog_topic:
            return False
        shard = partition.shard
        if tp.topic in partition.topics:
            return bool(shard.rows["applied"][: len(shard.index), partition.topics.index(tp.topic)].any())
        return tp.topic in self._decided and bool(len(shard.index))

    def partition_counts(self) -> dict[str, int]:
        """Return how many partitions each keyed topic that is read has, as the brokers last told."""
        names = self.settings.topics
        keyed = {self.changelog_topic, *(getattr(names, field) for field in names.__struct_fields__)} - {names.control}
        counts: dict[str, int] = self.consumer.partition_counts() if self._consumer is not None else {}
        return {topic: count for topic, count in counts.items() if topic in keyed}

    async def on_stop(self) -> None:
        """End, and the reading of `control` with it."""
        try:
            await super().on_stop()
        finally:
            tasks = [task for task in (self._watch, self._sketching) if task is not None]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=LET_GO_SECONDS)
            await self.control.close()

    def _heed(self) -> None:
        """Let every partition go by what `control` says."""
        for partition in self.partitions.values():
            partition.heed(self.control.view)

    def _keep_watch(self) -> None:
        """Watch the input if this worker holds partition 0; nothing waits for it."""
        if 0 in self.partitions:
            held = self.partitions[0]
            watch = Watch(
                self.settings, self.control, lambda: self.partitions.get(0) is held, held.time_now, self._started_at
            )
            self._watch = asyncio.create_task(watch.run())
        if self._sketching is None and refreeze_ms(self.settings):
            self._sketching = asyncio.create_task(sketch_regularly(self.settings, self.control, self.partitions))

    def _on_rebalance_when_stopped(self) -> None:
        """Do nothing, as we are ending: Faust would close the consumer from a loop that is not its own, and hang."""

    async def _on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        if self.should_stop:
            return  # a partition opened now would be fenced off from the others, and closed by nobody
        try:
            self.consumer.restart_reading()
            topics = self.settings.topics
            numbers = {tp.partition for tp in assigned if tp.topic in (topics.clicks, topics.orders)}
            await self.close_partitions()
            await self.control.open()
            if self.should_stop:
                return
            await asyncio.gather(*map(self._open, sorted(numbers)))
            self._warm.clear()
            self._show_partitions()
            self._keep_watch()
        except Exception as error:
            log.exception("could not open the assigned partitions")
            await self.crash(error)
            return
        garbage.freeze()
        await super()._on_partitions_assigned(assigned, generation_id)

    async def _open(self, number: int) -> None:
        """Take a partition over and read its users back."""
        ledger = await self._open_ledger(number)
        shard, position = self._warm.pop(number) if number in self._warm else (Shard(rules_of(self.settings)), 0)
        tp = TopicPartition(self.changelog_topic, number)
        self.recovered[number] = await recover(shard, self.settings.kafka, tp, position, self._note_progress)
        partition = Partition(number, self.settings, shard, ledger, self.consumer, forget=self.forget, turn=self._turn)
        partition.heed(self.control.view)
        self.partitions[number] = partition
        self._committers[number] = asyncio.create_task(self._commit_regularly(partition))
        if self.watch_time is not None:
            self._watching[number] = asyncio.create_task(self._watch_time(partition, self.watch_time))
        log.info("partition %d: %d users, changelog read to %d", number, len(shard.index), self.recovered[number])

    def _note_progress(self) -> None:
        """Note that reading users back goes on: however long it takes, it is not stuck."""
        self.waiting_since = time.monotonic()

    async def _open_ledger(self, number: int) -> Ledger:
        if self.settings.guarantee == "exactly-once":
            return await TransactionalLedger.open(self.settings, number, self.changelog_topic)
        return await PlainLedger.open(self.settings, number, self.changelog_topic, self.consumer.commit_plainly)

    async def close_partitions(self) -> None:
        """Commit each partition once more, let go of it, and keep its shard warm."""
        if self._watch is not None:
            self._watch.cancel()
        await asyncio.gather(*map(self._close, list(self.partitions.values())))
        self._show_partitions()

    async def _close(self, partition: Partition) -> None:
        partition.closing = True
        self.partitions.pop(partition.number, None)
        if (watching := self._watching.pop(partition.number, None)) is not None:
            await asyncio.wait({watching})  # it ends by itself: the partition is closing
        committer = self._committers.pop(partition.number, None)
        if committer is not None:
            await partition.settle(committer)
        try:
            await partition.commit()
        except Fenced:
            log.warning("partition %d was taken over by another worker; its users are read anew", partition.number)
        except Exception as error:  # noqa: BLE001 (the next owner settles the transaction)
            log.warning("partition %d: the last commit failed (%r); the next owner settles it", partition.number, error)
            self.unsettled |= self.should_stop
        else:
            reached = max(partition.ledger.changelog_position, self.recovered.get(partition.number, 0))
            self._warm[partition.number] = partition.shard, reached
        await partition.ledger.close()
        self._forget_measures(partition)

    async def _watch_time(self, partition: Partition, watch_time: WatchTime) -> None:
        """Do what time asks for; whatever stops that is an error that only a new start mends."""
        try:
            await watch_time(partition)
        except Exception as error:
            if partition.closing:
                return
            log.exception("partition %d: what waits for its time cannot be let go", partition.number)
            await self.crash(error)

    async def _commit_regularly(self, partition: Partition) -> None:
        """Fold what has become due and commit, every `commit_seconds`, for as long as the partition is held."""
        try:
            while not partition.closing:
                await partition.rest(self.settings.commit_seconds)
                if self.working:
                    await partition.fold_due()
                    await partition.pass_time()
                    self._pace(partition)
                    await partition.commit()
                    self._measure(partition)
                    partition.worked_at = time.monotonic()
        except Fenced:
            log.warning("partition %d was taken over by another worker; waiting for the group", partition.number)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if partition.closing:
                return  # whoever closes the partition commits once more, and is told the same
            log.exception("partition %d: the commit failed", partition.number)
            await self.crash(error)

    def _pace(self, partition: Partition) -> None:
        """Pause the fetching of a topic whose events have waited long for another's, and go on when they are few."""
        for topic in partition.topics:
            tp, waiting = TP(topic, partition.number), partition.waiting(topic)
            paused = tp in self.consumer._paused_partitions  # noqa: SLF001 (Faust offers no question)
            if waiting > self.settings.buffer_events and not paused:
                self.consumer.pause_partitions([tp])
            elif waiting < self.settings.buffer_events // 2 and paused:
                self.consumer.resume_partitions([tp])

    @property
    def _told(self) -> tuple[str, ...]:
        """The topics that others than the fold read."""
        return tuple(dict.fromkeys((*self._decided, self.settings.topics.push_decisions, *self.served)))

    def _measure(self, partition: Partition) -> None:
        number = str(partition.number)
        for topic in partition.topics:
            lag = self.consumer.lag(topic, partition.number)
            if lag is not None:
                metrics.LAG.labels(topic, number).set(lag + partition.waiting(topic))
        for topic in self._told:
            lag = self.consumer.lag(topic, partition.number)
            if lag is not None:
                metrics.PUSH_LAG.labels(topic, number).set(lag)
        delay = max(partition.time_now() - partition.shard.watermark, 0) / 1000
        metrics.WATERMARK.labels(number).set(delay)

    def _forget_measures(self, partition: Partition) -> None:
        number = str(partition.number)
        metrics.WATERMARK.remove(number)
        if self.watch_time is not None:
            metrics.HELD.remove(number)
        for topic in partition.topics:
            metrics.LAG.remove(topic, number)
        for topic in self._told:
            metrics.PUSH_LAG.remove(topic, number)

    def _show_partitions(self) -> None:
        metrics.PARTITIONS.labels("held").set(len(self.partitions))


def faust_options(settings: Settings) -> dict[str, Any]:
    """Return how Faust is to be run; the reasons are those of the design's notes on Faust."""
    return {
        "broker": [f"kafka://{server}" for server in settings.kafka.split(",")],
        "Table": UserTable,
        "topic_partitions": settings.partitions,
        "topic_allow_declare": False,  # topics are made by `awaken topics`
        "topic_disable_leader": True,
        "table_standby_replicas": 0,  # Faust's standbys would read every changelog, and know nothing of our rows
        "key_serializer": "raw",
        "value_serializer": "raw",
        "broker_commit_interval": 1.0,  # only clears Faust's list of acks: the ledger commits
        "recovery_consistency_check": False,  # the shard's own recovery has read past Faust's idea of the end
        "stream_wait_empty": True,
        "stream_recovery_delay": 0.0,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": settings.instance or None,
        "broker_session_timeout": settings.session_seconds,
        "broker_heartbeat_interval": min(settings.session_seconds / 5, 1.0),
        "broker_check_crcs": False,  # TCP and the broker check; a third of a fetch's cost
        "worker_redirect_stdouts": False,
        "broker_rebalance_timeout": max(15.0, settings.session_seconds),
        "canonical_url": f"http://{settings.group}",  # a static member may come back on another port
        "web_host": settings.web_host,
        "web_port": settings.web_port,
        "web_bind": settings.web_host,
        "web_tables_enabled": False,
        "web_router_enabled": False,
    }
