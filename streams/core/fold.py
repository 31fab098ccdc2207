"""The fold: (row, event, rules) → row', moves. Time and new rules are events too, with sources of their own.

An event first settles the time before it, then its facts are counted, then the groups of dimensions that rest on those
facts are judged anew. A dimension's value follows from the facts and the day; what succession decides is settled by
whole days. There is one compiled entry, and in it one place where rows are judged: compiling takes its time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streams.core import activity, engagement, growth, habit, order, own, period, purchase, social, value
from streams.core.activity import ACTIVITY, NONE
from streams.core.compiled import compiled
from streams.core.dimension import (
    ATTENTION,
    CONTRIBUTION,
    COUPON,
    CUSTOMER,
    EARLY_ACCESS,
    FATIGUE,
    FIRST_OWN,
    INFLUENCE,
    LEVEL,
    LEVEL_OUTLOOK,
    MEMBERSHIP,
    MOOD,
    ORDER_FREQUENCY,
    ORDER_VALUE,
    POINTS,
    RFM,
    RUNG,
    STAGE,
    STREAK,
)
from streams.core.move import NO_FIGURE, settle
from streams.core.row import (
    CLICKS,
    DAY,
    EVENT_CAUSE,
    FEEDBACK,
    MAX_DIMENSIONS,
    NEVER,
    NEVER_DAY,
    ORDERS,
    PROFILES,
    THRESHOLD_CAUSE,
    TIME,
    TIME_CAUSE,
)
from streams.core.value import AWAITED, UNDONE
from streams.core.window import count_click, mark_active, was_active

MOST_MOVES = 256
"""More than one event, or one sweep of a user, can make."""
PAID = 0
VALUE, GROWTH, SOCIAL, OWN, ENGAGEMENT = 1, 2, 4, 8, 16
GROUPS = {
    VALUE: (CUSTOMER, RFM, ORDER_VALUE, ORDER_FREQUENCY, COUPON),
    GROWTH: (LEVEL, LEVEL_OUTLOOK, POINTS, STREAK, MEMBERSHIP, EARLY_ACCESS),
    SOCIAL: (CONTRIBUTION, MOOD, FATIGUE, INFLUENCE),
    OWN: range(FIRST_OWN, MAX_DIMENSIONS),
    ENGAGEMENT: (STAGE, RUNG, ATTENTION),
}
ALL = VALUE | GROWTH | SOCIAL | OWN | ENGAGEMENT
"""The groups of dimensions, as bits."""


class State(NamedTuple):
    """The columns that the fold works on.

    Attributes:
        rows: ROW[users].
        due: i8[users], the next deadline of each, int ms UTC.
        changed: u1[users], set where a row changed.
        pool: ORDER[orders], the users' orders.
        purchases: PURCHASES[buyers + 1], what they bought by week.
        heads: i8[3], how many orders were ever used, the first free one + 1, and how many places of purchases are used.
        periods: i8[grains, periods, counters], the growth accounting.
        origins: i8[65536], users by the code of their first-touch source.
    """

    rows: np.ndarray
    due: np.ndarray
    changed: np.ndarray
    pool: np.ndarray
    purchases: np.ndarray
    heads: np.ndarray
    periods: np.ndarray
    origins: np.ndarray


class Law(NamedTuple):
    """What holds: the rules (RULE[kinds]), their number and since when; how far absence may be decided, and its stops.

    `groups` are the groups of which any dimension is kept. `stops` is i8[k, 2]: spans in which the absence clock stood
    still, ascending; the end is NEVER while one lasts.
    """

    rules: np.ndarray
    version: int
    groups: int
    since: int
    vouched: int
    stops: np.ndarray


@compiled
def fold(state, law, events, places, moves, start):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Fold `events` (EVENT[n], in order) from place `start`, skipping those already applied.

    `places` (i8[dimensions]) are what a profile's attributes say, -1 for nothing. Returns (moves made, events skipped,
    the place reached): short of the end where `moves` (MOVE[m]) might overflow.
    """
    n = skipped = 0
    for k in range(start, events.size):
        if n > moves.size - MOST_MOVES:
            return n, skipped, k
        event = events[k]
        i, at = event["row"], event["at"]
        row = state.rows[i]
        if not applies(row, event, law):
            skipped += event["source"] <= FEEDBACK
            continue
        state.changed[i] = 1
        first, happened, vouched = n, False, tells_time(event, law)
        while not happened:
            then, cause = state.due[i], TIME_CAUSE
            if then < at:
                then = next_due(row, law, vouched)
            if row["version"] != law.version:
                n, then, groups = reconsider(state, row, law, moves, n)
                cause = THRESHOLD_CAUSE
            elif then < at and event["source"] != PROFILES:
                n, groups = pass_time(state, row, law, then, moves, n)
            else:
                then, cause, happened = at, EVENT_CAUSE, True
                n, groups = happen(state, law, row, event, places, moves, n)
            if groups & law.groups:
                n = judge(state, row, law, then, cause, groups & law.groups, moves, n)
            state.due[i] = next_due(row, law, NEVER)
        for m in range(first, n):
            moves["row"][m] = i
    return n, skipped, events.size


