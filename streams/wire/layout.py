"""Rows as earlier versions wrote them, and how each is brought up to the present layout.

A released layout is never changed; tests/wire/layouts holds a value of each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streams.core.activity import ACTIVITY
from streams.core.row import DAY, DAYS, LAYOUT, ROW, WEEKS
from streams.core.window import I4_MAX, U1_MAX, mark_active, month_of, pass_days, week_of

OLD_RULES = 65_535
"""The number of no rules: whoever reads such a row judges it anew under the present ones."""

ROW_1 = np.dtype(
    [
        ("first_at", "<i8"),
        ("last_at", "<i8"),
        ("since", "<i8"),
        ("lapsed_at", "<i8"),
        ("before_since", "<i8"),
        ("applied", "<i8", (3,)),
        ("gap_ms", "<f8"),
        ("spend", "<i8"),
        ("orders", "<u4"),
        ("seq", "<u4"),
        ("day", "<i4"),
        ("week", "<i4"),
        ("weekly_spend", "<i4", (WEEKS,)),
        ("daily_clicks", "<u2", (DAYS,)),
        ("weekly_orders", "<u2", (WEEKS,)),
        ("activity", "u1"),
        ("before", "u1"),
        ("spare", "u1", (6,)),
    ]
)
OWN_VALUES_2, OWN_DAYS_2 = 212, 254
"""Where in a value of layout 2 the values of the settings' own dimensions begin, and the days of their entry."""


def from_1(value: bytes) -> bytes:
    """Bring a value of layout 1 up to the present one: it knew the activity class alone, and no single orders."""
    old = np.frombuffer(value[4 : 4 + ROW_1.itemsize], ROW_1)[0]
    rows = np.zeros(1, ROW)
    row = rows[0]
    for name in ("first_at", "last_at", "since", "lapsed_at", "before_since", "gap_ms", "spend", "orders", "seq"):
        row[name] = old[name]
    row["applied"][:3] = old["applied"]
    row["values"][ACTIVITY], row["before"], row["version"] = old["activity"], old["before"], OLD_RULES
    row["since_day"][ACTIVITY] = old["since"] // DAY
    newest = int(old["last_at"]) // DAY
    pass_days(rows[0], max(int(old["day"]), newest))
    row["daily_clicks"] = np.minimum(old["daily_clicks"], U1_MAX)
    row["weekly_orders"] = np.minimum(old["weekly_orders"], U1_MAX)
    row["weekly_spend"] = np.minimum(old["weekly_spend"], I4_MAX)
    _clear_stale(row, old, newest)
    for day in range(int(old["day"]) - DAYS + 1, int(old["day"]) + 1):
        if old["daily_clicks"][day % DAYS]:
            mark_active(rows[0], day)
    for day in {newest, int(old["first_at"]) // DAY}:
        if old["last_at"] and week_of(day) >= 0 and month_of(day) >= 0:
            mark_active(rows[0], day)
    row["last_order_at"] = _newest_order(old)
    return b"AW" + bytes([LAYOUT, 0]) + rows.tobytes() + value[4 + ROW_1.itemsize :]


def from_2(value: bytes) -> bytes:
    """Bring a value of layout 2 up to the present one: before the dimensions of one's own stands one of ours more.

    So bytes move and nothing is read: an update brings millions of rows over at once.
    """
    head, values, days = value[4:OWN_VALUES_2], value[OWN_VALUES_2:OWN_DAYS_2], value[OWN_DAYS_2:]
    return b"AW" + bytes([LAYOUT]) + value[3:4] + head + bytes(1) + values + bytes(2) + days


def _clear_stale(row: np.void, old: np.void, newest: int) -> None:
    """Clear the slots that have left their rings since the old row last counted in them."""
    for day in range(int(old["day"]) + 1, min(int(old["day"]) + DAYS, newest) + 1):
        row["daily_clicks"][day % DAYS] = 0
    for week in range(int(old["week"]) + 1, min(int(old["week"]) + WEEKS, week_of(newest)) + 1):
        row["weekly_orders"][week % WEEKS] = row["weekly_spend"][week % WEEKS] = 0


def _newest_order(old: np.void) -> int:
    """Return the time of the newest order as well as the old row tells: the last day of its newest week with one."""
    for week in range(int(old["week"]), int(old["week"]) - WEEKS, -1):
        if old["weekly_orders"][week % WEEKS]:
            return min((week * 7 + 6) * DAY, int(old["last_at"]))
    return int(old["last_at"]) if old["orders"] else 0


OLDER: dict[int, Callable[[bytes], bytes]] = {1: from_1, 2: from_2}
"""How each earlier layout is read."""
