"""The personal threshold on real gaps: the engine's is the formula's, and what it is worth is what is said of it."""

import numpy as np
import pandas as pd
import pytest

from streams.core.activity import DORMANT, absence_ms
from streams.core.dimension import ACTIVITY
from streams.core.row import DAY, TIME_CAUSE
from streams.rulebook import build
from streams.settings import Activity, Settings
from tests.real import personal
from tests.real.orders import Replay, complete_journey, ms, told_of_journey

FLOOR, CEILING, PRIOR, GAP, MARGIN = 9, 45, 6, 5, 3.5
RULES = Activity(
    personal=True, personal_floor_days=FLOOR, personal_ceiling_days=CEILING, personal_prior=PRIOR,
    personal_gap_days=GAP, personal_margin=MARGIN, churned_days=0,
)  # fmt: skip
CLOSE = 1e-5
"""Relatively: the row keeps the sum of logs in four bytes."""


@pytest.fixture(scope="module")
def baskets():
    return complete_journey()


@pytest.fixture(scope="module")
def replay():
    replay = Replay(build(Settings(activity=RULES, dimensions=("activity",))), *told_of_journey(), sweep=True)
    replay.until(ms("2018-03-01"))
    return replay


def formula(total, n):
    """LIFECYCLE §5 in days, c being the margin's logarithm."""
    log = (total + PRIOR * np.log(GAP)) / (n + PRIOR)
    return np.clip(np.exp(log + np.log(MARGIN)), FLOOR, CEILING)


def own_gaps(baskets):
    """The gaps between each user's active days: their number, and the sum of their logs, after each active day."""
    days = baskets[["user", "day"]].drop_duplicates().sort_values(["user", "day"])
    log = np.log(days.groupby("user")["day"].diff().dt.days).fillna(0)
    return days.assign(n=days.groupby("user").cumcount(), total=log.groupby(days["user"]).cumsum())


def test_every_users_threshold_is_the_formulas(baskets, replay):
    found = replay.snapshot()
    mine = pd.Series([absence_ms(row, found.book.table[0]) / DAY for row in found.rows], index=found.users)
    last = own_gaps(baskets).groupby("user").tail(1).set_index("user")
    assert np.array_equal(found.rows["gaps"], last["n"].loc[found.users])
    right = formula(last["total"], last["n"]).loc[found.users]
    np.testing.assert_allclose(mine, right, rtol=CLOSE)
    assert (mine.min(), mine.max()) == (FLOOR, CEILING)
    assert mine.between(FLOOR + 1, CEILING - 1).sum() > 1000


@pytest.fixture(scope="module")
def lapses(replay):
    """Every dormancy: user, day of the last act, days from it, threshold as the evidence has it."""
    moves = replay.all_moves()
    moves = moves[(moves["dimension"] == ACTIVITY) & (moves["to"] == DORMANT)]
    assert len(moves) > 5_000
    assert set(moves["cause"]) == {TIME_CAUSE}
    last_at = moves["figures"][:, 0].astype(np.int64)
    day = pd.to_datetime(last_at, unit="ms").normalize()
    after = (moves["at"] - last_at) / DAY
    return pd.DataFrame(
        {"user": replay.users[moves["row"]], "day": day, "after": after, "threshold": moves["figures"][:, 2]}
    )


def test_every_dormancy_fell_due_by_its_threshold(lapses):
    np.testing.assert_allclose(lapses["after"], lapses["threshold"], atol=1 / DAY)


def test_every_dormancys_threshold_is_the_formulas_for_the_gaps_that_were_settled(baskets, lapses):
    """A gap is settled once the row's calendar is two days past it, which stands still from the last act on."""
    gaps = own_gaps(baskets)
    right = np.zeros(len(lapses), bool)
    for days in range(3):
        known = settled(lapses, gaps, days)
        right |= np.isclose(lapses["threshold"], formula(known["total"], known["n"]), rtol=CLOSE)
    assert right.all()


def test_every_dormancys_threshold_is_the_formulas_for_all_gaps_before_it(baskets, lapses):
    known = settled(lapses, own_gaps(baskets), 0)
    np.testing.assert_allclose(lapses["threshold"], formula(known["total"], known["n"]), rtol=CLOSE)


def settled(lapses, gaps, days):
    """Each lapsed user's gaps up to so many days before his last."""
    asked = lapses.assign(day=lapses["day"] - pd.Timedelta(days=days), place=np.arange(len(lapses)))
    by_day = gaps.astype({"day": asked["day"].dtype}).sort_values("day")
    found = pd.merge_asof(asked.sort_values("day"), by_day, on="day", by="user").sort_values("place")
    return found.fillna({"n": 0, "total": 0})


def test_at_equal_false_alarms_it_tells_earlier_of_anybody_but_not_of_those_who_went(baskets):
    """What `personal` found, held fast: a gain over users at large where alarms are to be rare, none among the gone."""
    told = personal.silences(baskets[baskets["at"] < personal.END])
    rare = personal.trial(told, 0.05, 16, draws=0)
    assert rare["alarms"] < 0.1
    assert rare["any_change"] < -0.1
    assert abs(rare["gone_change"]) < 0.1
    assert abs(personal.trial(told, 0.3, 16, draws=0)["any_change"]) < 0.1
