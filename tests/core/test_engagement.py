"""Stage, rung and attention: each rule by figures, and all against a recount of the acts on every day."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import activity, habit
from streams.core.dimension import ATTENTION, CONTRIBUTION, DIMENSIONS, INFLUENCE, RUNG, STAGE
from streams.core.row import DAY, NEVER, NEVER_DAY, SEED
from tests.core.walk import D0, DEFAULTS, T0, Walk, figures, ruled

HOUR = DAY // 24


def at(day, hour=12):
    return T0 + day * DAY + hour * HOUR


def days(walk, *numbers, **facts):
    return [move for day in numbers for move in walk.act(at(day), **facts)]


def of(dimension, moves):
    return [move[1:] for move in moves if move[0] == DIMENSIONS[dimension].name]


# Stage


def test_the_first_contact_is_the_introduction():
    assert of(STAGE, Walk().act(at(0))) == [("none", "introduction", "event", 0)]


def test_nobody_has_a_stage_before_he_acts():
    walk = Walk()
    assert walk.judge(at(0)) == []
    assert walk.due == NEVER_DAY


def test_an_order_begins_growth_which_ends_when_it_leaves_the_look_back():
    walk = Walk(ruled(look_back_weeks=2, dormant_ms=NEVER))
    assert of(STAGE, walk.act(at(3), orders=1)) == [("none", "growth", "event", 3)]
    assert figures(walk, STAGE) == [1, 1, 1, -1]
    assert of(STAGE, walk.time(at(14, 0))) == []
    # Of the two newest weeks the order's is none from the Monday on that begins the third.
    assert of(STAGE, walk.time(at(14))) == [("growth", "introduction", "time", 14)]
    assert figures(walk, STAGE) == [1, 0, -1, -1]


def test_active_days_begin_growth_which_ends_when_one_leaves_the_window():
    walk = Walk()
    assert of(STAGE, days(walk, 0, 2, 4, 6))[-1] == ("introduction", "growth", "event", 6)
    assert figures(walk, STAGE) == [4, 0, 4, -1]
    assert of(STAGE, walk.time(at(13, 23))) == []
    assert of(STAGE, walk.time(at(14))) == [("growth", "introduction", "time", 14)]


def test_active_days_make_mature():
    walk = Walk(ruled(dormant_ms=NEVER))
    assert of(STAGE, days(walk, *range(0, 16, 2)))[-1] == ("growth", "maturity", "event", 14)
    assert figures(walk, STAGE)[::2] == [8, 8]
    # Of the last 28 days, day 0 is none on day 28, when also but one of the last 14 was active.
    assert of(STAGE, walk.time(at(40))) == [("maturity", "introduction", "time", 28)]


def test_two_orders_make_mature_once_a_gap_is_known():
    walk = Walk()
    days(walk, 0, 3, orders=1)
    assert walk.value(STAGE) == "growth"
    assert of(STAGE, walk.time(at(20))) == [
        ("growth", "maturity", "time", 5),
        ("maturity", "dormancy", "time", 17),
    ]
    assert figures(walk, STAGE)[1:3] == [2, 14]


@pytest.mark.parametrize("acts", [(0, 1), (0, 1, 2), (0, 5, 6)])
def test_the_gap_is_known_when_it_is_settled_by_whatever_day(acts):
    walk = Walk()
    days(walk, *acts, orders=1)
    moves = of(STAGE, walk.time(at(acts[-1] + 5)))
    told = of(STAGE, [(DIMENSIONS[STAGE].name, *move) for move in moves])
    assert told == [("growth", "maturity", "time", acts[1] + 2)]


def test_two_orders_on_one_day_are_no_maturity():
    walk = Walk()
    days(walk, 0, orders=2)
    assert of(STAGE, walk.time(at(10))) == []


def test_absence_brings_dormancy_and_churn_and_a_return_is_judged_anew():
    walk = Walk()
    walk.act(at(0), orders=1)
    assert of(STAGE, walk.time(at(31))) == [
        ("growth", "dormancy", "time", 14),
        ("dormancy", "churn", "time", 30),
    ]
    assert figures(walk, STAGE)[2] == 30
    assert of(STAGE, walk.act(at(40))) == [("churn", "growth", "event", 40)]


def test_an_order_undone_takes_the_stage_back_at_once():
    walk = Walk(ruled(dwell_days=5))
    walk.act(at(0), orders=1)
    assert of(STAGE, walk.undo(at(1))) == [("growth", "introduction", "event", 1)]


def test_new_thresholds_move_at_once():
    walk = Walk(ruled(dwell_days=5))
    walk.act(at(0), orders=1)
    moves = walk.rule_anew(at(1), growth_orders=2, dwell_days=5)
    assert of(STAGE, moves) == [("growth", "introduction", "threshold", 1)]


def test_a_test_whose_count_is_nought_is_off():
    walk = Walk(ruled(growth_orders=0, growth_days=0, maturity_orders=0, maturity_days=0, habit_days=0, habit_weeks=0))
    days(walk, *range(30), orders=1)
    assert walk.value(STAGE) == "introduction"
    assert walk.value(RUNG) == "pay"


def test_a_window_reaches_32_days_back():
    walk = Walk(ruled(growth_days=2, growth_window=90, dormant_ms=NEVER, growth_orders=0))
    days(walk, 0, 31)
    assert walk.value(STAGE) == "growth"
    assert of(STAGE, walk.time(at(40))) == [("growth", "introduction", "time", 32)]


# Dwell


def test_what_time_takes_away_stays_for_the_least_dwell():
    walk = Walk(ruled(dwell_days=3))
    days(walk, 0, 1, 6)
    assert walk.value(RUNG) == "habit"
    assert of(RUNG, walk.time(at(20))) == [("habit", "contact", "time", 9)]


def test_a_stage_stays_for_the_least_dwell():
    walk = Walk(ruled(dwell_days=20, dormant_ms=NEVER))
    days(walk, 0, 2, 4, 6)
    assert of(STAGE, walk.time(at(40))) == [("growth", "introduction", "time", 26)]


def test_an_act_within_the_dwell_takes_nothing_away():
    walk = Walk(ruled(dwell_days=3))
    days(walk, 0, 1, 6)
    assert of(RUNG, walk.act(at(8))) == []
    assert of(RUNG, walk.act(at(9, 0))) == [], "three of the last seven days again"
    assert of(RUNG, walk.time(at(30))) == [("habit", "contact", "time", 13)]


# Rung


def test_the_ladder_is_climbed():
    walk = Walk()
    assert of(RUNG, walk.act(at(0))) == [("none", "contact", "event", 0)]
    assert of(RUNG, walk.act(at(0, 13), used=1)) == [("contact", "use", "event", 0)]
    assert of(RUNG, days(walk, 1, 2)) == [("use", "habit", "event", 2)]
    assert of(RUNG, walk.act(at(2, 13), orders=1)) == [("habit", "pay", "event", 2)]
    assert of(RUNG, walk.act(at(2, 14), brought=1)) == [("pay", "advocate", "event", 2)]
    assert figures(walk, RUNG) == [3, 1, 1, 1]
    assert of(RUNG, walk.time(at(13))) == [("advocate", "pay", "time", 7)]
    assert figures(walk, RUNG) == [2, 1, 1, 0]
    assert DIMENSIONS[RUNG].values[walk.row["best_rung"]] == "advocate"


def test_a_habit_of_days_ends_when_the_third_newest_leaves_the_window():
    walk = Walk()
    days(walk, 0, 2, 4, 6)
    assert of(RUNG, walk.time(at(13))) == [("habit", "contact", "time", 9)]


def test_a_habit_of_weeks_ends_after_a_week_without():
    walk = Walk(ruled(habit_days=0, dormant_ms=NEVER))
    assert of(RUNG, days(walk, 3, 8, 20))[-1] == ("contact", "habit", "event", 20)
    assert of(RUNG, walk.time(at(60))) == [("habit", "contact", "time", 28)]


def test_weeks_with_one_left_out_are_no_habit():
    walk = Walk(ruled(habit_days=0))
    days(walk, 0, 7, 21)
    assert walk.value(RUNG) == "contact"


def test_he_is_lost_at_the_rung_of_his_newest_active_day():
    walk = Walk()
    days(walk, 0, 1, 2)
    assert walk.row["lost_rung"] == 0
    assert of(RUNG, walk.time(at(17))) == [("habit", "contact", "time", 7)]
    assert DIMENSIONS[RUNG].values[walk.row["lost_rung"]] == "habit"
    walk.time(at(60))
    walk.act(at(70), used=1)
    assert DIMENSIONS[RUNG].values[walk.row["lost_rung"]] == "habit", "kept after his return"
    walk.time(at(90))
    assert DIMENSIONS[RUNG].values[walk.row["lost_rung"]] == "use"


# Attention


def seed(walk):
    walk.rows["flags"][0] = SEED
    return walk


def test_ordinary_users_get_no_attention():
    walk = Walk()
    days(walk, 0, 1, 2)
    assert of(ATTENTION, walk.time(at(60))) == []


def test_a_seed_user_weakens_after_half_of_the_absence_and_is_steady_with_an_act():
    walk = seed(Walk())
    assert of(ATTENTION, walk.act(at(0))) == [("none", "steady", "event", 0)]
    assert of(ATTENTION, walk.time(at(8, 0))) == []
    assert of(ATTENTION, walk.time(at(60))) == [("steady", "weakening", "time", 8)]
    assert figures(walk, ATTENTION) == [at(0), 7, -1, -1]
    assert of(ATTENTION, walk.act(at(61))) == [("weakening", "steady", "event", 61)]


def test_he_who_was_an_advocate_once_matters_for_ever():
    walk = Walk()
    days(walk, 0, 1)
    assert of(ATTENTION, walk.act(at(2), orders=1, brought=1)) == [("none", "steady", "event", 2)]
    walk.time(at(60))
    assert walk.value(RUNG) == "pay"
    assert walk.value(ATTENTION) == "weakening"


@pytest.mark.parametrize(("dimension", "name"), [(INFLUENCE, "leader"), (CONTRIBUTION, "contributor")])
def test_leaders_and_contributors_matter_while_they_are_that(dimension, name):
    walk = Walk()
    walk.act(at(0))
    walk.rows["values"][0, dimension] = DIMENSIONS[dimension].values.index(name)
    assert of(ATTENTION, walk.act(at(1))) == [("none", "steady", "event", 1)]
    walk.rows["values"][0, dimension] = 1 if dimension == INFLUENCE else 2
    assert of(ATTENTION, walk.act(at(2))) == [("steady", "none", "event", 2)]


def test_without_a_share_or_an_absence_nobody_weakens():
    for off in ({"attention_share": 0}, {"dormant_ms": NEVER, "churned_ms": NEVER}):
        walk = seed(Walk(ruled(**off)))
        walk.act(at(0))
        assert of(ATTENTION, walk.time(at(13))) == []


def test_the_clock_that_stood_still_is_credited():
    stops = np.array([[at(2, 0), at(4, 0)]])
    walk = seed(Walk(stops=stops))
    walk.act(at(0))
    assert of(ATTENTION, walk.time(at(60))) == [("steady", "weakening", "time", 10)]


def test_while_the_clock_stands_still_nobody_weakens_and_he_is_looked_at_again():
    walk = seed(Walk(stops=np.array([[at(2, 0), NEVER]])))
    walk.act(at(0))
    assert of(ATTENTION, walk.time(at(20))) == []
    assert walk.due == D0 + 21
    walk.stops = np.array([[at(2, 0), at(15, 0)]])
    assert of(ATTENTION, walk.time(at(60))) == [("steady", "weakening", "time", 21)]


def test_a_gap_brings_the_day_nearer_at_once_settled_or_not():
    own = {"personal": 1, "personal_prior": 0.5, "personal_log_gap": 3.0, "personal_ceiling_ms": 40 * DAY}
    walk = seed(Walk(ruled(dormant_ms=20 * DAY, personal_margin=1.0, personal_floor_ms=2 * DAY, **own)))
    days(walk, 0)
    assert walk.due > D0 + 10
    days(walk, 1)
    near = activity.absence_ms(walk.rows[0], walk.rules[0])
    assert near < 10 * DAY
    habit.pass_days(walk.rows[0], walk.weekly, np.int64(D0 + 4))
    assert activity.absence_ms(walk.rows[0], walk.rules[0]) == near


# Against a recount


KINDS = ("look", "use", "order", "bring")
lives = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 1, 1, 1, 2, 3, 5, 7, 9, 20, 45]), st.integers(0, DAY - 1), st.sampled_from(KINDS)
    ),
    min_size=1,
    max_size=40,
)
rulings = st.fixed_dictionaries(
    {
        "growth_orders": st.integers(0, 2),
        "growth_days": st.integers(2, 5),
        "maturity_orders": st.integers(0, 3),
        "maturity_days": st.integers(4, 9),
        "habit_days": st.integers(0, 4),
        "habit_weeks": st.integers(0, 4),
        "look_back_weeks": st.integers(1, 26),
        "dormant_ms": st.integers(3 * DAY, 40 * DAY),
        "attention_share": st.sampled_from([0.0, 0.3, 0.5, 0.8]),
    }
).map(lambda rule: rule | {"churned_ms": rule["dormant_ms"] * 2})


def lived(life):
    """Return the acts (at, kind) of a life, in order of time."""
    day, acts = 0, []
    for gap, ms, kind in life:
        day += gap
        acts.append((T0 + day * DAY + ms, kind))
    return sorted(set(acts))


def walked(walk, act, **how):
    moment, kind = act
    return walk.act(moment, used=kind in ("use", "bring"), orders=kind == "order", brought=kind == "bring", **how)


class Recount:
    """What he is at the end of a day, out of the list of his acts."""

    def __init__(self, acts, rule):
        self.acts, self.rule = acts, DEFAULTS | rule

    def days(self, day):
        return {moment // DAY for moment, _ in self.acts if moment // DAY <= day}

    def last_at(self, day):
        return max(moment for moment, _ in self.acts if moment // DAY <= day)

    def stage(self, day):
        rule, active = self.rule, self.days(day)
        absent = (day + 1) * DAY - self.last_at(day)
        if absent > rule["dormant_ms"]:
            return "churn" if absent > rule["churned_ms"] else "dormancy"
        monday = day - (day + 3) % 7
        orders = sum(
            kind == "order" and monday - 7 * (rule["look_back_weeks"] - 1) <= moment // DAY <= day
            for moment, kind in self.acts
        )
        known = sum(d <= day - 2 for d in active) >= 2
        if 0 < rule["maturity_orders"] <= orders and known:
            return "maturity"
        if sum(d > day - rule["maturity_window"] for d in active) >= rule["maturity_days"]:
            return "maturity"
        if 0 < rule["growth_orders"] <= orders:
            return "growth"
        return (
            "growth" if sum(d > day - rule["growth_window"] for d in active) >= rule["growth_days"] else "introduction"
        )

    def habit(self, day):
        active, need = self.days(day), self.rule["habit_weeks"]
        if 0 < self.rule["habit_days"] <= sum(d > day - self.rule["habit_window"] for d in active):
            return True
        weeks, week = {(d + 3) // 7 for d in active}, (day + 3) // 7
        return need > 0 and any(weeks.issuperset(range(end - need + 1, end + 1)) for end in (week, week - 1))

    def rung(self, day):
        done = {kind for moment, kind in self.acts if moment // DAY <= day}
        if "order" in done:
            return "advocate" if self.habit(day) and "bring" in done else "pay"
        if self.habit(day):
            return "habit"
        return "use" if done & {"use", "bring"} else "contact"

    def attention(self, day, *, matters):
        if not matters:
            return "none"
        absent = int(self.rule["attention_share"] * self.rule["dormant_ms"])
        past = absent and (self.last_at(day) + absent) // DAY < day
        lapsed = absent and (day + 1) * DAY - self.last_at(day) > self.rule["dormant_ms"]
        return "weakening" if past or lapsed else "steady"


def look(walk):
    return tuple(walk.value(dimension) for dimension in (STAGE, RUNG, ATTENTION))


@given(lives, rulings, st.booleans())
def test_on_every_day_he_is_what_a_recount_says(life, rule, is_seed):
    acts = lived(life)
    walk, recount = Walk(ruled(**rule)), Recount(acts, rule)
    walk.rows["flags"][0] = is_seed
    todo, advocate = list(acts), False
    for day in range(acts[0][0] // DAY, acts[-1][0] // DAY + 70):
        while todo and todo[0][0] // DAY == day:
            walked(walk, todo.pop(0))
            advocate |= walk.value(RUNG) == "advocate"
        walk.time((day + 1) * DAY)
        expected = recount.attention(day, matters=is_seed or advocate)
        assert look(walk) == (recount.stage(day), recount.rung(day), expected), day - D0


@given(lives, rulings, st.integers(0, 4))
def test_when_time_is_told_makes_no_difference(life, rule, dwell):
    acts = lived(life)
    often, seldom = (seed(Walk(ruled(dwell_days=dwell, **rule))) for _ in range(2))
    told = []
    for k, act in enumerate(acts):
        told += walked(often, act)
        walked(seldom, act)
        following = acts[k + 1][0] if k + 1 < len(acts) else act[0] + 70 * DAY
        for until in range(act[0], following, 5 * HOUR):
            told += often.time(until)
    told += often.time(acts[-1][0] + 70 * DAY)
    seldom.time(acts[-1][0] + 70 * DAY)
    assert often.moves[: often.n].tobytes() == seldom.moves[: seldom.n].tobytes()
    assert often.rows.tobytes() == seldom.rows.tobytes()
    for was, now in pairwise(told):
        assert was[4] <= now[4]


@given(lives, rulings, st.randoms(use_true_random=False), st.booleans())
def test_acts_that_come_late_by_a_day_lead_to_the_same(life, rule, random, is_seed):
    acts = lived(life)
    walk, recount = Walk(ruled(**rule)), Recount(acts, rule)
    walk.rows["flags"][0] = is_seed
    seen = 0
    for act in sorted(acts, key=lambda act: act[0] + random.randrange(DAY)):
        seen = max(seen, act[0])
        walked(walk, act, vouched=seen - DAY)
    for day in range(seen // DAY + 1, seen // DAY + 50):
        walk.time((day + 1) * DAY)
        matters = is_seed or DIMENSIONS[RUNG].values[walk.row["best_rung"]] == "advocate"
        expected = recount.stage(day), recount.rung(day), recount.attention(day, matters=matters)
        assert look(walk) == expected, day - D0


@given(lives, rulings, st.integers(0, 3))
def test_every_move_goes_on_from_where_the_one_before_led(life, rule, dwell):
    acts = lived(life)
    walk = seed(Walk(ruled(dwell_days=dwell, **rule)))
    told = [move for act in acts for move in walked(walk, act)] + walk.time(acts[-1][0] + 100 * DAY)
    for dimension in (STAGE, RUNG, ATTENTION):
        value = "none"
        for was, now, cause, _ in of(dimension, told):
            assert was == value != now
            assert cause in ("event", "time")
            value = now
        assert value == walk.value(dimension)
    seqs = walk.moves["seq"][: walk.n]
    assert seqs.tolist() == list(range(1, walk.n + 1))
