"""The level that a user has earned, and whether he is about to lose it.

A level rests on the points of the newest seven periods of four weeks: as the oldest of them ends, its points stop
counting. So the day on which a level is lost without another point is known beforehand, and its outlook is a matter of
days alone: it waits for no dwell, but for the level's own.
"""

from __future__ import annotations

import numpy as np

from streams.core.compiled import compiled
from streams.core.dimension import LEVEL, LEVEL_OUTLOOK
from streams.core.move import NO_FIGURE, band, ripe, settle
from streams.core.row import NEVER_DAY, PERIODS, TIME_CAUSE
from streams.core.window import WEEK_SHIFT, week_of

PERIOD_WEEKS = 4
NO_LEVEL, SAFE, AT_RISK = 0, 1, 2


@compiled
def judge(row, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge the level and its outlook; return the moves, and the day on which time puts it at risk, or takes it."""
    earned = np.int64(0)
    for p in range(PERIODS):
        earned += row["period_points"][p]
    to = band(rule, LEVEL, earned)
    if cause != TIME_CAUSE or ripe(row, LEVEL, day, rule):
        n = settle(row, LEVEL, to, cause, at, float(earned), NO_FIGURE, NO_FIGURE, NO_FIGURE, moves, n)
    lost = lost_day(row, day, earned, rule)
    if not rule["on"][LEVEL_OUTLOOK]:
        return n, lost
    return look_out(row, day, at, cause, earned, lost, rule, moves, n)


@compiled
def lost_day(row, day, earned, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the day on which the present level is lost if not another point is earned, the least dwell and all."""
    level = row["values"][LEVEL]
    if level == 0:
        return np.int64(NEVER_DAY)
    rests = np.int64(row["since_day"][LEVEL]) + rule["dwell_days"]
    return max(demotion_day(row, day, earned, rule["edges"][LEVEL, level - 1]), rests)


@compiled
def look_out(row, day, at, cause, earned, lost, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge whether the level is about to be lost, on the day `lost`; return the moves, and the day of the next."""
    to, turns = SAFE if row["values"][LEVEL] else NO_LEVEL, lost
    if lost < NEVER_DAY:
        warned = lost - rule["level_warn_days"]
        if day >= warned:
            to = AT_RISK
        else:
            turns = warned
    if to != row["values"][LEVEL_OUTLOOK]:
        missing, until = NO_FIGURE, NO_FIGURE
        if lost < NEVER_DAY:
            missing, until = float(missing_points(row, day, earned, lost, rule)), float(lost)
        n = settle(row, LEVEL_OUTLOOK, to, cause, at, missing, until, NO_FIGURE, NO_FIGURE, moves, n)
    return n, turns


@compiled
def missing_points(row, day, earned, lost, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return how many points more, of those `earned` by `day`, would keep the level on the day on which it is lost."""
    period = week_of(day) // PERIOD_WEEKS
    for p in range(period + 1, min(week_of(lost) // PERIOD_WEEKS, period + PERIODS) + 1):
        earned -= row["period_points"][p % PERIODS]
    return rule["edges"][LEVEL, row["values"][LEVEL] - 1] - earned


@compiled
def demotion_day(row, day, earned, edge):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the day from which fewer points than `edge` are left of those earned, as periods slide out.

    That is this day where they are fewer already, and the level is kept for the least dwell only.
    """
    if edge <= 0:
        return np.int64(NEVER_DAY)
    if earned < edge:
        return day
    period = week_of(day) // PERIOD_WEEKS
    for p in range(period + 1, period + PERIODS + 1):
        earned -= row["period_points"][p % PERIODS]
        if earned < edge:
            return np.int64(p * PERIOD_WEEKS * 7 - WEEK_SHIFT)
    return np.int64(NEVER_DAY)
