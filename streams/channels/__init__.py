"""Channels: one file each, with its options and how it sends. This is the whole contract; `known` lists them.

What those that lead out of our house share stands beside them: `terms` (what all options have in common), `attempt`
(retries, pace, breaker), `http` (one POST), `wording` (a message cut to a vendor's template), `weixin` (the API of
WeChat's two channels). A channel knows nothing of the engine: a new one is a file like these and a line in `known`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from msgspec import Struct

if TYPE_CHECKING:
    from redis.asyncio import Redis


class Message(Struct, frozen=True):
    """What a user is told. `decision` is the idempotency key; `at` is the decision's event time, int ms UTC.

    `link` is where a tap leads, `picture` the address of an image, `unsubscribe` the page on which he can say that he
    wants no more of this; each may be empty. A message is made from the decision alone, so that a repetition is the
    same message.
    """

    decision: str
    user: str
    playbook: str
    at: int
    title: str
    body: str
    kind: str = "content"
    link: str = ""
    picture: str = ""
    unsubscribe: str = ""


class Receipt(Struct, frozen=True):
    """How sending ended, after how many attempts. `detail` never holds an address or a key.

    Of what failed: `permanent` where this address can never be reached (it is wrong, or its owner has refused), as
    against a channel that is down or a message that is refused; `uncertain` where it may have arrived nonetheless.
    """

    outcome: Literal["delivered", "failed"]
    attempts: int
    detail: str = ""
    permanent: bool = False
    uncertain: bool = False


class Channel(Protocol):
    """A way to reach a user.

    An idempotent channel may be given the same message twice and delivers it once; after a crash it is tried
    again. One that is not is never given the same message twice.
    """

    name: str
    idempotent: bool

    @classmethod
    def open(cls, options: Any, redis: Redis, prefix: str) -> Self:
        """Return the channel of these options; its connections open at the first send.

        `redis` is ours, and `prefix` the name before our keys in it.
        """

    async def send(self, message: Message, address: str) -> Receipt:
        """Send the message to the user's address on this channel, with retries of the channel's own.

        Raises:
            RedisError: our own store is gone; the delivery stays open. Whatever the receiver does is a
            receipt.
        """

    async def close(self) -> None:
        """Let go of connections; the next send opens them again."""
