"""Channels: one file each. This is the whole contract."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct


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
    """How sending ended, after how many attempts. `detail` never holds an address or a key."""

    outcome: Literal["delivered", "failed"]
    attempts: int
    detail: str = ""


class Channel(Protocol):
    """A way to reach a user.

    An idempotent channel may be given the same message twice and delivers it once; after a crash it is tried
    again. One that is not is never given the same message twice.
    """

    name: str
    idempotent: bool

    async def send(self, message: Message, address: str) -> Receipt:
        """Send the message to the user's address on this channel, with retries of the channel's own.

        Raises:
            RedisError: our own store is gone; the delivery stays open. Whatever the receiver does is a
            receipt.
        """

    async def close(self) -> None:
        """Let go of connections; the next send opens them again."""
