"""The activity class (A1): new, active, dormant (沉默), churned (流失), returning (回流).

Everything that decides about it is the table below; its definitions are those of the field's threshold-based
family. The deadlines that bring time's own moves follow from the row and from the
spans in which the absence clock stood still, so they need no log of their own.
"""

from __future__ import annotations

import math

import numpy as np

from streams.core.compiled import compiled
from streams.core.move import NO_FIGURE, move
from streams.core.row import CORRECTION_CAUSE, DAY, EVENT_CAUSE, NEVER, THRESHOLD_CAUSE

ACTIVITY = 0
"""The place of this dimension among all."""
CLASSES = ("none", "new", "active", "dormant", "churned", "returning")
NONE, NEW, ACTIVE, DORMANT, CHURNED, RETURNING = range(len(CLASSES))

TRIGGERS = ("act", "act on a later day", "settled", "absence", "long absence")
ACT, LATER_DAY, SETTLED, ABSENCE, LONG_ABSENCE = range(len(TRIGGERS))

TABLE = (
    # from                        on                      to
    ("none",                      "act",                  "new"),
    ("new returning",             "act on a later day",   "active"),
    ("new",                       "settled",              "active"),
    ("new active returning",      "absence",              "dormant"),
    ("dormant",                   "long absence",         "churned"),
    ("dormant churned",           "act",                  "returning"),
)  # fmt: skip


def matrix_of(table: tuple[tuple[str, str, str], ...] = TABLE) -> np.ndarray:
    """Return the table as int8[class, trigger] → class; a class that a trigger leaves alone maps to itself."""
    matrix = np.repeat(np.arange(len(CLASSES), dtype=np.int8)[:, None], len(TRIGGERS), axis=1)
    for froms, trigger, to in table:
        for name in froms.split():
            matrix[CLASSES.index(name), TRIGGERS.index(trigger)] = CLASSES.index(to)
            if trigger == "act":
                matrix[CLASSES.index(name), LATER_DAY] = CLASSES.index(to)
    return matrix


NEXT = matrix_of()