@compiled
def applies(row, event, law):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Say whether an event is still to be folded, and note that it is."""
    source = event["source"]
    if source > FEEDBACK:
        return source == TIME or row["version"] not in (0, law.version)
    if event["offset"] < row["applied"][source]:
        return False
    row["applied"][source] = event["offset"] + 1
    return True


@compiled
def tells_time(event, law):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return how far absence may be decided as of an event: what others tell of a user moves no clock of his."""
    return 0 if event["source"] in (PROFILES, FEEDBACK) else law.vouched


@compiled
def happen(state, law, row, event, places, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count the facts of an event; return the number of moves, and the groups that rest on what changed."""
    source, at, groups = event["source"], event["at"], 0
    before = row["kind"]
    if source <= FEEDBACK and event["side"]:
        row["kind"] = event["side"] - 1
    rule = law.rules[row["kind"]]
    if source == CLICKS or (source == ORDERS and event["kind"] == PAID):
        n, groups = act(state, row, event, rule, moves, n)
    elif source == ORDERS:
        habit.pass_days(row, purchase.of(state, row), at // DAY)
        groups = undo(state, row, at, event)
    elif source == PROFILES:
        n, groups = tell(row, at, places, moves, n), ALL
    elif source == FEEDBACK:
        habit.pass_days(row, purchase.of(state, row), at // DAY)
        social.hear(row, event["kind"], at // DAY)
        groups = SOCIAL
    if row["kind"] == before:
        return n, groups
    # Another kind of user is judged by other thresholds.
    now = max(min(at, law.vouched), row["last_at"], row["since"] + 1)
    habit.pass_days(row, purchase.of(state, row), now // DAY)
    return activity.reconsider(row, now, law.rules, law.stops, moves, n), ALL


@compiled
def act(state, row, event, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count what the user did, an order once; return the moves of his class, and the groups that rest on it."""
    at, bought = event["at"], event["source"] == ORDERS
    found = order.find(state, row, event["hash"]) if bought else 0
    if found and state.pool[found - 1]["undone"] != AWAITED:
        return n, 0
    known, used = row["values"][ACTIVITY] != NONE, row["used"] + row["brought"]
    n, anew = come(state, row, at, event, rule, moves, n)
    if bought:
        return n, buy(state, row, at, event, rule, found)
    groups = click(row, at, event, rule)
    if anew:
        groups |= GROWTH | ENGAGEMENT
    if row["used"] + row["brought"] != used:
        groups |= ENGAGEMENT
    return n, groups if known else ALL


@compiled
def come(state, row, at, event, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Note that the user acted; return the moves of his class, and whether his days or his class are others."""
    day = at // DAY
    before = row["values"][ACTIVITY]
    first = before == NONE
    habit.pass_days(row, purchase.of(state, row), day)
    anew = not was_active(row, day)
    if anew:
        period.count(state.periods, row, day)
        mark_active(row, day)
        habit.settle_days(row)
    if first or at > row["last_at"]:
        n = activity.act(row, at, moves, n)
        habit.remember(row, at, first)
    else:
        n = activity.late_act(row, at, rule, moves, n)
    if first or at < row["first_at"]:
        row["first_at"] = at
    habit.note(row, at, event["category"])
    habit.touch(row, at, event["origin"], state.origins)
    return n, anew or row["values"][ACTIVITY] != before


@compiled
def click(row, at, event, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count what the user did, but for buying; return the groups that rest on it."""
    kind, day, groups = event["kind"], at // DAY, 0
    count_click(row, day)
    if social.act(row, kind, day, rule):
        groups |= SOCIAL
    if growth.act(row, kind, event["amount"], day, rule):
        groups |= GROWTH
    if rule["owns"]:
        groups |= OWN
    return groups


@compiled
def buy(state, row, at, event, rule, found):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count a paid order; return the groups that rest on it. What was paid back before it came is at `found`."""
    amount, undone = event["amount"], 0
    if found:
        amount = value.left(state.pool[found - 1], amount)
        undone = UNDONE if amount == 0 else 0
    points = growth.order_points(amount, rule)
    value.buy(state, row, at, event, amount, points, found, undone)
    if not undone:
        growth.earn(row, points, at // DAY)
    else:
        habit.unlike(row, at, event["category"])
    return ALL


@compiled
def undo(state, row, at, event):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Take back what an order did, or so much of it as was paid back; return the groups that rest on it."""
    found, points = value.undo(state, row, at, event)
    if not found:
        return 0
    made = state.pool[found - 1]
    growth.earn(row, -points, made["at"] // DAY)
    if made["undone"]:
        habit.unlike(row, made["at"], made["category"])
    return ALL


@compiled
def tell(row, at, places, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Take over what a profile's attributes say; return the number of moves."""
    for dimension in range(places.size):
        to = places[dimension]
        if to >= 0:
            n = settle(row, dimension, to, EVENT_CAUSE, at, NO_FIGURE, NO_FIGURE, NO_FIGURE, NO_FIGURE, moves, n)
    return n


@compiled
def pass_time(state, row, law, at, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Come to the deadline `at`: return the moves of the activity class, and the groups that fall due."""
    day, groups = at // DAY, 0
    if activity.deadline(row, law.rules, law.stops) == at:
        n = activity.lapse(row, at, TIME_CAUSE, law.rules, moves, n)
        groups = ENGAGEMENT
    habit.pass_days(row, purchase.of(state, row), day)
    groups |= VALUE if is_due(row["due_value"], day) else 0
    groups |= GROWTH if is_due(row["due_growth"], day) else 0
    groups |= SOCIAL if is_due(row["due_social"], day) else 0
    groups |= OWN if is_due(row["due_own"], day) else 0
    groups |= ENGAGEMENT if is_due(row["due_engagement"], day) else 0
    return n, groups


@compiled
def is_due(due, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Say whether a group's day has come; 0 is none."""
    return 0 < due <= day


@compiled
def reconsider(state, row, law, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Come under rules that are new to the row; what moves, moves by threshold, dated when they began to hold for it.

    Returns the moves of the activity class, that time, and the groups to judge: none for who was never judged.
    """
    known = row["version"] != 0
    row["version"] = law.version
    at = max(law.since, row["last_at"], np.int64(row["day"]) * DAY)
    if not known:
        return n, at, 0
    habit.pass_days(row, purchase.of(state, row), at // DAY)
    return activity.reconsider(row, at, law.rules, law.stops, moves, n), at, ALL


@compiled
def judge(state, row, law, at, cause, groups, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge groups of dimensions anew; return the number of moves."""
    rule, weekly = law.rules[row["kind"]], purchase.of(state, row)
    day = row["day"]
    if groups & VALUE:
        n = value.judge(row, weekly, day, at, cause, rule, moves, n)
    if groups & GROWTH:
        n = growth.judge(row, day, at, cause, rule, moves, n)
    if groups & SOCIAL:
        told = n
        n = social.judge(row, day, at, cause, rule, moves, n)
        if n > told:
            groups |= ENGAGEMENT
    if groups & OWN and rule["owns"]:
        n = own.judge(row, weekly, day, at, cause, rule, moves, n)
    if groups & ENGAGEMENT:
        n = engagement.judge(row, weekly, day, at, cause, rule, moves, n, law.stops)
    return n


@compiled
def next_due(row, law, vouched):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return when time alone will next move the user, int ms UTC, or NEVER; absence counts before `vouched` only."""
    at = activity.deadline(row, law.rules, law.stops)
    if at >= vouched:
        at = NEVER
    at = earlier(at, row["due_value"])
    at = earlier(at, row["due_growth"])
    at = earlier(at, row["due_social"])
    at = earlier(at, row["due_own"])
    return earlier(at, row["due_engagement"])


@compiled
def earlier(at, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the earlier of an instant and the beginning of a day; 0 and NEVER_DAY are no days."""
    return min(at, np.int64(day) * DAY) if 0 < day < NEVER_DAY else at


def kept_groups(rules: np.ndarray) -> int:
    """Return the groups of dimensions of which any is kept by any kind of user (RULE[kinds])."""
    on = np.atleast_1d(rules["on"].any(axis=0))
    return sum(group for group, dimensions in GROUPS.items() if on[list(dimensions)].any())


def find_due(due: np.ndarray, until: int) -> np.ndarray:
    """Return the rows (i8[n], ascending) whose deadline (i8[rows]) lies before `until`."""
    return np.flatnonzero(due < until)


@compiled
def set_deadlines(state, law, who):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Derive the deadlines of the rows `who` (i8[n]) anew, as after recovery."""
    for i in who:
        state.due[i] = next_due(state.rows[i], law, NEVER) if state.rows[i]["version"] else NEVER


@compiled
def count(rows, population, sources):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Add rows (ROW[n]) to the users by dimension and value (i8[dimensions, values]) and by first-touch source.

    Returns the newest act of them all, int ms UTC.
    """
    newest = np.int64(0)
    for i in range(rows.size):
        row = rows[i]
        for dimension in range(population.shape[0]):
            population[dimension, row["values"][dimension]] += 1
        sources[row["source"]] += 1
        newest = max(newest, row["last_at"])
    return newest
