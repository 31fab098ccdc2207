"""The simulated part of the demo: visits with clicks around the real orders. No data set of ours has both.

Every order ends a visit in which wares of its own basket went into the cart; in the days after an order the
household may come back to browse. Carts per order are those of Retailrocket (69,332 carts for 22,457
transactions); of its 38.4 views per cart we keep a tenth, since most of its visitors never bought anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
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
"""Means of the carts beyond the first before an order, of those left behind when browsing, and of the views
beyond the first and the carts in any visit; set so that the two ratios above come out, which a test holds."""
SEARCHED = 0.35
"""Share of the visits that begin with a search."""

SECOND, HOUR, DAY = 1000, 3_600_000, 86_400_000
LEAD = 2 * HOUR
"""A visit's first click lies less than this before its order."""
LONGEST = LEAD - 120 * SECOND


class Clicks(NamedTuple):
    """Clicks as columns.

    `at` (i8, ms UTC), `kind` (index of KINDS), `household`, `visit` (i8, unique), `line` (i8, the journey's
    line whose product was seen, -1 for none), `source` (index of SOURCES).
    """

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
    """Visits as columns: the `basket` each belongs to, its `number` there, `views`, `carts`, `bought`."""

    basket: np.ndarray
    number: np.ndarray
    views: np.ndarray
    carts: np.ndarray
    bought: np.ndarray


class Views(NamedTuple):
    """Views as columns: the `visit` (index), the time `after` its start (ms), `carted`, and a `rank` in it.

    The ranks are shuffled, but the carted have the lowest: they stand for the first lines of a basket.
    """

    visit: np.ndarray
    after: np.ndarray
    carted: np.ndarray
    rank: np.ndarray


def join(parts: list[Clicks]) -> Clicks:
    """Return the clicks of all parts."""
    return Clicks(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def simulate(journey: Journey, baskets: slice, rng: np.random.Generator) -> Clicks:
    """Return the clicks around these baskets, in no order, from LEAD before the first on."""
    visits = plan(journey, baskets, rng)
    views = look(visits, rng)
    start = begin(journey, visits, views, rng)
    line = choose(journey, baskets, visits, views, rng)
    searched = np.flatnonzero(rng.random(len(start)) < SEARCHED)
    counts = (len(start), len(searched), len(line), int(views.carted.sum()))
    visit = np.concatenate((np.arange(len(start)), searched, views.visit, views.visit[views.carted]))
    seen = start[views.visit] + views.after
    later = 2 * SECOND  # than the visit's start or the view; the first view comes at 5 s
    return Clicks(
        at=np.concatenate((start, start[searched] + later, seen, seen[views.carted] + later)),
        kind=np.repeat(np.arange(len(KINDS)), counts),
        household=journey.household[visits.basket][visit],
        visit=(journey.basket[visits.basket] * 10 + visits.number)[visit],
        line=np.concatenate((np.full(counts[VISIT] + counts[SEARCH], -1), line, line[views.carted])),
        source=rng.choice(len(SOURCES), len(start), p=SOURCE_SHARES)[visit],
    )


def plan(journey: Journey, baskets: slice, rng: np.random.Generator) -> Visits:
    """Decide on the visits: one that ends in each order, and those that only browse."""
    orders = np.arange(baskets.start, baskets.stop)
    lines = np.diff(journey.starts[baskets.start : baskets.stop + 1])
    bought = np.minimum(lines, 1 + rng.poisson(BOUGHT, len(orders)))
    browsing = np.minimum(rng.poisson(BROWSED, len(orders)), 9)
    basket = np.repeat(orders, browsing)
    number = 1 + np.arange(len(basket)) - np.repeat(np.cumsum(browsing) - browsing, browsing)
    carts = np.concatenate((bought, rng.poisson(LEFT, len(basket))))
    return Visits(
        basket=np.concatenate((orders, basket)),
        number=np.concatenate((np.zeros_like(orders), number)),
        views=carts + 1 + rng.poisson(PASSED, len(carts)),
        carts=carts,
        bought=np.repeat((True, False), (len(orders), len(basket))),
    )


def look(visits: Visits, rng: np.random.Generator) -> Views:
    """Spread the views over their visits, some 35 s apart, and decide which of them end in the cart."""
    visit = np.repeat(np.arange(len(visits.views)), visits.views)
    first = np.cumsum(visits.views) - visits.views
    rank = np.empty(len(visit), np.int64)
    rank[np.lexsort((rng.random(len(visit)), visit))] = np.arange(len(visit)) - first[visit]
    pauses = (5 * SECOND + rng.exponential(30 * SECOND, len(visit))).astype(np.int64)
    passed = np.cumsum(pauses)
    after = np.minimum(passed - (passed - pauses)[first][visit], LONGEST)
    return Views(visit, after, rank < visits.carts[visit], rank)


def begin(journey: Journey, visits: Visits, views: Views, rng: np.random.Generator) -> np.ndarray:
    """Return when each visit begins: so that its order follows, or some days later at about the same hour."""
    length = views.after[np.cumsum(visits.views) - 1]
    order = journey.at[visits.basket]
    pause = rng.integers(15 * SECOND, 90 * SECOND, len(order))
    days = np.minimum(rng.geometric(0.45, len(order)), 6)
    drift = np.clip(rng.normal(0, 1.5 * HOUR, len(order)), -4 * HOUR, 4 * HOUR).astype(np.int64)
    start: np.ndarray = np.where(visits.bought, order - length - pause, order + days * DAY + drift)
    return start


def choose(journey: Journey, baskets: slice, visits: Visits, views: Views, rng: np.random.Generator) -> np.ndarray:
    """Return the line whose product each view shows: the basket's own if bought, else any of that day."""
    any_line = rng.integers(journey.starts[baskets.start], journey.starts[baskets.stop], len(views.visit))
    own_line = journey.starts[visits.basket][views.visit] + views.rank
    line: np.ndarray = np.where(views.carted & visits.bought[views.visit], own_line, any_line)
    return line
