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
from streams.script import Script
from streams.settings import DAY

from . import Message, Receipt

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from streams.settings import Settings

MAX_MESSAGES = 100
KEPT_MS = 180 * DAY
_PUT = Script(Path(__file__).with_name("inbox.lua"))
_read_message = msgspec.json.Decoder(Message).decode


class Inbox:
    """The inbox channel. The address only says that the user has an inbox; its key is his user id."""

    name = "inbox"
    idempotent = True

    def __init__(self, redis: Redis, prefix: str = "awaken") -> None:
        self.redis = redis
        self.prefix = prefix

    @classmethod
    def open(cls, settings: Settings, redis: Redis) -> Inbox:
        """Return the inbox of this deployment."""
        return cls(redis, settings.group)

    async def send(self, message: Message, address: str) -> Receipt:  # noqa: ARG002  the key is the user's
        """Put the message into the user's inbox; the same message again changes nothing."""
        text = orjson.dumps(msgspec.to_builtins(message))
        await _PUT.run(
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
