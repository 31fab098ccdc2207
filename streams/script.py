"""A Lua script on the server, run for many key sets in one round trip."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from redis.asyncio import Redis

Call = tuple["Sequence[str]", "Sequence[str | int | bytes]"]


class Script:
    """One script, known to the server by its digest. Each of ours may be run twice with the same effect.

    That makes it safe to send the whole batch again, whether the server has forgotten the script (it was
    restarted) or the connection broke before the answer came (the client's own retry).
    """

    def __init__(self, file: Path) -> None:
        self.source = file.read_text("utf-8")
        self.digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

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

        Raises:
            RedisError: the first one among the replies; the calls may then have run or not.
        """
        replies = await self._send(redis, calls, known=True)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            replies = await self._send(redis, calls, known=False)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def _send(self, redis: Redis, calls: Sequence[Call], *, known: bool) -> list[Any]:
        # No MULTI around it: each call is atomic by itself, and a cluster could not do more.
        async with redis.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                # Not pipeline.evalsha, which a cluster's pipeline declines though it can route the command.
                script = ("EVALSHA", self.digest) if known else ("EVAL", self.source)
                pipeline.execute_command(*script, len(keys), *keys, *arguments)
            return await pipeline.execute(raise_on_error=False)
