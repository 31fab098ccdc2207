"""The log of `control` as a worker knows it: read whole before the first users are, and followed from then on.

It is one partition, read by position to the end that the broker reports (as in `recovery`), so that a worker decides
nothing about anybody's absence before it knows every stop and every rule. Afterwards a task follows it for as long as
the worker lives; a broker that does not answer for a while holds up this task and nothing else, and what it has not
heard of, it does not trust.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced
from aiokafka.structs import TopicPartition

from streams import metrics, rulebook
from streams.core.row import NEVER
from streams.core.rules import Rulebook
from streams.settings import Settings
from streams.shard import Plan
from streams.wire.control import (
    Approval,
    Backfill,
    Cuts,
    Outage,
    Record,
    RuleVersion,
    Stop,
    Usual,
    Vouched,
    encode,
    key_of,
    read,
)
from streams.worker.ledger import Fenced
from streams.worker.recovery import read_to_end

T = TypeVar("T")
log = logging.getLogger(__name__)
FETCH_WAIT_MS = 200
POLL_MS = 500
PATIENCE_SECONDS = 10.0
RETRY_SECONDS = 1.0
LET_GO_SECONDS = 5.0
UNWATCHED_LOOKS = 12
"""So many looks without a word of the gate are told as nobody watching …"""
UNWATCHED_SECONDS = 60.0
"""… but not before so long."""
Span = tuple[int, int]


class View:
    """What stands on `control`: the newest record under each key."""

    def __init__(self) -> None:
        self._records: dict[bytes, Record] = {}

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Take in a record; one that this version of ours cannot read is told and left alone."""
        if value is None:
            self._records.pop(key, None)
            return
        try:
            self._records[key] = read(value)
        except msgspec.DecodeError as error:
            log.warning("control: %r is not understood (%s): is this worker of an older version?", key, error)

    @property
    def vouching(self) -> Vouched | None:
        """What the newest look of the gate said."""
        return next(iter(self._of(Vouched)), None)

    @property
    def vouched(self) -> int:
        """Absence may be decided through this time, int ms UTC; 0 while nobody has ever looked."""
        return self.vouching.through if self.vouching else 0

    @property
    def stops_found(self) -> list[Stop]:
        """The stops that the gate found, by start."""
        return sorted(self._of(Stop), key=lambda stop: stop.start)

    @property
    def outages(self) -> list[Outage]:
        """The outages that operators declared, by start."""
        return sorted(self._of(Outage), key=lambda outage: outage.start)

    @property
    def backfills(self) -> list[Backfill]:
        """The spans that operators declared to be loaded late, by start."""
        return sorted(self._of(Backfill), key=lambda backfill: backfill.start)

    @property
    def approvals(self) -> list[Approval]:
        """What operators said of what the breaker has stopped, by playbook."""
        return sorted(self._of(Approval), key=lambda approval: approval.playbook)

    @property
    def stops(self) -> list[Span]:
        """All spans (start, end) in which absence stood still, none touching another; one that lasts ends NEVER."""
        return merged(spans(self.stops_found, self.outages))

    @property
    def rules(self) -> list[RuleVersion]:
        """The versions of the rules, by the time from which they hold."""
        return sorted(self._of(RuleVersion), key=lambda rules: (rules.from_, int(rules.version)))

    @property
    def plans(self) -> list[Plan]:
        """The versions of the rules as shards take them; the older of two with one number stays."""
        return [Plan(rules.from_, book_of(rules.version, encode(rules.document))) for rules in self.rules]

    @property
    def cuts(self) -> dict[str, Cuts]:
        """What was frozen of the population, by name."""
        return {cuts.name: cuts for cuts in self._of(Cuts)}

    @property
    def usuals(self) -> dict[str, Usual]:
        """What is usual of each topic."""
        return {usual.topic: usual for usual in self._of(Usual)}

    def _of(self, kind: type[T]) -> list[T]:
        return [record for record in self._records.values() if isinstance(record, kind)]


def spans(stops: Iterable[Stop], outages: Iterable[Outage]) -> list[Span]:
    """Return the spans of stops and outages; one that lasts ends NEVER."""
    found = [(stop.start, stop.end) for stop in stops] + [(outage.start, outage.end) for outage in outages]
    return [(start, NEVER if end is None else end) for start, end in found]


def merged(found: Iterable[Span]) -> list[Span]:
    """Return the union of spans as spans that do not touch, in order."""
    union: list[Span] = []
    for start, until in sorted(found):
        if union and start <= union[-1][1]:
            union[-1] = union[-1][0], max(until, union[-1][1])
        elif until > start:
            union.append((start, until))
    return union


def trusted(settings: Settings, view: View) -> tuple[int, np.ndarray]:
    """Return how far a shard may decide absence (int ms UTC), and the spans (i8[k, 2]) that it credits to everybody.

    With `clock = "event"` the gate has no say: history is whole, and silence in it is silence. Where the gate is off,
    stops that it found earlier count as far as they ended. What an operator declared counts always.
    """
    if settings.gate.enabled and settings.clock == "wall":
        return view.vouched, _column(view.stops)
    ended = [] if settings.clock == "event" else [s for s in view.stops_found if s.end is not None]
    return NEVER, _column(merged(spans(ended, view.outages)))


@cache
def book_of(version: str, document: bytes) -> Rulebook:
    """Return the rules that a document (JSON) on `control` says."""
    return rulebook.of_document(msgspec.json.decode(document), int(version))


