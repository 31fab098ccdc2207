"""An offer in words: one plain sentence for each kind, built from its fields, and the variables of templates."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING

from streams import template

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from streams.offer import Kind, Offer
    from streams.wire.message import Grant

SENTENCES: dict[Kind, str] = {
    "sign_up_gift": "A gift worth {value} for signing up{gift}",
    "first_order_pack": "A pack worth {value} with your first order{of}{gift}",
    "frequent_gift": "A gift worth {value} for buying so often{over}{gift}",
    "exclusive": "For our old customers only: {off} {order}{goods}{most}",
    "spend_and_save": "{off} {order}{goods}",
    "lucky_draw": "{prize}",
    "limited_coupon": "{off} {order}{goods}{most}",
    "percentage": "{off} {order}{goods}{most}",
    "earned_coupon": "{off} {order}{goods}{most}, for {deed} within {window}",
    "flash_sale": "{off} {order}{goods}{most}, from {opens} for {hours}",
    "daily_special": "{off} {order}{goods}{most}, every day from {opens} for {hours}",
    "group_buy": "{list_price} alone{goods}, {group}",
    "bargain": "From {list_price} down to {lowest}{goods} with the help of {helpers}",
    "early_bird": "{off} {order}{goods}{most}{first}",
    "free_sample": "Free for you{gift}",
    "membership": "Membership at {price}{gift}",
    "points": "{points} on top{over}",
}


def terms(offer: Offer, prize: str, at: int, end: int | None, zone: ZoneInfo) -> str:
    """Return what a user is promised, given at `at` until `end` (int ms UTC), with days and hours by his clock."""
    said = SENTENCES[offer.kind].format_map(_parts(offer, prize))
    return said if offer.kind == "lucky_draw" and not prize else said + _span(offer, at, end, zone)


def words(offer: Offer, grant: Grant, at: int, zone: ZoneInfo) -> dict[str, str]:
    """Return the variables of a template that a grant fills, given at `at`."""
    return {
        "offer.value": f"{offer.percent:g}%" if offer.percent else _plain(grant.value),
        "offer.code": grant.code,
        "offer.until": _day(grant.until, at, zone) if grant.until is not None else "",
        "offer.terms": grant.terms,
        "offer.prize": _called(offer, grant.prize),
    }


def in_own_words(offer: Offer, grant: Grant, at: int, zone: ZoneInfo) -> str:
    """Return the terms as the settings word them."""
    return template.render(offer.terms, words(offer, grant, at, zone))


def _parts(offer: Offer, prize: str) -> dict[str, str]:
    """Return all that the sentences are made of; what an offer does not say is empty."""
    items, least = ", ".join(offer.items), _plain(offer.min_spend)
    off = f"{offer.percent:g}%" if offer.percent else _plain(offer.value)
    return {
        "value": _plain(offer.value),
        "list_price": _plain(offer.list_price),
        "lowest": _plain(offer.list_price - sum(offer.steps)),
        "off": f"{off} off",
        "order": f"an order of {least} or more" if offer.min_spend else "your next order",
        "of": f" of {least} or more" if offer.min_spend else "",
        "over": f" with an order of {least} or more" if offer.min_spend else "",
        "most": f", at most {_plain(offer.ceiling)}" if offer.percent else "",
        "goods": f" ({items})" if items else "",
        "gift": f": {items}" if items else "",
        "prize": _prize(offer, prize),
        "deed": _deed(offer),
        "window": _count(offer.window_days, "day"),
        "opens": offer.opens,
        "hours": _count(offer.lasts_hours, "hour"),
        "group": ", ".join(f"{_plain(price)} if {size} buy together" for size, price in sorted(offer.group.items())),
        "helpers": _count(len(offer.steps), "friend"),
        "first": f", for the first {offer.total}" if offer.total else "",
        "price": ", ".join(f"{_plain(price)} for {_count(days, 'day')}" for days, price in sorted(offer.price.items())),
        "points": _count(offer.points, "point"),
    }  # fmt: skip


def _prize(offer: Offer, prize: str) -> str:
    if not prize:
        return "No prize in our draw this time"
    least = f", yours with an order of {_plain(offer.min_spend)} or more" if offer.min_spend else ""
    return f"You have won in our draw: {_called(offer, prize)}{least}"


def _called(offer: Offer, prize: str) -> str:
    return (offer.prizes[prize].title or prize) if prize else ""


def _deed(offer: Offer) -> str:
    orders = _count(offer.earn_orders, "order") if offer.earn_orders else "orders"
    return f"{orders} of {_plain(offer.earn_spend)} in all" if offer.earn_spend else orders


def _span(offer: Offer, at: int, end: int | None, zone: ZoneInfo) -> str:
    if offer.kind == "flash_sale" and offer.valid_from:
        return f" on {_dated(offer.valid_from, at, zone)}"
    begin = offer.valid_from if offer.valid_from and offer.valid_from > _local(at, zone).date() else None
    start = f", from {_dated(begin, at, zone)}" if begin else ""
    if offer.kind == "daily_special":
        last = _dated(offer.valid_until, at, zone) if offer.valid_until else ""
    else:
        last = "" if end is None else _day(end, at, zone)
    return start + (f", until {last}" if last else "")


def _day(end: int, at: int, zone: ZoneInfo) -> str:
    """Return the last day that an end leaves whole, or the time of the day in which it lies."""
    local = _local(end, zone)
    if local.time() == time():
        return _dated(_local(end - 1, zone).date(), at, zone)
    return f"{_dated(local.date(), at, zone)}, {local:%H:%M}"


def _dated(day: date, at: int, zone: ZoneInfo) -> str:
    year = "" if day.year == _local(at, zone).year else f" {day.year}"
    return f"{day.day} {day:%B}{year}"


def _local(at: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at / 1000, zone)


def _count(number: float, noun: str) -> str:
    return f"{number:g} {noun}{'' if number == 1 else 's'}"


def _plain(amount: float) -> str:
    """Return an amount with the decimals that it has, two where it has any."""
    return f"{amount:.2f}".removesuffix(".00")
