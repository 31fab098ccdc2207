"""How far a user is with us: lifecycle stage (A2), rung of the ladder of engagement (A3), attention (A19).

Each test is about his facts and a day, and says until when it holds if nothing comes: so the day on which time alone
moves him next is known when he is judged. A test whose count is 0 in the rules is switched off.

Rung: contact, use, habit, pay, advocate; the highest whose test holds, so a payer without a habit stands at pay. The
highest ever is kept beside it, and the one at which he was lost: the one of his newest active day, for a habit never
lasts until he is dormant.
"""

from __future__ import annotations

import numpy as np

from streams.core.activity import ACTIVITY, CHURNED, DORMANT, NONE, absence_ms, churn_ms, credited
from streams.core.compiled import compiled
from streams.core.dimension import ATTENTION, CONTRIBUTION, INFLUENCE, RUNG, STAGE
from streams.core.habit import first_gap_day
from streams.core.move import NO_FIGURE, ripe, settle
from streams.core.row import DAY, EVENT_CAUSE, NEVER, NEVER_DAY, SEED, TIME_CAUSE, WEEKS
from streams.core.window import BITS, WEEK_SHIFT, count_bits, nth_newest, week_of

INTRODUCTION, GROWTH, MATURITY, DORMANCY, CHURN = 1, 2, 3, 4, 5
CONTACT, USE, HABIT, PAY, ADVOCATE = 1, 2, 3, 4, 5
ORDINARY, STEADY, WEAKENING = 0, 1, 2
CONTRIBUTOR = 1
LEADER = 2


@compiled
def judge(row, weekly, day, at, cause, rule, moves, n, stops):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge stage, rung and attention as of `day`, and say when time may next change one; return the number of moves.

    The row's calendar is at `day` or beyond it. `stops` (i8[k, 2]) are the spans that are credited to an absence.
    """
    row["due_engagement"] = NEVER_DAY
    if row["values"][ACTIVITY] == NONE:
        return n
    if rule["on"][STAGE]:
        n = judge_stage(row, weekly, day, at, cause, rule, moves, n)
    if rule["on"][RUNG]:
        n = judge_rung(row, day, at, cause, rule, moves, n)
    if rule["on"][ATTENTION]:
        n = judge_attention(row, day, at, cause, rule, moves, n, stops)
    return n


@compiled
def judge_stage(row, weekly, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Put the user into his stage."""
    before = row["values"][STAGE]
    to, until = stage(row, weekly, day, rule)
    if to < before <= MATURITY and stays(row, STAGE, day, at, cause, rule):
        until = np.int64(row["since_day"][STAGE]) + rule["dwell_days"]
        to = before
    fall_due(row, until)
    if to == before:
        return n
    window = rule["maturity_window"] if to == MATURITY else rule["growth_window"]
    days = float(count_bits(days_up_to(row, day), np.int64(window)))
    orders = float(orders_in(row, weekly, week_of(day), rule["look_back_weeks"]))
    figure = threshold(row, to, orders, rule)
    return settle(row, STAGE, to, cause, at, days, orders, figure, NO_FIGURE, moves, n)


