"""A move: a user comes to another value of a dimension. Every move of every dimension is written here."""

from __future__ import annotations

from streams.core.compiled import compiled
from streams.core.row import CORRECTION_CAUSE, DAY, EVENT_CAUSE

NO_FIGURE = -1.0


@compiled
def move(row, dimension, to, cause, at, a, b, c, d, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Enter the value `to` at `at`, with the figures a … d as its evidence; return n + 1."""
    m = moves[n]
    row["seq"] += 1
    m["at"] = at
    m["seq"] = row["seq"]
    m["dimension"] = dimension
    m["from"] = row["values"][dimension]
    m["to"] = to
    m["cause"] = cause
    m["kind"] = row["kind"]
    m["rules"] = row["version"]
    m["figures"][0] = a
    m["figures"][1] = b
    m["figures"][2] = c
    m["figures"][3] = d
    row["values"][dimension] = to
    row["since_day"][dimension] = at // DAY
    return n + 1


@compiled
def settle(row, dimension, to, cause, at, a, b, c, d, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Move if `to` is another value than the present one; return the number of moves.

    An event of a day before the present value was entered disproves it: then it is a correction.
    """
    if row["values"][dimension] == to:
        return n
    if cause == EVENT_CAUSE and at // DAY < row["since_day"][dimension]:
        cause = CORRECTION_CAUSE
    return move(row, dimension, to, cause, at, a, b, c, d, moves, n)


@compiled
def band(rule, dimension, figure):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the place of the band in which a figure lies, 0 below the first; lower bounds belong to their bands."""
    place = 0
    for k in range(rule["bands"][dimension]):
        if figure >= rule["edges"][dimension, k]:
            place = k + 1
    return place


@compiled
def ripe(row, dimension, day, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Say whether the present value has stood for the least dwell, so that time alone may take it away."""
    return day >= row["since_day"][dimension] + rule["dwell_days"]
