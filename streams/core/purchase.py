"""What users bought by week, in the shard's PURCHASES: a place for each who has bought, and none for who never did.

The place 0 stands for all of those, and is empty. A place that a user was given is his for good, as his row is. As the
row's own rings it knows the 26 weeks up to the row's `week`.
"""

from __future__ import annotations

import numpy as np

from streams.core.compiled import compiled
from streams.core.row import WEEKS
from streams.core.window import I4_MAX, U1_MAX, clear_weeks


@compiled
def of(state, row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return what a user bought by week, to be read."""
    return state.purchases[row["purchases"]]


@compiled
def count(state, row, week, orders, amount, coupons):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Add to the slots of a week that is in the row's rings."""
    if not row["purchases"]:
        take_place(state, row)
    weekly, slot = of(state, row), week % WEEKS
    weekly["orders"][slot] = min(max(np.int64(weekly["orders"][slot]) + orders, 0), U1_MAX)
    weekly["coupons"][slot] = min(max(np.int64(weekly["coupons"][slot]) + coupons, 0), U1_MAX)
    weekly["spend"][slot] = min(max(np.int64(weekly["spend"][slot]) + amount, 0), I4_MAX)


@compiled
def take_place(state, row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Give a user a place of his own."""
    row["purchases"] = state.heads[2]
    state.heads[2] += 1


@compiled
def put(state, row, place, purchases, k):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Put what was read back of a user where he had his `place` (0: nowhere); return how many of `purchases` are in.

    They are those from `k` on; it is his if his row, as it was read, says so.
    """
    told, row["purchases"] = row["purchases"], place
    if not told:
        clear_weeks(of(state, row), 0, WEEKS - 1)
        return k
    if not place:
        take_place(state, row)
    state.purchases[row["purchases"]] = purchases[k]
    return k + 1
