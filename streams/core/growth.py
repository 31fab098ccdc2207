"""The growth system (A14, A18): check-ins and streaks, points, membership, early access; levels stand in `level`.

A streak is a number of days in a row with a check-in, the newest of them today or yesterday. What lies eight days and
more behind the newest check-in can no more be altered (lateness is bounded by a week): it is counted once, in `streak`,
which so goes on beyond the 32 days of the set. A check-in that closes a gap moves the bonuses of the days after it.

The balance is what was earned, less what was redeemed, and may fall below 0 where points are taken back that are spent
already. Whether a redemption is granted depends on the balance that it meets, as at a till; all else here does not
depend on the order of events.
"""

from __future__ import annotations

import math

import numpy as np

from streams.core import level
from streams.core.compiled import compiled
from streams.core.dimension import EARLY_ACCESS, LEVEL, MEMBERSHIP, POINTS, STREAK
from streams.core.level import PERIOD_WEEKS
from streams.core.move import NO_FIGURE, band, ripe, settle
from streams.core.row import CLICK_KINDS, NEVER_DAY, PERIODS, TIME_CAUSE
from streams.core.window import BITS, I4_MAX, U2_MAX, count_bits, nth_newest, week_of

CHECKIN, REDEEM = CLICK_KINDS.index("checkin"), CLICK_KINDS.index("redeem")
SETTLED_DAYS = 8
"""So far behind the newest check-in lies the newest day which no late one can reach any more."""
BONUS_DAYS = 7
EARLY_WINDOW = 28
NOT_MEMBER, MEMBER, RENEWAL_DUE, LAPSED = 0, 1, 2, 3
TINY = 1e-6
"""So that 100 minor units at 0.29 points each earn 29 points, and not 28 for a rounding error."""