@compiled
def stage(row, weekly, day, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the stage whose tests hold on `day`, and the day on which time alone may change that."""
    if row["values"][ACTIVITY] == DORMANT:
        return DORMANCY, NEVER_DAY
    if row["values"][ACTIVITY] == CHURNED:
        return CHURN, NEVER_DAY
    days, week, weeks = days_up_to(row, day), week_of(day), rule["look_back_weeks"]
    until, rises = days_until(days, day, rule["maturity_days"], rule["maturity_window"]), NEVER_DAY
    ordered_until = orders_until(row, weekly, week, rule["maturity_orders"], weeks)
    if row["gaps"]:
        until = max(until, ordered_until)
    elif ordered_until:
        rises = first_gap_day(row) or NEVER_DAY
    if until:
        return MATURITY, until
    until = days_until(days, day, rule["growth_days"], rule["growth_window"])
    until = max(until, orders_until(row, weekly, week, rule["growth_orders"], weeks))
    if until:
        return GROWTH, min(until, rises)
    return INTRODUCTION, rises


@compiled
def threshold(row, to, orders, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return what a stage's test asks for: days of absence, or orders if there are so many, else active days."""
    if to == DORMANCY:
        return absence_ms(row, rule) / DAY
    if to == CHURN:
        return churn_ms(row, rule) / DAY
    if to == INTRODUCTION:
        return NO_FIGURE
    if to == GROWTH:
        return float(rule["growth_orders"] if 0 < rule["growth_orders"] <= orders else rule["growth_days"])
    by_orders = 0 < rule["maturity_orders"] <= orders and row["gaps"] > 0
    return float(rule["maturity_orders"] if by_orders else rule["maturity_days"])


@compiled
def judge_rung(row, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Put the user on his rung, keep the highest, and note the one at which he is lost."""
    before = row["values"][RUNG]
    until = habit_until(row, day, rule)
    to = rung(row, until)
    row["best_rung"] = max(row["best_rung"], to)
    if row["values"][ACTIVITY] in (DORMANT, CHURNED) and row["lapsed_at"] == at:
        row["lost_rung"] = rung(row, habit_until(row, row["last_at"] // DAY, rule))
    if to < before and stays(row, RUNG, day, at, cause, rule):
        fall_due(row, np.int64(row["since_day"][RUNG]) + rule["dwell_days"])
        return n
    if to in (HABIT, ADVOCATE):
        fall_due(row, until)
    if to == before:
        return n
    days = float(count_bits(days_up_to(row, day), np.int64(rule["habit_window"])))
    orders, brought, habit = float(row["orders"]), float(row["brought"]), 1.0 if until else 0.0
    return settle(row, RUNG, to, cause, at, days, orders, brought, habit, moves, n)


@compiled
def rung(row, habit):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the highest rung whose test holds; `habit` is not 0 for who has one."""
    if row["orders"]:
        return ADVOCATE if habit and row["brought"] else PAY
    if habit:
        return HABIT
    return USE if row["used"] else CONTACT


@compiled
def judge_attention(row, day, at, cause, rule, moves, n, stops):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Say whether one who matters weakens."""
    to, share = ORDINARY, float(rule["attention_share"])
    absence = absence_ms(row, rule)
    if matters(row):
        to = STEADY
        if share > 0 and absence < NEVER >> 1:
            weak_at, due = weakens(row["last_at"], np.int64(share * absence), day, stops)
            if weak_at // DAY < day or row["values"][ACTIVITY] in (DORMANT, CHURNED):
                to = WEAKENING
            else:
                fall_due(row, due)
    if to == row["values"][ATTENTION]:
        return n
    last_at, days = float(row["last_at"]), share * absence / DAY
    return settle(row, ATTENTION, to, cause, at, last_at, days, NO_FIGURE, NO_FIGURE, moves, n)


@compiled
def matters(row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Say whether he is, or was once, an advocate; or a leader, a contributor or a seed user now."""
    if row["best_rung"] == ADVOCATE or row["flags"] & SEED:
        return True
    return row["values"][INFLUENCE] == LEADER or row["values"][CONTRIBUTION] == CONTRIBUTOR


@compiled
def weakens(last_at, absence, day, stops):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return when such an absence (ms) is past, NEVER while the clock stands still, and the day to look again."""
    weak_at = last_at + absence
    credited_at = credited(last_at, weak_at, stops)
    if credited_at < NEVER:
        return credited_at, credited_at // DAY + 1
    return credited_at, max(weak_at // DAY, day) + 1


@compiled
def stays(row, dimension, day, at, cause, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Say whether a value stays although its test fails: neither time nor an act of his takes away a young one.

    What comes after his newest act is no act of his, but an order undone.
    """
    if cause != TIME_CAUSE and (cause != EVENT_CAUSE or at > row["last_at"]):
        return False
    return not ripe(row, dimension, day, rule)


@compiled
def fall_due(row, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Have the user judged on a day, if not before."""
    row["due_engagement"] = min(np.int64(row["due_engagement"]), day)


@compiled
def days_up_to(row, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the set of active days up to `day`: its bit k is the day `day` - k."""
    return np.int64(row["active_days"]) >> min(np.int64(row["day"]) - day, BITS)


@compiled
def days_until(days, day, least, window):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the day on which the `least`-th newest active day leaves the window, 0 if there are not so many in it."""
    if least <= 0:
        return 0
    back, window = nth_newest(days, least), min(np.int64(window), BITS)
    return day - back + window if back < window else 0


@compiled
def habit_until(row, day, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the day on which his habit of days or of weeks ends if he does not come, 0 if he has neither."""
    by_days = days_until(days_up_to(row, day), day, rule["habit_days"], rule["habit_window"])
    week = week_of(day)
    weeks = np.int64(row["active_weeks"]) >> min(np.int64(row["week"]) - week, BITS)
    return max(by_days, weeks_until(weeks, week, rule["habit_weeks"]))


@compiled
def weeks_until(weeks, week, least):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the day on which a run of `least` weeks up to this or last week ends, 0 if there is none."""
    newest = 0 if weeks & 1 else 1
    if not 0 < least <= BITS:
        return 0
    run = ((1 << np.int64(least)) - 1) << newest
    return (week - newest + 2) * 7 - WEEK_SHIFT if weeks & run == run else 0


@compiled
def orders_until(row, weekly, week, least, weeks):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the day on which the `least`-th newest order leaves the newest `weeks`, 0 if there are not so many."""
    if least <= 0 or row["orders"] < least:
        return 0
    missing = np.int64(least)
    for w in range(week, oldest_week(row, week, weeks) - 1, -1):
        missing -= weekly["orders"][w % WEEKS]
        if missing <= 0:
            return (w + min(weeks, WEEKS)) * 7 - WEEK_SHIFT
    return 0


@compiled
def orders_in(row, weekly, week, weeks):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the orders of the newest `weeks` up to `week`."""
    orders = np.int64(0)
    for w in range(oldest_week(row, week, weeks), week + 1):
        orders += weekly["orders"][w % WEEKS]
    return orders


@compiled
def oldest_week(row, week, weeks):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the oldest of the newest `weeks` up to `week` that is still in the ring."""
    return max(week - min(weeks, WEEKS), np.int64(row["week"]) - WEEKS) + 1
