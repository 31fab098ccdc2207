"""Rings of days and weeks inside the row: one write an event, whatever the windows asked of them."""

from __future__ import annotations

from numba import njit

from streams.core.row import DAY, DAYS, WEEKS

WEEK = 7 * DAY
U2_MAX = 65_535
I4_MAX = 2_147_483_647


@njit(cache=True)
def count_click(rows, i, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count a click in its day's slot; older than the ring's 30 days it is past counting."""
    day = at // DAY
    newest = rows["day"][i]
    clicks = rows["daily_clicks"]
    if day > newest:
        for d in range(max(newest + 1, day - DAYS + 1), day + 1):
            clicks[i, d % DAYS] = 0
        rows["day"][i] = day
    elif day <= newest - DAYS:
        return
    slot = day % DAYS
    if clicks[i, slot] < U2_MAX:
        clicks[i, slot] += 1


@njit(cache=True)
def count_order(rows, i, at, amount):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count a paid order and its amount (minor units) in all-time totals and in its week's slots."""
    rows["orders"][i] += 1
    rows["spend"][i] += amount
    week = at // WEEK
    newest = rows["week"][i]
    orders, spend = rows["weekly_orders"], rows["weekly_spend"]
    if week > newest:
        for w in range(max(newest + 1, week - WEEKS + 1), week + 1):
            orders[i, w % WEEKS] = 0
            spend[i, w % WEEKS] = 0
        rows["week"][i] = week
    elif week <= newest - WEEKS:
        return
    slot = week % WEEKS
    if orders[i, slot] < U2_MAX:
        orders[i, slot] += 1
    spend[i, slot] = min(spend[i, slot] + amount, I4_MAX)
