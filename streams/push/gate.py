"""The gate: what the policy chain must remember of a user between pushes, and how far each delivery has come.

**Admission.** What was sent counts under tags: `*` for every push, `channel:sms`, `playbook:…`, whatever an ask brings
along. A limit says how many sends with a tag may lie in a rolling window; so frequency caps, a minimum gap, exclusive
playbooks and offers once a user are one mechanism, and the first limit that is reached names the verdict. A push at
event time t counts against every later push of the same user at t' with t' - t < window; a push later than the one
asked about counts too, so that no order of asking puts more than the cap into any window. Of the channels that an ask
names in order of preference those that go along always are used, and of the others the first whose own cap has room;
what is left are fallbacks, which count until it is known that they were not needed. The verdict belongs to the
decision id: asked again (the process died before its commit), the gate answers the same and counts nothing twice. Once
the delivery is finished, it answers `already_sent`.

**Delivery.** Each decision and channel goes fresh → attempting → ended. Who finds it attempting knows that
somebody was cut off between the claim and the end, and that the message may or may not have gone out. An
outcome is kept and handed out again, so that it can be recorded by the process that comes after a crash.

**Time and memory.** The gate has no clock: an ask brings its event time, so recorded history played fast is
capped as it would have been live. Of each user it keeps the newest `MAX_DECISIONS`, and beyond them all that
is not older than a window and `KEPT_MS` before the newest. What it may have forgotten it does not admit: an
unknown decision less than a window (its ask's longest) after the newest forgotten one is `already_sent`. Redis's own
clock only clears away whole users about whom nobody has asked for a window and `KEPT_MS`.

The gate is as durable as its Redis: one that loses its last second (`appendfsync everysec`) may repeat that
second, and one that evicts keys (any `maxmemory-policy` but `noeviction`) forgets caps.

Keys, all in one hash slot a user:

| key | type | holds |
|---|---|---|
| `<prefix>:{<user>}:sends` | sorted set | admitted decisions by event time |
| `<prefix>:{<user>}:capped` | sorted set | decisions that do not count, refused or cancelled, by event time |
| `<prefix>:{<user>}:deliveries` | hash | `<channel> <decision>` → `?token` (attempting) or outcome (JSON) |
| | | `# <decision>` → its record: verdict, tags, channels, fallbacks, a line each |
| | | `* <decision>` → 1 (finished on all its channels); `forgotten` → event time |
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import msgspec
import orjson
from msgspec import Struct

from streams.key import stem
from streams.script import Script
from streams.settings import DAY
from streams.wire.message import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from streams.settings import Settings

KEPT_MS = 30 * DAY
MAX_DECISIONS = 100
EVERY = "*"
"""The tag of every push."""
CHANNEL = "channel:"
EPISODE = "episode:"
"""As a limit's `but_not`: the ask's own episode."""

_LUA = Path(__file__).with_name("lua")
_ADMIT = Script(_LUA / "admit.lua", shared=1)
_CLAIM = Script(_LUA / "claim.lua")
_COMPLETE = Script(_LUA / "complete.lua")
_RELEASE = Script(_LUA / "release.lua")
_FINISH = Script(_LUA / "finish.lua")
_read_outcome = msgspec.json.Decoder(Outcome).decode


class Limit(NamedTuple):
    """At most `most` sends with `tag` in any `window_ms`; those that bear `but_not` as well do not count.

    With `EPISODE` there it is the ask's own episode that does not count. `name` is the verdict where it is reached.
    Tags hold no blanks.
    """

    name: str
    tag: str
    window_ms: int
    most: int
    but_not: str = ""


class Way(NamedTuple):
    """A channel on which a push might go, and its own cap: at most `most` in any `window_ms`, 0 for none.

    One that goes `along` is used whenever its cap allows; of the others it is the first.
    """

    channel: str
    along: bool = False
    window_ms: int = 0
    most: int = 0


class Ask(Struct, frozen=True):
    """May this push go out? `at` is its event time (int ms UTC), `ways` the channels in order of preference.

    `episode` is one tag more, of the few pushes that belong together; what is as in other asks stands apart from it.
    """

    decision: str
    user: str
    at: int
    limits: tuple[Limit, ...] = ()
    tags: tuple[str, ...] = (EVERY,)
    ways: tuple[Way, ...] = ()
    episode: str = ""

    @property
    def longest_ms(self) -> int:
        """The longest window of any limit."""
        return longest_ms(self.limits, self.ways)


class Admission(Struct, frozen=True):
    """The gate's answer: `admitted`, `already_sent`, `channel_capped`, or the name of the limit that is reached."""

    verdict: str
    channels: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()


class Claim(Struct, frozen=True):
    """How a delivery stands. `outcome` is there exactly when it is done."""

    state: Literal["fresh", "interrupted", "done"]
    outcome: Outcome | None = None


