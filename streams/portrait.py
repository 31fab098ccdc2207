"""A portrait: all that a shard knows of one user, by name; what pages, tags and `awaken why` show.

Times are int ms UTC, days ISO dates, money int minor units.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from streams.core import activity
from streams.core.row import CHANNELS, DAY, DAYS, NEVER, NEVER_DAY, SEED, WEEKS
from streams.core.window import count_bits

if TYPE_CHECKING:
    from streams.shard import Shard

EPOCH = date(1970, 1, 1)
HIGHEST = 3


def portrait(shard: Shard, key: bytes) -> dict[str, Any] | None:
    """Return what is known of a user; None if nothing is."""
    number = shard.number(key)
    if number is None:
        return None
    row, due = shard.rows[number], int(shard.due[number])
    return {
        "user": key.decode(),
        "kind": shard.book.kinds[row["kind"]],
        "rules": shard.book.version,
        "values": values(shard, row),
        "first_at": int(row["first_at"]),
        "last_at": int(row["last_at"]),
        "next_deadline": None if due == NEVER else due,
        "dormant_after_days": _absence_days(shard, number),
        "transitions": int(row["seq"]),
        "orders": orders(row),
        "windows": windows(row, shard.weekly(number)),
        "habits": habits(row),
        "interests": interests(shard, row),
        "source": shard.origins.name(int(row["source"])),
        "growth": growth(row),
        "contact": contact(row),
        "social": social(shard, row),
    }


def values(shard: Shard, row: np.void) -> dict[str, dict[str, Any]]:
    """Return the value of each dimension that is kept, and since when it holds."""
    book, found = shard.book, {}
    on = book.table["on"][row["kind"]]
    for place, name in enumerate(book.dimensions):
        if on[place]:
            since = row["since_day"][place]
            value = book.values[place][row["values"][place]]
            found[name] = {"value": value, "since": day(since) if since else None}
    if "activity" in found:
        found["activity"]["since_at"] = int(row["since"])
    return found


def orders(row: np.void) -> dict[str, Any]:
    """Return orders and spend of all time, and when the newest that stands was made."""
    return {
        "count": int(row["orders"]),
        "spend": int(row["spend"]),
        "last_at": int(row["last_order_at"]) or None,
    }


def windows(row: np.void, weekly: np.void) -> dict[str, list[int]]:
    """Return the rings unrolled: the newest day or week first."""
    days = [(int(row["day"]) - k) % DAYS for k in range(DAYS)]
    weeks = [(int(row["week"]) - k) % WEEKS for k in range(WEEKS)]
    return {
        "clicks_by_day": row["daily_clicks"][days].tolist(),
        "orders_by_week": weekly["orders"][weeks].tolist(),
        "spend_by_week": weekly["spend"][weeks].tolist(),
        "coupons_by_week": weekly["coupons"][weeks].tolist(),
    }


def habits(row: np.void) -> dict[str, Any]:
    """Return his rhythm: hours of the day (UTC), active days, the usual gap between them in days."""
    gaps = int(row["gaps"])
    hours = np.argsort(-row["hours"].astype(int), kind="stable")[:HIGHEST]
    return {
        "hours": row["hours"].tolist(),
        "best_hours": [int(h) for h in hours if row["hours"][h]],
        "active_days_of_28": int(count_bits(int(row["active_days"]), 28)),
        "usual_gap_days": round(float(np.exp(row["gap_log"] / gaps)), 2) if gaps else None,
    }


def interests(shard: Shard, row: np.void) -> list[dict[str, Any]]:
    """Return his categories, the strongest first."""
    found = [
        {"category": shard.categories.name(int(code)) or "other", "weight": int(weight)}
        for code, weight in zip(row["interests"], row["interest_weights"], strict=True)
        if code and weight
    ]
    return sorted(found, key=lambda f: -f["weight"])


def growth(row: np.void) -> dict[str, Any]:
    """Return points and membership."""
    until = int(row["member_until"])
    return {
        "points": int(row["points"]),
        "member_from": day(row["member_from"]) if until else None,
        "member_until": day(until) if until else None,
    }


def contact(row: np.void) -> dict[str, list[str]]:
    """Return the channels on which there is an address, and those that he allows."""
    return {
        name: [channel for k, channel in enumerate(CHANNELS) if row[field] >> k & 1]
        for name, field in (("reachable", "contacts"), ("allowed", "consents"))
    }


def social(shard: Shard, row: np.void) -> dict[str, Any]:
    """Return what he gave others, and how he takes our pushes."""
    rungs = shard.book.values[shard.book.dimensions.index("rung")]
    return {
        "brought": int(row["brought"]),
        "open_complaints": int(row["complaints"]),
        "feedbacks": int(row["feedbacks"]),
        "pushes_of_4_weeks": int(row["weekly_pushes"].sum()),
        "opens_of_4_weeks": int(row["weekly_opens"].sum()),
        "seed": bool(row["flags"] & SEED),
        "best_rung": rungs[row["best_rung"]],
        "lost_rung": rungs[row["lost_rung"]] if row["lost_rung"] else None,
    }


def day(number: int) -> str:
    """Return a day since 1970-01-01 as its ISO date."""
    return (EPOCH + timedelta(days=int(number))).isoformat() if number < NEVER_DAY else "never"


def moment(at: int) -> str:
    """Return int ms UTC as text to the minute."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _absence_days(shard: Shard, number: int) -> float | None:
    rule = shard.book.table[shard.rows["kind"][number]]
    ms = int(activity.absence_ms(shard.rows[number], rule))
    return None if ms >= NEVER >> 1 else round(ms / DAY, 2)
