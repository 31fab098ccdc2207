"""Influence, content, mood and fatigue equal a recomputation from the list of events, at any cut."""

import math
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import social
from streams.core.dimension import CONTRIBUTION, DIMENSIONS, FATIGUE, INFLUENCE, MOOD
from streams.core.row import (
    CAUSES,
    CLICK_KINDS,
    DAY,
    EVENT_CAUSE,
    FEEDBACK_KINDS,
    MOVE,
    NEVER_DAY,
    PURCHASES,
    ROW,
    THRESHOLD_CAUSE,
    TIME_CAUSE,
)
from streams.core.rules import RULE
from streams.core.window import pass_days

START = 19_674  # Monday, 2023-11-13
ALL = (CONTRIBUTION, MOOD, FATIGUE, INFLUENCE)
CONTENT = {"publish", "comment", "like", "review"}
CLICK_FACTS = ("influence", "influence_day", "content_day", "brought", "used", "complaints", "feedbacks")
PUSH_FACTS = ("weekly_pushes", "weekly_opens", "weekly_complaints")


def rules(on=ALL, dwell=0, half=90, **fields):
    table = np.zeros(1, RULE)
    table["on"][0, list(on)] = 1
    table["dwell_days"], table["influence_half_days"] = dwell, half
    table["refer_weight"], table["leader_score"], table["quiet_days"] = 5, 8, 14
    table["tired_score"], table["exhausted_score"] = 3, 6
    for name, value in fields.items():
        table[name] = value
    return table[0]