class Gate(Protocol):
    """What both gates can do."""

    async def admit(self, asks: Sequence[Ask]) -> list[Admission]:
        """Return the verdict on each ask, in order; the admitted ones are counted."""

    async def claim(self, decision: str, user: str, channel: str) -> Claim:
        """Take a delivery in hand and return how it stood before."""

    async def look(self, decision: str, user: str, channel: str) -> Claim:
        """Return how a delivery stands, and leave it so."""

    async def complete(self, outcome: Outcome) -> Outcome:
        """End a claimed delivery and return the outcome that stands: the first that anybody brought."""

    async def finish(self, decision: str, user: str, tried: Sequence[str]) -> None:
        """Mark a decision as delivered; from now on it counts for the channels that were tried."""

    async def release(self, decisions: Sequence[tuple[str, str]], verdict: str = "capped") -> None:
        """Count admitted decisions (with their users) no more; asked again, each has this verdict."""

    async def forget(self, user: str) -> None:
        """Remove all that is kept of a user."""


class RedisGate:
    """The gate in Redis or Valkey, shared by all workers; every step is one script and one round trip.

    Raises, from every method:
        RedisError: Redis is gone or cannot write. Nothing is lost: the same call may be made again.
    """

    def __init__(self, redis: Redis, prefix: str = "awaken", max_decisions: int = MAX_DECISIONS) -> None:
        self.redis = redis
        self.prefix = prefix
        self.max_decisions = max_decisions

    @classmethod
    def open(cls, settings: Settings, redis: Redis) -> RedisGate:
        """Return the gate of this deployment: groups on one server do not meet."""
        return cls(redis, settings.group)

    async def admit(self, asks: Sequence[Ask]) -> list[Admission]:
        """Return the verdict on each ask, in order, in one round trip for all of them."""
        if not asks:
            return []
        calls = [(self._keys(ask.user), self._arguments(ask)) for ask in asks]
        return [_admission(reply) for reply in await _ADMIT.run_many(self.redis, calls)]

    async def claim(self, decision: str, user: str, channel: str) -> Claim:
        """Take a delivery in hand and return how it stood before."""
        return await self._claim(decision, user, channel, secrets.token_hex(8))

    async def look(self, decision: str, user: str, channel: str) -> Claim:
        """Return how a delivery stands, and leave it so."""
        return await self._claim(decision, user, channel, "")

    async def complete(self, outcome: Outcome) -> Outcome:
        """End a claimed delivery and return the outcome that stands."""
        text = orjson.dumps(msgspec.to_builtins(outcome))
        field = f"{outcome.channel} {outcome.decision}"
        return _read_outcome(await _COMPLETE.run(self.redis, self._keys(outcome.user)[2:], (field, text)))

    async def finish(self, decision: str, user: str, tried: Sequence[str]) -> None:
        """Mark a decision as delivered; from now on it counts for the channels that were tried."""
        await _FINISH.run(self.redis, self._keys(user)[2:], (decision, " ".join(tried)))

    async def release(self, decisions: Sequence[tuple[str, str]], verdict: str = "capped") -> None:
        """Count admitted decisions no more, in one round trip for all of them."""
        if decisions:
            await _RELEASE.run_many(self.redis, [(self._keys(user), (ident, verdict)) for ident, user in decisions])

    async def forget(self, user: str) -> None:
        """Remove all that is kept of a user."""
        await self.redis.unlink(*self._keys(user))

    async def _claim(self, decision: str, user: str, channel: str, token: str) -> Claim:
        sends, _, deliveries = self._keys(user)
        arguments = f"{channel} {decision}", token, KEPT_MS
        reply = _text(await _CLAIM.run(self.redis, (sends, deliveries), arguments))
        if reply.startswith("{"):
            return Claim("done", _read_outcome(reply))
        return Claim("fresh" if reply == "fresh" else "interrupted")

    def _arguments(self, ask: Ask) -> tuple[str | int | bytes, ...]:
        return ask.decision, ask.at, ask.episode, _terms(ask.limits, ask.tags, ask.ways, self.max_decisions)

    def _keys(self, user: str) -> tuple[str, str, str]:
        begin = stem(self.prefix, user)
        return f"{begin}sends", f"{begin}capped", f"{begin}deliveries"


def longest_ms(limits: Sequence[Limit], ways: Sequence[Way]) -> int:
    """Return the longest window of any limit."""
    return max([limit.window_ms for limit in limits] + [way.window_ms for way in ways], default=0)


def tag_of(channel: str) -> str:
    """Return the tag of pushes on a channel."""
    return CHANNEL + channel


@lru_cache(maxsize=1024)
def _terms(limits: tuple[Limit, ...], tags: tuple[str, ...], ways: tuple[Way, ...], max_decisions: int) -> bytes:
    """Return what an ask has in common with many others, as the script reads it."""
    return orjson.dumps(
        {
            "limits": [(limit.name, limit.tag, limit.but_not, limit.window_ms, limit.most) for limit in limits],
            "tags": f" {' '.join(tags)} ",
            "channels": [(way.channel, way.along, way.window_ms, way.most) for way in ways],
            "longest": longest_ms(limits, ways),
            "kept": KEPT_MS,
            "max_decisions": max_decisions,
        }
    )


@lru_cache(maxsize=1024)
def _admission(reply: str | bytes) -> Admission:
    verdict, *rest = _text(reply).split("\n")
    if not rest:
        return Admission(verdict)
    channels, fallbacks = rest
    return Admission(verdict, tuple(channels.split()), tuple(fallbacks.split()))


def _text(reply: str | bytes) -> str:
    return reply if isinstance(reply, str) else reply.decode()
