"""Rings of days and weeks: what is in the window is counted in its slot, what is older is not."""

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.core.row import DAY, DAYS, NEVER, WEEKS
from streams.core.rules import activity_only
from streams.core.window import BITS, I4_MAX, U1_MAX, civil, count_bits, month_of, nth_newest, week_of
from tests.core.life import T0, Life

OFF = activity_only(NEVER, NEVER >> 1, NEVER)
days = st.lists(st.integers(0, 400), min_size=1, max_size=60)
EPOCH = date(1970, 1, 1)


@given(st.integers(0, 60_000))
def test_weeks_begin_on_monday_and_months_on_the_first(number):
    day = EPOCH + timedelta(days=number)
    assert week_of(number) * 7 == number - day.weekday() + 3
    assert month_of(number) == (day.year - 1970) * 12 + day.month - 1


@given(st.dates())
def test_a_day_has_its_date(day):
    number = (day - EPOCH).days
    assert civil(number) == (day.year, day.month, day.day)
    assert month_of(number) == (day.year - 1970) * 12 + day.month - 1


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


@given(days)
def test_the_sets_of_active_days_weeks_and_months_equal_a_recount(acts):
    life = Life(OFF)
    for day in sorted(acts):
        life.act(T0 + day * DAY)
    numbers = {T0 // DAY + day for day in acts}
    newest = max(numbers)
    for name, of in (("active_days", int), ("active_weeks", week_of), ("active_months", month_of)):
        backs = {int(of(newest)) - int(of(number)) for number in numbers}
        assert {k for k in range(BITS) if int(life.row[name]) >> k & 1} == {back for back in backs if back < BITS}


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 100_000)), min_size=1, max_size=60))
def test_the_weekly_rings_equal_a_recount_of_orders_in_order_of_time(orders):
    life = Life(OFF)
    orders = sorted(orders)
    for day, amount in orders:
        life.buy(T0 + day * DAY, amount)
    newest = week_of(T0 // DAY + orders[-1][0])
    count, spend = np.zeros(WEEKS, int), np.zeros(WEEKS, int)
    for day, amount in orders:
        week = week_of(T0 // DAY + day)
        if week > newest - WEEKS:
            count[week % WEEKS] += 1
            spend[week % WEEKS] += amount
    assert life.weekly["orders"].tolist() == count.tolist()
    assert life.weekly["spend"].tolist() == spend.tolist()
    assert life.row["orders"] == len(orders)
    assert life.row["spend"] == sum(amount for _, amount in orders)


def test_counts_stay_at_their_greatest_value():
    life = Life(OFF)
    for _ in range(U1_MAX + 3):
        life.act(T0)
        life.buy(T0, 10_000_000, coupon=1)
    row, weekly = life.row, life.weekly
    assert (row["daily_clicks"].max(), weekly["orders"].max(), weekly["coupons"].max()) == (U1_MAX,) * 3
    assert weekly["spend"].max() == I4_MAX
    assert (row["orders"], row["spend"]) == (U1_MAX + 3, 10_000_000 * (U1_MAX + 3))


@given(st.sets(st.integers(0, 31)), st.integers(0, 40), st.integers(1, 33))
def test_sets_of_bits_equal_sets(members, window, n):
    bits = sum(1 << k for k in members)
    assert count_bits(bits, window) == sum(1 for k in members if k < window)
    ordered = sorted(members)
    assert nth_newest(bits, n) == (ordered[n - 1] if n <= len(ordered) else BITS)


def test_the_gap_between_acts_is_smoothed():
    life = Life(OFF)
    for at in (0, 1000, 3000):
        life.act(T0 + at)
    assert life.row["gap_ms"] == 1000 + 0.1 * (2000 - 1000)
