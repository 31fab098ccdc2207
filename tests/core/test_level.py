"""A level is at risk before it is lost; test_growth compares both with a recomputation at any cut."""

from streams.core.dimension import LEVEL, LEVEL_OUTLOOK
from streams.core.row import NEVER_DAY
from tests.core.test_growth import START, User, rules

FIRST_OUT = START + 7 + 6 * 28
"""The day on which the period of START leaves the newest seven."""


def test_a_level_is_at_risk_some_days_before_it_is_lost():
    user = User(rules(on=[LEVEL, LEVEL_OUTLOOK]))
    assert user.earn(START, 160)[1:] == [("level_outlook", 0, 1, "event", START)]
    user.earn(START + 28, 20)
    assert user.time(FIRST_OUT - 1) == [("level_outlook", 1, 2, "time", FIRST_OUT - 14)]
    assert user.evidence["level_outlook"][:2] == [130, FIRST_OUT]
    assert user.time(FIRST_OUT) == [("level", 3, 1, "time", FIRST_OUT), ("level_outlook", 2, 1, "time", FIRST_OUT)]
    assert user.row["due_growth"] == NEVER_DAY  # there is no level below that could be lost


def test_a_level_at_risk_is_saved_by_the_points_that_are_missing_and_by_no_fewer():
    user = User(rules(on=[LEVEL, LEVEL_OUTLOOK]))
    user.earn(START, 160)
    user.time(FIRST_OUT - 10)
    missing = int(user.evidence["level_outlook"][0])
    assert user.earn(FIRST_OUT - 10, missing - 1) == []
    assert user.earn(FIRST_OUT - 9, 1) == [("level_outlook", 2, 1, "event", FIRST_OUT - 9)]
    assert ("level", 3) not in [move[:2] for move in user.time(FIRST_OUT + 28)]


def test_points_taken_back_put_a_level_at_risk():
    user = User(rules(on=[LEVEL, LEVEL_OUTLOOK]))
    user.earn(START, 60)
    user.earn(START + 28, 60)
    assert user.time(FIRST_OUT - 10) == []
    assert user.earn(START + 28, -1) == [("level_outlook", 1, 2, "event", FIRST_OUT - 10)]
    assert user.evidence["level_outlook"][:2] == [1, FIRST_OUT]


def test_a_level_that_is_kept_for_its_least_dwell_only_is_at_risk_until_then():
    user = User(rules(on=[LEVEL, LEVEL_OUTLOOK], dwell=250))
    user.earn(START, 160)
    assert user.time(START + 300) == [
        ("level_outlook", 1, 2, "time", START + 236),
        ("level", 3, 1, "time", START + 250),
        ("level_outlook", 2, 1, "time", START + 250),
    ]
    assert user.value(LEVEL_OUTLOOK) == 1


def test_without_warning_days_no_level_is_ever_at_risk():
    user = User(rules(on=[LEVEL, LEVEL_OUTLOOK], level_warn_days=0))
    user.earn(START, 160)
    assert user.time(START + 400) == [("level", 3, 1, "time", FIRST_OUT)]


def test_who_has_no_level_has_no_outlook():
    user = User(rules(on=[LEVEL, LEVEL_OUTLOOK], edges={LEVEL: (60,)}))
    assert user.earn(START, 59) == []
    assert user.earn(START, 1) == [("level", 0, 1, "event", START), ("level_outlook", 0, 1, "event", START)]
    assert user.earn(START, -1) == [("level", 1, 0, "event", START), ("level_outlook", 1, 0, "event", START)]
