"""Growth: the row's points, streaks, levels and rights equal a recomputation from the list of events, at any cut."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import growth
from streams.core.dimension import DIMENSIONS, EARLY_ACCESS, LEVEL, LEVEL_OUTLOOK, MEMBERSHIP, POINTS, STREAK
from streams.core.row import (
    CAUSES,
    CLICK_KINDS,
    DAY,
    EVENT_CAUSE,
    MOVE,
    NEVER_DAY,
    PURCHASES,
    ROW,
    THRESHOLD_CAUSE,
    TIME_CAUSE,
)
from streams.core.rules import RULE
from streams.core.window import I4_MAX, U2_MAX, mark_active, pass_days, was_active

START = 19_674  # Monday, 2023-11-13; the next period of four weeks begins a week later
ALL = (LEVEL, LEVEL_OUTLOOK, POINTS, STREAK, MEMBERSHIP, EARLY_ACCESS)
EDGES = {LEVEL: (0, 60, 150, 400), POINTS: (0, 1, 50), STREAK: (1, 3, 7, 33)}
CLICK_POINTS = {"share": 7, "refer": 40, "checkin": 5}
BONUS = 30


def rules(on=ALL, dwell=0, edges=EDGES, **fields):
    table = np.zeros(1, RULE)
    table["on"][0, list(on)] = 1
    for dimension, bounds in edges.items():
        table["bands"][0, dimension] = len(bounds)
        table["edges"][0, dimension, : len(bounds)] = bounds
    for kind, points in CLICK_POINTS.items():
        table["click_points"][0, CLICK_KINDS.index(kind)] = points
    table["dwell_days"], table["streak_bonus"], table["points_per_unit"] = dwell, BONUS, 0.01
    table["renewal_days"], table["early_days"], table["early_level"], table["level_warn_days"] = 14, 6, 3, 14
    for name, value in fields.items():
        table[name] = value
    return table[0]


class User:
    """One row, driven as the fold drives it; its moves are told as (dimension, from, to, cause, day)."""

    def __init__(self, rule):
        self.rows, self.rule, self.told, self.evidence = np.zeros(1, ROW), rule, [], {}
        self.weekly = np.zeros(1, PURCHASES)[0]

    @property
    def row(self):
        return self.rows[0]

    def judge(self, at, cause=EVENT_CAUSE):
        moves, before = np.zeros(16, MOVE), int(self.row["day"])
        n = growth.judge(self.rows[0], before, at, cause, self.rule, moves, 0)
        assert self.row["due_growth"] > before
        new = [
            (DIMENSIONS[m["dimension"]].name, int(m["from"]), int(m["to"]), CAUSES[m["cause"]], int(m["at"]) // DAY)
            for m in moves[:n]
        ]
        self.told += new
        self.evidence |= {DIMENSIONS[m["dimension"]].name: m["figures"].tolist() for m in moves[:n]}
        return new

    def time(self, day):
        seen = len(self.told)
        while 0 < self.row["due_growth"] <= day:
            due = int(self.row["due_growth"])
            pass_days(self.rows[0], self.weekly, due)
            self.judge(due * DAY, TIME_CAUSE)
        pass_days(self.rows[0], self.weekly, day)
        return self.told[seen:]

    def click(self, day, kind, amount=0):
        self.time(day)
        anew = not was_active(self.rows[0], day)
        mark_active(self.rows[0], day)
        changed = growth.act(self.rows[0], CLICK_KINDS.index(kind), amount, day, self.rule)
        return self.judge(day * DAY) if changed or anew else []

    def earn(self, day, points):
        self.time(day)
        growth.earn(self.rows[0], points, day)
        return self.judge(max(day, int(self.row["day"])) * DAY)

    def enlist(self, day, begins, ends):
        self.time(day)
        self.row["member_from"], self.row["member_until"] = begins, ends
        return self.judge(day * DAY)

    def value(self, dimension):
        return int(self.row["values"][dimension])


# The recomputation: plain Python over the list of events, (day, kind, a, b).


def place(bounds, figure):
    return sum(figure >= bound for bound in bounds)


def period_of(day):
    return (date(1970, 1, 1) + timedelta(day) - date(1969, 12, 29)).days // 28


def runs(days):
    """The check-in days, each with its place in its row of days."""
    places = {}
    for day in sorted(days):
        places[day] = places.get(day - 1, 0) + 1
    return places


def facts_of(events):
    """What was earned, by day; what was redeemed; check-ins, active days, the membership."""
    checkins, active, clicks, orders, redeemed, member = set(), set(), [], [], 0, (0, 0)
    earned = []
    for day, kind, a, b in events:
        if kind == "checkin":
            checkins.add(day)
        elif kind in CLICK_POINTS:
            clicks.append((day, CLICK_POINTS[kind]))
        elif kind == "points":
            orders.append((day, a))
        elif kind == "member":
            member = (day + a, day + b)
        daily = [(d, CLICK_POINTS["checkin"] + BONUS * (n % 7 == 0)) for d, n in runs(checkins).items()]
        earned = clicks + orders + daily
        if kind == "redeem" and 0 < a <= sum(p for _, p in earned) - redeemed:
            redeemed += a
        if kind not in ("points", "member"):
            active.add(day)
    return {"earned": earned, "redeemed": redeemed, "checkins": checkins, "active": active, "member": member}


def figures_at(day, facts):
    """The streak, balance and points of the level on a day."""
    places = runs(facts["checkins"])
    level = sum(points for d, points in facts["earned"] if period_of(d) > period_of(day) - 7)
    balance = sum(points for _, points in facts["earned"]) - facts["redeemed"]
    return places.get(day, places.get(day - 1, 0)), balance, level


def membership_at(day, member, renewal):
    begins, ends = member
    if member == (0, 0) or day < begins:
        return 0
    if day >= ends:
        return 3
    return 2 if day >= ends - renewal else 1


def outlook_at(day, facts, level, kept_until, warn):
    """Whether a level is lost within `warn` days without another point; `kept_until` it stays whatever the points."""
    if not level:
        return 0
    then = day + warn
    left = figures_at(then, facts)[2]
    return 2 if warn and left < EDGES[LEVEL][level - 1] and then >= kept_until else 1


def places_at(day, facts, values, kept_until, warn):
    """The place in each dimension in turn; the level that he comes to, or keeps by dwell, decides about others."""
    streak, balance, points = figures_at(day, facts)
    figures = {LEVEL: points, POINTS: balance, STREAK: streak}
    for dimension in ALL:
        if dimension in figures:
            yield dimension, place(EDGES[dimension], figures[dimension])
        elif dimension == LEVEL_OUTLOOK:
            yield dimension, outlook_at(day, facts, values[LEVEL], kept_until(LEVEL), warn)
        elif dimension == MEMBERSHIP:
            yield dimension, membership_at(day, facts["member"], 14)
        else:
            active = sum(day - 28 < d <= day for d in facts["active"])
            yield dimension, int(active >= 6 or values[LEVEL] >= 3)


def expected_moves(events, cut, dwell, warn):
    """Every move, found by looking at every day."""
    values, since, moves, done = dict.fromkeys(ALL, 0), dict.fromkeys(ALL, 0), [], []

    def kept_until(dimension):
        return since[dimension] + dwell

    def look(day, cause):
        for dimension, to in places_at(day, facts_of(done), values, kept_until, warn):
            waits = cause == "time" and dimension in (LEVEL, EARLY_ACCESS) and day < kept_until(dimension)
            if to != values[dimension] and not waits:
                moves.append((DIMENSIONS[dimension].name, values[dimension], to, cause, day))
                values[dimension], since[dimension] = to, day

    for day in range(events[0][0], cut + 1):
        if done:
            look(day, "time")
        for event in (e for e in events if e[0] == day):
            before = facts_of(done)
            done.append(event)
            if facts_of(done) != before or event[1] in ("points", "member"):
                look(day, "event")
    return moves


steps = st.sampled_from([0, 0, 0, 1, 1, 1, 1, 2, 3, 9, 28, 50, 200])
happenings = st.one_of(
    st.tuples(st.just("checkin"), st.just(0), st.just(0)),
    st.tuples(st.sampled_from(["view", "share", "refer"]), st.just(0), st.just(0)),
    st.tuples(st.just("redeem"), st.integers(0, 120), st.just(0)),
    st.tuples(st.just("points"), st.integers(0, 200), st.just(0)),
    st.tuples(st.just("member"), st.integers(0, 20), st.integers(21, 120)),
)


@st.composite
def histories(draw):
    day, events = draw(st.integers(START, START + 28)), []
    for step, (kind, a, b) in draw(st.lists(st.tuples(steps, happenings), min_size=1, max_size=30)):
        day += step
        events.append((day, kind, a, b))
    return events


def play(user, events):
    for day, kind, a, b in events:
        if kind == "points":
            user.earn(day, a)
        elif kind == "member":
            user.enlist(day, day + a, day + b)
        else:
            user.click(day, kind, a)


@given(histories(), st.integers(0, 300), st.sampled_from([0, 2, 40]), st.sampled_from([0, 1, 14, 45, 196]))
def test_moves_equal_those_found_by_looking_at_every_day(events, later, dwell, warn):
    user, cut = User(rules(dwell=dwell, level_warn_days=warn)), events[-1][0] + later
    play(user, events)
    user.time(cut)
    assert user.told == expected_moves(events, cut, dwell, warn)
    _, balance, _ = figures_at(cut, facts_of(events))
    assert user.row["points"] == balance


@given(
    st.integers(1, 100),
    st.sets(st.integers(0, 99), max_size=5),
    st.dictionaries(st.integers(0, 99), st.integers(1, 7), max_size=15),
    st.integers(0, 8),
)
def test_late_check_ins_count_as_if_they_had_come_in_time(length, missing, late, after):
    days = [START + d for d in range(length) if d not in missing]
    end = START + length + after
    if not days:
        return
    in_time, mixed = User(rules()), User(rules())
    for day in days:
        in_time.click(day, "checkin")
    for day in sorted(days, key=lambda d: (d + late.get(d - START, 0), -d)):
        arrival = day + late.get(day - START, 0)
        mixed.time(arrival)
        mixed.click(day, "checkin")
    for user in (in_time, mixed):
        user.time(max(end, int(mixed.row["day"])))
    for field in ("checkin_days", "streak", "points", "period_points", "values", "active_days"):
        assert np.array_equal(in_time.row[field], mixed.row[field]), field
    streak, balance, _ = figures_at(int(mixed.row["day"]), facts_of([(d, "checkin", 0, 0) for d in days]))
    assert mixed.value(STREAK) == place(EDGES[STREAK], streak)
    assert mixed.row["points"] == balance


def test_a_streak_counts_on_beyond_the_set_of_days():
    user = User(rules(edges={STREAK: (100, 101)}))
    for day in range(100):
        user.click(START + day, "checkin")
    assert user.value(STREAK) == 1
    assert user.click(START + 100, "checkin") == [("streak", 1, 2, "event", START + 100)]


def test_a_streak_of_long_ago_is_forgotten():
    user = User(rules())
    for day in [*range(40), 60]:
        user.click(START + day, "checkin")
    assert (user.row["streak"], user.value(STREAK)) == (0, 1)


def test_a_streak_breaks_when_the_day_after_the_missed_one_begins():
    user = User(rules(on=[STREAK], dwell=40))
    user.click(START, "checkin")
    assert user.time(START + 1) == []
    assert user.time(START + 9) == [("streak", 1, 0, "time", START + 2)]


def test_a_late_check_in_mends_a_broken_streak_as_a_correction():
    user = User(rules(on=[STREAK]))
    for day in (0, 1, 3):
        user.click(START + day, "checkin")
    user.time(START + 5)
    user.click(START + 4, "checkin")
    user.click(START + 2, "checkin")
    assert user.told[-2:] == [
        ("streak", 0, 1, "correction", START + 4),
        ("streak", 1, 2, "correction", START + 2),
    ]


def test_a_check_in_earns_once_a_day():
    user = User(rules())
    user.click(START, "checkin")
    assert user.click(START, "checkin") == []
    assert user.row["points"] == CLICK_POINTS["checkin"]


def test_each_seventh_in_a_row_earns_the_bonus():
    user = User(rules())
    for day in range(15):
        user.click(START + day, "checkin")
    assert user.row["points"] == 15 * CLICK_POINTS["checkin"] + 2 * BONUS


def test_a_check_in_that_closes_a_gap_makes_one_row_of_two():
    user = User(rules())
    for day in [*range(6), *range(7, 13)]:
        user.click(START + day, "checkin")
    assert user.row["points"] == 12 * CLICK_POINTS["checkin"]
    user.click(START + 6, "checkin")
    assert user.row["points"] == 13 * CLICK_POINTS["checkin"] + BONUS


def test_a_check_in_older_than_the_set_changes_nothing():
    user = User(rules())
    user.click(START, "checkin")
    before = user.row["points"]
    assert not growth.act(user.rows[0], CLICK_KINDS.index("checkin"), 0, START - 32, user.rule)
    assert user.row["points"] == before


def test_a_redemption_above_the_balance_is_refused():
    user = User(rules())
    user.earn(START, 100)
    user.click(START, "redeem", 101)
    assert user.row["points"] == 100
    user.click(START, "redeem", 100)
    assert user.row["points"] == 0
    assert user.told[-1] == ("points", 3, 1, "event", START)
    assert user.row["period_points"].sum() == 100


def test_points_taken_back_leave_the_period_in_which_they_were_earned():
    user = User(rules())
    user.earn(START, 70)
    user.earn(START + 28, 10)
    user.earn(START, -70)
    assert user.row["points"] == 10
    assert sorted(user.row["period_points"].tolist()) == [0] * 6 + [10]
    assert user.told[-2:] == [("level", 2, 1, "event", START + 28), ("points", 3, 2, "event", START + 28)]


def test_points_that_are_spent_already_are_owed_when_taken_back():
    user = User(rules())
    user.earn(START, 70)
    user.click(START, "redeem", 60)
    user.earn(START, -70)
    assert (user.row["points"], user.value(POINTS)) == (-60, 0)
    user.click(START, "redeem", 1)
    assert user.row["points"] == -60


def test_points_stay_at_their_greatest_value():
    user = User(rules())
    for _ in range(3):
        user.earn(START, I4_MAX)
    assert user.row["points"] == I4_MAX
    assert user.row["period_points"].max() == U2_MAX
    user.earn(START, -I4_MAX)
    assert (user.row["points"], user.row["period_points"].max()) == (0, 0)


def test_points_of_a_period_that_left_the_ring_touch_the_balance_only():
    user = User(rules())
    user.time(START + 7 * 28)
    user.earn(START, 70)
    assert (user.row["points"], user.row["period_points"].sum()) == (70, 0)


def test_late_points_of_the_oldest_period_in_the_ring_count_for_the_level():
    user = User(rules())
    user.time(START + 6 * 28)
    user.earn(START, 70)
    assert (user.row["points"], user.value(LEVEL)) == (70, 2)


def test_a_level_falls_as_its_period_slides_out():
    user = User(rules(on=[LEVEL]))
    assert user.earn(START, 150) == [("level", 0, 3, "event", START)]
    user.earn(START + 56, 60)
    falls = user.time(START + 400)
    assert falls == [("level", 3, 2, "time", START + 7 + 6 * 28), ("level", 2, 1, "time", START + 63 + 6 * 28)]


def test_a_fall_by_time_waits_for_the_least_dwell_and_one_by_threshold_does_not():
    user = User(rules(on=[EARLY_ACCESS], dwell=100))
    for day in range(6):
        user.click(START + day, "view")
    assert user.told == [("early_access", 0, 1, "event", START + 5)]
    assert user.time(START + 104) == []
    assert user.judge((START + 104) * DAY, THRESHOLD_CAUSE) == [("early_access", 1, 0, "threshold", START + 104)]


def test_early_access_ends_with_the_level_that_gave_it():
    user = User(rules(on=[LEVEL, EARLY_ACCESS]))
    user.earn(START, 150)
    assert user.value(EARLY_ACCESS) == 1
    falls = user.time(START + 400)
    assert [(name, to) for name, _, to, _, _ in falls] == [("level", 1), ("early_access", 0)]
    assert falls[0][4] == falls[1][4]


def test_no_early_access_where_both_ways_are_switched_off():
    user = User(rules(early_days=0, early_level=0))
    user.earn(START, 10_000)
    assert user.value(EARLY_ACCESS) == 0


def test_a_membership_begins_falls_due_and_lapses_on_its_days():
    user = User(rules(on=[MEMBERSHIP], dwell=100))
    user.enlist(START, START + 3, START + 33)
    assert user.time(START + 90) == [
        ("membership", 0, 1, "time", START + 3),
        ("membership", 1, 2, "time", START + 19),
        ("membership", 2, 3, "time", START + 33),
    ]
    assert user.enlist(START + 91, START + 91, 0) == [("membership", 3, 1, "event", START + 91)]
    assert user.row["due_growth"] == NEVER_DAY


@pytest.mark.parametrize("ends", [0, NEVER_DAY])
def test_a_membership_without_an_end_is_for_good(ends):
    user = User(rules(on=[MEMBERSHIP]))
    user.enlist(START, START, ends)
    assert user.time(START + 10_000) == []
    assert user.value(MEMBERSHIP) == 1


def test_a_dimension_that_is_off_stays_none():
    user = User(rules(on=[]))
    for day in range(8):
        user.click(START + day, "checkin")
    user.enlist(START + 8, START, START + 90)
    assert user.told == []
    assert user.row["due_growth"] == NEVER_DAY


@pytest.mark.parametrize(
    ("amount", "per_unit", "points"),
    [(12_345, 0.01, 123), (100, 0.29, 29), (99, 0.01, 0), (I4_MAX, 10.0, I4_MAX), (-5, 1.0, 0), (500, 0.0, 0)],
)
def test_an_order_earns_whole_points(amount, per_unit, points):
    assert growth.order_points(amount, rules(points_per_unit=per_unit)) == points


def test_early_access_ends_when_the_days_leave_their_window():
    user = User(rules(on=[EARLY_ACCESS]))
    for day in range(6):
        user.click(START + day, "view")
    assert user.time(START + 90) == [("early_access", 1, 0, "time", START + 28)]


def test_time_that_moves_one_dimension_leaves_another_its_dwell():
    user = User(rules(on=[MEMBERSHIP, EARLY_ACCESS], dwell=100))
    for day in range(6):
        user.click(START + day, "view")
    user.enlist(START + 5, START + 50, 0)
    assert user.time(START + 200) == [
        ("membership", 0, 1, "time", START + 50),
        ("early_access", 1, 0, "time", START + 105),
    ]


def test_a_check_in_more_than_a_week_late_earns_no_bonus():
    user = User(rules())
    user.click(START + 20, "checkin")
    user.click(START, "checkin")
    assert user.row["points"] == 2 * CLICK_POINTS["checkin"]