class User:
    """One row, driven as the fold drives it; its moves are told as (dimension, from, to, cause, day)."""

    def __init__(self, rule):
        self.rows, self.rule, self.told = np.zeros(1, ROW), rule, []
        self.weekly = np.zeros(1, PURCHASES)[0]

    @property
    def row(self):
        return self.rows[0]

    def judge(self, at, cause=EVENT_CAUSE):
        moves, before = np.zeros(16, MOVE), int(self.row["day"])
        n = social.judge(self.rows[0], before, at, cause, self.rule, moves, 0)
        assert self.row["due_social"] > before
        new = [
            (DIMENSIONS[m["dimension"]].name, int(m["from"]), int(m["to"]), CAUSES[m["cause"]], int(m["at"]) // DAY)
            for m in moves[:n]
        ]
        self.figures = moves["figures"][:n]
        self.told += new
        return new

    def time(self, day):
        seen = len(self.told)
        while 0 < self.row["due_social"] <= day:
            due = int(self.row["due_social"])
            pass_days(self.rows[0], self.weekly, due)
            self.judge(due * DAY, TIME_CAUSE)
        pass_days(self.rows[0], self.weekly, day)
        return self.told[seen:]

    def meet(self, day, kind):
        """Fold a click or, where the kind is one of theirs, a feedback."""
        self.time(day)
        if kind in FEEDBACK_KINDS:
            social.hear(self.rows[0], FEEDBACK_KINDS.index(kind), day)
        elif not social.act(self.rows[0], CLICK_KINDS.index(kind), day, self.rule):
            return []
        return self.judge(day * DAY)

    def meet_all(self, events):
        for day, kind in events:
            self.meet(day, kind)

    def score(self, day):
        return social.influence_score(self.rows[0], day, self.rule)

    def value(self, dimension):
        return int(self.row["values"][dimension])


# The recomputation: plain Python over the list of events, (day, kind).


def week_of(day):
    return (date(1970, 1, 1) + timedelta(day) - date(1969, 12, 29)).days // 7


def weight_of(kind):
    return 5 if kind == "refer" else int(kind == "share" or kind in CONTENT)


def score_at(day, events, half):
    """The decayed influence in fractions: each act in 64ths as of the start of its half-life."""
    acts = [(d, weight_of(kind)) for d, kind in events if weight_of(kind)]
    if not acts:
        return None
    newest = max(d for d, _ in acts) // half
    total = sum(
        Fraction(math.floor(w * 2.0 ** ((d - d // half * half) / half) * 64 + 0.5), 2 ** (newest - d // half))
        for d, w in acts
    )
    return math.floor(total * 32) / 2048 * 2.0 ** (-(day - newest * half) / half)


def fatigue_at(day, events):
    """The score of the pushes of four weeks, and whether there ever was one."""
    weeks = {}
    for d, kind in events:
        pushes, opens, complaints = weeks.setdefault(week_of(d), [0, 0, 0])
        pushes += kind == "delivered"
        opens += kind in {"opened", "clicked"}
        complaints += kind in {"complained", "unsubscribed"}
        weeks[week_of(d)] = [pushes, opens, complaints]
    terms = [weeks.get(week_of(day) - back, (0, 0, 0)) for back in range(4)]
    score = sum((max(p - o, 0) + 5 * c) / 2**back for back, (p, o, c) in enumerate(terms))
    return score, any(kind in {"delivered", "complained", "unsubscribed"} for _, kind in events)


def open_complaints(events):
    count = 0
    for _, kind in events:
        count = count + 1 if kind == "complaint" else max(count - (kind == "resolved"), 0)
    return count


def values_at(day, events, half):
    content = max((d for d, kind in events if kind in CONTENT), default=None)
    fatigue, pushed = fatigue_at(day, events)
    score = score_at(day, events, half)
    spoke = any(kind in {"feedback", "complaint"} for _, kind in events)
    return {
        CONTRIBUTION: 0 if content is None else 1 if day - content <= 14 else 2,
        MOOD: 2 if open_complaints(events) else int(spoke),
        FATIGUE: 0 if not pushed else 1 + (fatigue >= 3) + (fatigue >= 6),
        INFLUENCE: 0 if score is None else 1 + (score >= 8),
    }


def expected_moves(events, cut, half, dwell):
    """Every move, found by looking at every day."""
    values, since, moves, done = dict.fromkeys(ALL, 0), dict.fromkeys(ALL, 0), [], []

    def look(day, cause):
        for dimension, to in values_at(day, done, half).items():
            waits = cause == "time" and day < since[dimension] + dwell
            if to != values[dimension] and not waits:
                moves.append((DIMENSIONS[dimension].name, values[dimension], to, cause, day))
                values[dimension], since[dimension] = to, day

    for day in range(events[0][0], cut + 1):
        if done:
            look(day, "time")
        for event in (e for e in events if e[0] == day):
            heard = event[1] in FEEDBACK_KINDS or (event[1] == "resolved" and open_complaints(done))
            done.append(event)
            if heard or weight_of(event[1]) or event[1] in {"feedback", "complaint"}:
                look(day, "event")
    return moves


kinds = st.sampled_from(
    ["view", "share", "refer", "refer", "publish", "like", "feedback", "complaint", "resolved", "checkin"]
    + ["delivered"] * 6
    + list(FEEDBACK_KINDS)
)
steps = st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2, 3, 6, 8, 15, 40])


@st.composite
def histories(draw):
    day, events = draw(st.integers(START, START + 28)), []
    for step, kind in draw(st.lists(st.tuples(steps, kinds), min_size=1, max_size=40)):
        day += step
        events.append((day, kind))
    return events


@given(histories(), st.integers(0, 200), st.sampled_from([3, 10, 90]), st.sampled_from([0, 2, 30]))
def test_moves_equal_those_found_by_looking_at_every_day(events, later, half, dwell):
    user, cut = User(rules(dwell=dwell, half=half)), events[-1][0] + later
    user.meet_all(events)
    user.time(cut)
    assert user.told == expected_moves(events, cut, half, dwell)


@given(histories(), st.lists(st.integers(0, 7), min_size=40, max_size=40), st.sampled_from([2, 7, 90]))
def test_the_order_within_a_week_of_lateness_does_not_matter(events, late, half):
    in_time, mixed = User(rules(half=half)), User(rules(half=half))
    events = [(day, kind) for day, kind in events if kind != "resolved"]
    in_time.meet_all(events)
    for arrival, day, kind in sorted((day + late[k], day, kind) for k, (day, kind) in enumerate(events)):
        mixed.time(arrival)
        mixed.meet(day, kind)
    end = max(int(in_time.row["day"]), int(mixed.row["day"]))
    for user in (in_time, mixed):
        user.time(end)
    for field in CLICK_FACTS + PUSH_FACTS + ("values", "due_social"):
        assert np.array_equal(in_time.row[field], mixed.row[field]), field


@given(histories(), st.integers(0, 200), st.sampled_from([3, 30, 90]))
def test_the_score_is_the_sum_of_acts_that_fade_by_half(events, later, half):
    user, cut = User(rules(half=half)), events[-1][0] + later
    user.meet_all(events)
    ideal = sum(weight_of(kind) * 0.5 ** ((cut - day) / half) for day, kind in events)
    assert user.score(cut) == pytest.approx(ideal, rel=0.01, abs=0.01)


def test_another_half_life_holds_from_the_start_of_the_half_life_that_was_counted():
    user = User(rules(half=90))
    user.meet_all([(START, "refer"), (START + 50, "refer")])
    user.rule = rules(half=30)
    before = user.score(START + 100)
    user.meet(START + 100, "share")
    assert user.score(START + 100) == pytest.approx(before + 1, rel=0.01)


def test_influence_stays_at_its_greatest_value():
    user = User(rules(refer_weight=1000))
    for _ in range(3000):
        social.act(user.rows[0], CLICK_KINDS.index("refer"), START, user.rule)
    assert user.row["influence"] == 2**32 - 1
    assert user.score(START) > 1_000_000
    assert user.row["brought"] == 3000


def test_a_leader_falls_on_the_first_day_below_the_cut():
    user = User(rules(on=[INFLUENCE], half=10))
    assert user.meet(START, "refer") == [("influence", 0, 1, "event", START)]
    assert user.meet(START, "refer") == [("influence", 1, 2, "event", START)]
    (fall,) = user.time(START + 90)
    assert fall[:4] == ("influence", 2, 1, "time")
    assert user.score(fall[4]) < 8 <= user.score(fall[4] - 1)
    assert user.figures[0].tolist() == [user.score(fall[4]), 8, -1, -1]


def test_a_contributor_is_quiet_after_so_many_whole_days_and_back_on_the_next_piece():
    user = User(rules(on=[CONTRIBUTION]))
    user.meet(START, "publish")
    assert user.time(START + 14) == []
    assert user.time(START + 20) == [("contribution", 1, 2, "time", START + 15)]
    assert user.meet(START + 21, "like") == [("contribution", 2, 1, "event", START + 21)]


def test_a_late_piece_disproves_the_quiet():
    user = User(rules(on=[CONTRIBUTION]))
    user.meet(START, "publish")
    user.time(START + 16)
    assert user.meet(START + 14, "comment") == [("contribution", 2, 1, "correction", START + 14)]


def test_mood_follows_complaints_and_an_odd_resolved_changes_nothing():
    user = User(rules(on=[MOOD]))
    assert user.meet(START, "resolved") == []
    user.meet_all([(START, kind) for kind in ("complaint", "complaint", "resolved")])
    assert (user.value(MOOD), user.row["complaints"]) == (2, 1)
    assert user.meet(START, "resolved") == [("mood", 2, 1, "event", START)]
    assert user.row["complaints"] == 0


def test_feedback_alone_makes_a_contented_user():
    user = User(rules(on=[MOOD]))
    assert user.meet(START, "feedback") == [("mood", 0, 1, "event", START)]


def test_fatigue_is_none_until_a_push_was_delivered():
    user = User(rules(on=[FATIGUE]))
    assert user.meet(START, "bounced") == []
    assert user.meet(START, "delivered") == [("fatigue", 0, 1, "event", START)]
    assert user.time(START + 100) == []


def test_ignored_pushes_tire_opens_relieve_and_weeks_rest():
    user = User(rules(on=[FATIGUE]))
    user.meet_all([(START, "delivered")] * 6)
    assert (user.value(FATIGUE), user.figures[0].tolist()) == (3, [6, 0, 0, 6])
    assert user.meet(START + 1, "opened") == [("fatigue", 3, 2, "event", START + 1)]
    assert user.figures[0].tolist() == [6, 1, 0, 5]
    assert user.time(START + 100) == [("fatigue", 2, 1, "time", START + 7)]


@pytest.mark.parametrize("kind", ["complained", "unsubscribed"])
def test_a_complaint_about_a_push_weighs_five(kind):
    user = User(rules(on=[FATIGUE]))
    user.meet_all([(START, "delivered"), (START, kind)])
    assert user.figures[0].tolist() == [1, 0, 1, 6]


def test_feedback_of_a_week_that_left_the_ring_is_past_counting():
    user = User(rules(on=[FATIGUE]))
    user.time(START + 28)
    social.hear(user.rows[0], FEEDBACK_KINDS.index("delivered"), START)
    assert not user.row["weekly_pushes"].any()


def test_counts_stay_at_their_greatest_value():
    user = User(rules())
    user.row["used"] = user.row["brought"] = 65_535
    for field in (*PUSH_FACTS, "complaints", "feedbacks"):
        user.row[field] = 255
    user.time(START)
    user.row["weekly_pushes"] = 255
    user.meet_all([(START, kind) for kind in ("refer", "complaint", "feedback", "delivered")])
    assert (user.row["used"], user.row["brought"], user.row["complaints"], user.row["feedbacks"]) == (
        (65_535, 65_535, 255, 255)
    )
    assert user.row["weekly_pushes"].max() == 255


@pytest.mark.parametrize("kind", CLICK_KINDS)
def test_meaningful_acts_count_as_use(kind):
    user = User(rules())
    user.meet(START, kind)
    passive = {"visit", "register", "view", "feedback", "complaint", "resolved"}
    assert user.row["used"] == (kind not in passive)


def test_a_fall_by_time_waits_for_the_least_dwell_and_one_by_threshold_does_not():
    user = User(rules(on=[FATIGUE], dwell=10))
    user.meet_all([(START, "delivered")] * 3)
    assert user.time(START + 9) == []
    assert user.judge((START + 9) * DAY, THRESHOLD_CAUSE) == [("fatigue", 2, 1, "threshold", START + 9)]


def test_a_dimension_that_is_off_stays_none():
    user = User(rules(on=[]))
    user.meet_all([(START, kind) for kind in ("refer", "publish", "complaint", "delivered")])
    assert user.told == []
    assert user.row["due_social"] == NEVER_DAY


def test_an_act_of_the_half_life_before_counts_as_if_it_had_come_in_time():
    in_time, late = User(rules(half=7)), User(rules(half=7))
    in_time.meet_all([(START, "publish"), (START + 7, "publish")])
    late.meet_all([(START + 7, "publish"), (START, "publish")])
    for field in ("influence", "influence_day", "content_day"):
        assert in_time.row[field] == late.row[field]


def test_opens_beyond_the_pushes_of_their_week_relieve_no_other():
    user = User(rules(on=[FATIGUE]))
    user.meet_all([(START, "delivered"), *[(START, "opened")] * 3, *[(START + 7, "delivered")] * 3])
    assert user.figures[0].tolist() == [4, 3, 0, 3]


def test_the_worst_fatigue_is_over_when_its_week_leaves_the_ring():
    user = User(rules(on=[FATIGUE]))
    user.meet_all([(START, "delivered")] * 200)
    assert user.time(START + 90) == [("fatigue", 3, 1, "time", START + 28)]


def test_time_that_moves_one_dimension_leaves_the_others_their_dwell():
    user = User(rules(on=[CONTRIBUTION, FATIGUE, INFLUENCE], dwell=30, half=10))
    user.meet_all([(START, "delivered")] * 12)
    user.meet_all([(START + 10, "publish"), (START + 10, "refer"), (START + 10, "refer")])
    assert user.time(START + 90) == [
        ("fatigue", 3, 1, "time", START + 30),
        ("contribution", 1, 2, "time", START + 40),
        ("influence", 2, 1, "time", START + 40),
    ]