@compiled
def act(row, kind, amount, day, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count an act of a kind (its place in CLICK_KINDS), not after the row's own day; say whether facts changed.

    `amount` is the points of a redemption.
    """
    if kind == REDEEM:
        return redeem(row, amount)
    if kind == CHECKIN:
        return check_in(row, day, rule)
    points = rule["click_points"][kind]
    if points == 0:
        return False
    earn(row, points, day)
    return True


@compiled
def redeem(row, amount):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Take redeemed points out of the balance; refuse what is above it."""
    if amount <= 0 or amount > row["points"]:
        return False
    row["points"] -= amount
    return True


@compiled
def check_in(row, day, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Note a check-in, the first of its day, and earn its points; one that is 32 days late is past noting."""
    back = np.int64(row["day"]) - day
    if back >= BITS or checked_in(row, day):
        return False
    newest = newest_checkin(row)
    if day > newest:
        settle_streak(row, newest, day)
        newest = day
    row["checkin_days"] |= 1 << back
    earn(row, rule["click_points"][CHECKIN], day)
    if day > newest - SETTLED_DAYS and rule["streak_bonus"]:
        earn_bonuses(row, day, newest, rule["streak_bonus"])
    return True


@compiled
def checked_in(row, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Say whether a check-in of this day, not after the row's own, is noted."""
    back = np.int64(row["day"]) - day
    return back < BITS and (row["checkin_days"] >> back) & 1 == 1


@compiled
def newest_checkin(row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the day of the newest check-in, or one before all that are noted where none is."""
    return np.int64(row["day"]) - nth_newest(row["checkin_days"], 1)


@compiled
def settle_streak(row, newest, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count on over the days that are settled now that the newest check-in is of `day`, and no more of `newest`."""
    if day - newest > SETTLED_DAYS:
        row["streak"] = 0
        return
    for d in range(newest - SETTLED_DAYS + 1, day - SETTLED_DAYS + 1):
        row["streak"] = min(np.int64(row["streak"]) + 1, U2_MAX) if checked_in(row, d) else 0


@compiled
def run_up_to(row, day, newest):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the number of check-ins in a row of which the last is of `day`; `newest` is the newest of all."""
    run, settled = np.int64(0), newest - SETTLED_DAYS
    while day > settled and checked_in(row, day):
        run += 1
        day -= 1
    return run + row["streak"] if day == settled else run


@compiled
def earn_bonuses(row, day, newest, bonus):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Earn the bonus of each seventh check-in in a row; where `day` closed a gap, those after it are sevenths anew."""
    place = run_up_to(row, day, newest)
    d = day
    while d <= newest and checked_in(row, d):
        after = d - day
        is_seventh, was_seventh = (place + after) % BONUS_DAYS == 0, after > 0 and after % BONUS_DAYS == 0
        if is_seventh != was_seventh:
            earn(row, bonus if is_seventh else -bonus, d)
        d += 1


@compiled
def order_points(amount, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the points that an order of so many minor units earns, rounded down."""
    return np.int64(min(max(math.floor(amount * rule["points_per_unit"] + TINY), 0), I4_MAX))


@compiled
def earn(row, points, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Add points, or take negative ones back, in the balance and in the period of four weeks of `day`."""
    row["points"] = min(max(np.int64(row["points"]) + points, -I4_MAX), I4_MAX)
    period = week_of(day) // PERIOD_WEEKS
    if period > week_of(np.int64(row["day"])) // PERIOD_WEEKS - PERIODS:
        slot = period % PERIODS
        row["period_points"][slot] = min(max(np.int64(row["period_points"][slot]) + points, 0), U2_MAX)


@compiled
def judge(row, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge what rests on growth as of `day`, and say when time may next change it; return the number of moves.

    Bands follow from their figure alone: who has no points yet stands in the band of 0. Membership is `none` until a
    profile tells of one. A broken streak, a membership's dates and a level's outlook wait for no dwell.
    """
    day, due = max(day, np.int64(row["day"])), np.int64(NEVER_DAY)
    if rule["on"][LEVEL]:
        n, due = level.judge(row, day, at, cause, rule, moves, n)
    if rule["on"][POINTS]:
        balance = np.int64(row["points"])
        to = band(rule, POINTS, balance)
        n = settle(row, POINTS, to, cause, at, float(balance), NO_FIGURE, NO_FIGURE, NO_FIGURE, moves, n)
    if rule["on"][STREAK]:
        n, breaks = judge_streak(row, day, at, cause, rule, moves, n)
        due = min(due, breaks)
    if rule["on"][MEMBERSHIP]:
        to, turns = membership(row, day, rule)
        until = float(row["member_until"])
        n = settle(row, MEMBERSHIP, to, cause, at, until, NO_FIGURE, NO_FIGURE, NO_FIGURE, moves, n)
        due = min(due, turns)
    if rule["on"][EARLY_ACCESS]:
        n, ends = judge_early_access(row, day, at, cause, rule, moves, n)
        due = min(due, ends)
    row["due_growth"] = due
    return n


@compiled
def present_streak(row, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the last day of the streak that a check-in on `day` would go on, and how many days it has; 0 for none."""
    newest = day if checked_in(row, day) else day - 1
    return newest, run_up_to(row, newest, newest) if checked_in(row, newest) else np.int64(0)


@compiled
def judge_streak(row, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge the present streak; return the moves, and the day on which it is broken without another check-in."""
    newest, run = present_streak(row, day)
    to = band(rule, STREAK, run)
    n = settle(row, STREAK, to, cause, at, float(run), NO_FIGURE, NO_FIGURE, NO_FIGURE, moves, n)
    return n, newest + 2 if run and to != band(rule, STREAK, 0) else np.int64(NEVER_DAY)


@compiled
def membership(row, day, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the state of the membership on a day, and the day of the next; without an end it is for good."""
    begins, ends = np.int64(row["member_from"]), np.int64(row["member_until"])
    if begins == 0 and ends == 0:
        return NOT_MEMBER, np.int64(NEVER_DAY)
    if day < begins:
        return NOT_MEMBER, begins
    if ends in (0, NEVER_DAY):
        return MEMBER, np.int64(NEVER_DAY)
    if day >= ends:
        return LAPSED, np.int64(NEVER_DAY)
    if day >= ends - rule["renewal_days"]:
        return RENEWAL_DUE, ends
    return MEMBER, ends - rule["renewal_days"]


@compiled
def judge_early_access(row, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge early access, by active days or by level; return the moves, and the day on which the days are too few."""
    active, place = count_bits(row["active_days"], EARLY_WINDOW), row["values"][LEVEL]
    by_days, by_level = 0 < rule["early_days"] <= active, 0 < rule["early_level"] <= place
    to = 1 if by_days or by_level else 0
    if cause == TIME_CAUSE and to != row["values"][EARLY_ACCESS] and not ripe(row, EARLY_ACCESS, day, rule):
        return n, np.int64(row["since_day"][EARLY_ACCESS]) + rule["dwell_days"]
    n = settle(row, EARLY_ACCESS, to, cause, at, float(active), float(place), NO_FIGURE, NO_FIGURE, moves, n)
    if by_level or not by_days:
        # By level it ends with the level, which has a day of its own.
        return n, np.int64(NEVER_DAY)
    ends = day + EARLY_WINDOW - nth_newest(row["active_days"], rule["early_days"])
    return n, max(ends, np.int64(row["since_day"][EARLY_ACCESS]) + rule["dwell_days"])
