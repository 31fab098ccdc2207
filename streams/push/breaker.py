"""The breaker: a playbook that suddenly wants to write to far more users than usual waits for somebody to look.

Per playbook and hour of event time, at most `allowed` decisions are let go; what is beyond is stopped. An answer
belongs to the decision's id: asked again, it is the same. An hour in which something was stopped is no measure of what
is usual, or a fault that lasts would allow itself more from hour to hour; once somebody approves it, it is.

The breaker has no clock: an hour is the ask's own. How many went in it is known until an hour comes that is
`KEPT_HOURS` later; what is dated so far back has no usual any more, and `push.breaker_least` are let go. Redis's own
clock only clears away what nobody has asked about for as long.

Keys, all in one hash slot a playbook:

| key | type | holds |
|---|---|---|
| `<prefix>:{<playbook>}:let` | hash | hour → how many were let go |
| `<prefix>:{<playbook>}:stops` | hash | hour → how many were stopped, since it was last approved |
| `<prefix>:{<playbook>}:let:<hour>`, `…:stopped:<hour>` | set | the decisions' digests |
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from streams.key import key
from streams.script import Call, Script
from streams.settings import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from redis.asyncio import Redis

    from streams.settings import Push, Settings
    from streams.wire.control import Approval

HOUR = DAY // 24
USUAL_HOURS = 168
KEPT_HOURS = 192
_BREAKER = Script(Path(__file__).with_name("lua") / "breaker.lua")


class Ask(Struct, frozen=True):
    """May this decision of a playbook go? `at` is its event time (int ms UTC); what is `approved` may, and counts."""

    playbook: str
    decision: str
    at: int
    approved: bool = False


class Trip(Struct, frozen=True):
    """An hour (its start, int ms UTC) in which a playbook was stopped: how many wanted to go, and how many were let."""

    playbook: str
    hour: int
    count: int
    allowed: int


class Breaker(Protocol):
    """What both breakers can do."""

    async def allow(self, asks: Sequence[Ask]) -> list[bool]:
        """Return of each ask, in order, whether it is let go."""

    async def tripped(self, playbooks: Iterable[str], now: int) -> list[Trip]:
        """Return the hours in which playbooks were stopped, of the newest 168 up to `now`, by playbook and time."""


class RedisBreaker:
    """The breaker in Redis or Valkey, shared by all workers; an hour's asks are one script, and many one round trip.

    Raises, from every method:
        RedisError: Redis is gone or cannot write. Nothing is lost: the same call may be made again.
    """

    def __init__(self, redis: Redis, push: Push, prefix: str = "awaken") -> None:
        self.redis = redis
        self.push = push
        self.prefix = prefix

    @classmethod
    def open(cls, settings: Settings, redis: Redis) -> RedisBreaker:
        """Return the breaker of this deployment: groups on one server do not meet."""
        return cls(redis, settings.push, settings.group)

    async def allow(self, asks: Sequence[Ask]) -> list[bool]:
        """Return of each ask, in order, whether it is let go; without a breaker each is."""
        if not asks or not self.push.breaker_least:
            return [True] * len(asks)
        places: dict[str, list[int]] = {}
        for place, ask in enumerate(asks):
            places.setdefault(ask.playbook, []).append(place)
        runs = [list(run) for of in places.values() for _, run in groupby(of, key=lambda k: asks[k].at // HOUR)]
        calls = [self._call([asks[place] for place in run]) for run in runs]
        found = [False] * len(asks)
        for run, replies in zip(runs, await _BREAKER.run_many(self.redis, calls), strict=True):
            for place, reply in zip(run, replies, strict=True):
                found[place] = bool(reply)
        return found

    async def tripped(self, playbooks: Iterable[str], now: int) -> list[Trip]:
        """Return the hours in which playbooks were stopped, in one round trip."""
        names = list(playbooks)
        async with self.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                for counts in self._keys(name, 0)[:2]:
                    pipeline.hgetall(counts)
            replies = iter([{int(h): int(n) for h, n in reply.items()} for reply in await pipeline.execute()])
        return [trip for name in names for trip in trips(name, next(replies), next(replies), now)]

    def _keys(self, playbook: str, hour: int) -> tuple[str, str, str, str]:
        let, stops = key(self.prefix, playbook, "let"), key(self.prefix, playbook, "stops")
        return let, stops, f"{let}:{hour}", key(self.prefix, playbook, f"stopped:{hour}")

    def _call(self, asks: Sequence[Ask]) -> Call:
        """Return the script's keys and arguments for asks of one playbook and hour."""
        push, hour = self.push, asks[0].at // HOUR
        head: list[str | int | bytes] = [
            hour,
            push.breaker_least,
            repr(push.breaker_times),
            USUAL_HOURS,
            KEPT_HOURS,
            KEPT_HOURS * HOUR,
        ]
        of_each: list[str | int | bytes] = [part for ask in asks for part in (_digest(ask.decision), int(ask.approved))]
        return self._keys(asks[0].playbook, hour), [*head, *of_each]


def _digest(decision: str) -> bytes:
    return blake2b(decision.encode(), digest_size=8).digest()


def allowed(let: Mapping[int, int], stops: Mapping[int, int], hour: int, push: Push) -> int:
    """Return how many may go in an hour, by how many went, and were stopped, in those before it."""
    usual = [count for h, count in let.items() if hour - USUAL_HOURS <= h < hour and h not in stops]
    return max(push.breaker_least, int(push.breaker_times * max(usual, default=0)))


def trips(playbook: str, let: Mapping[int, int], stops: Mapping[int, int], now: int) -> list[Trip]:
    """Return the hours of the newest week in which a playbook was stopped, by time."""
    hours = sorted(hour for hour in stops if now // HOUR - USUAL_HOURS < hour <= now // HOUR)
    return [Trip(playbook, h * HOUR, let.get(h, 0) + stops[h], let.get(h, 0)) for h in hours]


def approved(approvals: Iterable[Approval], playbook: str, now: int) -> bool:
    """Return whether what was stopped of a playbook may go at `now` (int ms UTC), as an operator said."""
    return any(a.granted and a.at <= now < a.until for a in approvals if a.playbook == playbook)


def refused(approvals: Iterable[Approval], playbook: str, stopped_at: int) -> bool:
    """Return whether an operator wants nothing to go of what was stopped of a playbook at a time (int ms UTC)."""
    return any(not a.granted and stopped_at <= a.at for a in approvals if a.playbook == playbook)
