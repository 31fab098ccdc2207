"""The watch: the worker that holds partition 0 looks at the ends of all partitions, and writes what the gate says.

One look is one cheap question to the brokers every `gate.watch_seconds`; it sees the whole topics, whoever holds their
partitions. What `streams/health.py` makes of it goes to `control`, where every worker reads it, this one too.

Only one may write at a time. Where there are transactions, the watch writes with the transactional id
`<group>-control`: whoever comes to hold partition 0 fences the watcher before him, reads `control` to its end, and goes
on where that one left off. A watcher who wakes up late cannot write any more, and ends. Without transactions the last
who writes wins; two who both look for a moment see the same ends, and say the same of them.

A broker that does not answer is what the watch is there to notice: it goes on looking, keeps what it could not write,
and writes it when it can. Nothing waits for the watch: without it absence stands still, and all else goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams import metrics, rulebook
from streams.health import Health, Look
from streams.rulebook import refreeze_ms
from streams.settings import Settings
from streams.wire.control import Record, RuleVersion, Stop, Vouched, key_of
from streams.wire.message import instant
from streams.worker.control import Control, Writer, let_go
from streams.worker.freeze import LOOK_SECONDS, new_cuts
from streams.worker.ledger import Fenced

log = logging.getLogger(__name__)
FETCH_WAIT_MS = 100
LEAD_MS = 5000
"""New rules hold from so long after they are written: every worker has read them by then."""
PATIENCE_SECONDS = 10.0
RETRY_SECONDS = 1.0
Read = dict[str, list[int] | None]


class Kept(NamedTuple):
    """What a watch knew when it last wrote: after a rebalance that gives it back, nothing of the hour is lost."""

    vouched: Vouched
    health: Health
    unwritten: dict[bytes, Record]


class Ends:
    """The ends of all partitions of the input topics, asked for by a consumer of its own that consumes nothing.

    Where there are transactions it is a real Kafka, which tells them in one answer (ListOffsets). The embedded broker
    tells them wrongly there; it tells them with each fetch, so there one batch of each partition is fetched.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ask = self._list if settings.guarantee == "exactly-once" else self._fetch
        self._topics = (settings.topics.clicks, settings.topics.orders)
        self._tps = [TopicPartition(topic, n) for topic in self._topics for n in range(settings.partitions)]
        self._consumer: AIOKafkaConsumer | None = None
        self._known = dict.fromkeys(self._tps, 0)
        self._refused = False

    async def read(self) -> Read:
        """Return each topic's ends by partition; None where no broker answered in time."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                consumer = self._consumer or await self._connect()
                await self._ask(consumer)
        except (KafkaError, OSError, TimeoutError) as error:
            if not self._refused:
                log.warning("the ends of the input topics cannot be read: %r", error)
            self._refused = True
            await self.close()
            return dict.fromkeys(self._topics)
        self._refused = False
        return {topic: [self._known[tp] for tp in self._tps if tp.topic == topic] for topic in self._topics}

    async def close(self) -> None:
        """Let go of the consumer."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await let_go(consumer)

    async def _connect(self) -> AIOKafkaConsumer:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka.split(","),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        await self._consumer.start()
        return self._consumer

    async def _list(self, consumer: AIOKafkaConsumer) -> None:
        self._known |= await consumer.end_offsets(self._tps)

    async def _fetch(self, consumer: AIOKafkaConsumer) -> None:
        if not consumer.assignment():
            consumer.assign(self._tps)
        asked = time.time_ns() // 1_000_000 + FETCH_WAIT_MS  # what is on its way may be older than the question
        for tp in self._tps:
            consumer.seek(tp, self._known[tp])
        consumer.resume(*self._tps)
        while any((consumer.last_poll_timestamp(tp) or 0) <= asked for tp in self._tps):
            await consumer.getmany(*self._tps, timeout_ms=FETCH_WAIT_MS)
        consumer.pause(*self._tps)
        self._known |= {tp: consumer.highwater(tp) or 0 for tp in self._tps}


