"""The input events as JSON declares them: what msgspec decodes and validates, field by field (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.wire.message import MessageKind

Instant = int | Annotated[datetime, Meta(tz=True)]
User = Annotated[str, Meta(min_length=1, max_length=512)]
Amount = Annotated[float, Meta(ge=0, le=1e9)]
ChannelName = Annotated[str, Meta(pattern="^[a-z0-9_]{1,40}$")]


class Click(Struct, frozen=True, gc=False):
    """What a user did. `at` is int ms UTC, or RFC 3339 text with a zone; `points` are those that a `redeem` spends."""

    user: User
    at: Instant
    kind: Literal[
        "visit", "register", "view", "search", "cart", "favorite", "share", "refer", "publish", "comment",
        "like", "review", "checkin", "feedback", "complaint", "resolved", "redeem",
    ]  # fmt: skip
    item: str | None = None
    category: str | None = None
    source: str | None = None
    session: str | None = None
    page: str | None = None
    activity: str | None = None
    step: str | None = None
    platform: str | None = None
    inviter: str | None = None
    side: str | None = None
    points: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0


class Line(Struct, frozen=True, gc=False):
    """One line of an order."""

    item: str
    category: str | None = None
    quantity: Annotated[float, Meta(ge=0)] = 1
    amount: float = 0


class Order(Struct, frozen=True, gc=False):
    """What a user bought. `amount` in units of the currency. Only a paid order is an act of the user's."""

    user: User
    at: Instant
    order: Annotated[str, Meta(min_length=1)]
    amount: Amount
    currency: str | None = None
    status: Literal["paid", "refunded", "cancelled"] = "paid"
    category: str | None = None
    lines: tuple[Line, ...] = ()
    coupon: str | None = None
    discount: float | None = None
    source: str | None = None
    inviter: str | None = None
    side: str | None = None


class Membership(Struct, frozen=True):
    """A membership that was bought or given: from `since` until `until`."""

    since: Instant
    until: Instant
    plan: str | None = None


class Merged(Struct, frozen=True):
    """Another account that turned out to be the same person's, with what it consented to."""

    user: User
    consent: dict[str, bool] = {}


class Profile(Struct, frozen=True):
    """What is known of a user. `contacts`: channel → address; `consent`: channel → may we. The newest counts.

    `seed`: he is one of the seed users. `merged`: accounts that this one has taken in.
    """

    user: User
    at: Instant
    attributes: dict[str, str | int | float | bool | None] = {}
    contacts: dict[str, str] = {}
    consent: dict[str, bool] = {}
    time_zone: str | None = None
    side: str | None = None
    membership: Membership | None = None
    seed: bool = False
    merged: tuple[Merged, ...] = ()


class Feedback(Struct, frozen=True, gc=False):
    """What came back of a push: `decision` is the id of the decision that sent it.

    `unsubscribed` and `complained` withdraw the channel, every channel where none is named; `about` narrows an
    unsubscription to one kind of message, and `subscribed` takes back one of the same channel and kind. `bounced`: his
    address on the channel is of no use until a newer profile comes.
    """

    user: User
    at: Instant
    decision: Annotated[str, Meta(min_length=1)]
    kind: Literal["delivered", "opened", "clicked", "bounced", "complained", "unsubscribed", "subscribed"]
    channel: ChannelName | None = None
    about: MessageKind | None = None


def instant_ms(at: Instant) -> int:
    """Return an instant as int ms UTC."""
    return round(at.timestamp() * 1000) if isinstance(at, datetime) else at
