"""The product's phase (trial, launch, growth, stable, decline: 试水 启动 增长 稳定 衰退), by its weekly active users.

    fewer than 4 complete weeks    trial    nothing can be said of four points
    fewer than 12                  launch   the first weeks are friends and campaigns, and a trend takes 8 beyond them
    from then on, over the newest 8 weeks
      more than 1 % up a week      growth   and at least 21 of the 28 pairs of weeks agree that it is up
      more than 1 % down a week    decline  likewise, down; or nobody comes any more
      else                         stable

The trend is the Theil-Sen slope of the logarithm: the median of the slopes of all pairs, which up to two odd weeks of
eight (a festival, an outage) cannot move far (Sen 1968, breakdown at 29 %). A product that stays within ±5 % of its
8-week mean is taken for stable; a line through such a band rises by 1.4 % a week at most, so that 1 % leaves room for
noise. That pairs must agree is Kendall's test: 21 of 28 do so in every clear trend with one odd week in it, wherever it
lies, and by chance in 5.4 % of all cases on either side (Kendall 1970, table 1: n = 8, S = 14). A growth that cannot
be told from noise counts as stable.
"""

from __future__ import annotations

from itertools import combinations
from math import log
from statistics import median
from typing import TYPE_CHECKING, Literal

from streams.core import period
from streams.core.row import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

Phase = Literal["trial", "launch", "growth", "stable", "decline"]
TRIAL_WEEKS = 4
TREND_WEEKS = 8
LAUNCH_WEEKS = TRIAL_WEEKS + TREND_WEEKS
TREND = 0.01
AGREEMENT = 14
"""By how many more pairs of weeks go one way than the other, of 28."""


def phase_of(setting: str, parts: Sequence[np.ndarray], now: int) -> str:
    """Return the product's phase: the one that is set, or with `auto` the one that is detected.

    `parts` are the growth accounts of the partitions that are held (`Shard.periods`, each i8[grains, SIZE, 5]): users
    are spread over them by chance, so that they tell of all. `now` (int ms UTC) lies in the week that is not complete.
    """
    return detect(weekly(period.merge(parts), now)) if setting == "auto" else setting


def weekly(periods: np.ndarray, now: int) -> list[int]:
    """Return the active users of each complete week before `now`, oldest first, from the first that had any."""
    ring = periods[period.WEEKS]
    this = period.number(period.WEEKS, now // DAY)
    known = ring[(ring[:, period.ACTIVE] > 0) & (ring[:, period.NUMBER] < this), period.NUMBER]
    first = int(known.min()) if len(known) else this
    return [period.counters(ring, week)[period.ACTIVE] for week in range(first, this)]


def detect(actives: Sequence[int]) -> Phase:
    """Return the phase of a product with these weekly actives, of complete weeks, oldest first."""
    if len(actives) < TRIAL_WEEKS:
        return "trial"
    newest = actives[-TREND_WEEKS:]
    if not any(newest):
        return "decline"
    if len(actives) < LAUNCH_WEEKS:
        return "launch"
    slope, agreement = trend(newest)
    if abs(slope) <= TREND or abs(agreement) < AGREEMENT:
        return "stable"
    return "growth" if slope > 0 else "decline"


def trend(actives: Sequence[int]) -> tuple[float, int]:
    """Return the Theil-Sen slope of the logarithm a week, and Kendall's S: pairs that rise less pairs that fall.

    A week without anybody counts as one with one user.
    """
    logs = [log(max(count, 1)) for count in actives]
    slopes = [(b - a) / (j - i) for (i, a), (j, b) in combinations(enumerate(logs), 2)]
    return median(slopes), sum((slope > 0) - (slope < 0) for slope in slopes)
