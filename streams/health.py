"""The health gate: how far the input vouches for absence, decided from the ends of its topics alone.

A topic that falls silent looks, to those who count absent users, exactly like users who stay away. So before anyone is
taken for absent, somebody asks: did as much come in as usual? `Health` is told, look by look, how many records each
partition has had so far, and keeps for each topic, and for each partition beside its topic, how many records are
*missing*: those that should have come (`usual`), less those that came, never less than none.

- While none is missing, absence is vouched for up to the present look.
- While some are missing, it is vouched for up to the last moment at which none was. So nobody lapses on the strength
  of a silence that turns out to be an outage, however late that is found out.
- When more are missing than chance explains, for long enough, that moment is the start of a *stop*. It ends when the
  topic has flowed as usual for a while. Nothing was vouched for beyond its start, so it can be credited to everybody.

A topic so quiet that its silence says nothing within `silence_max_seconds` holds nobody up: there, absence is vouched
for without it, and a stop that is found all the same begins where vouching ended.

There is no clock and no I/O here: `streams/worker/watch.py` looks, and writes what this says to `control`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from streams.settings import Gate
from streams.usual import HOUR, Due, Profile
from streams.wire.control import Reason, Record, Stop, Usual, Vouched


class Look(NamedTuple):
    """One look: when (int ms UTC, from before the question), and each topic's ends by partition; None: no answer."""

    now: int
    ends: Mapping[str, Sequence[int] | None]


class Flow:
    """A stream of records: a topic's, or a partition's.

    Attributes:
        since: through this time nothing was missing.
        stopped: why it is stopped; None while it is not.

    """

    def __init__(self, name: str, since: int) -> None:
        self.name = name
        self.stopped: Reason | None = None
        self.stopped_at = 0
        self.reset(since)

    def reset(self, since: int) -> None:
        """Begin anew: nothing is missing."""
        self.since = self.heard_at = since
        self.missing = self.silent = self._surplus = 0.0
        self._back_at: int | None = None

    def look(self, start: int, end: int, count: int, due: Due, limits: Gate) -> None:
        """Take in that `count` records came from `start` to `end`, where so many were due."""
        if count:
            self.heard_at = start  # the newest came after this
        self.silent = 0.0 if count else self.silent + due.records
        self.missing = max(0.0, self.missing + due.records - count) if due.steady or not count else 0.0
        holds = due.needed <= due.rate * limits.silence_max_seconds or self.missing > due.needed / 2
        if self.stopped:
            self._recover(start, end, count, due, limits)
        elif self.silent >= due.needed and end - self.heard_at >= limits.silence_seconds * 1000:
            self.stopped, self.stopped_at = "silent", end
        elif due.steady and self.missing >= due.needed and end - self.since >= limits.slow_seconds * 1000:
            self.stopped, self.stopped_at = "slow", end
        elif not self.missing or not holds:
            self.since = start if count else end

    def _recover(self, start: int, end: int, count: int, due: Due, limits: Gate) -> None:
        """Start again once records have come as they should for `back_seconds`; a burst counts for half of that."""
        most = max(1.0, due.rate * limits.back_seconds / 2)
        self._surplus = max(0.0, min(self._surplus + count - due.back, most))
        if not self._surplus:
            self._back_at = None
        elif self._back_at is None:
            self._back_at = end
        if self._back_at is not None and end - self._back_at >= limits.back_seconds * 1000:
            self.stopped = None
            self.reset(start)


class Input:
    """One topic under watch: what is usual of it, its flow, and its partitions' flows."""

    def __init__(self, topic: str, ends: Sequence[int], now: int, since: int, usual: Usual | None) -> None:
        self.profile = Profile(topic, len(ends), usual)
        self.ends = list(ends)
        self.warm = usual is not None
        self.flow = Flow(topic, since)
        self.parts = [Flow(f"{topic}[{number}]", since) for number in range(len(ends))]
        self._began = now

    @property
    def flows(self) -> list[Flow]:
        """All that can be missing."""
        return [self.flow, *self.parts]

    @property
    def stopped(self) -> list[Flow]:
        """What is stopped."""
        return [flow for flow in self.flows if flow.stopped]

    def look(self, start: int, end: int, ends: Sequence[int], limits: Gate) -> bool:
        """Take in the ends of another look; say whether what is usual is known anew."""
        before = [*self.ends, *[0] * (len(ends) - len(self.ends))]
        if len(ends) != len(self.parts):
            self._resize(len(ends), start)
        counts = [new - old if new >= old else new for new, old in zip(ends, before, strict=False)]  # or made anew
        self.ends = list(ends)
        if not self.warm:
            learnt = self.profile.learn(start, end, counts, healthy=True)
            return self._warm_up(start, end, sum(counts), limits) or learnt
        due = self.profile.due(start, end, limits)
        self.flow.look(start, end, sum(counts), due, limits)
        for number, part in enumerate(self.parts):
            due = self.profile.due_of_part(number, sum(counts), limits)
            part.look(start, end, counts[number], due, limits)
        return self.profile.learn(start, end, counts, healthy=not self.stopped)

    def accept(self, now: int) -> None:
        """Take the topic as it is now for usual."""
        self.profile.adopt()
        for flow in self.flows:
            flow.stopped = None
            flow.reset(now)

    def _warm_up(self, start: int, end: int, count: int, limits: Gate) -> bool:
        """Say whether a topic that nobody knew has been watched for long enough to be vouched for.

        It must flow by then; if it never has held a record it is not in use, and one that has is waited for as long
        as a silence may last.
        """
        known_for = (end - self._began) / 1000
        self.warm = (known_for >= limits.warmup_seconds and (count > 0 or not any(self.ends))) or (
            known_for >= max(limits.warmup_seconds, limits.silence_max_seconds)
        )
        if self.warm:
            for flow in self.flows:
                flow.reset(start)
        return self.warm

    def _resize(self, partitions: int, since: int) -> None:
        """Begin anew with what is usual of each partition: the topic has another number of them."""
        self.profile = Profile(self.flow.name, partitions, self.profile.record())
        self.parts = [Flow(f"{self.flow.name}[{number}]", since) for number in range(partitions)]


