"""A user is a row: one fixed layout of numpy fields, written to the changelog as it stands in memory.

The windows are rings inside the row: the slot of day d is d % 30, of week w is w % 26; `day` and `week` are the
newest ones seen (UTC days and 7-day weeks since 1970-01-01, a Thursday). Times are int ms UTC, money is int minor
units of the currency. `due` stands outside, in a column of its own, so that a sweep reads 8 bytes a user.
"""

from __future__ import annotations

import numpy as np

LAYOUT = 1
DAY = 86_400_000
DAYS = 30
WEEKS = 26
NEVER = 1 << 62

CLICKS, ORDERS, PROFILES = 0, 1, 2
SOURCES = ("clicks", "orders", "profiles")

ROW = np.dtype(
    [
        ("first_at", "<i8"),  # least time of an act
        ("last_at", "<i8"),  # greatest time of an act
        ("since", "<i8"),  # entry into the present activity class
        ("lapsed_at", "<i8"),  # entry into the newest dormancy
        ("before_since", "<i8"),  # … and the entry into that class
        ("applied", "<i8", (len(SOURCES),)),  # per source: offset after the newest applied record
        ("gap_ms", "<f8"),  # EWMA (0.1) of the gap between acts, ms; 0 until there are two
        ("spend", "<i8"),  # paid, all time
        ("orders", "<u4"),  # paid, all time
        ("seq", "<u4"),  # transitions so far
        ("day", "<i4"),  # the daily ring's newest day
        ("week", "<i4"),  # the weekly rings' newest week
        ("weekly_spend", "<i4", (WEEKS,)),
        ("daily_clicks", "<u2", (DAYS,)),
        ("weekly_orders", "<u2", (WEEKS,)),
        ("activity", "u1"),
        ("before", "u1"),  # the class before the newest dormancy …
        ("spare", "u1", (6,)),
    ]
)

EVENT = np.dtype(
    [
        ("at", "<i8"),
        ("offset", "<i8"),
        ("row", "<i4"),
        ("amount", "<i4"),  # minor units of a paid order
        ("source", "u1"),
        ("act", "u1"),  # 1 where the event is something that the user did
    ]
)

MOVE = np.dtype(
    [
        ("at", "<i8"),
        ("last_at", "<i8"),  # evidence: the newest act before the move; -1 for none
        ("row", "<i4"),
        ("seq", "<u4"),
        ("from", "u1"),
        ("to", "u1"),
        ("cause", "u1"),
    ]
)

EVENT_CAUSE, TIME_CAUSE, THRESHOLD_CAUSE, CORRECTION_CAUSE = 0, 1, 2, 3
CAUSES = ("event", "time", "threshold", "correction")
