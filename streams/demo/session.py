"""The simulated part of the demo: visits with clicks around the real orders. No data set of ours has both.

Every order ends a visit in which wares of its own basket went into the cart; in the days after an order the
household may come back to browse. Carts per order are those of Retailrocket (69,332 carts for 22,457 transactions);
of its 38.4 views per cart we keep a tenth, since most of its visitors never bought anything.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streams.demo.journey import Journey

KINDS = ("visit", "search", "view", "cart")
VISIT, SEARCH, VIEW, CART = range(len(KINDS))
SOURCES = ("direct", "search", "email", "social", "referral")
SOURCE_SHARES = (0.5, 0.25, 0.12, 0.08, 0.05)

CARTS_PER_ORDER = 69_332 / 22_457
VIEWS_PER_CART = 2_664_312 / 69_332 / 10
BROWSED = 0.9
"""Visits without an order, per order."""
BOUGHT, LEFT, PASSED = 1.2, 1.36, 3.6
"""Means of the carts beyond the first before an order, of those left behind when browsing, of the views beyond the
first and the carts in any visit; set so that the two ratios above come out, which a test holds."""
SEARCHED = 0.35
"""Share of the visits that begin with a search."""

SECOND, HOUR, DAY = 1000, 3_600_000, 86_400_000
LEAD = 2 * HOUR
"""A visit's first click lies less than this before its order."""


class Clicks(NamedTuple):
    """Clicks as columns: `at` (i8, ms UTC), `kind` (index of KINDS), `household`, `visit` (i8, unique to the visit),
    `line` (i8, the journey's line whose product was seen, -1 for none), `source` (index of SOURCES)."""

    at: np.ndarray
    kind: np.ndarray
    household: np.ndarray
    visit: np.ndarray
    line: np.ndarray
    source: np.ndarray

    def take(self, which: np.ndarray) -> Clicks:
        """Return these of the clicks."""
        return Clicks(*(column[which] for column in self))


class Visits(NamedTuple):
    """Visits as columns: the `basket` each belongs to, `number` among that basket's, `views`, `carts`, `bought`."""

    basket: np.ndarray
    number: np.ndarray
    views: np.ndarray
    carts: np.ndarray
    bought: np.ndarray


def join(parts: list[Clicks]) -> Clicks:
    """Return the clicks of all parts."""
    return Clicks(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def simulate(journey: Journey, baskets: slice, rng: np.random.Generator) -> Clicks:
    """Return the clicks around these baskets, in no order: from LEAD before the first to a week after the last."""
    visits = plan(journey, baskets, rng)
    owner = np.repeat(np.arange(len(visits.basket)), visits.views)
    begins = np.cumsum(visits.views) - visits.views
    rank = np.empty(len(owner), np.int64)
    rank[np.lexsort((rng.random(len(owner)), owner))] = np.arange(len(owner)) - begins[owner]
    carted = rank < visits.carts[owner]
    elapsed, length = pace(owner, begins, len(visits.basket), rng)
    start = begin(journey, visits, length, rng)
    line = choose(journey, baskets, visits, owner, rank, carted, rng)
    searched = np.flatnonzero(rng.random(len(start)) < SEARCHED)
    who = np.concatenate((np.arange(len(start)), searched, owner, owner[carted]))
    seen = start[owner] + elapsed
    counts = (len(start), len(searched), len(owner), int(carted.sum()))
    nothing = np.full(counts[0] + counts[1], -1)
    return Clicks(
        at=np.concatenate((start, start[searched] + 2 * SECOND, seen, seen[carted] + 2 * SECOND)),
        kind=np.repeat(np.arange(len(KINDS)), counts),
        household=journey.household[visits.basket][who],
        visit=(journey.basket[visits.basket] * 10 + visits.number)[who],
        line=np.concatenate((nothing, line, line[carted])),
        source=rng.choice(len(SOURCES), len(start), p=SOURCE_SHARES)[who],
    )


def plan(journey: Journey, baskets: slice, rng: np.random.Generator) -> Visits:
    """Decide on the visits: one that ends in each order, and those that only browse."""
    orders = np.arange(baskets.start, baskets.stop)
    lines = np.diff(journey.starts)[baskets]
    carts = np.minimum(lines, 1 + rng.poisson(BOUGHT, len(orders)))
    browsing = np.minimum(rng.poisson(BROWSED, len(orders)), 9)
    basket = np.repeat(orders, browsing)
    number = 1 + np.arange(len(basket)) - np.repeat(np.cumsum(browsing) - browsing, browsing)
    carts = np.concatenate((carts, rng.poisson(LEFT, len(basket))))
    return Visits(
        basket=np.concatenate((orders, basket)),
        number=np.concatenate((np.zeros_like(orders), number)),
        views=carts + 1 + rng.poisson(PASSED, len(carts)),
        carts=carts,
        bought=np.repeat((True, False), (len(orders), len(basket))),
    )


def pace(
    owner: np.ndarray, begins: np.ndarray, visits: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return when each view comes after its visit's start, and how long each visit lasts (ms, under LEAD)."""
    pauses = (5 * SECOND + rng.exponential(30 * SECOND, len(owner))).astype(np.int64)
    total = np.cumsum(pauses)
    elapsed = np.minimum(total - (total - pauses)[begins][owner], LEAD - 120 * SECOND)
    length = np.zeros(visits, np.int64)
    np.maximum.at(length, owner, elapsed)
    return elapsed, length


def begin(journey: Journey, visits: Visits, length: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return when each visit begins: so that its order follows, or some days later at about the same hour."""
    order = journey.at[visits.basket]
    pause = rng.integers(15 * SECOND, 90 * SECOND, len(order))
    days = np.minimum(rng.geometric(0.45, len(order)), 6)
    drift = np.clip(rng.normal(0, 1.5 * HOUR, len(order)), -4 * HOUR, 4 * HOUR).astype(np.int64)
    return np.where(visits.bought, order - length - pause, order + days * DAY + drift)


def choose(
    journey: Journey,
    baskets: slice,
    visits: Visits,
    owner: np.ndarray,
    rank: np.ndarray,
    carted: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the line whose product each view shows: the basket's own where it was bought, else one of that time."""
    anything = rng.integers(journey.starts[baskets.start], journey.starts[baskets.stop], len(owner))
    own = journey.starts[visits.basket][owner] + rank
    return np.where(carted & visits.bought[owner], own, anything)
