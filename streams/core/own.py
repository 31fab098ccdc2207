"""Dimensions of the settings' own (A16): bands over a fact, in a window of days or weeks. No code of theirs is needed.

What rests on an attribute is judged where profiles are read; here stand the facts that the row counts.
"""

from __future__ import annotations

import numpy as np

from streams.core.compiled import compiled
from streams.core.dimension import FIRST_OWN
from streams.core.move import NO_FIGURE, band, ripe, settle
from streams.core.row import DAYS, MAX_DIMENSIONS, NEVER_DAY, TIME_CAUSE, WEEKS
from streams.core.rules import (
    ACTIVE_DAYS,
    ATTRIBUTE,
    AVERAGE_VALUE,
    CLICKS_FACT,
    COUPONS,
    NO_FACT,
    ORDERS_FACT,
    POINTS_FACT,
    SPEND,
)
from streams.core.window import WEEK_SHIFT, count_bits, week_of


@compiled
def judge(row, weekly, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge the settings' own dimensions as of `day`, and say when time may next change one."""
    due = NEVER_DAY
    for dimension in range(FIRST_OWN, MAX_DIMENSIONS):
        fact = rule["fact"][dimension]
        if fact in (NO_FACT, ATTRIBUTE) or not rule["on"][dimension]:
            continue
        figure = measure(row, weekly, fact, rule["window"][dimension], day, day)
        to = band(rule, dimension, figure)
        if cause == TIME_CAUSE and to != row["values"][dimension] and not ripe(row, dimension, day, rule):
            due = min(due, np.int64(row["since_day"][dimension]) + rule["dwell_days"])
            continue
        n = settle(row, dimension, to, cause, at, figure, NO_FIGURE, NO_FIGURE, NO_FIGURE, moves, n)
        due = min(due, calm_until(row, weekly, dimension, day, to, rule))
    row["due_own"] = due
    return n


@compiled
def measure(row, weekly, fact, window, day, then):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return a fact as it will stand on the day `then`, if nothing comes after `day`, which is the row's own."""
    if fact == POINTS_FACT:
        return float(row["points"])
    if fact == ACTIVE_DAYS:
        passed = then - day
        return float(count_bits(row["active_days"], window - passed)) if window > passed else 0.0
    if fact == CLICKS_FACT:
        clicks = 0.0
        for d in range(max(then - window, day - DAYS) + 1, day + 1):
            clicks += row["daily_clicks"][d % DAYS]
        return clicks
    week = week_of(day)
    orders = spend = coupons = 0.0
    for w in range(max(week_of(then) - window, week - WEEKS) + 1, week + 1):
        orders += weekly["orders"][w % WEEKS]
        spend += weekly["spend"][w % WEEKS]
        coupons += weekly["coupons"][w % WEEKS]
    return ordered(fact, orders, spend, coupons)


@compiled
def ordered(fact, orders, spend, coupons):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return a fact about orders."""
    if fact == ORDERS_FACT:
        return orders
    if fact == SPEND:
        return spend
    if fact == COUPONS:
        return coupons
    return spend / orders if fact == AVERAGE_VALUE and orders else 0.0


@compiled
def calm_until(row, weekly, dimension, day, to, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the first day on which time alone puts the fact into another band than `to`."""
    fact, window = rule["fact"][dimension], rule["window"][dimension]
    if fact == POINTS_FACT:
        return NEVER_DAY
    if fact in (CLICKS_FACT, ACTIVE_DAYS):
        for then in range(day + 1, day + window + 1):
            if band(rule, dimension, measure(row, weekly, fact, window, day, then)) != to:
                return then
        return NEVER_DAY
    week = week_of(day)
    for w in range(week + 1, week + window + 1):
        then = w * 7 - WEEK_SHIFT
        if band(rule, dimension, measure(row, weekly, fact, window, day, then)) != to:
            return then
    return NEVER_DAY
