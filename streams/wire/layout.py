"""Rows as earlier versions wrote them, and how each is brought up to the present layout.

A released layout is never changed; tests/wire/layouts holds a value of each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streams.core.activity import ACTIVITY
from streams.core.row import DAY, DAYS, LAYOUT, PURCHASES, ROW, WEEKS
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
DAY_3, SPARE_3, VALUES_3, SPEND_3, POINTS_3, WEEKS_3, PUSHES_3, END_3 = 108, 193, 194, 269, 373, 417, 469, 537
"""Where in a value of layout 3 those fields begin (weekly orders and coupons at WEEKS_3), and where the row ends."""


def from_1(value: bytes) -> bytes:
    """Bring a value of layout 1 up to the present one: it knew the activity class alone, and no single orders."""
    old = np.frombuffer(value[4 : 4 + ROW_1.itemsize], ROW_1)[0]
    rows, purchases = np.zeros(1, ROW), np.zeros(1, PURCHASES)
    row, weekly = rows[0], purchases[0]
    for name in ("first_at", "last_at", "since", "lapsed_at", "before_since", "gap_ms", "spend", "orders", "seq"):
        row[name] = old[name]
    row["applied"][:3] = old["applied"]
    row["values"][ACTIVITY], row["before"], row["version"] = old["activity"], old["before"], OLD_RULES
    row["since_day"][ACTIVITY] = old["since"] // DAY
    newest = int(old["last_at"]) // DAY
    pass_days(row, weekly, max(int(old["day"]), newest))
    row["daily_clicks"] = np.minimum(old["daily_clicks"], U1_MAX)
    weekly["orders"] = np.minimum(old["weekly_orders"], U1_MAX)
    weekly["spend"] = np.minimum(old["weekly_spend"], I4_MAX)
    _clear_stale(row, weekly, old, newest)
    for day in range(int(old["day"]) - DAYS + 1, int(old["day"]) + 1):
        if old["daily_clicks"][day % DAYS]:
            mark_active(row, day)
    for day in {newest, int(old["first_at"]) // DAY}:
        if old["last_at"] and week_of(day) >= 0 and month_of(day) >= 0:
            mark_active(row, day)
    row["last_order_at"] = _newest_order(old)
    row["purchases"] = 1
    return b"AW" + bytes([LAYOUT, 0]) + rows.tobytes() + purchases.tobytes() + value[4 + ROW_1.itemsize :]


def from_2(value: bytes) -> bytes:
    """Bring a value of layout 2 up to layout 3: before the dimensions of one's own stands one of ours more.

    So bytes move and nothing is read: an update brings millions of rows over at once.
    """
    head, values, days = value[4:OWN_VALUES_2], value[OWN_VALUES_2:OWN_DAYS_2], value[OWN_DAYS_2:]
    return b"AW\3" + value[3:4] + head + bytes(1) + values + bytes(2) + days


def from_3(value: bytes) -> bytes:
    """Bring a value of layout 3 up to layout 4: what was bought by week stands behind the row, if there is any."""
    purchases = value[SPEND_3:POINTS_3] + value[WEEKS_3:PUSHES_3]
    purchased, purchases = (b"\1\0\0\0", purchases) if purchases.strip(b"\0") else (bytes(4), b"")
    return b"".join((
        b"AW\4", value[3:DAY_3], purchased, value[DAY_3:SPARE_3], value[VALUES_3:SPEND_3], value[POINTS_3:WEEKS_3],
        value[PUSHES_3:END_3], purchases, value[END_3:],
    ))  # fmt: skip


def _clear_stale(row: np.void, weekly: np.void, old: np.void, newest: int) -> None:
    """Clear the slots that have left their rings since the old row last counted in them."""
    for day in range(int(old["day"]) + 1, min(int(old["day"]) + DAYS, newest) + 1):
        row["daily_clicks"][day % DAYS] = 0
    for week in range(int(old["week"]) + 1, min(int(old["week"]) + WEEKS, week_of(newest)) + 1):
        weekly["orders"][week % WEEKS] = weekly["spend"][week % WEEKS] = 0


def _newest_order(old: np.void) -> int:
    """Return the time of the newest order as well as the old row tells: the last day of its newest week with one."""
    for week in range(int(old["week"]), int(old["week"]) - WEEKS, -1):
        if old["weekly_orders"][week % WEEKS]:
            return min((week * 7 + 6) * DAY, int(old["last_at"]))
    return int(old["last_at"]) if old["orders"] else 0


OLDER: dict[int, Callable[[bytes], bytes]] = {1: from_1, 2: from_2, 3: from_3}
"""How each earlier layout is brought up to a later one."""
