"""A Lua script on the server, run for many key sets in one round trip."""

from __future__ import annotations

import hashlib
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakSet

from redis.exceptions import ClusterCrossSlotError, NoScriptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from redis.asyncio import Redis

Arguments: TypeAlias = "Sequence[str | int | bytes]"
Call = tuple["Sequence[str]", Arguments]
AT_ONCE = 100
"""Calls that are one run on the server, some milliseconds in which it does nothing else."""
MEMO = "local memo = {} "
"""A table in which a script may keep for the run what several of its calls need."""
MANY = """\
local memo = {{}}
local function one(KEYS, ARGV)
{source}
end
local replies, keys, own, shared = {{}}, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
for n = 0, #KEYS / keys - 1 do
  local given = {{unpack(ARGV, 4 + shared + n * own, 3 + shared + (n + 1) * own)}}
  for k = 1, shared do
    given[own + k] = ARGV[3 + k]
  end
  replies[n + 1] = one({{unpack(KEYS, n * keys + 1, (n + 1) * keys)}}, given)
end
return replies
"""


_CLUSTERS: WeakSet[Redis] = WeakSet()


class Script:
    """One script, known to the server by its digest. Each of ours may be run twice with the same effect.

    That makes it safe to send the whole batch again, whether the server has forgotten the script (it was
    restarted) or the connection broke before the answer came (the client's own retry). So many of its last arguments
    are `shared` by many calls, and said to the server once for all of them.
    """

    def __init__(self, file: Path, shared: int = 0) -> None:
        source = file.read_text("utf-8")
        self.source = MEMO + source
        self._shared = shared
        self.digest = _digest(self.source)
        self._many = MANY.format(source=source)
        self._many_digest = _digest(self._many)

    async def run(self, redis: Redis, keys: Sequence[str], arguments: Sequence[str | int | bytes]) -> Any:
        """Run the script once and return its reply.

        Raises:
            RedisError: Redis is gone or refuses; the script may then have run or not.
        """
        try:
            return await redis.evalsha(self.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await redis.eval(self.source, len(keys), *keys, *arguments)

    async def run_many(self, redis: Redis, calls: Sequence[Call]) -> list[Any]:
        """Run the script for each call, in order, in one round trip; two when the server must learn it first.

        On one server, calls that are alike are one run; in a cluster each goes to where its keys are.

        Raises:
            RedisError: the first one among the replies; the calls may then have run or not.
        """
        if redis not in _CLUSTERS and not hasattr(redis, "nodes_manager"):
            try:
                joined = [self._joined(run) for run in self._runs(calls)]
                replies = await self._sent(redis, self._many, self._many_digest, joined)
                return [reply for some in replies for reply in some]
            except ClusterCrossSlotError:
                _CLUSTERS.add(redis)  # a node of a cluster that is taken for a server
        return await self._sent(redis, self.source, self.digest, calls)

    async def _sent(self, redis: Redis, source: str, digest: str, calls: Sequence[Call]) -> list[Any]:
        replies = await self._send(redis, ("EVALSHA", digest), calls)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            replies = await self._send(redis, ("EVAL", source), calls)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def _send(self, redis: Redis, script: tuple[str, str], calls: Sequence[Call]) -> list[Any]:
        # No MULTI around it: each call is atomic by itself, and a cluster could not do more.
        async with redis.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                # Not pipeline.evalsha, which a cluster's pipeline declines though it can route the command.
                pipeline.execute_command(*script, len(keys), *keys, *arguments)
            return await pipeline.execute(raise_on_error=False)

    def _runs(self, calls: Sequence[Call]) -> Iterator[list[Call]]:
        """Yield calls that are one run: of so many keys and arguments, and the same shared ones, in their order."""
        for _, alike in groupby(calls, key=lambda call: (len(call[0]), len(call[1]), call[1][self._own(call) :])):
            while run := list(islice(alike, AT_ONCE)):
                yield run

    def _joined(self, run: Sequence[Call]) -> Call:
        (keys, arguments), own = run[0], self._own(run[0])
        head = [len(keys), own, self._shared, *arguments[own:]]
        return [key for keys, _ in run for key in keys], head + [part for _, given in run for part in given[:own]]

    def _own(self, call: Call) -> int:
        """Return how many arguments a call shares with no other."""
        return len(call[1]) - self._shared


def _digest(source: str) -> str:
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
