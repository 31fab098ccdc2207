"""The calendar: pushes for which nobody did anything, as a birthday's or a festival's.

When a day begins where a user lives, and all that happened before is folded, he is a candidate of the playbooks whose
day it is. A partition's users come in slices, by the hashes of their ids: an order that is the same after any crash
and in every worker. How far it has come (`Shard.calendar_until`) goes into the changelog with the decisions that it led
to, in one transaction, so that a day is decided once for each user, whoever is killed.

Days that began longer ago than `push.expires_hours` are passed over, as those are that began before the calendar did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from streams import consent
from streams.birthday import Birthdays
from streams.index import HASHES
from streams.occasion import Moment, Occasion, moments, occasions, waits_for_day
from streams.push.trigger import Candidate, Known, Origin, Triggers, holds
from streams.settings import DAY, Settings
from streams.shard import Reached, Shard
from streams.worker.partition import Partition
from streams.worker.patience import regularly
from streams.worker.standing import Users

HOUR = DAY // 24
NOBODY = np.empty(0, np.int64)
LOOK_SECONDS = 1.0
SLICE = 100
"""Users that are asked, or whose profiles are read, between two turns of the event loop: some milliseconds' work."""
Words = Callable[[str], Known]
Decide = Callable[[Sequence[Candidate]], Awaitable[bool]]
"""Decides about candidates and records the decisions; False where the partition was given up and nothing is recorded.

Between recording and returning it must not await: what is recorded and how far the days are done are committed as one.
"""


class Slice(NamedTuple):
    """Candidates, and how far the partition has come once they are decided."""

    candidates: list[Candidate]
    reached: Reached


class Calendar:
    """The playbooks that wait for a day. False where there are none."""

    def __init__(self, settings: Settings, triggers: Triggers) -> None:
        self._triggers = triggers
        self.playbooks = {n: p for n, p in settings.playbooks.items() if p.enabled and waits_for_day(p)}
        self._festivals = settings.festivals
        self._push = settings.push

    def __bool__(self) -> bool:
        return bool(self.playbooks)

    def read(self, shard: Shard) -> Iterator[int]:
        """Read the birthdays of a shard's users from their profiles, some at a time; yield how many rows are read."""
        people = self._people(shard)
        while people.read < len(shard.index):
            end = min(people.read + SLICE, len(shard.index))
            for row in range(people.read, end):
                if row in shard.profiles:
                    people.note(row, consent.read(shard.profiles[row]))
            people.read = end
            yield end

    def due(self, shard: Shard, known: int, oldest: int, words: Words) -> Iterator[Slice]:
        """Yield the candidates of all days that began up to `known`, but not before `oldest` (both int ms UTC).

        The shard's birthdays have been read, and the caller notes what each slice has reached. A slice may be empty. A
        calendar that looks for the first time begins with the next day. Whose profile is unknown is not asked: nobody
        could reach him.
        """
        if not known:
            return
        at, share = shard.calendar_until or Reached(known, HASHES)
        if shard.calendar_until is None:
            yield Slice([], Reached(at, share))
        if at < oldest:
            at, share = oldest, 0
        while at < known or share < HASHES:
            until = min(known, at + DAY)
            for moment in moments(self._zones(shard), at if share == HASHES else at - 1, until):
                yield from self._slices(shard, moment, share if moment.at == at else 0, words)
            at, share = until, HASHES

    def _slices(self, shard: Shard, moment: Moment, share: int, words: Words) -> Iterator[Slice]:
        """Yield a moment's candidates, of users whose hashes are not below `share`."""
        found, people = occasions(moment, self.playbooks, self._festivals), self._people(shard)
        asked = sum(people.count(occasion.zones, occasion.born) for occasion in found)
        width = max(HASHES * SLICE // max(asked, SLICE), 1)
        while share < HASHES:
            end = min(share + width, HASHES) if asked else HASHES
            rows = shard.index.between(share, end) if asked else NOBODY
            slices = [self._candidates(shard, o, moment.at, rows, words) for o in found]
            share = end
            yield Slice([c for some in slices for c in some], Reached(moment.at, end))

    def _candidates(
        self, shard: Shard, occasion: Occasion, at: int, rows: np.ndarray, words: Words
    ) -> Iterator[Candidate]:
        playbook = self.playbooks[occasion.playbook]
        for row in self._people(shard).choose(rows, occasion.zones, occasion.born).tolist():
            user = shard.index.key(row).decode()
            known = words(user)
            if holds(playbook, known):
                origin = Origin(f"{user}-{occasion.day}", user, at, at, cause="time")
                yield self._triggers.candidate(occasion.playbook, 1, origin, known)

    def _people(self, shard: Shard) -> Birthdays:
        if shard.birthdays is None:
            shard.birthdays = Birthdays(self._push.birthday_attribute, self._push.birthday_lunar_attribute)
        return shard.birthdays

    def _zones(self, shard: Shard) -> dict[int, ZoneInfo]:
        zones = self._people(shard).zones
        return {code: ZoneInfo(name or self._push.time_zone) for name, code in zones.items()}


async def observe(partition: Partition, calendar: Calendar, decide: Decide) -> None:
    """Have each day's candidates decided as it begins, for as long as the partition is held."""
    async for _ in regularly(partition, LOOK_SECONDS):
        await keep(partition, calendar, decide)


async def keep(partition: Partition, calendar: Calendar, decide: Decide) -> None:
    """Have the candidates of the days that have begun decided, unless the partition is given up meanwhile."""
    shard, live = partition.shard, partition.settings.clock == "wall"
    for _ in calendar.read(shard):
        await asyncio.sleep(0)
    late = round(partition.settings.push.expires_hours * HOUR)
    oldest = partition.time_now() - late if live else 0
    for some in calendar.due(shard, partition.known_until(), oldest, lambda user: Users(partition).words(user)):
        if partition.closing or (some.candidates and not await decide(some.candidates)):
            return
        shard.calendar_until = some.reached
        await partition.relieve()
        await asyncio.sleep(0)
