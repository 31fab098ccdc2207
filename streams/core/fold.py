"""The fold: (row, event, rules) → row', moves; and the sweep, in which time itself is the event."""

from __future__ import annotations

import numpy as np
from numba import njit

from streams.core.activity import NONE, act, deadline, lapse
from streams.core.row import CLICKS, ORDERS
from streams.core.window import count_click, count_order

MOST_MOVES = 4
"""An event makes at most this many moves: settled, dormant and churned by time, then its own."""
SMOOTHING = 0.1


@njit(cache=True)
def fold(rows, due, changed, events, rules, moves):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Fold `events` (EVENT[n], in order) into `rows`, skipping those already applied.

    `changed` (u1[rows]) is set where a row changed; `moves` (MOVE[MOST_MOVES · n]) takes the moves.
    Returns (moves made, events skipped).
    """
    n = skipped = 0
    for k in range(events.size):
        i, source, offset = events["row"][k], events["source"][k], events["offset"][k]
        if offset < rows["applied"][i, source]:
            skipped += 1
            continue
        rows["applied"][i, source] = offset + 1
        changed[i] = 1
        if events["act"][k] == 0:
            continue
        at = events["at"][k]
        n = lapse(rows, due, i, at, rules, moves, n)
        if source == CLICKS:
            count_click(rows, i, at)
        elif source == ORDERS:
            count_order(rows, i, at, events["amount"][k])
        first = rows["activity"][i] == NONE
        if first or at > rows["last_at"][i]:
            n = act(rows, i, at, moves, n)
            remember(rows, i, at, first)
            due[i] = deadline(rows, i, rules)
        elif at < rows["first_at"][i]:
            rows["first_at"][i] = at
    return n, skipped


@njit(cache=True)
def remember(rows, i, at, first):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Note the act as the user's newest, and the gap before it (EWMA, 0.1)."""
    if first:
        rows["first_at"][i] = at
    else:
        gap, mean = at - rows["last_at"][i], rows["gap_ms"][i]
        rows["gap_ms"][i] = gap if mean == 0 else mean + SMOOTHING * (gap - mean)
    rows["last_at"][i] = at


@njit(cache=True)
def sweep(rows, due, changed, who, until, rules, moves):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Settle the rows `who` (i8[n]) up to `until`; `moves` is MOVE[MOST_MOVES · n]. Returns the moves made."""
    n = 0
    for i in who:
        n = lapse(rows, due, i, until, rules, moves, n)
        changed[i] = 1
    return n


def find_due(due: np.ndarray, until: int) -> np.ndarray:
    """Return the rows (i8[n], ascending) whose deadline (i8[rows]) lies before `until`."""
    return np.flatnonzero(due < until)


@njit(cache=True)
def set_deadlines(rows, due, rules):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Derive every row's deadline anew, as after recovery or under new rules."""
    for i in range(rows.size):
        due[i] = deadline(rows, i, rules)
