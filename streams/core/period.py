"""Growth accounting by days, weeks and months (A1, the period-based family): active = new + retained + resurrected.

A user is new in the first period in which he acted, retained if he also acted in the one before, resurrected
otherwise. The counters are a function of the sets of active periods, whatever the order of the acts: a late one also
mends what was counted of the period after it. What is later than those sets reach back is not counted.

The counters stand in rings: period p of a grain in slot p % SIZE, whose NUMBER is p; a newer period takes the slot.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.core.activity import ACTIVITY, NONE
from streams.core.compiled import compiled
from streams.core.row import DAY
from streams.core.window import BITS, WEEK_SHIFT, month_of, week_of

GRAINS = ("day", "week", "month")
DAYS, WEEKS, MONTHS = range(len(GRAINS))
SIZE = 1024
ACTIVE, NEW, RETAINED, RESURRECTED, NUMBER = range(5)


def empty() -> np.ndarray:
    """Return counters of nobody, i8[grains, SIZE, 5]."""
    return np.zeros((len(GRAINS), SIZE, NUMBER + 1), np.int64)


@compiled
def count(periods, row, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count an act on `day`, which is not after the row's own, where its day, week or month was not active yet."""
    known = row["values"][ACTIVITY] != NONE
    first = row["first_at"] // DAY if known else day
    days, weeks, months = row["active_days"], row["active_weeks"], row["active_months"]
    newest, week, month = np.int64(row["day"]), np.int64(row["week"]), np.int64(row["month"])
    enter(periods[DAYS], known, day, first, newest, np.int64(days))
    enter(periods[WEEKS], known, week_of(day), week_of(first), week, np.int64(weeks))
    enter(periods[MONTHS], known, month_of(day), month_of(first), month, np.int64(months))


@compiled
def enter(ring, known, period, first, newest, active):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count a user in a period; `active` is the set of his active ones, its bit k that of `newest` - k."""
    back = newest - period
    if back >= BITS or (active >> back) & 1:
        return
    if not known:
        add(ring, period, NEW)
        return
    if period < first:
        add(ring, period, NEW)
        if newest - first < BITS and (active >> (newest - first)) & 1:
            amend(ring, first, NEW, RETAINED if first == period + 1 else RESURRECTED)
        return
    add(ring, period, RETAINED if (active >> (back + 1)) & 1 else RESURRECTED)
    if back and (active >> (back - 1)) & 1:
        amend(ring, period + 1, RESURRECTED, RETAINED)


@compiled
def add(ring, period, kind):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count one more in a period, unless a newer one has its slot."""
    slot = period % SIZE
    if ring[slot, NUMBER] > period:
        return
    if ring[slot, NUMBER] < period:
        ring[slot, :] = 0
        ring[slot, NUMBER] = period
    ring[slot, ACTIVE] += 1
    ring[slot, kind] += 1


@compiled
def amend(ring, period, before, after):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count one of a period's as another kind than before."""
    slot = period % SIZE
    if ring[slot, NUMBER] == period:
        ring[slot, before] -= 1
        ring[slot, after] += 1


def merge(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the counters of several shards (each i8[grains, SIZE, 5]) as one."""
    if not parts:
        return empty()
    stacked = np.stack(parts)
    newest = stacked[..., NUMBER].max(axis=0)
    whole: np.ndarray = (stacked * (stacked[..., NUMBER] == newest)[..., None]).sum(axis=0)
    whole[..., NUMBER] = newest
    return whole


def put(periods: np.ndarray, grain: int, period: int, counters: Sequence[int]) -> None:
    """Put a period's counters back (active, new, retained, resurrected), unless a newer one has their slot."""
    slot = periods[grain, period % SIZE]
    if slot[NUMBER] <= period:
        slot[:] = [*counters, period]


def number(grain: int, day: int) -> int:
    """Return the number of the period of a grain in which a day lies."""
    return int((day, week_of(day), month_of(day))[grain])


def start(grain: int, period: int) -> str:
    """Return the first day of a period, an ISO date."""
    if grain == MONTHS:
        return f"{np.datetime64(period, 'M')}-01"
    return str(np.datetime64(period if grain == DAYS else period * 7 - WEEK_SHIFT, "D"))


def table(periods: np.ndarray, grain: int, newest: int, count: int) -> list[dict[str, str | int | float | None]]:
    """Return the accounts of the `count` periods up to number `newest`, oldest first.

    Each has start, active, new, retained, resurrected, churned (active in the period before it, not in it) and
    quick_ratio: (new + resurrected) / churned, None where nobody churned. A period that is not over yet has its
    churned still among those who may come.
    """
    return [account(periods[grain], grain, period) for period in range(newest - count + 1, newest + 1)]


def account(ring: np.ndarray, grain: int, period: int) -> dict[str, str | int | float | None]:
    """Return the account of one period."""
    active, new, retained, resurrected = counters(ring, period)
    churned = counters(ring, period - 1)[ACTIVE] - retained
    return {
        "start": start(grain, period),
        "active": active,
        "new": new,
        "retained": retained,
        "resurrected": resurrected,
        "churned": churned,
        "quick_ratio": (new + resurrected) / churned if churned else None,
    }


def counters(ring: np.ndarray, period: int) -> tuple[int, int, int, int]:
    """Return a period's active, new, retained and resurrected users; none where it is not in the ring."""
    slot = ring[period % SIZE]
    if slot[NUMBER] != period:
        return 0, 0, 0, 0
    return int(slot[ACTIVE]), int(slot[NEW]), int(slot[RETAINED]), int(slot[RESURRECTED])
