"""Tags: the values of each user in Redis, where app, shop and campaign tools look them up.

| key | type | holds |
|---|---|---|
| `<prefix>:{<user>}:tags` | hash | dimension → value, of all in which he has a place; `seq`, `at`, `rules` |
| `<prefix>:tags:<partition>` | string | of what the tags of a partition are whole: server and dimensions |

A user's tags are always all that his row said at one moment, the moment at which it had made `seq` transitions. They
are written in one step, and what is older than what stands there changes nothing. So readers never see half of a
change, and it does not matter how often, or in which order, anybody writes them. `at` is when his newest transition
happened, int ms UTC: of the activity class to the millisecond, of another dimension the day on which it did.

Whether the tags of a partition are whole, Redis itself must say, since it may have been emptied, or have come back
without its newest writes. So the mark names the server's process (`run_id`): another process, another mark. Mark and
tags go by Redis's clock after `MARK_KEPT_MS` and `KEPT_MS`; the mark goes first and brings new tags. What nobody
renews is thus gone in time, be it of a user who was erased while a worker that had lost its partition wrote, or of a
deployment that is no more.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streams.core.activity import NONE
from streams.core.row import DAY
from streams.key import key
from streams.script import Script
from streams.shard import is_blank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from streams.core.rules import Rulebook
    from streams.shard import Shard

KEPT_MS = 60 * DAY
MARK_KEPT_MS = 30 * DAY
BEGUN = "begun"
_WRITE = Script(Path(__file__).with_suffix(".lua"))


class Tagged(NamedTuple):
    """One user's tags, as `tags` says them: "dimension value dimension value …"."""

    user: str
    seq: int
    at: int
    rules: str
    tags: str


def tagged(shard: Shard, numbers: np.ndarray) -> list[Tagged]:
    """Return the tags of the users in these rows (i8[n]); not of those who have made no transition, or were erased."""
    numbers = numbers[shard.rows["seq"][numbers] > 0]
    rows, book = shard.rows[numbers], shard.book
    kept = len(book.dimensions)
    on = book.table["on"][rows["kind"], :kept].astype(bool)
    values = np.where(on, rows["values"][:, :kept], NONE).tolist()
    entered = np.where(on, rows["since_day"][:, :kept], 0).max(axis=1).astype(np.int64) * DAY
    words = [[f"{name} {value}" for value in book.values[place]] for place, name in enumerate(book.dimensions)]
    found = zip(
        shard.index.keys(numbers),
        rows["seq"].tolist(),
        np.maximum(rows["since"], entered).tolist(),
        values,
        strict=True,
    )
    return [
        Tagged(user.decode(), seq, at, book.version, " ".join([w[v] for w, v in zip(words, held, strict=True) if v]))
        for user, seq, at, held in found
    ]


def known(shard: Shard, keys: Sequence[bytes]) -> np.ndarray:
    """Return the rows (i8[n]) of those of these users of whom something is known."""
    found = [number for number in map(shard.index.find, keys) if number is not None]
    numbers = np.array(found, np.int64)
    there: np.ndarray = numbers[~is_blank(shard.rows[numbers])]
    return there


def dimensions(book: Rulebook) -> str:
    """Return the names of the dimensions that are kept of anybody."""
    return ",".join(name for place, name in enumerate(book.dimensions) if book.table["on"][:, place].any())


class Tags:
    """The tags of a deployment's users.

    Raises, from every method:
        RedisError: Redis is gone or cannot write. The same call may be made again.
    """

    def __init__(self, redis: Redis, prefix: str = "awaken") -> None:
        self.redis = redis
        self.prefix = prefix

    async def write(self, users: Sequence[Tagged]) -> None:
        """Write the tags of users, in one round trip."""
        calls = [
            ((key(self.prefix, one.user, "tags"),), (one.seq, one.at, one.rules, KEPT_MS, one.tags)) for one in users
        ]
        if calls:
            await _WRITE.run_many(self.redis, calls)

    async def forget(self, user: str) -> None:
        """Remove a user's tags."""
        await self.redis.unlink(key(self.prefix, user, "tags"))

    async def are_whole(self, partition: int, book: Rulebook) -> bool:
        """Say whether all tags of a partition stand there."""
        mark = await self.redis.get(self._mark(partition))
        return mark == (await self._whole(book)).encode()

    async def begin(self, partition: int, book: Rulebook) -> str:
        """Note that the tags of a partition are to be written; return what `end` must be told when they are."""
        whole = await self._whole(book)
        await self.redis.set(self._mark(partition), BEGUN, px=MARK_KEPT_MS)
        return whole

    async def end(self, partition: int, whole: str) -> None:
        """Note that all tags of a partition are written; not where Redis was emptied since they were begun."""
        await self.redis.set(self._mark(partition), whole, px=MARK_KEPT_MS, xx=True)

    async def _whole(self, book: Rulebook) -> str:
        said = await self.redis.info("server")
        return f"{said.get('run_id', '')} {dimensions(book)}"

    def _mark(self, partition: int) -> str:
        return f"{self.prefix}:tags:{partition}"
