"""Growth accounting: the counters are those of a recount of who acted in which period, whatever the order of acts."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import period
from streams.core.period import DAYS, GRAINS, MONTHS, NUMBER, SIZE, WEEKS
from streams.core.row import DAY
from streams.core.window import month_of, week_of
from tests.core.walk import D0, T0, Walk

NUMBERS = (int, week_of, month_of)
# Of every user the days on which he acts, in the order in which they come.
within = st.lists(st.lists(st.integers(0, 31), min_size=1, max_size=20), min_size=1, max_size=6)
ordered = st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=25).map(sorted), min_size=1, max_size=6)


def counted(users):
    """Return the counters of users who act on days in the order given, time passing at none of them."""
    periods = period.empty()
    for days in users:
        walk = Walk(periods=periods)
        for day in days:
            walk.act(T0 + day * DAY, vouched=0)
    return periods


def recount(users, grain, number):
    """Return (active, new, retained, resurrected) of a period, out of the sets of active periods."""
    told = [0, 0, 0, 0]
    for days in users:
        active = {NUMBERS[grain](D0 + day) for day in days}
        if number in active:
            kind = 1 if number == min(active) else 2 if number - 1 in active else 3
            told[0] += 1
            told[kind] += 1
    return tuple(told)


@given(st.one_of(within, ordered))
def test_the_counters_are_a_recount(users):
    periods = counted(users)
    for grain in range(len(GRAINS)):
        for number in range(NUMBERS[grain](D0 - 31), NUMBERS[grain](D0 + 432)):
            assert period.counters(periods[grain], number) == recount(users, grain, number)


@given(within, st.randoms(use_true_random=False))
def test_whatever_the_order_the_counters_are_the_same(users, random):
    shuffled = [random.sample(days, len(days)) for days in users]
    assert np.array_equal(counted(users), counted(shuffled))


@given(ordered, st.integers(1, 3))
def test_merged_shards_count_what_one_would(users, shards):
    parts = [counted(users[k::shards]) for k in range(shards)]
    assert np.array_equal(period.merge(parts), counted(users))


def test_a_late_act_mends_the_day_after_it():
    periods = counted([[1, 3, 2]])
    assert [row["retained"] for row in period.table(periods, DAYS, D0 + 3, 3)] == [0, 1, 1]
    assert [row["resurrected"] for row in period.table(periods, DAYS, D0 + 3, 3)] == [0, 0, 0]


def test_a_late_act_before_his_first_makes_that_another_kind():
    assert [row["new"] for row in period.table(counted([[2, 1]]), DAYS, D0 + 2, 2)] == [1, 0]
    assert [row["retained"] for row in period.table(counted([[2, 1]]), DAYS, D0 + 2, 2)] == [0, 1]
    assert [row["resurrected"] for row in period.table(counted([[3, 1]]), DAYS, D0 + 3, 3)] == [0, 0, 1]


def test_an_act_later_than_the_sets_reach_back_counts_nowhere():
    assert np.array_equal(counted([[40, 8]]), counted([[40]]))


def test_a_newer_period_takes_the_slot_and_an_older_one_does_not_take_it_back():
    periods = counted([[0], [SIZE], [0]])
    assert period.counters(periods[DAYS], D0) == (0, 0, 0, 0)
    assert period.counters(periods[DAYS], D0 + SIZE) == (1, 1, 0, 0)
    # … nor does a late act mend what is no more there.
    assert np.array_equal(counted([[SIZE], [1, 0]])[DAYS, (D0 + 1) % SIZE], [1, 0, 1, 0, D0 + 1])


def test_the_newest_period_of_a_slot_wins_the_merge():
    merged = period.merge([counted([[0]]), counted([[SIZE]])])
    assert merged[DAYS, D0 % SIZE].tolist() == [1, 1, 0, 0, D0 + SIZE]
    assert np.array_equal(period.merge([]), period.empty())
    assert merged.shape == (len(GRAINS), SIZE, NUMBER + 1)


def test_the_table_of_days():
    periods = counted([[0, 1], [0], [0], [1], [0, 2]])
    assert period.table(periods, DAYS, D0 + 2, 3) == [
        {
            "start": "2023-11-20", "active": 4, "new": 4, "retained": 0, "resurrected": 0, "churned": 0,
            "quick_ratio": None,
        },
        {
            "start": "2023-11-21", "active": 2, "new": 1, "retained": 1, "resurrected": 0, "churned": 3,
            "quick_ratio": pytest.approx(1 / 3),
        },
        {
            "start": "2023-11-22", "active": 1, "new": 0, "retained": 0, "resurrected": 1, "churned": 2,
            "quick_ratio": 0.5,
        },
    ]  # fmt: skip


@given(st.integers(0, 40_000))
def test_periods_begin_where_the_calendar_has_them_begin(day):
    date = (datetime.fromtimestamp(0, UTC) + timedelta(days=day)).date()
    assert period.start(DAYS, period.number(DAYS, day)) == date.isoformat()
    assert period.start(WEEKS, period.number(WEEKS, day)) == (date - timedelta(days=date.weekday())).isoformat()
    assert period.start(MONTHS, period.number(MONTHS, day)) == date.replace(day=1).isoformat()


@given(ordered)
def test_active_is_new_and_retained_and_resurrected_and_who_is_not_retained_churned(users):
    periods = counted(users)
    for grain in range(len(GRAINS)):
        newest = NUMBERS[grain](D0 + 400)
        rows = period.table(periods, grain, newest, newest - NUMBERS[grain](D0) + 1)
        assert sum(row["new"] for row in rows) == len(users)
        before = 0
        for row in rows:
            assert row["active"] == row["new"] + row["retained"] + row["resurrected"]
            assert row["churned"] == before - row["retained"] >= 0
            before = row["active"]


@given(ordered)
def test_counters_put_back_one_by_one_are_the_same(users):
    periods, again = counted(users), period.empty()
    for grain, slot in np.argwhere(periods[..., NUMBER]).tolist():
        *counters, number = periods[grain, slot].tolist()
        period.put(again, grain, number, counters)
        period.put(again, grain, number - SIZE, [9, 9, 0, 0])
    assert np.array_equal(again, periods)
