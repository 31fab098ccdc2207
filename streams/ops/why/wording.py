"""Dates, money, causes and evidence in words."""

from __future__ import annotations

from collections.abc import Mapping

from streams.portrait import day, moment
from streams.wire.message import Transition

CAUSES = {
    "event": "something happened",
    "time": "time passed, and nothing happened",
    "threshold": "the rules changed",
    "correction": "a late event proved the former value wrong",
}
MOMENTS = frozenset({"last_at", "last_order_at"})
DAY_NUMBERS = frozenset({"until_day", "content_day", "lost_day"})
MONEY = frozenset({"monetary", "average", "spend", "order_value", "valuable"})
NAMES = {
    "last_at": "last seen",
    "absent_days": "days absent",
    "threshold_days": "days allowed",
    "last_order_at": "newest order",
    "until_day": "until",
    "missing_points": "points that he needs to keep it",
    "lost_day": "lost on",
    "content_day": "newest content",
    "recency_days": "days since the newest order",
    "frequency": "orders in the look-back",
    "monetary": "spent",
    "recent_days": "high up to days",
    "frequent": "high from orders",
    "valuable": "high from spend",
    "at_least": "the band begins at",
    "average": "average order",
    "share": "share with a coupon",
    "brought": "others brought",
}
DAY_MS = 86_400_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def reason(transition: Transition, minor_units: int) -> str:
    """Return why a value was entered: the cause, and the figures that made it so."""
    facts = evidence(transition.evidence, minor_units)
    return CAUSES[transition.cause] + (f": {facts}" if facts else "")


def evidence(figures: Mapping[str, int | float | str | None], minor_units: int) -> str:
    """Return the figures of a transition, such as `last seen 2017-01-01 15:48 · days allowed 14`."""
    in_money = not MONEY.isdisjoint(figures)
    told = []
    for name, figure in figures.items():
        if figure is None:
            continue
        as_money = name in MONEY or (name == "at_least" and in_money)
        told.append(f"{NAMES.get(name, name.replace('_', ' '))} {_figure(name, figure, as_money, minor_units)}")
    return " · ".join(told)


def _figure(name: str, figure: float | str, as_money: bool, minor_units: int) -> str:  # noqa: FBT001
    if isinstance(figure, str):
        return figure
    if name in MOMENTS:
        return moment(int(figure)) if figure else "never"
    if name in DAY_NUMBERS:
        return day(int(figure))
    if name == "share":
        return f"{figure:.0%}"
    return money(figure, minor_units) if as_money else f"{figure:,.10g}"


def money(minor: float, minor_units: int) -> str:
    """Return minor units of the currency as its units, such as `1,234.50`."""
    return f"{minor / 10**minor_units:,.{minor_units}f}"


def ago(at: int, now: int) -> str:
    """Return how far a time lies from now (both int ms UTC), such as `5 days ago` or `in 3 hours`."""
    apart = abs(now - at)
    for unit, size in (("day", DAY_MS), ("hour", HOUR_MS), ("minute", MINUTE_MS)):
        if apart >= size:
            span = plural(apart // size, unit)
            return f"{span} ago" if at < now else f"in {span}"
    return "just now" if at <= now else "at any moment"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as `1 order` or `2 orders`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def listed(words: list[str], none: str = "none") -> str:
    """Return words as a list, or what stands for an empty one."""
    return ", ".join(words) if words else none


def named(value: str) -> str:
    """Return a value's name as it is read, such as `grow basket`."""
    return value.replace("_", " ")
