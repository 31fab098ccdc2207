"""The purse: what may be spent over all users together, never exceeded under concurrency and crash.

    reserve ──no room──→ refused
       ├─→ held ──────────→ commit ──→ spent
       │     ├─ in time ──→ (forgotten, its room is free) ──→ commit: taken anew, or refused
       └─────┴─ release ──→ released, as what is spent can be too

**A step is one script, of one purse and period.** All accounts of these share a hash slot, so that they are charged
together, and each answer belongs to the decision's id: asked again, it is the same, and counts nothing twice.

**All or none over several purses.** They may lie in different slots, so each is asked for itself, all in one round
trip; where one refuses, what the others have granted now is released in a second. What was spent before stays so,
whoever refuses: it may have gone out. Whoever dies in between leaves too much behind, never too little: what is held
until he asks again or the hold expires, what is spent until he releases it, as he must what is refused and has not gone
out. The price: of two who meet in a nearly empty purse each may be refused for the other's sake, but never are both
granted.

**Spending.** `commit` before something is sent makes it certain: what is spent does not expire. `settle`, once it is
known what it has cost, gives the difference back, and `release` all of it.

**Time and memory.** Nothing here has a clock: `now` comes with each call (int ms UTC), and a hold ends when somebody's
`now` has reached its end. Decisions are remembered for `KEPT_MS` after their newest step, for so long they can come
again; the sums stay. Redis's own clock only clears away periods that are long over, 31 days after the last of their
decisions would be forgotten. Of users and decisions only digests are kept.

The purse is as durable as its Redis: one that loses its last second may spend that second again.

Keys, all in one hash slot a purse and period:

| key | type | holds |
|---|---|---|
| `<prefix>:{<purse> <period>}:sums` | hash | `held <account>` and `spent <account>` → amount |
| `<prefix>:{<purse> <period>}:ids` | hash | decision → how it stands, with its accounts and amounts |
| `<prefix>:{<purse> <period>}:times` | sorted set | decisions by the time at which they are over |
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from streams.key import key
from streams.script import Script
from streams.settings import DAY

from .account import EVER, MOST, Account
from .gate import KEPT_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from streams.settings import Settings

GRANTED = 0
SPENT = -2
"""Granted too, and spent before: nothing was charged now."""
LENGTH_MS = 31 * DAY
SWEPT = 100
"""So many decisions that are over are swept at a step; more where there is no room without it."""
Verb = Literal["reserve", "commit", "settle", "release"]
_PURSE = Script(Path(__file__).with_name("lua") / "purse.lua")


class Reservation(Struct, frozen=True):
    """What a decision costs: amounts by account, and until when they are held for it (int ms UTC).

    Raises:
        ValueError: an amount is negative or too large to be counted, or an account is charged twice.
    """

    id: str
    charges: tuple[tuple[Account, int], ...]
    expires_at: int

    def __post_init__(self) -> None:
        """Refuse what cannot be counted."""
        for account, amount in self.charges:
            if not 0 <= amount <= MOST:
                raise ValueError(f"{self.id}: {amount} of {account.purse}: must be from 0 to {MOST}")
        if len({(a.purse, a.period, a.of) for a, _ in self.charges}) < len(self.charges):
            raise ValueError(f"{self.id}: an account is charged twice; add up what it is charged")


class Answer(Struct, frozen=True):
    """Whether all accounts were charged. `short` is the first that had no room, None where it was released."""

    granted: bool
    short: Account | None = None


class Balance(Struct, frozen=True):
    """What an account has spent, and what is held of it; a hold that is over counts until the next step sweeps it."""

    spent: int = 0
    held: int = 0


class Step(Struct, frozen=True):
    """One step of one purse and period, as a store takes it."""

    verb: Verb
    id: str
    charges: tuple[tuple[Account, int], ...]
    now: int
    expires_at: int

    @property
    def place(self) -> tuple[str, str]:
        """Its purse and period."""
        return self.charges[0][0].purse, self.charges[0][0].period


class Store(Protocol):
    """Where purses are kept: in Redis (`RedisStore`), or in memory (`purse_memory.MemoryStore`)."""

    async def run(self, steps: Sequence[Step]) -> list[int]:
        """Take the steps in order; of each return 0 where it is granted, n where its n-th account had no room.

        It is -1 where it was released, or had no room in an account that is not asked any more; SPENT where it is
        granted and was spent before.
        """

    async def balances(self, accounts: Sequence[Account]) -> list[Balance]:
        """Return how accounts stand."""

    async def forget(self, accounts: Sequence[Account]) -> None:
        """Remove the sums of accounts."""


class Purse:
    """All purses of a deployment.

    Raises, from every method:
        RedisError: Redis is gone or cannot write. Nothing is lost: the same call may be made again.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def open(cls, settings: Settings, redis: Redis) -> Purse:
        """Return the purse of this deployment: groups on one server do not meet."""
        return cls(RedisStore(redis, settings.group))

    async def reserve(self, asks: Sequence[Reservation], now: int) -> list[Answer]:
        """Hold what decisions may cost, of all their accounts or of none."""
        return await self._all_or_none("reserve", asks, now)

    async def commit(self, asks: Sequence[Reservation], now: int) -> list[Answer]:
        """Spend what decisions cost, at most what was reserved for them, before they go out; the refused must not."""
        return await self._all_or_none("commit", asks, now)

    async def settle(self, asks: Sequence[Reservation], now: int) -> None:
        """Lower what was spent for decisions to what they have cost; more than was spent is not added."""
        await self.store.run([step for ask in asks for step in _steps("settle", ask, now)])

    async def release(self, asks: Sequence[Reservation], now: int) -> None:
        """Give back what was held or spent for decisions of which nothing has gone out, for good."""
        await self.store.run([step for ask in asks for step in _steps("release", ask, now)])

    async def balances(self, accounts: Sequence[Account]) -> list[Balance]:
        """Return how accounts stand, in order."""
        return await self.store.balances(accounts)

    async def forget(self, accounts: Sequence[Account]) -> None:
        """Remove what accounts say, of a user who is erased. His share of the whole stays: it was spent."""
        await self.store.forget(accounts)

    async def _all_or_none(self, verb: Verb, asks: Sequence[Reservation], now: int) -> list[Answer]:
        """Ask all purses in one round trip, and give back in a second what one of several has granted alone."""
        steps = [_steps(verb, ask, now) for ask in asks]
        replies = iter(await self.store.run([step for some in steps for step in some]))
        found = [[(step, next(replies)) for step in some] for some in steps]
        alone = [
            replace(step, verb="release")
            for some in found
            if not _granted(some)
            for step, reply in some
            if reply == GRANTED
        ]
        await self.store.run(alone)
        return [_answer(some) for some in found]


