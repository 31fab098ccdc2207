"""What a worker holds for one partition: its shard, its merge and its ledger, and the way of the data through them.

    fold:    chunks gather until they are worth a pass
    receive: decode → intern → wait in the merge
    pump:    merge → fold → advance → transitions into the ledger
    commit:  transitions, changed rows and positions in one transaction

`receive` and `pump` never await, so they cannot be cut in two: between any two awaits, shard, merge and ledger agree.
While a commit takes the changed rows, in parts, nothing is folded. Whatever takes some tens of milliseconds has its
turn: of all partitions of a worker only one has it at a time, and between two turns the loop does everything else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Protocol

import msgspec
import numpy as np
from redis.exceptions import RedisError

from streams import consent, metrics, rulebook
from streams.core.row import CAUSES, CLICKS, DAY, MAX_DIMENSIONS, ORDERS, SOURCES
from streams.core.rules import MAX_VALUES, Rulebook
from streams.merge import MOST_WHOLE, Merge
from streams.settings import Settings
from streams.shard import Plan, Shard
from streams.wire.block import Keyed, Pairs
from streams.wire.control import Approval, Backfill
from streams.wire.decode import Bad, Payloads, decode, is_whole
from streams.wire.event import Profile
from streams.wire.message import Envelope, Transition, playbook_of
from streams.wire.partitioner import home, settle
from streams.wire.transition import Encoder
from streams.worker import referral, step
from streams.worker.chunk import Chunk
from streams.worker.control import View, trusted
from streams.worker.ledger import Fenced, Ledger

Forget = Callable[[str], Awaitable[object]]
log = logging.getLogger(__name__)
DUE_BYTES, MOST_PENDING_BYTES = 16 << 20, 48 << 20
"""So much that waits to be written makes a commit due at once; with so much, folding waits for it."""
DUE_EVENTS = 131_072
"""So many events folded since the last commit make another one due; more often, a user's row would be written for
ever fewer of his events."""
FOLDED_AT_ONCE = 8_192
"""Events, or users to whom time comes: as many as keep the loop busy for some twenty milliseconds, with every dimension
on."""
WORTH_FOLDING, FOLD_SECONDS = 2_048, 0.05
"""A pass costs as much for one event as for some hundred: so many are worth it, and fewer wait for others until the
last pass is so long ago, or until a commit."""
TAKEN_AT_ONCE = 8_192
"""Changed rows that a commit takes at once."""
PASSES = 8
"""Passes of the loop between two turns. A commit needs some for each batch: its answer is read, a future is told, the
producer wakes, what comes next is sent. With one pass a turn, a commit would wait for as many turns."""
RETRY_SECONDS = 0.5
HOUR = 3_600_000
COUNTED = ("dimension", "to", "cause")
"""Moves are counted by these."""
COUNTED_SHAPE = MAX_DIMENSIONS, MAX_VALUES, len(CAUSES)
OTHER = "other"
"""Stands in a metric for a playbook that is none of those enabled: its values must stay few."""

counter_of = cache(metrics.TRANSITIONS.labels)
"""The counter of transitions by its labels; to look one up each time costs several times what counting does."""


class Gap(Exception):
    """A chunk was lost on its way from the fetch: nothing may be committed beyond it."""


class Reader(Protocol):
    """What a partition must know of the consumer."""

    def read_to_end(self, topic: str, partition: int) -> int | None:
        """Return when the broker last said that there is no more (int ms UTC); None while there is."""


def rules_of(settings: Settings) -> Rulebook:
    """Return the settings' rules as the core takes them."""
    return rulebook.build(settings)


def wall_clock() -> int:
    """Return the time of this machine, int ms UTC."""
    return time.time_ns() // 1_000_000


async def nobody(user: str) -> None:
    """Forget nothing: outside the shard nothing is kept of a user."""


async def others() -> None:
    """Let everything else have the loop, with the turn in hand: another partition would take it at once."""
    for _ in range(PASSES):
        await asyncio.sleep(0)


