"""The input events as JSON declares them: what msgspec decodes and validates, field by field (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

Instant = int | Annotated[datetime, Meta(tz=True)]
User = Annotated[str, Meta(min_length=1, max_length=512)]
Amount = Annotated[float, Meta(ge=0, le=1e9)]


class Click(Struct, frozen=True, gc=False):
    """What a user did. `at` is int ms UTC, or RFC 3339 text with a zone."""

    user: User
    at: Instant
    kind: Literal[
        "visit", "register", "view", "search", "cart", "favorite", "share", "refer", "publish", "comment",
        "like", "review", "checkin", "feedback", "complaint", "resolved",
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


class Profile(Struct, frozen=True):
    """What is known of a user. `contacts`: channel → address; `consent`: channel → may we. The newest counts."""

    user: User
    at: Instant
    attributes: dict[str, str | int | float | bool | None] = {}
    contacts: dict[str, str] = {}
    consent: dict[str, bool] = {}
    time_zone: str | None = None
    side: str | None = None
