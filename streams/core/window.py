"""Rings of days and weeks inside the row, and sets of active days, weeks and months: one write an event.

Nothing here depends on the order in which events come, as long as they come before their slot has left its ring.
"""

from __future__ import annotations

import numpy as np

from streams.core.compiled import compiled
from streams.core.row import DAYS, INTERESTS, PERIODS, PUSH_WEEKS, WEEKS

WEEK_SHIFT = 3
"""1970-01-01 was a Thursday: its week began three days before."""
U1_MAX = 255
U2_MAX = 65_535
I4_MAX = 2_147_483_647
BITS = 32
HOURS_WEEKS = 13
INTEREST_WEEKS = 4


@compiled
def week_of(day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the week, from Monday to Sunday, in which a day lies."""
    return (day + WEEK_SHIFT) // 7


@compiled
def civil(day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the year, the month and the day of the month of a day (after H. Hinnant's civil_from_days)."""
    z = day + 719_468
    era = z // 146_097
    doe = z - era * 146_097
    yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    since_march = (5 * doy + 2) // 153
    month = since_march + 3 if since_march < 10 else since_march - 9  # noqa: PLR2004
    return yoe + era * 400 + (month < 3), month, doy - (153 * since_march + 2) // 5 + 1  # noqa: PLR2004


@compiled
def month_of(day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the month of a day, counted from January 1970."""
    year, month, _ = civil(day)
    return (year - 1970) * 12 + month - 1


@compiled
def pass_days(row, weekly, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Let the calendar of a row and of what its user bought come to `day`: what leaves its window is cleared."""
    passed = day - row["day"]
    if passed <= 0:
        return
    clear_days(row, day)
    row["active_days"] = shifted(row["active_days"], passed)
    row["checkin_days"] = shifted(row["checkin_days"], passed)
    row["day"] = day
    week = week_of(day)
    if week > row["week"]:
        pass_weeks(row, weekly, week)
    month = month_of(day)
    if month > row["month"]:
        row["active_months"] = shifted(row["active_months"], month - row["month"])
        row["month"] = month


@compiled
def clear_days(row, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Clear the daily slots of the days up to `day`."""
    for d in range(max(row["day"] + 1, day - DAYS + 1), day + 1):
        row["daily_clicks"][d % DAYS] = 0


@compiled
def pass_weeks(row, weekly, week):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Clear the weekly slots of the weeks up to `week`, and let habits and interests fade."""
    newest = row["week"]
    clear_weeks(weekly, max(newest + 1, week - WEEKS + 1), week)
    for w in range(max(newest + 1, week - PUSH_WEEKS + 1), week + 1):
        row["weekly_pushes"][w % PUSH_WEEKS] = 0
        row["weekly_opens"][w % PUSH_WEEKS] = 0
        row["weekly_complaints"][w % PUSH_WEEKS] = 0
    for p in range(max(newest // 4 + 1, week // 4 - PERIODS + 1), week // 4 + 1):
        row["period_points"][p % PERIODS] = 0
    halvings = min(week // HOURS_WEEKS - newest // HOURS_WEEKS, 8)
    if halvings:
        for h in range(24):
            row["hours"][h] >>= halvings
    halvings = min(week // INTEREST_WEEKS - newest // INTEREST_WEEKS, 16)
    if halvings:
        for k in range(INTERESTS):
            row["interest_weights"][k] >>= halvings
    row["active_weeks"] = shifted(row["active_weeks"], week - newest)
    row["week"] = week


@compiled
def clear_weeks(weekly, first, last):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Clear what was bought in the weeks from `first` to `last`."""
    for w in range(first, last + 1):
        weekly["orders"][w % WEEKS] = 0
        weekly["coupons"][w % WEEKS] = 0
        weekly["spend"][w % WEEKS] = 0


@compiled
def shifted(bits, count):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return a set of 32 bits moved on by `count` places."""
    return (bits << count) & 0xFFFFFFFF if count < BITS else 0


@compiled
def count_click(row, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count a click in its day's slot; older than the ring's 30 days it is past counting."""
    if day <= row["day"] - DAYS:
        return
    slot = day % DAYS
    if row["daily_clicks"][slot] < U1_MAX:
        row["daily_clicks"][slot] += 1


@compiled
def was_active(row, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Say whether an act of this day is noted already; of a day that left the set, yes."""
    back = row["day"] - day
    return back >= BITS or (row["active_days"] >> back) & 1 == 1


@compiled
def mark_active(row, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Note that the user acted on a day, not after the row's own."""
    back = row["day"] - day
    if back < BITS:
        row["active_days"] |= 1 << back
    back = row["week"] - week_of(day)
    if back < BITS:
        row["active_weeks"] |= 1 << back
    back = row["month"] - month_of(day)
    if back < BITS:
        row["active_months"] |= 1 << back


@compiled
def count_bits(bits, window):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return how many of the newest `window` places of a set are in it."""
    bits = bits & ((1 << min(window, BITS)) - 1)
    n = 0
    while bits:
        bits &= bits - 1
        n += 1
    return n


@compiled
def nth_newest(bits, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return how many places back the n-th newest member of a set lies (n from 1); 32 where there is none."""
    rest = np.int64(bits)
    for _ in range(n - 1):
        rest &= rest - 1
    return count_bits((rest & -rest) - 1, BITS) if rest else BITS
