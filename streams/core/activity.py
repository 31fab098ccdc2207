"""The activity class (A1): new, active, dormant (沉默), churned (流失), returning (回流).

Everything that decides about it is the table below; its definitions are those of the field's threshold-based
family. The deadlines that bring time's own moves follow from the row, so they need no log.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from streams.core.row import CORRECTION_CAUSE, DAY, EVENT_CAUSE, NEVER, TIME_CAUSE

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


class Rules(NamedTuple):
    """The thresholds, in ms; NEVER switches one off."""

    new_ms: int
    dormant_ms: int
    churned_ms: int


def compiled(table: tuple[tuple[str, str, str], ...] = TABLE) -> np.ndarray:
    """Return the table as int8[class, trigger] → class; a class that a trigger leaves alone maps to itself."""
    matrix = np.repeat(np.arange(len(CLASSES), dtype=np.int8)[:, None], len(TRIGGERS), axis=1)
    for froms, trigger, to in table:
        for name in froms.split():
            matrix[CLASSES.index(name), TRIGGERS.index(trigger)] = CLASSES.index(to)
            if trigger == "act":
                matrix[CLASSES.index(name), LATER_DAY] = CLASSES.index(to)
    return matrix


NEXT = compiled()


@njit(cache=True)
def deadline(rows, i, rules):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 (numba infers the types)
    """Return when time alone will move row `i` next (it moves once time is *past* it), or NEVER."""
    cls = rows["activity"][i]
    if cls == NEW:
        return min(rows["since"][i] + rules.new_ms, rows["last_at"][i] + rules.dormant_ms)
    if cls in (ACTIVE, RETURNING):
        return rows["last_at"][i] + rules.dormant_ms
    if cls == DORMANT:
        return min(rows["last_at"][i] + rules.churned_ms, NEVER)
    return NEVER


@njit(cache=True)
def lapse(rows, due, i, until, rules, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Make every move of time that lies before `until`, dated at its deadline; return the number of moves."""
    while due[i] < until:
        at = due[i]
        cls = rows["activity"][i]
        if cls == NEW and at == rows["since"][i] + rules.new_ms:
            n = move(rows, i, NEXT[cls, SETTLED], TIME_CAUSE, at, moves, n)
        elif cls == DORMANT:
            n = move(rows, i, NEXT[cls, LONG_ABSENCE], TIME_CAUSE, at, moves, n)
        else:
            rows["before"][i] = cls
            rows["before_since"][i] = rows["since"][i]
            rows["lapsed_at"][i] = at
            n = move(rows, i, NEXT[cls, ABSENCE], TIME_CAUSE, at, moves, n)
        due[i] = deadline(rows, i, rules)
    return n


@njit(cache=True)
def act(rows, i, at, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Fold an act newer than all the user's others, time before it being settled; return the number of moves."""
    if rows["activity"][i] in (DORMANT, CHURNED) and at <= rows["since"][i]:
        n = retract(rows, i, at, moves, n)
    cls = rows["activity"][i]
    trigger = LATER_DAY if at // DAY > rows["since"][i] // DAY else ACT
    if NEXT[cls, trigger] != cls:
        n = move(rows, i, NEXT[cls, trigger], EVENT_CAUSE, at, moves, n)
    return n


@njit(cache=True)
def retract(rows, i, at, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Correct an absence that a late act disproves: to the class before it, or returning if he came amid it."""
    if at > rows["lapsed_at"][i]:
        return move(rows, i, RETURNING, CORRECTION_CAUSE, at, moves, n)
    n = move(rows, i, rows["before"][i], CORRECTION_CAUSE, at, moves, n)
    rows["since"][i] = rows["before_since"][i]
    return n


@njit(cache=True)
def move(rows, i, to, cause, at, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Enter class `to` at `at` and write the move into moves[n]; return n + 1."""
    rows["seq"][i] += 1
    moves["at"][n] = at
    moves["last_at"][n] = rows["last_at"][i] if rows["activity"][i] != NONE else -1
    moves["row"][n] = i
    moves["seq"][n] = rows["seq"][i]
    moves["from"][n] = rows["activity"][i]
    moves["to"][n] = to
    moves["cause"][n] = cause
    rows["activity"][i] = to
    rows["since"][i] = at
    return n + 1