class Watch:
    """One worker's watch. `holds` says whether it still holds partition 0, `now` is the present of its users."""

    def __init__(
        self, settings: Settings, control: Control, holds: Callable[[], bool], now: Callable[[], int], started_at: int
    ) -> None:
        self._settings = settings
        self._control = control
        self._holds = holds
        self._now = now
        self._started_at = started_at
        self._ends = Ends(settings)
        self._writer: Writer | None = None
        self._unwritten: dict[bytes, Record] = {}

    async def run(self) -> None:
        """Watch until cancelled, or until another worker does it."""
        try:
            while not await self._begin():  # noqa: ASYNC110 (each turn asks the broker)
                await asyncio.sleep(RETRY_SECONDS)
            freezing = asyncio.create_task(self._freeze_regularly())
            try:
                if self._settings.gate.enabled and self._settings.clock == "wall":
                    await self._watch()
                else:
                    await freezing
            finally:
                freezing.cancel()
                await asyncio.wait([freezing])
        except Fenced:
            log.info("another worker watches the input now")
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("the watch over the input failed: absence stands still until partition 0 moves or comes back")
        finally:
            await asyncio.gather(self._ends.close(), self._drop())

    async def _begin(self) -> bool:
        """Fence the watcher before us, and know all that he wrote; say whether that was possible."""
        try:
            await self._connect()
            await self._control.catch_up()
            self._keep(self._new_rules())
            return await self._write()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("the watch over the input cannot begin yet: %r", error)
            await self._drop()
            return False

    async def _watch(self) -> None:
        view, kept = self._control.view, self._control.kept
        if kept is not None and kept.vouched == view.vouching:  # nobody else has watched since
            health, self._unwritten = kept.health, kept.unwritten
        else:
            health = Health(self._settings.gate, view.vouching, view.stops_found, view.usuals)
        log.info("watching the input; absence is vouched for through %s", instant(health.through))
        while self._holds():
            started = time.monotonic()
            now = time.time_ns() // 1_000_000
            ends = await self._ends.read()
            self._release(health, now)
            self._keep(health.look(Look(now, ends)))
            newest = self._unwritten.get(b"vouched")
            if await self._write() and isinstance(newest, Vouched):
                self._control.kept = Kept(newest, health, self._unwritten)
            await asyncio.sleep(max(self._settings.gate.watch_seconds - (time.monotonic() - started), 0))

    async def _freeze_regularly(self) -> None:
        """Write the population's cuts whenever there are new ones."""
        while self._holds() and refreeze_ms(self._settings):
            self._keep(new_cuts(self._settings, self._control, lambda: self._now() + LEAD_MS))
            await self._write()
            await asyncio.sleep(LOOK_SECONDS)

    def _release(self, health: Health, now: int) -> None:
        """Tell the gate which of its stops an operator has ended."""
        for stop in self._control.view.stops_found:
            unwritten = self._unwritten.get(key_of(stop))
            if stop.start in health.stops and stop.end is not None and unwritten is None:
                log.info("the stop since %s (%s): what came in it is the new usual", instant(stop.start), stop.by)
                health.release(stop.start, now)

    def _keep(self, records: list[Any]) -> None:
        """Let records wait to be written, and say what has changed."""
        known = {stop.start: stop for stop in self._control.view.stops_found}
        for record in records:
            if isinstance(record, Stop):
                if record.end is not None:
                    log.warning("the input is back: absence goes on, and %d s are credited", _seconds(record))
                elif record.start not in known and key_of(record) not in self._unwritten:
                    metrics.GATE_STOPS.labels(record.reason).inc()
                    log.warning(
                        "absence stands still since %s: %s is %s", instant(record.start), record.by, record.reason
                    )
            self._unwritten[key_of(record)] = record

    async def _write(self) -> bool:
        """Write what waits; what cannot be written waits on. Say whether it was written.

        Raises:
            Fenced: another worker watches now.
        """
        if not self._unwritten:
            return True
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                writer = self._writer or await self._connect()
                written = dict(self._unwritten)
                await writer.write(written.values())
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("what the gate says cannot be written yet: %r", error)
            await self._drop()
            return False
        self._unwritten = {key: record for key, record in self._unwritten.items() if written.get(key) is not record}
        return True

    async def _connect(self) -> Writer:
        """Open a writer: this fences everybody who had one, so it is for him alone who holds partition 0."""
        if not self._holds():
            raise Fenced("control")
        transactional = f"{self._settings.group}-control" if self._settings.guarantee == "exactly-once" else None
        self._writer = await Writer.open(self._settings, transactional)
        return self._writer

    async def _drop(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()

    def _new_rules(self) -> list[RuleVersion]:
        """Return the rules of the settings if they are other than the newest on `control`.

        A worker that was there before the newest were written leaves them: amid an update of all workers, those with
        the settings of yesterday would otherwise bring them back.
        """
        known = self._control.view.rules
        if not known:
            return [RuleVersion("1", 0, rulebook.document(self._settings))]
        newest = known[-1]
        before = rulebook.of_document(newest.document, int(newest.version))
        document = rulebook.document(self._settings, before)
        frozen = {k: v for k, v in newest.document.items() if k in ("cuts", "cuts_at")}
        if refreeze_ms(self._settings):
            document |= frozen
        if newest.document == document:
            return []
        if self._settings.clock == "wall" and newest.from_ - LEAD_MS > self._started_at:
            log.warning("the rules on control are newer than this worker's settings, and hold; start it anew")
            return []
        version = str(1 + max(int(rules.version) for rules in known))
        log.info("the settings bring new rules: version %s", version)
        return [RuleVersion(version, max(self._now() + LEAD_MS, newest.from_ + 1), document)]


def _seconds(stop: Stop) -> int:
    return ((stop.end or 0) - stop.start) // 1000