class Control:
    """The view of `control`, kept up to date. `on_change` are called, in the worker's loop, when it has changed."""

    def __init__(self, settings: Settings, progress: Callable[[], None] = lambda: None) -> None:
        self.view = View()
        self.on_change: list[Callable[[], None]] = []
        self._settings = settings
        self._progress = progress
        self._tp = TopicPartition(settings.topics.control, 0)
        self._position = 0
        self._current_at = 0  # int ms UTC: all that stood there then is in the view
        self._moved = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._opened_at = time.time()
        self._unwatched = False
        self.kept: Any = None  # what the watch of this worker knew when it last wrote (watch.Kept)

    async def open(self) -> None:
        """Return when all that stands on `control` is in the view; once that is so, at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow())
        if not self._current_at:
            await self.catch_up()

    async def catch_up(self) -> None:
        """Return when all that stands on `control` now is in the view, or when it is closed meanwhile."""
        asked = _now() + FETCH_WAIT_MS  # an answer that was on its way may be older than the question
        while self._current_at <= asked and not self._closed:
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), PATIENCE_SECONDS)
            except TimeoutError:
                log.warning("the topic %s is not read to its end yet; still waiting for Kafka", self._tp.topic)

    async def close(self) -> None:
        """End following, and let go of who waits for it."""
        self._closed = True
        self._moved.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=LET_GO_SECONDS)

    async def _follow(self) -> None:
        """Read on and on, with another consumer when one has failed."""
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._settings.kafka.split(","),
                isolation_level="read_committed",
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                fetch_max_wait_ms=FETCH_WAIT_MS,
            )
            try:
                await consumer.start()
                consumer.assign([self._tp])
                if self._position:
                    consumer.seek(self._tp, self._position)
                while True:
                    await self._read(consumer)
            except Exception as error:  # noqa: BLE001 (whatever it is, absence waits and the users' events do not)
                log.warning("the topic %s cannot be read (%r): trying again", self._tp.topic, error)
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                await let_go(consumer)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        """Take in what one fetch brings, and say how it stands."""
        found = (await consumer.getmany(self._tp, timeout_ms=POLL_MS)).get(self._tp, [])
        for record in found:
            self.view.apply(record.key or b"", record.value)
        self._position = await consumer.position(self._tp)
        if found:
            self._progress()
        if await read_to_end(consumer, self._tp):
            self._current_at = consumer.last_poll_timestamp(self._tp) or 0
        if found and self._current_at:
            for changed in self.on_change:
                changed()
        self._moved.set()
        self._measure()

    def _measure(self) -> None:
        """Show how far absence is vouched for, and say so when nobody does it."""
        gate, now = self._settings.gate, time.time()
        _, stops = trusted(self._settings, self.view)
        metrics.GATE_STOPPED.set(bool((stops[:, 1] == NEVER).any()))
        if not gate.enabled or self._settings.clock == "event":
            return
        vouching = self.view.vouching
        metrics.GATE_VOUCHED.set(now - (self.view.vouched / 1000 or self._opened_at))
        looked_at = max(vouching.looked_at / 1000 if vouching else 0.0, self._opened_at)
        unwatched = now - looked_at > max(UNWATCHED_LOOKS * gate.watch_seconds, UNWATCHED_SECONDS)
        if unwatched and not self._unwatched:
            log.warning("for %.0f s nobody has watched the input: absence stands still until the worker that holds "
                        "partition 0 does it again; or set gate.enabled = false", now - looked_at)  # fmt: skip
        self._unwatched = unwatched


class Writer:
    """Writes records to `control`; with a transactional id, nobody who had it before can write any more."""

    def __init__(self, settings: Settings, transactional_id: str | None = None) -> None:
        self._topic = settings.topics.control
        self._transactional = transactional_id is not None
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka.split(","),
            acks="all",
            transactional_id=transactional_id,
            retry_backoff_ms=20,
        )

    @classmethod
    async def open(cls, settings: Settings, transactional_id: str | None = None) -> Writer:
        """Connect, and fence the last one with this transactional id."""
        writer = cls(settings, transactional_id)
        try:
            await writer._producer.start()
        except BaseException:
            await writer.close()
            raise
        return writer

    async def write(self, records: Iterable[Record]) -> None:
        """Write records, all or none where there are transactions, and wait until the broker has them.

        Raises:
            Fenced: another worker has opened a writer with this transactional id.
        """
        await self._put([(key_of(record), encode(record)) for record in records])

    async def remove(self, keys: Iterable[bytes]) -> None:
        """Take the records under these keys back."""
        await self._put([(key, None) for key in keys])

    async def close(self) -> None:
        """Let go, whatever the broker says to it."""
        await let_go(self._producer)

    async def _put(self, pairs: list[tuple[bytes, bytes | None]]) -> None:
        try:
            if self._transactional:
                await self._producer.begin_transaction()
            for key, value in pairs:
                await self._producer.send_and_wait(self._topic, value, key=key, partition=0)
            if self._transactional:
                await self._producer.commit_transaction()
        except (ProducerFenced, InvalidProducerEpoch) as error:
            waiter = self._producer._txn_manager._transaction_waiter  # noqa: SLF001
            if waiter is not None and waiter.done():
                waiter.exception()  # asyncio would complain of an exception that nobody saw
            raise Fenced("control") from error


async def let_go(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client that may be fenced or without its broker: it must not fail, nor last."""
    try:
        await asyncio.wait_for(client.stop(), LET_GO_SECONDS)
    except Exception:  # noqa: BLE001
        client._closed = True  # noqa: SLF001 (it would warn of itself at collection)


def _column(spans: list[Span]) -> np.ndarray:
    return np.array(spans, np.int64).reshape(-1, 2)


def _now() -> int:
    return time.time_ns() // 1_000_000
