"""Gaps between active days, hours, interests, first touches: recounted from the acts, in whatever order they came."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import habit
from streams.core.habit import WEIGHT
from streams.core.row import DAY, INTERESTS
from streams.core.window import HOURS_WEEKS, INTEREST_WEEKS
from tests.core.walk import D0, T0, Walk

HOUR = DAY // 24
FACTS = (
    "first_at", "last_at", "day", "week", "month", "active_days", "active_weeks", "active_months", "settled_day",
    "gap_log", "gaps", "hours", "interests", "interest_weights", "source", "source_at",
)  # fmt: skip
acts = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 1, 1, 2, 3, 7, 31, 32, 33, 60, 100]),
        st.integers(0, DAY - 1),
        st.integers(0, INTERESTS),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=40,
)


def lived(life):
    """Return the acts (at, category, origin) of a life, in order of time."""
    day, told = 0, []
    for gap, ms, category, origin in life:
        day += gap
        told.append((T0 + day * DAY + ms, category, origin))
    return sorted(told)


def walked(told):
    walk = Walk()
    for at, category, origin in told:
        walk.act(at, category=category, origin=origin, vouched=0)
    return walk


def late_by_a_day(told, random):
    return sorted(told, key=lambda act: act[0] + random.randrange(DAY))


def settled_gaps(days, until):
    days = sorted(day for day in days if day <= until)
    return [b - a for a, b in pairwise(days)]


def week(at):
    return (at // DAY + 3) // 7


def halved(times, weeks, newest):
    """Return what is left of an act a time in `times` as of week `newest`, halved every so many weeks."""
    left, spans = 0, Counter(week(at) // weeks for at in times)
    for span in range(min(spans, default=0), newest // weeks + 1):
        left = left // 2 + WEIGHT * spans[span]
    return left


@given(acts, st.randoms(use_true_random=False), st.integers(0, 70))
def test_the_gaps_are_those_between_the_settled_days(life, random, later):
    told = lived(life)
    walk = walked(late_by_a_day(told, random))
    newest = told[-1][0] // DAY + later
    habit.pass_days(walk.rows[0], walk.weekly, np.int64(newest))
    days = {at // DAY for at, _, _ in told}
    gaps = settled_gaps(days, newest - 2)
    assert walk.row["gaps"] == len(gaps)
    assert walk.row["gap_log"] == pytest.approx(sum(math.log(gap) for gap in gaps), rel=1e-5, abs=1e-5)
    assert walk.row["settled_day"] == max((day for day in days if day <= newest - 2), default=0)


@given(acts, st.randoms(use_true_random=False))
def test_acts_that_come_late_by_a_day_leave_the_same_row(life, random):
    told = lived(life)
    one, other = walked(told), walked(late_by_a_day(told, random))
    for fact in FACTS:
        assert one.row[fact].tolist() == other.row[fact].tolist(), fact
    assert np.array_equal(one.origins, other.origins)


def test_a_day_that_left_the_set_before_it_was_settled_is_not_lost():
    walk = Walk()
    for day in (0, 1, 100, 103):
        walk.act(T0 + day * DAY)
    assert walk.row["gaps"] == 2
    assert walk.row["gap_log"] == pytest.approx(math.log(99))
    walk.pass_time(T0 + 200 * DAY)
    assert walk.row["gaps"] == 3, "time alone settles the last, when it lets the calendar pass"


def test_two_days_of_which_one_may_still_come_between_make_no_gap_yet():
    walk = Walk()
    walk.act(T0)
    walk.act(T0 + 2 * DAY)
    assert walk.row["gaps"] == 0
    walk.act(T0 + DAY)
    walk.act(T0 + 4 * DAY)
    assert (walk.row["gaps"], walk.row["gap_log"]) == (2, 0)


def test_the_number_of_gaps_ends_at_its_greatest_and_so_does_their_sum():
    walk = Walk()
    walk.act(T0)
    walk.rows["gaps"][0], walk.rows["gap_log"][0] = 65_535, 7.0
    for day in (3, 6, 9):
        walk.act(T0 + day * DAY)
    assert (walk.row["gaps"], walk.row["gap_log"]) == (65_535, 7)


def test_the_gap_between_acts_is_smoothed():
    walk = Walk()
    for at in (0, 1000, 3000, 2000):
        walk.act(T0 + at)
    assert walk.row["gap_ms"] == 1000 + 0.1 * (2000 - 1000)
    assert walk.row["last_at"] == T0 + 3000


@given(acts)
def test_hours_and_interests_are_recounted_and_halved(life):
    told = lived(life)
    walk, newest = walked(told), week(told[-1][0])
    for hour in range(24):
        times = [at for at, _, _ in told if at // HOUR % 24 == hour]
        assert walk.row["hours"][hour] == min(halved(times, HOURS_WEEKS, newest), 255)
    weights = dict(zip(walk.row["interests"].tolist(), walk.row["interest_weights"].tolist(), strict=True))
    for category in range(1, INTERESTS + 1):
        times = [at for at, code, _ in told if code == category]
        assert weights.get(category, 0) == halved(times, INTEREST_WEEKS, newest)


def test_counts_stay_at_their_greatest_value():
    walk = Walk()
    walk.act(T0, category=3)
    walk.rows["hours"][0, 0], walk.rows["interest_weights"][0, 0] = 254, 65_534
    walk.act(T0 + 1, category=3)
    assert (walk.row["hours"][0], walk.row["interest_weights"][0]) == (255, 65_535)


def liked(*codes):
    walk = Walk()
    for code in codes:
        walk.act(T0, category=code)
    return walk


def interests(walk):
    return dict(zip(walk.row["interests"].tolist(), (walk.row["interest_weights"] // WEIGHT).tolist(), strict=True))


def test_a_ninth_category_takes_the_place_and_the_weight_of_the_least():
    walk = liked(*range(10, 18), *range(13, 18), 10)
    walk.act(T0, category=9)
    assert interests(walk) == {9: 2, 10: 2, 12: 1, 13: 2, 14: 2, 15: 2, 16: 2, 17: 2}, "of 11 and 12 the smaller code"
    walk.act(T0, category=99)
    assert interests(walk) == {9: 2, 10: 2, 13: 2, 14: 2, 15: 2, 16: 2, 17: 2, 99: 2}
    assert walk.row["interests"].tolist() == sorted(interests(walk))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=200))
def test_what_makes_up_an_eighth_is_among_the_eight_and_no_weight_is_too_small(codes):
    found, true = interests(liked(*codes)), Counter(codes)
    assert sum(found.values()) == len(codes)
    for code, count in true.items():
        if count > len(codes) / INTERESTS:
            assert code in found
        if code in found:
            assert found[code] >= count


def test_an_act_taken_back_leaves_the_others():
    walk = liked(5, 3, 5, 8)
    habit.unlike(walk.rows[0], T0, 5)
    assert interests(walk) == {3: 1, 5: 1, 8: 1, 0: 0}
    habit.unlike(walk.rows[0], T0, 5)
    habit.unlike(walk.rows[0], T0, 4)
    habit.unlike(walk.rows[0], T0, 0)
    assert walk.row["interests"].tolist() == [3, 8, 0, 0, 0, 0, 0, 0]
    assert interests(walk) == {3: 1, 8: 1, 0: 0}


def test_an_act_taken_back_weighs_what_was_left_of_it():
    walk = liked(5)
    later = T0 + 7 * INTEREST_WEEKS * DAY
    walk.act(later, category=5)
    assert walk.row["interest_weights"][0] == WEIGHT // 2 + WEIGHT
    habit.unlike(walk.rows[0], T0, 5)
    assert walk.row["interest_weights"][0] == WEIGHT
    habit.unlike(walk.rows[0], later, 5)
    assert not walk.row["interests"].any()
    assert D0 % (7 * INTEREST_WEEKS) != 0


def test_an_act_that_comes_after_a_halving_weighs_what_it_would_have_weighed():
    turn = next(day for day in range(D0, D0 + 400) if (day + 3) % (7 * INTEREST_WEEKS * HOURS_WEEKS) == 0) * DAY
    told = [(turn - HOUR, 5, 0), (turn - HOUR + 1, 5, 0), (turn, 5, 0)]
    one, other = walked(told), walked([told[0], told[2], told[1]])
    assert one.row["interest_weights"][0] == other.row["interest_weights"][0] == 2 * WEIGHT
    assert one.row["hours"].tolist() == other.row["hours"].tolist()


def test_an_act_too_late_to_weigh_anything_takes_no_place():
    walk = liked(5)
    walk.act(T0 + 70 * DAY, category=5)
    walk.act(T0, category=6)
    assert walk.row["interests"].tolist()[:2] == [5, 0]


def touched(*touches):
    walk = Walk()
    for at, origin in touches:
        walk.act(T0 + at, origin=origin)
    return int(walk.row["source"]), {code: int(walk.origins[code]) for code in np.flatnonzero(walk.origins).tolist()}


def test_the_first_touch_is_the_earliest_act_that_names_a_source():
    assert touched((5, 0)) == (0, {})
    assert touched((0, 0), (5, 7), (9, 3)) == (7, {7: 1})
    assert touched((5, 7), (4, 9), (4, 8), (4, 9), (6, 1)) == (8, {8: 1})
    assert touched((5, 7), (5, 7)) == (7, {7: 1})