@compiled
def absence_ms(row, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 (numba infers the types)
    """Return the absence that makes the user dormant: fixed, or his own gaps' (LIFECYCLE §5), shrunk to everybody's."""
    if not rule["personal"] or rule["dormant_ms"] >= NEVER >> 1:
        return rule["dormant_ms"]
    gaps, logs = own_gaps(row)
    prior = rule["personal_prior"]
    log_gap = (logs + prior * rule["personal_log_gap"]) / (gaps + prior)
    own = np.int64(math.exp(log_gap + rule["personal_margin"]) * DAY)
    return min(max(own, rule["personal_floor_ms"]), rule["personal_ceiling_ms"])


@compiled
def own_gaps(row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the number of gaps between the user's active days, and the sum of their logs: settled, and not yet."""
    gaps, logs, before = np.int64(row["gaps"]), np.float64(row["gap_log"]), np.int64(row["settled_day"])
    newest = np.int64(row["day"])
    for back in range(2, -1, -1):
        day = newest - back
        if day > before and (np.int64(row["active_days"]) >> back) & 1:
            if before:
                gaps += 1
                logs += math.log(day - before)
            before = day
    return gaps, logs


@compiled
def churn_ms(row, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the absence after which a dormant user is churned: never before he is dormant."""
    return max(rule["churned_ms"], absence_ms(row, rule))


@compiled
def credited(last_at, deadline, stops):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the deadline put off by the spans (i8[k, 2], ascending) in which the clock stood still since `last_at`."""
    for k in range(len(stops)):
        start, end = stops[k, 0], stops[k, 1]
        if end <= last_at:
            continue
        if start >= deadline:
            break
        if end >= NEVER:
            return NEVER
        deadline += end - max(start, last_at)
    return deadline


@compiled
def deadline(row, rules, stops):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return when time alone will next change the class of row `i` (it moves once time is *past* it), or NEVER."""
    cls = row["values"][ACTIVITY]
    if cls in (NONE, CHURNED):
        return NEVER
    rule, last_at = rules[row["kind"]], row["last_at"]
    if cls == DORMANT:
        return min(credited(last_at, min(last_at + churn_ms(row, rule), NEVER), stops), NEVER)
    lapse_at = credited(last_at, min(last_at + absence_ms(row, rule), NEVER), stops)
    return min(lapse_at, row["since"] + rule["new_ms"]) if cls == NEW else lapse_at


@compiled
def lapse(row, at, cause, rules, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Make the move of time that falls due at `at`; return the number of moves."""
    rule, cls = rules[row["kind"]], row["values"][ACTIVITY]
    if cls == NEW and at == row["since"] + rule["new_ms"]:
        return change(row, NEXT[cls, SETTLED], cause, at, rule["new_ms"] / DAY, moves, n)
    if cls == DORMANT:
        return change(row, NEXT[cls, LONG_ABSENCE], cause, at, churn_ms(row, rule) / DAY, moves, n)
    row["before"] = cls
    row["before_since"] = row["since"]
    row["lapsed_at"] = at
    return change(row, NEXT[cls, ABSENCE], cause, at, absence_ms(row, rule) / DAY, moves, n)


@compiled
def act(row, at, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Fold an act newer than all the user's others, time before it being settled; return the number of moves."""
    if row["values"][ACTIVITY] in (DORMANT, CHURNED) and at <= row["since"]:
        n = retract(row, at, moves, n)
    cls = row["values"][ACTIVITY]
    trigger = LATER_DAY if at // DAY > row["since"] // DAY else ACT
    if NEXT[cls, trigger] != cls:
        n = change(row, NEXT[cls, trigger], EVENT_CAUSE, at, NO_FIGURE, moves, n)
    return n


@compiled
def late_act(row, at, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Fold an act older than the user's newest: he came, or came back, earlier than it seemed, or was never away."""
    cls = row["values"][ACTIVITY]
    if cls not in (NEW, RETURNING) or at >= row["since"]:
        return n
    if cls == RETURNING and at <= row["lapsed_at"]:
        absence = absence_ms(row, rule)
        if row["lapsed_at"] - at < absence and row["since"] - at <= absence:
            n = change(row, row["before"], CORRECTION_CAUSE, at, NO_FIGURE, moves, n)
            row["since"] = row["before_since"]
        return n
    row["since"] = at
    if row["last_at"] // DAY > at // DAY:
        n = change(row, NEXT[cls, LATER_DAY], EVENT_CAUSE, row["last_at"], NO_FIGURE, moves, n)
    return n


@compiled
def retract(row, at, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Correct an absence that a late act disproves: to the class before it, or returning if he came amid it."""
    if at > row["lapsed_at"]:
        return change(row, RETURNING, CORRECTION_CAUSE, at, NO_FIGURE, moves, n)
    n = change(row, row["before"], CORRECTION_CAUSE, at, NO_FIGURE, moves, n)
    row["since"] = row["before_since"]
    return n


@compiled
def change(row, to, cause, at, threshold_days, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Enter class `to`; the evidence is the newest act before it, the gap since then, and the threshold."""
    last_at, gap = NO_FIGURE, NO_FIGURE
    if row["values"][ACTIVITY] != NONE:
        last_at = float(row["last_at"])
        gap = (at - last_at) / DAY
    row["since"] = at
    return move(row, ACTIVITY, to, cause, at, last_at, gap, threshold_days, NO_FIGURE, moves, n)


@compiled
def reconsider(row, at, rules, stops, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Put the user into the class that new thresholds give him at `at`; return the number of moves."""
    rule, cls, last_at = rules[row["kind"]], row["values"][ACTIVITY], row["last_at"]
    threshold, to = absence_ms(row, rule), cls
    if cls == NONE:
        return n
    if credited(last_at, min(last_at + churn_ms(row, rule), NEVER), stops) < at:
        threshold, to = churn_ms(row, rule), CHURNED
    elif credited(last_at, min(last_at + threshold, NEVER), stops) < at:
        to = DORMANT
    elif cls in (DORMANT, CHURNED):
        to = row["before"]
    elif cls == NEW and row["since"] + rule["new_ms"] < at:
        threshold, to = rule["new_ms"], ACTIVE
    if to == cls:
        return n
    if to in (DORMANT, CHURNED) and cls not in (DORMANT, CHURNED):
        row["before"] = cls
        row["before_since"] = row["since"]
        row["lapsed_at"] = at
    return change(row, to, THRESHOLD_CAUSE, at, threshold / DAY, moves, n)