class Partition:
    """One partition at work.

    `forget` removes what others keep of a user who was erased; `turn` is had by one of a worker's partitions at a time.
    """

    def __init__(
        self, number: int, settings: Settings, shard: Shard, ledger: Ledger, reader: Reader,
        now: Callable[[], int] = wall_clock, forget: Forget = nobody, turn: asyncio.Lock | None = None,
    ) -> None:  # fmt: skip
        self.number = number
        self.settings = settings
        self.shard = shard
        self.ledger = ledger
        self.merge = Merge()
        self.closing = False
        self.worked_at = time.monotonic()
        self._reader = reader
        self._now = now
        self._forget = forget
        topics = settings.topics
        self.topics = (topics.clicks, topics.orders, topics.profiles, topics.push_feedback)
        self._gathered: list[Chunk] = []
        self._folded_at = 0.0
        self._passes = 0
        self._received: list[int | None] = [None] * len(SOURCES)
        self._reached: dict[str, int] = {}
        self._heard = [0] * len(SOURCES)
        self._newest = [0] * len(SOURCES)
        self._payloads: Payloads = {}
        self._bad: list[tuple[int, Bad]] = []
        self._backfills: list[Backfill] = []
        self.approvals: list[Approval] = []
        self._encoder = Encoder(f"awaken/{settings.group}")
        shard.trials.window_ms = round(settings.push.attribution_days * DAY)
        shard.trials.patience_ms = round(settings.historic_hours * HOUR)
        self._committing, self._due = asyncio.Lock(), asyncio.Event()
        self._folding, self._turn = asyncio.Lock(), turn or asyncio.Lock()
        self._uncommitted = 0
        self._plans: list[Plan] = []
        self._late_ms = round(settings.push.invitation_hours * HOUR)

    def follow(self, chunk: Chunk) -> None:
        """Note that a chunk is taken, whichever agent takes it.

        Raises:
            Gap: what lies between it and the one before it has never come.
        """
        reached = self._reached.get(chunk.topic)
        if chunk.follows is not None and (reached is None or reached < chunk.follows):
            raise Gap(f"{chunk.topic}[{self.number}]: after {reached} comes what follows {chunk.follows}")
        self._reached[chunk.topic] = max(chunk.next_offset, reached or 0)

    def receive(self, chunk: Chunk) -> None:
        """Decode a chunk and let its events wait for their turn."""
        source = self.topics.index(chunk.topic)
        latest_at = self._now() + round(self.settings.max_ahead_seconds * 1000)
        with step.DECODE:
            decoded = decode(source, chunk.records, latest_at, self.settings.minor_units, self.shard.names())
            if self.settings.partitioner == "murmur2":
                decoded = settle(decoded, chunk.records, self.number, self.settings.partitions)
        with step.INTERN:
            decoded.events["row"] = self.shard.intern_spans(decoded.data, decoded.keys)
        if decoded.inviters:
            referral.note(self.shard, decoded, self._late_ms)
        with step.MERGE:
            self.merge.add(source, decoded.events)
        self._payloads.update(decoded.payloads)
        self._bad += [(source, bad) for bad in decoded.bad]
        self._received[source] = chunk.next_offset
        self._heard[source] = max(self._heard[source], chunk.heard_at)

    def pump(self, most: int | None = None) -> bool:
        """Fold the events whose turn has come, and let time pass as far as it may.

        Of many only `most` are folded; then it is true, there may be more, and time does not pass. So it is with time:
        it comes to `most` users, and `is_behind` says whether it has yet to come to others.
        """
        self._receive_gathered()
        self._adopt_plans()
        ends = [self._reader.read_to_end(topic, self.number) for topic in self.topics]
        with step.MERGE:
            events = self.merge.take([self._at_end(source, ends) for source in range(len(SOURCES))], most)
        whole = int(np.count_nonzero(is_whole(events)))
        are_more = most is not None and (len(events) >= most or whole >= MOST_WHOLE)
        moves = []
        if len(events):
            self._count(events)
            self._uncommitted += len(events)
            with step.FOLD:
                moves.append(self.shard.fold(events, self._payloads))
            self._count_objections()
        if not are_more:
            with step.ADVANCE:
                moves.append(self.shard.advance(self._watermark(ends), most))
            self._uncommitted += len(moves[-1])
        with step.ENCODE:
            self._emit(np.concatenate(moves) if len(moves) > 1 else moves[0])
        for trial, arm in self.shard.settle_trials():
            metrics.TRIAL_USERS.labels(trial, arm).inc()
        return are_more

    async def fold(self, chunk: Chunk) -> None:
        """Take in a chunk, and fold all events whose turn has come if that is worth a pass by now."""
        self._gathered.append(chunk)
        if self._has_waited() or sum(len(gathered.records) for gathered in self._gathered) >= WORTH_FOLDING:
            await self.fold_due()

    async def fold_due(self) -> None:
        """Fold all events whose turn has come, a part at a time, others having theirs in between."""
        self._passes += 1
        try:
            if self._gathered and not self.closing:
                async with self._turn:
                    self._receive_gathered()
                    await others()
            while not self.closing and await self._pump():
                pass
        finally:
            self._passes -= 1
        self._folded_at = time.monotonic()

    def _has_waited(self) -> bool:
        """Say whether the last pass is long ago."""
        return time.monotonic() - self._folded_at >= FOLD_SECONDS

    def _receive_gathered(self) -> None:
        """Receive what has gathered, of each topic as one chunk."""
        gathered, self._gathered = self._gathered, []
        for topic in dict.fromkeys(chunk.topic for chunk in gathered):
            self.receive(Chunk.joined([chunk for chunk in gathered if chunk.topic == topic]))

    async def pass_time(self) -> None:
        """Let time come to all users to whom it has yet to come, a part at a time, or until a commit is due."""
        while self.shard.is_behind and not self.closing:
            if self._is_due():
                self._due.set()
                return
            await self._pump()

    async def _pump(self) -> bool:
        async with self._folding, self._turn:
            are_more = self.pump(FOLDED_AT_ONCE)
            await others()
        return are_more

    def heed(self, view: View) -> None:
        """Go by what stands on `control`: how far absence may be decided, its stops, backfills and rules."""
        self.shard.trust(*trusted(self.settings, view))
        if view.backfills != self._backfills:
            self._backfills = view.backfills
            said = ", ".join(f"backfill {backfill.id}" for backfill in self._backfills) or "no backfill"
            log.info("partition %d: %s is history", self.number, said)
        self._plans = view.plans
        if not self._folding.locked():  # a commit would have written the rows of some users as they were before
            self._adopt_plans()
        if view.approvals != self.approvals:
            self.approvals = view.approvals
            self._hasten()

    def _adopt_plans(self) -> None:
        """Let the shard know of the rules that were told last."""
        if self._plans:
            self._emit(self.shard.plan(self._plans))
            self._plans = []

    def _hasten(self) -> None:
        """Let what the breaker has stopped be looked at again: somebody has said what is to become of it."""
        spoken, now = {approval.playbook for approval in self.approvals}, self.time_now()
        for decision in [d for d in self.shard.hold if d.reason == "breaker" and d.playbook in spoken]:
            self.shard.hold.add(msgspec.structs.replace(decision, until=min(decision.until or now, now)))

    def waiting(self, topic: str) -> int:
        """Return how many events of a topic wait for another topic."""
        return self.merge.waiting(self.topics.index(topic))

    async def rest(self, seconds: float) -> None:
        """Wait so long, or until so much is pending that a commit is due; fold meanwhile what has gathered for long."""
        until = time.monotonic() + seconds
        while not self._due.is_set() and (left := until - time.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, FOLD_SECONDS)):
                    await self._due.wait()
            if self._gathered and self._has_waited() and not self._passes:  # else they have their turn as it is
                await self.fold_due()
        self._due.clear()

    async def relieve(self) -> None:
        """Have what is pending committed soon if it is much, and wait until it fits in memory again."""
        if self._is_due():
            self._due.set()
        while self.ledger.pending_bytes > MOST_PENDING_BYTES and not self.closing:
            await self.commit()

    def _is_due(self) -> bool:
        """Say whether so much is pending that a commit is due."""
        return self.ledger.pending_bytes > DUE_BYTES or self._uncommitted > DUE_EVENTS

    async def commit(self) -> None:
        """Write what follows from the events folded so far, with their positions.

        Raises:
            Fenced: another worker owns the partition; it is closing now.
            RedisError: the partition is closing and the erased cannot be forgotten: the next owner does it.
        """
        async with self._committing:
            await self._forget_erased()
            async with self._folding:
                who = self.shard.changed_users()
                changed = [written async for written in self._written(who)]
            # From here until the ledger has taken it all, nothing is awaited.
            self._take_positions()
            with step.CHANGED:
                changed.append(self.shard.take_aside())
                self.shard.took(who)
            self._uncommitted = 0
            try:
                if await self.ledger.commit(changed):
                    metrics.LAST_COMMIT.set(time.time())
            except Fenced:
                self.closing = True
                raise

    async def settle(self, committer: asyncio.Task[None]) -> None:
        """End the task that commits regularly, not amid a commit."""
        async with self._committing:
            committer.cancel()
        await asyncio.gather(committer, return_exceptions=True)

    def profile(self, user: str) -> Profile | None:
        """Return a user's newest profile, with what he has said himself; None where nothing is known of him."""
        kept = self.shard.profile(user.encode())
        return None if kept is None else consent.read(kept)

    def known(self, transitions: Sequence[Envelope[Transition]]) -> list[Envelope[Transition]]:
        """Return those transitions that their users' rows tell of: which have come as far as their numbers.

        Without transactions a crash may leave transitions behind whose rows were never written. They are told again
        when their events are folded again; until then nothing can be decided about them.
        """
        seqs = self.shard.seqs([transition.subject.encode() for transition in transitions])
        return [transition for transition, seq in zip(transitions, seqs, strict=True) if seq >= transition.data.seq]

    def known_until(self) -> int:
        """Return the time up to which all is folded that has happened, int ms UTC; 0 before anything was asked."""
        watermark = self.shard.watermark
        return watermark + round(self.settings.lateness_seconds * 1000) if watermark else 0

    def time_now(self) -> int:
        """Return the present, int ms UTC: the wall clock, or the newest event where time is the events' own."""
        return self._now() if self.settings.clock == "wall" else self.shard.newest

    def wall_now(self) -> int:
        """Return the wall clock, int ms UTC."""
        return self._now()

    async def _forget_erased(self) -> None:
        """Have erased users forgotten before their tombstones are committed: afterwards nobody would know of them."""
        said = False
        while self.shard.erased:
            try:
                await self._forget(self.shard.erased[0].decode())
                self.shard.erased.pop(0)
            except RedisError as error:
                if self.closing:
                    raise
                if not said:
                    log.warning("partition %d: an erasure holds commits up until Redis answers: %s", self.number, error)
                    said = True
                self.worked_at = time.monotonic()  # held up, not stuck
                await asyncio.sleep(RETRY_SECONDS)

    def _at_end(self, source: int, ends: list[int | None]) -> bool:
        """Say whether a topic was at its end when the others' records were handed over: it may have grown since."""
        end = ends[source]
        return end is not None and all(end >= heard for other, heard in enumerate(self._heard) if other != source)

    def _watermark(self, ends: list[int | None]) -> int:
        """Return the time up to which absence may be decided (DESIGN §4).

        A topic that still has records to read vouches for nothing beyond what was read of it; one that is read to
        its end vouches for the time at which the broker said so.
        """
        lateness = round(self.settings.lateness_seconds * 1000)
        if self.settings.clock == "event":
            return self.shard.newest - lateness
        frontiers = [max(self._newest[s], ends[s] or 0) for s in (CLICKS, ORDERS)]
        return min(frontiers) - lateness

    def _count(self, events: np.ndarray) -> None:
        if not metrics.FIRST_EVENT._value.get():  # noqa: SLF001 (a gauge has no public getter)
            metrics.FIRST_EVENT.set(time.time())
        for source, topic in enumerate(self.topics):
            at = events["at"][events["source"] == source]
            if len(at):
                metrics.EVENTS.labels(topic).inc(len(at))
                self._newest[source] = max(self._newest[source], int(at.max()))

    def _count_objections(self) -> None:
        """Count what users had against pushes, by the playbook that sent them."""
        while self.shard.objections:
            feedback = self.shard.objections.pop()
            playbook = self.settings.playbooks.get(name := playbook_of(feedback.decision))
            known = name if playbook is not None and playbook.enabled else OTHER
            metrics.OBJECTIONS.labels(known, feedback.kind).inc()

    def _emit(self, moves: np.ndarray) -> None:
        """Hand the moves (MOVE[n]) to the ledger as transitions."""
        if not len(moves):
            return
        self._encoder.know(self.shard.book)
        historic = self._historic(moves["at"])
        for topic, pairs in self._encoder.encode(moves, self.shard.index, historic).items():
            self.ledger.record(getattr(self.settings.topics, topic), pairs)
        for reward in referral.rewards(self.shard, moves, historic, self._late_ms, self._encoder.source):
            where = home(reward[0], self.settings.partitions)
            self.ledger.record(self.settings.topics.referrals, [reward], where)
        self._count_moves(moves)

    def _count_moves(self, moves: np.ndarray) -> None:
        """Count moves (MOVE[n]) by what they came to."""
        book = self.shard.book
        counts = np.bincount(np.ravel_multi_index([moves[name] for name in COUNTED], COUNTED_SHAPE))
        kinds = np.flatnonzero(counts)
        places = (place.tolist() for place in np.unravel_index(kinds, COUNTED_SHAPE))
        for dimension, to, cause, count in zip(*places, counts[kinds].tolist(), strict=True):
            counter_of(book.dimensions[dimension], book.values[dimension][to], CAUSES[cause]).inc(count)

    def _historic(self, at: np.ndarray) -> np.ndarray:
        """Say of each time (i8[n], ms UTC) whether what is dated so is history: too old, or of a declared backfill."""
        old = 0  # history that is played is the present
        if self.settings.clock == "wall":
            old = self._now() - round(self.settings.historic_hours * HOUR)
        found: np.ndarray = at < old
        for backfill in self._backfills:
            found |= (at >= backfill.start) & (at < backfill.end)
        return found

    def _take_positions(self) -> None:
        """Tell the ledger how far each topic is folded, and what was bad up to there."""
        for source, received in enumerate(self._received):
            if received is not None:
                first = self.merge.first_offset(source)
                self.ledger.position(self.topics[source], received if first is None else first)
                if first is None:
                    self._received[source] = None
        self._release_bad()

    def _release_bad(self) -> None:
        """Send the bad records that stand before the positions to the dead letters."""
        waiting = {source: self.merge.first_offset(source) for source in range(len(SOURCES))}
        due: list[tuple[int, Bad]] = []
        later: list[tuple[int, Bad]] = []
        for source, bad in self._bad:
            first = waiting[source]
            (due if first is None or bad.record.offset < first else later).append((source, bad))
        self._bad = later
        for source, bad in due:
            metrics.DEAD_LETTERS.labels(self.topics[source], bad.reason).inc()
        if due:
            self.ledger.record(self.settings.topics.dead_letters, [self._dead_letter(s, b) for s, b in due])

    def _dead_letter(self, source: int, bad: Bad) -> Keyed:
        """Return the bad record whole, with where it stood and why it is here in its headers."""
        record = bad.record
        said = {
            "awaken-reason": bad.reason,
            "awaken-detail": bad.detail,
            "awaken-topic": self.topics[source],
            "awaken-partition": str(self.number),
            "awaken-offset": str(record.offset),
            "awaken-timestamp": str(record.timestamp),
        }
        headers = (*record.headers, *((name, text.encode()) for name, text in said.items()))
        return record.key, record.value, headers

    async def _written(self, who: np.ndarray) -> AsyncIterator[Pairs]:
        """Yield the rows `who` as the changelog's, in parts; nothing must be folded meanwhile."""
        for first in range(0, len(who), TAKEN_AT_ONCE):
            some = who[first : first + TAKEN_AT_ONCE]
            async with self._turn:
                if self.shard.is_following:
                    self._emit(self.shard.judge(some))
                with step.CHANGED:
                    written = self.shard.written(some)
                await others()
            yield written
