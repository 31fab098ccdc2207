"""The in-app inbox, in Redis: the app reads it, we write it.

| key | type | holds |
|---|---|---|
| `<prefix>:{<user>}:inbox` | hash | decision → message as JSON (`Message`) |
| `<prefix>:{<user>}:inbox-order` | sorted set | decisions by event time |

An inbox is a function of the set of messages sent, not of their order or repetition: the newest
`MAX_MESSAGES` by event time. It is cleared away when nothing has come for `KEPT_MS` of Redis's clock.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import orjson

from streams.key import key

from . import Message, Receipt
from .terms import Terms

if TYPE_CHECKING:
    from redis.asyncio import Redis

MAX_MESSAGES = 100
KEPT_MS = 180 * 86_400_000
_read_message = msgspec.json.Decoder(Message).decode


class Options(Terms, frozen=True):
    """The in-app inbox, in Redis. It needs nothing else."""


class Inbox:
    """The inbox channel. The address only says that the user has an inbox; its key is his user id."""

    name = "inbox"
    idempotent = True

    def __init__(self, redis: Redis, prefix: str = "awaken") -> None:
        from streams.script import Script

        self.redis = redis
        self.prefix = prefix
        self._put = Script(Path(__file__).with_name("inbox.lua"))

    @classmethod
    def open(cls, options: Options, redis: Redis, prefix: str) -> Inbox:  # noqa: ARG003  every channel opens alike
        """Return the inbox of this deployment."""
        return cls(redis, prefix)

    async def send(self, message: Message, address: str) -> Receipt:  # noqa: ARG002  the key is the user's
        """Put the message into the user's inbox; the same message again changes nothing."""
        text = orjson.dumps(msgspec.to_builtins(message))
        await self._put.run(
            self.redis, self._keys(message.user), (message.decision, message.at, text, MAX_MESSAGES, KEPT_MS)
        )
        return Receipt("delivered", 1)

    async def read(self, user: str) -> list[Message]:
        """Return the user's messages, the newest first."""
        messages = [_read_message(text) for text in await self.redis.hvals(self._keys(user)[0])]
        return sorted(messages, key=lambda message: (message.at, message.decision), reverse=True)

    async def forget(self, user: str) -> None:
        """Remove the user's inbox."""
        await self.redis.unlink(*self._keys(user))

    async def close(self) -> None:
        """Leave Redis open: it is the caller's."""

    def _keys(self, user: str) -> tuple[str, str]:
        return key(self.prefix, user, "inbox"), key(self.prefix, user, "inbox-order")
