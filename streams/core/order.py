"""A user's orders: a list in the shard's pool, the newest first, so that each can be found again by its id.

They are remembered for the half year that windows can look back, and the newest four of a user for ever.
"""

from __future__ import annotations

import numpy as np

from streams.core import purchase
from streams.core.compiled import compiled
from streams.core.row import DAY, WEEKS

KEPT_DAYS = WEEKS * 7 + 7
KEPT_ORDERS = 4
MOST_ORDERS = 255


@compiled
def find(state, row, ident):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the place plus 1 of the user's order with this hash, 0 if there is none."""
    order = row["first_order"]
    while order and state.pool["hash"][order - 1] != ident:
        order = state.pool["next"][order - 1]
    return order


@compiled
def remember(state, row, at, ident, amount, points, category, coupon, undone):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Put an order before the user's others, and drop those that are past remembering."""
    pool = state.pool
    o = take_place(state)
    pool["hash"][o], pool["at"][o], pool["amount"][o], pool["points"][o] = ident, at, amount, points
    pool["category"][o], pool["coupon"][o], pool["undone"][o] = category, coupon, undone
    pool["next"][o] = row["first_order"]
    row["first_order"] = o + 1
    forget_old(state, row)


@compiled
def take_place(state):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return a free place of the pool, one that was freed before one that was never used."""
    o = state.heads[1] - 1
    if o >= 0:
        state.heads[1] = state.pool["next"][o]
        return o
    state.heads[0] += 1
    return state.heads[0] - 1


@compiled
def forget_old(state, row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Free the user's orders that are older than the half year, but for the newest few."""
    pool = state.pool
    least, kept, before, order = (np.int64(row["day"]) - KEPT_DAYS) * DAY, 0, 0, row["first_order"]
    while order:
        after = pool["next"][order - 1]
        if (pool["at"][order - 1] < least and kept >= KEPT_ORDERS) or kept >= MOST_ORDERS:
            pool["next"][before - 1] = after
            free(state, order)
        else:
            before, kept = order, kept + 1
        order = after


@compiled
def forget(state, row, found):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Free one of the user's orders, that at the place `found` - 1."""
    pool, before, order = state.pool, 0, row["first_order"]
    while order != found:
        before, order = order, pool["next"][order - 1]
    if before:
        pool["next"][before - 1] = pool["next"][found - 1]
    else:
        row["first_order"] = pool["next"][found - 1]
    free(state, found)


@compiled
def free(state, order):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Give the place of an order back."""
    state.pool["next"][order - 1] = state.heads[1]
    state.heads[1] = order


@compiled
def newest(state, row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the time of the newest order that stands, 0 for none."""
    at, order = np.int64(0), row["first_order"]
    while order:
        if not state.pool["undone"][order - 1]:
            at = max(at, state.pool["at"][order - 1])
        order = state.pool["next"][order - 1]
    return at


@compiled
def count(state, who, counts):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Write into `counts` (i4[n]) how many orders are remembered of each of the rows `who`; return their sum."""
    total = 0
    for k in range(who.size):
        n, order = 0, state.rows[who[k]]["first_order"]
        while order:
            n, order = n + 1, state.pool["next"][order - 1]
        counts[k] = n
        total += n
    return total


@compiled
def copy(state, who, orders):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Copy the orders of the rows `who` into `orders`, each user's newest first."""
    n = 0
    for i in who:
        order = state.rows[i]["first_order"]
        while order:
            orders[n] = state.pool[order - 1]
            orders["next"][n] = 0
            n, order = n + 1, state.pool["next"][order - 1]


@compiled
def forget_all(state, row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Free all of a user's orders."""
    order = row["first_order"]
    while order:
        after = state.pool["next"][order - 1]
        free(state, order)
        order = after
    row["first_order"] = 0


@compiled
def put(state, who, rows, counts, orders, purchases):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Put rows that were read back in the places `who`, with so many orders each; later ones over earlier ones.

    Those that say so have the next of `purchases`.
    """
    first = bought = 0
    for k in range(who.size):
        row = state.rows[who[k]]
        forget_all(state, row)
        place = row["purchases"]
        state.rows[who[k]] = rows[k]
        bought = purchase.put(state, row, place, purchases, bought)
        row["first_order"] = 0
        for o in range(first + counts[k] - 1, first - 1, -1):
            place = take_place(state)
            state.pool[place] = orders[o]
            state.pool["next"][place] = row["first_order"]
            row["first_order"] = place + 1
        first += counts[k]
