"""The journal: what was decided about each user and what became of it, in Redis, for apps, pages and `awaken why`.

| key | type | holds |
|---|---|---|
| `<prefix>:{<user>}:decisions` | hash | decision id → `Told` as JSON: the decision, with its outcomes by channel |

The newest `MAX_DECISIONS` by event time stay. A journal is a function of what was noted, not of order or repetition, as
long as a decision is noted before its outcome, which a deliverer that reads noted decisions cannot help. It is
cleared away when nothing was decided about a user for `KEPT_MS` of Redis's clock.

What it holds stands on the topics too, for as long as they are kept: a Redis that was emptied has forgotten it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from streams.key import key
from streams.script import Script
from streams.settings import DAY
from streams.wire.message import Decision, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

    from streams.settings import Settings

MAX_DECISIONS = 50
KEPT_MS = 180 * DAY
_LUA = Path(__file__).with_name("lua")
_NOTE = Script(_LUA / "note.lua")
_CONCLUDE = Script(_LUA / "conclude.lua")


class End(Struct, frozen=True):
    """What became of a decision on a channel; `at` is int ms UTC by the deliverer's clock."""

    outcome: str
    at: int
    attempts: int
    detail: str = ""


class Told(Decision, frozen=True, kw_only=True):
    """A decision with what became of it, by channel."""

    outcomes: dict[str, End] = msgspec.field(default_factory=dict)


class Journal:
    """The journals of a deployment's users.

    Raises, from every method:
        RedisError: Redis is gone or cannot write. The same call may be made again.
    """

    def __init__(self, redis: Redis, prefix: str = "awaken") -> None:
        self.redis = redis
        self.prefix = prefix

    @classmethod
    def open(cls, settings: Settings, redis: Redis) -> Journal:
        """Return the journal of this deployment."""
        return cls(redis, settings.group)

    async def note(self, decisions: Iterable[Decision]) -> None:
        """Note decisions, each with its user, in one round trip; the same again changes nothing."""
        said: dict[str, list[str | int | bytes]] = {}
        for decision in decisions:
            text = msgspec.json.encode(decision).removesuffix(b"}")
            said.setdefault(decision.user, [MAX_DECISIONS, KEPT_MS]).extend((decision.id, text))
        if said:
            await _NOTE.run_many(self.redis, [((self._key(user),), words) for user, words in said.items()])

    async def conclude(self, outcomes: Iterable[Outcome]) -> None:
        """Note what became of decisions, in one round trip; the same again changes nothing."""
        said: dict[str, list[str | int | bytes]] = {}
        for outcome in outcomes:
            words = outcome.decision, outcome.channel, msgspec.json.encode(end(outcome))
            said.setdefault(outcome.user, [KEPT_MS]).extend(words)
        if said:
            await _CONCLUDE.run_many(self.redis, [((self._key(user),), words) for user, words in said.items()])

    async def read(self, user: str) -> list[Told]:
        """Return what was decided about a user, the newest first."""
        return newest(_read(text) for text in await self.redis.hvals(self._key(user)))

    async def forget(self, user: str) -> None:
        """Remove a user's journal."""
        await self.redis.unlink(self._key(user))

    def _key(self, user: str) -> str:
        return key(self.prefix, user, "decisions")


def newest(told: Iterable[Told]) -> list[Told]:
    """Return so many as are kept, the newest first."""
    return sorted(told, key=lambda one: (one.at, one.id), reverse=True)[:MAX_DECISIONS]


def join(decisions: Iterable[Decision], outcomes: Iterable[Outcome]) -> list[Told]:
    """Return what a journal tells of which all this was noted: its twin for who has read the topics."""
    ends: dict[str, dict[str, End]] = {}
    for outcome in outcomes:
        channels, ended = ends.setdefault(outcome.decision, {}), end(outcome)
        if outcome.channel not in channels or channels[outcome.channel].at <= ended.at:
            channels[outcome.channel] = ended
    last = {decision.id: decision for decision in decisions}
    return newest(Told(**_fields(one), outcomes=ends.get(one.id, {})) for one in last.values())


def end(outcome: Outcome) -> End:
    """Return what an outcome says, without which and whose it is."""
    return End(outcome.outcome, outcome.at, outcome.attempts, outcome.detail)


def _fields(decision: Decision) -> dict[str, Any]:
    return {name: getattr(decision, name) for name in decision.__struct_fields__}


_read = msgspec.json.Decoder(Told).decode