class RedisStore:
    """Purses in Redis or Valkey, shared by all workers; a step is one script, and many are one round trip."""

    def __init__(self, redis: Redis, prefix: str = "awaken", swept: int = SWEPT) -> None:
        self.redis = redis
        self.prefix = prefix
        self.swept = swept

    async def run(self, steps: Sequence[Step]) -> list[int]:
        """Take the steps in order."""
        if not steps:
            return []
        return await _PURSE.run_many(self.redis, [(self._keys(*step.place), self._arguments(step)) for step in steps])

    async def balances(self, accounts: Sequence[Account]) -> list[Balance]:
        """Return how accounts stand, in one round trip."""
        async with self.redis.pipeline(transaction=False) as pipeline:
            for account in accounts:
                fields = [b"spent " + digest(account.of), b"held " + digest(account.of)]
                pipeline.hmget(self._keys(account.purse, account.period)[0], fields)
            replies = await pipeline.execute()
        return [Balance(*(int(amount or 0) for amount in reply)) for reply in replies]

    async def forget(self, accounts: Sequence[Account]) -> None:
        """Remove the sums of accounts, in one round trip."""
        async with self.redis.pipeline(transaction=False) as pipeline:
            for account in accounts:
                sums = self._keys(account.purse, account.period)[0]
                pipeline.hdel(sums, b"spent " + digest(account.of), b"held " + digest(account.of))
            await pipeline.execute()

    def _arguments(self, step: Step) -> list[str | int | bytes]:
        length = 0 if step.place[1] == EVER else LENGTH_MS
        head = [step.verb, digest(step.id), step.now, step.expires_at, KEPT_MS, length, self.swept]
        charges = [part for a, amount in step.charges for part in (digest(a.of), amount, a.limit)]
        return [*head, *charges]

    def _keys(self, purse: str, period: str) -> tuple[str, str, str]:
        place = f"{purse} {period}"
        return key(self.prefix, place, "sums"), key(self.prefix, place, "ids"), key(self.prefix, place, "times")


def _steps(verb: Verb, ask: Reservation, now: int) -> list[Step]:
    """Return what is asked of each purse and period, in the order in which they are named."""
    found: dict[tuple[str, str], list[tuple[Account, int]]] = {}
    for account, amount in ask.charges:
        found.setdefault((account.purse, account.period), []).append((account, amount))
    return [Step(verb, ask.id, tuple(charges), now, ask.expires_at) for charges in found.values()]


def _answer(found: Sequence[tuple[Step, int]]) -> Answer:
    """Return the answer of all purses together."""
    short = (step.charges[reply - 1][0] for step, reply in found if reply > GRANTED)
    return Answer(_granted(found), next(short, None))


def _granted(found: Sequence[tuple[Step, int]]) -> bool:
    return all(reply in (GRANTED, SPENT) for _, reply in found)


def digest(name: str) -> bytes:
    """Return what is kept in place of a name, the purse as a whole keeping its own: none."""
    return blake2b(name.encode(), digest_size=12).digest() if name else b""
