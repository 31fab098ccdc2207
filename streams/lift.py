"""Lift: treated users and those from whom pushes are withheld, compared so that anybody may look every day.

A test that is made for one look is wrong far more often than it says when it is looked at daily until it likes what it
sees. This one is right at every look (mSPRT: Robbins 1970; Johari, Pekelis and Walsh, "Always valid inference"). With
d the difference of the means, V its variance (the sum of the arms' own, which need not be of one size) and τ² the
variance of the differences that are thought possible,

    Λ = √(V/(V+τ²)) · exp(τ²d² / (2V(V+τ²)))

exceeds 1/a at any time, where there is no difference, with a chance of a at most. So p is 1/max Λ over the days, and
the differences that no day's Λ refutes are the interval, which holds the true one at all times with a chance of 1-a.

τ decides what is found soonest, not what is true: it is a tenth (`EFFECT`) of what users do anyway, since a push that
brings less than that seldom pays, and one that brings far more is found soon whatever τ is. What they do anyway is the
mean of both arms together on the first day on which anything is said. Where there is no difference, that mean tells
nothing of the difference of the arms, so it may be looked at; from then on τ is fixed.

All this supposes means that are nearly normal. Therefore nothing is said before there are `LEAST_USERS` in each arm, of
whom `LEAST_EITHER` did it and as many did not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL = 0.05
"""The chance that a difference is found, at whatever look, where there is none."""
EFFECT = 0.1
LEAST_USERS, LEAST_EITHER = 100, 20
USERS, HITS, TOTAL, SQUARES = range(4)
"""The columns of a series: users; how many of them did it; what they did, summed; its squares, summed."""


class Lift(Struct, frozen=True):
    """What is known of the difference that treatment makes, with intervals that hold at every look.

    `treated` and `holdout` are the arms' means, `difference` the first less the second, `relative` the same as a share
    of the holdout's. All are estimates of the newest day, moved into their interval where that day alone lies outside.
    `moved`: the days contradict one another, the difference is not what it was; the interval is the newest day's then.
    """

    treated: float
    holdout: float
    difference: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float
    p: float
    moved: bool


def compare(treated: np.ndarray, holdout: np.ndarray, groups: Sequence[np.ndarray] = ()) -> Lift | None:
    """Return what two arms tell that are looked at once a day; None while they are too small to tell anything.

    The arms are series (f8[days, 4], the same days in order), a day's own sums in each row. `groups` are the same two
    arms by groups of users (f8[groups, 4] each), where a user may count several times: see `inflation`.
    """
    arms = np.cumsum(treated, axis=0), np.cumsum(holdout, axis=0)
    looks = _enough(arms[0]) & _enough(arms[1])
    if not looks.any():
        return None
    arms = arms[0][looks], arms[1][looks]
    (mean, variance), (base, base_variance) = map(_mean, arms)
    more = inflation(*groups) if groups else 1.0
    usual = float((arms[0][0, TOTAL] + arms[1][0, TOTAL]) / (arms[0][0, USERS] + arms[1][0, USERS]))
    tau2, difference, spread = (EFFECT * usual) ** 2, mean - base, more * (variance + base_variance)
    low, high, moved = _interval(difference, spread, tau2)
    # The ratio of two means is nearly normal as its logarithm.
    ratio, ratio_spread = np.log(mean / base), more * (variance / mean**2 + base_variance / base**2)
    least, most, _ = _interval(ratio, ratio_spread, math.log1p(EFFECT) ** 2)
    return Lift(
        treated=float(mean[-1]),
        holdout=float(base[-1]),
        difference=float(np.clip(difference[-1], low, high)),
        low=low,
        high=high,
        relative=math.expm1(np.clip(ratio[-1], least, most)),
        relative_low=math.expm1(least),
        relative_high=math.expm1(most),
        p=_p(difference, spread, tau2),
        moved=moved,
    )


def inflation(treated: np.ndarray, holdout: np.ndarray) -> float:
    """Return by how much the variance is larger than that of independent users, at least 1.

    Who counts several times is like himself, so that ten of his windows tell less than ten users' do. The arms are
    given by groups (f8[groups, 4]), in which all that is of one user stands in one: how the groups differ tells it.
    """
    alone = sum(float(_mean(arm.sum(axis=0))[1]) for arm in (treated, holdout))
    return max(1.0, sum(map(_variance_by_groups, (treated, holdout))) / alone)


def say(lift: Lift | None, scale: float, unit: str, decimals: int = 1) -> str:
    """Return a lift in words; its numbers times `scale` are in units of `unit`."""
    if lift is None:
        return "too few to say"
    if lift.low <= 0 <= lift.high:
        low, high = (f"{x * scale:+.{decimals}f}" for x in (lift.low, lift.high))
        words = f"no difference seen yet ({low} to {high})"
    else:
        low, size, high = (
            f"{x * scale:.{decimals}f}" for x in sorted(map(abs, (lift.low, lift.difference, lift.high)))
        )
        words = f"{'more' if lift.low > 0 else 'less'} by {size} {unit} ({low} to {high})"
    return f"{words}, and not what it was" if lift.moved else words


def _enough(arm: np.ndarray) -> np.ndarray:
    """Say of each day whether an arm, summed up to it (f8[days, 4]), is large enough for anything to be said."""
    users, hits = arm[:, USERS], arm[:, HITS]
    varies = arm[:, SQUARES] * users > arm[:, TOTAL] ** 2
    found: np.ndarray = (users >= LEAST_USERS) & (hits >= LEAST_EITHER) & (users - hits >= LEAST_EITHER) & varies
    return found


def _mean(arm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of an arm (f8[..., 4]) and the variance of that mean."""
    users = arm[..., USERS]
    mean = arm[..., TOTAL] / users
    return mean, np.maximum(arm[..., SQUARES] / users - mean**2, 0) / (users - 1)


def _variance_by_groups(arm: np.ndarray) -> float:
    """Return the variance of an arm's mean as its groups (f8[groups, 4]) tell it."""
    arm = arm[arm[:, USERS] > 0]
    users, totals, groups = arm[:, USERS], arm[:, TOTAL], len(arm)
    off = totals - users * totals.sum() / users.sum()
    return float(groups / (groups - 1) * (off**2).sum() / users.sum() ** 2)


def _interval(estimate: np.ndarray, variance: np.ndarray, tau2: float) -> tuple[float, float, bool]:
    """Return what no day's evidence refutes (f8[days]); where that is nothing, the newest day's, and True."""
    both = variance + tau2
    reach = np.sqrt(variance * both / tau2 * (2 * math.log(1 / LEVEL) + np.log(both / variance)))
    low, high = float((estimate - reach).max()), float((estimate + reach).min())
    if low > high:
        return float(estimate[-1] - reach[-1]), float(estimate[-1] + reach[-1]), True
    return low, high, False


def _p(difference: np.ndarray, variance: np.ndarray, tau2: float) -> float:
    """Return 1 / max Λ over the days, at most 1."""
    both = variance + tau2
    evidence = np.log(variance / both) / 2 + tau2 * difference**2 / (2 * variance * both)
    return min(1.0, math.exp(-evidence.max()))
