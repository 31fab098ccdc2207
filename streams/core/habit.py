"""Habits: the gaps between a user's visits, the hours he keeps, the categories he likes, the source he came from.

A gap lies between two active days with none between them, so it is added once no act can come between them any more:
when the row's calendar is two days past the later one. Then it depends on the set of active days alone, not on the
order in which the acts came. The other facts are least times, and sums whose halvings a late act makes up for.
"""

from __future__ import annotations

import math

import numpy as np

from streams.core import window
from streams.core.compiled import compiled
from streams.core.row import DAY, INTERESTS
from streams.core.window import BITS, HOURS_WEEKS, INTEREST_WEEKS, U1_MAX, U2_MAX, week_of

SETTLED_AFTER = 2
"""A day is settled when the row's calendar is so many days past it: acts may be late by a day."""
SMOOTHING = 0.1
HOUR = 3_600_000
WEIGHT = 2
"""Of an act among hours and interests. It is even: halving it late then comes to the same as halving it in time."""


@compiled
def pass_days(row, weekly, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Let the row's calendar come to `day`: settle the days that no act can come before, ere they leave their set."""
    if day > row["day"]:
        settle(row, day - SETTLED_AFTER)
        window.pass_days(row, weekly, day)


@compiled
def settle_days(row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Add the gaps between the active days that are settled as of the row's calendar."""
    settle(row, np.int64(row["day"]) - SETTLED_AFTER)


@compiled
def settle(row, until):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Add the gaps between the active days up to `until` that were not added yet, in order of days."""
    newest = np.int64(row["day"])
    last = min(newest, until)
    places = min(last - np.int64(row["settled_day"]), BITS)
    if places <= 0:
        return
    days = (np.int64(row["active_days"]) >> (newest - last)) & ((1 << places) - 1)
    if not days:
        return
    for back in range(places - 1, -1, -1):
        if (days >> back) & 1:
            settle_day(row, last - back)
    # A personal absence rests on the gaps: what falls due by it may fall due sooner.
    row["due_engagement"] = min(np.int64(row["due_engagement"]), until + SETTLED_AFTER)


@compiled
def settle_day(row, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Add the gap before an active day, the natural logarithm of its days."""
    before = np.int64(row["settled_day"])
    if before and row["gaps"] < U2_MAX:
        row["gap_log"] = np.float64(row["gap_log"]) + math.log(day - before)
        row["gaps"] += 1
    row["settled_day"] = day


@compiled
def first_gap_day(row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the day on which the first gap of a user without one is settled, 0 if he has not come on a second day."""
    newest, days = np.int64(row["day"]), np.int64(row["active_days"])
    if days & 2 and row["settled_day"]:
        return newest - 1 + SETTLED_AFTER
    if days & 1 and (days & 2 or row["settled_day"]):
        return newest + SETTLED_AFTER
    return np.int64(0)


@compiled
def remember(row, at, first):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Note the act as the user's newest, and the gap before it (EWMA, 0.1)."""
    if not first:
        gap, mean = np.float64(at - row["last_at"]), np.float64(row["gap_ms"])
        row["gap_ms"] = gap if mean == 0 else mean + SMOOTHING * (gap - mean)
    row["last_at"] = at


@compiled
def note(row, at, category):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count an act in its hour of the day (UTC), and in its category (its code; 0 for none)."""
    week = week_of(at // DAY)
    weight = WEIGHT >> halvings(row, week, HOURS_WEEKS)
    hour = (at // HOUR) % 24
    row["hours"][hour] = min(np.int64(row["hours"][hour]) + weight, U1_MAX)
    if category:
        weight = WEIGHT >> halvings(row, week, INTEREST_WEEKS)
        if weight:
            like(row, category, weight)


@compiled
def halvings(row, week, weeks):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return how often what is halved every so many weeks was halved since `week`."""
    return max(np.int64(row["week"]) // weeks - week // weeks, 0)


@compiled
def like(row, category, weight):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Add to a category's weight; where all places are taken, it takes that of the least weight, and this weight too.

    That is Space-Saving (Metwally, Agrawal, El Abbadi 2005): what makes up an eighth of all is among the eight.
    """
    k = place(row, category)
    if k == INTERESTS:
        k = least(row)
        weight += np.int64(row["interest_weights"][k])
        drop(row, k)
        k = insert(row, category)
    row["interest_weights"][k] = min(np.int64(row["interest_weights"][k]) + weight, U2_MAX)


@compiled
def unlike(row, at, category):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Take back an act of `at` in a category (its code; 0 for none)."""
    k = place(row, category)
    if not category or k == INTERESTS:
        return
    weight = WEIGHT >> halvings(row, week_of(at // DAY), INTEREST_WEEKS)
    if row["interest_weights"][k] > weight:
        row["interest_weights"][k] = np.int64(row["interest_weights"][k]) - weight
    else:
        drop(row, k)


@compiled
def place(row, category):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the place of a category among the user's, INTERESTS where it has none."""
    for k in range(INTERESTS):
        if row["interests"][k] == category:
            return k
    return INTERESTS


@compiled
def least(row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the place that is given up: a free one, or that of the least weight (ties: the smaller code)."""
    found = 0
    for k in range(INTERESTS):
        if not row["interests"][k]:
            return k
        if row["interest_weights"][k] < row["interest_weights"][found]:
            found = k
    return found


@compiled
def insert(row, category):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Give a category its place in the order of codes, the last place being free; return it."""
    k = INTERESTS - 1
    while k > 0 and (not row["interests"][k - 1] or row["interests"][k - 1] > category):
        row["interests"][k] = row["interests"][k - 1]
        row["interest_weights"][k] = row["interest_weights"][k - 1]
        k -= 1
    row["interests"][k] = category
    row["interest_weights"][k] = 0
    return k


@compiled
def drop(row, k):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Take the category at a place away; those after it move up."""
    for j in range(k, INTERESTS - 1):
        row["interests"][j] = row["interests"][j + 1]
        row["interest_weights"][j] = row["interest_weights"][j + 1]
    row["interests"][INTERESTS - 1] = 0
    row["interest_weights"][INTERESTS - 1] = 0


@compiled
def touch(row, at, origin, origins):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Keep the first touch: the earliest act that names a source (ties: the smaller code); `origins` counts users."""
    before, since = row["source"], row["source_at"]
    if not origin or (before and (at > since or (at == since and origin >= before))):
        return
    if before:
        origins[before] -= 1
    origins[origin] += 1
    row["source"] = origin
    row["source_at"] = at