class Health:
    """The gate. It begins where `control` says that the last watcher left off.

    Attributes:
        through: absence is vouched for through this time, int ms UTC; 0 while nothing is.
        stops: the stops that last, by start.

    """

    def __init__(
        self, limits: Gate, vouched: Vouched | None = None, stops: Iterable[Stop] = (),
        usuals: Mapping[str, Usual] | None = None,
    ) -> None:  # fmt: skip
        self._limits = limits
        self._usuals = usuals or {}
        self.through = vouched.through if vouched else 0
        self.stops = {stop.start: stop for stop in stops if stop.end is None}
        self._looked_at = vouched.looked_at if vouched else 0
        self._inputs: dict[str, Input] = {}
        for topic, ends in (vouched.ends if vouched else {}).items():
            self._inputs[topic] = self._input(topic, ends, self._looked_at)
        self._unread = any(stop.reason == "lag" for stop in self.stops.values())

    def look(self, look: Look) -> list[Record]:
        """Return what is to be written to `control` after this look."""
        ends = {topic: found for topic, found in look.ends.items() if found is not None}
        if len(ends) < len(look.ends):
            return self._miss(look.now, look.ends)
        start = self._looked_at or look.now
        if look.now < start or (look.now == start and self._inputs):
            return []  # the clock was set back
        self._looked_at, self._unread = look.now, False
        self._inputs = {topic: found for topic, found in self._inputs.items() if topic in ends}  # some have new names
        learnt = []
        for topic, found in ends.items():
            if topic not in self._inputs:
                self._inputs[topic] = self._input(topic, found, look.now)
            elif self._inputs[topic].look(start, look.now, found, self._limits):
                learnt.append(self._inputs[topic].profile.record())
        changed = self._settle(look.now)
        vouched = Vouched(self.through, look.now, {topic: tuple(found) for topic, found in ends.items()})
        return [*changed, *learnt, vouched]

    def release(self, start: int, now: int) -> None:
        """Take in that an operator ended the stop that began at `start`: what it saw is the new usual."""
        stop = self.stops.pop(start, None)
        for topic in stop.topics if stop else ():
            if topic in self._inputs:
                self._inputs[topic].accept(now)

    def _input(self, topic: str, ends: Sequence[int], now: int) -> Input:
        found = Input(topic, ends, now, self.through, self._usuals.get(topic))
        for stop in self.stops.values():
            if topic in stop.topics and stop.reason != "lag":
                found.warm = True
                found.flow.stopped, found.flow.stopped_at = stop.reason, stop.start
        return found

    def _miss(self, now: int, ends: Mapping[str, Sequence[int] | None]) -> list[Record]:
        """Take in that the broker did not answer: for long, it is an outage like any other."""
        if self._unread or not self._looked_at or now - self._looked_at < self._limits.silence_seconds * 1000:
            return []
        self._unread = True
        silent = tuple(topic for topic, found in ends.items() if found is None)
        return list(self._open(self._looked_at, silent, "lag", "the ends of the topics could not be read"))

    def _settle(self, now: int) -> list[Record]:
        """Open and close stops, vouch as far as nothing is missing, and return the stops that changed."""
        changed: dict[int, Stop] = {}
        for topic, found in self._inputs.items():
            for flow in found.stopped:
                if flow.stopped == "slow" and now - flow.stopped_at > self._limits.slow_max_hours * HOUR:
                    found.accept(now)
                elif flow.stopped:
                    changed |= {s.start: s for s in self._open(flow.since, (topic,), flow.stopped, flow.name)}
        flows = [flow for found in self._inputs.values() if found.warm for flow in found.flows]
        least = min((flow.since for flow in flows), default=0)
        if self.stops and not any(flow.stopped for flow in flows) and least > max(self.stops):
            ended = {start: msgspec.structs.replace(stop, end=now) for start, stop in self.stops.items()}
            changed |= ended
            self.stops = {}
        if not self.stops and all(found.warm for found in self._inputs.values()):
            self.through = max(self.through, least)
        return list(changed.values())

    def _open(self, start: int, topics: tuple[str, ...], reason: Reason, by: str) -> Iterable[Stop]:
        """Open a stop, or widen one that began before; nothing if that says it all."""
        for stop in self.stops.values():
            if stop.start <= start:
                if set(topics) <= set(stop.topics):
                    return ()
                start, topics = stop.start, (*stop.topics, *(t for t in topics if t not in stop.topics))
                reason, by = stop.reason, f"{stop.by}, {by}"
                break
        self.stops[start] = Stop(start, None, topics, reason, by)
        return (self.stops[start],)
