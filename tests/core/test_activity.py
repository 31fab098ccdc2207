"""The transition table, and what the fold makes of it, figure by figure."""

from typing import get_args

import numpy as np
import pytest

from streams.core.activity import CLASSES, NEXT, TABLE, TRIGGERS
from streams.core.row import CAUSES, DAY, NEVER
from streams.core.rules import activity_only
from streams.wire.message import Cause
from tests.core.life import T0, Life

RULES = activity_only(7 * DAY, 14 * DAY, 30 * DAY)


def test_every_name_in_the_table_is_a_class_or_a_trigger():
    for froms, trigger, to in TABLE:
        assert set(froms.split()) <= set(CLASSES)
        assert trigger in TRIGGERS
        assert to in CLASSES


def test_no_class_is_a_trap():
    """From every class every other but `none` can be reached, and `none` never comes back."""
    reach = NEXT.astype(int)
    for start in range(len(CLASSES)):
        seen, todo = set(), {start}
        while todo:
            cls = todo.pop()
            new = set(reach[cls].tolist()) - seen
            seen |= new
            todo |= new
        assert set(range(1, len(CLASSES))) - {CLASSES.index("new")} <= seen
    assert not np.any(reach[1:] == CLASSES.index("none"))


def test_new_becomes_active_on_the_second_day():
    life = Life(RULES)
    assert life.act(T0) == [("none", "new", "event", 1, T0)]
    assert life.act(T0 + DAY - 1) == []
    assert life.act(T0 + DAY) == [("new", "active", "event", 2, T0 + DAY)]


def test_new_becomes_active_by_time_after_seven_days():
    life = Life(RULES)
    life.act(T0 + 5)
    assert life.time(T0 + 5 + 7 * DAY) == []
    assert life.time(T0 + 6 + 7 * DAY) == [("new", "active", "time", 2, T0 + 5 + 7 * DAY)]


def test_absence_makes_dormant_then_churned_each_dated_at_its_deadline():
    life = Life(RULES)
    life.act(T0)
    moves = life.time(T0 + 100 * DAY)
    assert moves == [
        ("new", "active", "time", 2, T0 + 7 * DAY),
        ("active", "dormant", "time", 3, T0 + 14 * DAY),
        ("dormant", "churned", "time", 4, T0 + 30 * DAY),
    ]


def test_an_act_first_settles_the_time_before_it():
    life = Life(RULES)
    life.act(T0)
    moves = life.act(T0 + 20 * DAY)
    assert [m[1] for m in moves] == ["active", "dormant", "returning"]
    assert life.act(T0 + 21 * DAY) == [("returning", "active", "event", 5, T0 + 21 * DAY)]


def test_at_its_deadline_an_absence_is_not_over_yet():
    life = Life(RULES)
    life.act(T0)
    life.act(T0 + DAY)
    assert life.act(T0 + 15 * DAY) == []


def test_a_late_act_retracts_the_dormancy_that_it_disproves():
    life = Life(RULES)
    life.act(T0)
    life.act(T0 + DAY)
    assert life.time(T0 + 16 * DAY)[-1][1] == "dormant"
    assert life.act(T0 + 10 * DAY) == [("dormant", "active", "correction", 4, T0 + 10 * DAY)]
    assert life.time(T0 + 25 * DAY) == [("active", "dormant", "time", 5, T0 + 24 * DAY)]


def test_a_late_act_of_a_newcomer_retracts_and_counts_as_his_second_day():
    life = Life(activity_only(NEVER, 14 * DAY, NEVER))
    life.act(T0)
    life.time(T0 + 15 * DAY)
    moves = life.act(T0 + 3 * DAY)
    assert [(m[0], m[1], m[2]) for m in moves] == [("dormant", "new", "correction"), ("new", "active", "event")]


def test_a_late_act_amid_the_absence_of_a_churned_user_makes_him_returning():
    life = Life(RULES)
    life.act(T0)
    life.time(T0 + 40 * DAY)
    assert life.act(T0 + 20 * DAY) == [("churned", "returning", "correction", 5, T0 + 20 * DAY)]


def test_an_act_older_than_the_newest_shows_that_he_came_earlier():
    life = Life(RULES)
    life.act(T0 + 5 * DAY)
    assert life.act(T0) == [("new", "active", "event", 2, T0 + 5 * DAY)]
    assert life.act(T0 + DAY) == []
    row = life.row
    assert row["daily_clicks"].sum() == 3
    assert (row["first_at"], row["last_at"]) == (T0, T0 + 5 * DAY)


@pytest.mark.parametrize("cause", CAUSES)
def test_causes_are_the_messages_own(cause):
    assert cause in get_args(Cause)
