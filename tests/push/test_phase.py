from __future__ import annotations

import random

import numpy as np
import pytest

from streams.core import period
from streams.core.row import DAY
from streams.push.phase import detect, phase_of, trend, weekly

MONDAY = 1_700_438_400_000  # 2023-11-20T00:00:00Z
WEEK = 7 * DAY


def weeks(start, rate, count, noise=0.0, seed=0):
    """So many weeks that change by a rate, each off by a factor that is spread about 1."""
    dice = random.Random(seed)
    return [round(start * (1 + rate) ** n * dice.lognormvariate(0, noise)) for n in range(count)]


@pytest.mark.parametrize(
    ("actives", "phase"),
    [
        ([], "trial"),
        ([5, 50, 500], "trial"),
        ([5, 50, 500, 5000], "launch"),
        (weeks(100, 0.3, 11), "launch"),
        (weeks(100, 0.3, 12), "growth"),
        (weeks(10_000, 0.02, 30), "growth"),
        (weeks(10_000, 0.005, 30), "stable"),
        (weeks(10_000, 0, 30), "stable"),
        (weeks(10_000, -0.005, 30), "stable"),
        (weeks(10_000, -0.02, 30), "decline"),
        (weeks(100, 0.3, 20) + [19_000] * 8, "stable"),
        (weeks(100, 0.3, 20) + weeks(19_000, -0.05, 8), "decline"),
        ([100] * 20 + [0] * 8, "decline"),
        ([100, 90, 50, 0, 0, 0, 0, 0, 0, 0, 0], "decline"),
        ([3] * 12, "stable"),
    ],
)
def test_the_phase_follows_the_weekly_actives(actives, phase):
    assert detect(actives) == phase


@pytest.mark.parametrize("odd", [0, 1_000_000])
@pytest.mark.parametrize(("rate", "phase"), [(0.0, "stable"), (0.04, "growth"), (-0.04, "decline")])
@pytest.mark.parametrize("week", [12, 15, 19])
def test_one_odd_week_an_outage_or_a_festival_changes_nothing(week, rate, phase, odd):
    actives = weeks(10_000, rate, 20)
    actives[week] = odd
    assert detect(actives) == phase


def share(rate, noise, phase):
    return sum(detect(weeks(10_000, rate, 30, noise, seed)) == phase for seed in range(400)) / 400


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.2])
def test_noise_alone_is_hardly_ever_taken_for_a_trend(noise):
    assert share(0, noise, "stable") > 0.85


def test_a_trend_is_found_through_noise():
    assert share(0.03, 0.03, "growth") > 0.95
    assert share(-0.03, 0.03, "decline") > 0.95


def test_the_slope_is_the_rate_and_every_pair_agrees():
    slope, agreement = trend([100 * 2**n for n in range(8)])
    assert slope == pytest.approx(np.log(2))
    assert agreement == 28


def counted(actives, newest):
    """Growth accounts of a product whose newest complete week is that before `newest`."""
    periods = period.empty()
    this = period.number(period.WEEKS, newest // DAY)
    for back, count in enumerate(reversed(actives), 1):
        period.put(periods, period.WEEKS, this - back, (count, 0, count, 0))
    period.put(periods, period.WEEKS, this, (1, 0, 1, 0))
    return periods


def test_only_complete_weeks_count_and_one_without_anybody_counts_as_such():
    actives = [7, 0, 9]
    for now in (MONDAY, MONDAY + WEEK - 1):
        assert weekly(counted(actives, MONDAY), now) == actives
    assert weekly(counted(actives, MONDAY), MONDAY + WEEK) == [*actives, 1]
    assert weekly(period.empty(), MONDAY) == []


def test_what_is_set_holds_and_auto_adds_up_the_partitions():
    up, down = weeks(10_000, 0.05, 20), weeks(1000, -0.05, 20)
    parts = [counted(up, MONDAY), counted(down, MONDAY)]
    assert phase_of("decline", parts, MONDAY) == "decline"
    assert phase_of("auto", parts, MONDAY) == "growth"
    assert phase_of("auto", parts[1:], MONDAY) == "decline"
    assert phase_of("auto", [], MONDAY) == "trial"
