"""Rings of days and weeks: what is in the window is counted in its slot, what is older is not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.core.row import CLICKS, DAY, DAYS, NEVER, ORDERS, WEEKS
from streams.core.rules import activity_only
from tests.core.life import T0, Life

WEEK = 7 * DAY
OFF = activity_only(NEVER, NEVER >> 1, NEVER)
days = st.lists(st.integers(0, 400), min_size=1, max_size=60)


@given(days)
def test_the_daily_ring_equals_a_recount_of_the_last_days(acts):
    life = Life(OFF)
    for day in acts:
        life.act(T0 + day * DAY)
    newest = max(acts)
    # An act counts if it lay in the window when it came: no newer one had pushed its day out.
    expected = np.zeros(DAYS, int)
    seen = -DAYS
    counted = []
    for day in acts:
        seen = max(seen, day)
        if day > seen - DAYS:
            counted.append(day)
    for day in counted:
        if day > newest - DAYS:
            expected[(T0 // DAY + day) % DAYS] += 1
    assert life.row["daily_clicks"].tolist() == expected.tolist()


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 100_000)), min_size=1, max_size=60))
def test_the_weekly_rings_equal_a_recount_of_orders_in_order_of_time(orders):
    life = Life(OFF)
    orders = sorted(orders)
    for day, amount in orders:
        life.buy(T0 + day * DAY, amount)
    newest = (T0 + orders[-1][0] * DAY) // WEEK
    count, spend = np.zeros(WEEKS, int), np.zeros(WEEKS, int)
    for day, amount in orders:
        week = (T0 + day * DAY) // WEEK
        if week > newest - WEEKS:
            count[week % WEEKS] += 1
            spend[week % WEEKS] += amount
    assert life.row["weekly_orders"].tolist() == count.tolist()
    assert life.row["weekly_spend"].tolist() == spend.tolist()
    assert life.row["orders"] == len(orders)
    assert life.row["spend"] == sum(amount for _, amount in orders)


def test_counts_stay_at_their_greatest_value():
    life = Life(OFF)
    life.act(T0)
    life.shard.rows["daily_clicks"][0, T0 // DAY % DAYS] = 65_535
    life.act(T0 + 1)
    assert life.row["daily_clicks"].max() == 65_535


def test_the_gap_between_acts_is_smoothed():
    life = Life(OFF)
    for at in (0, 1000, 3000):
        life.act(T0 + at)
    assert life.row["gap_ms"] == 1000 + 0.1 * (2000 - 1000)
    assert (CLICKS, ORDERS) == (0, 1)
