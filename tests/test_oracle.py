"""The oracle itself, against cases computed by hand. Time is told as (day, hour) from a midnight UTC."""

import pytest

from tests.oracle import DAY, Rules, Step, transitions

HOUR = 3_600_000
EPOCH = 20_000 * DAY
RULES = Rules(new_days=7, dormant_days=14, churned_days=30)


def on(day, hour=0.0):
    return EPOCH + day * DAY + round(hour * HOUR)


END = on(365)


def life(*acts, rules=RULES, end=END):
    return transitions([("u", at) for at in acts], rules, end).get("u", [])


def short(steps):
    return [(step.to, step.at, step.cause) for step in steps]


def test_no_act_is_no_user():
    assert transitions([], RULES, on(1)) == {}


def test_the_first_act_makes_new():
    assert life(on(0, 9), end=on(1)) == [Step(1, "none", "new", on(0, 9), "event")]


def test_the_second_active_day_makes_active():
    assert short(life(on(0, 9), on(1, 8), end=on(2))) == [
        ("new", on(0, 9), "event"),
        ("active", on(1, 8), "event"),
    ]


def test_a_day_is_a_day_of_utc_and_not_twenty_four_hours():
    assert short(life(on(0, 23.9), on(1), end=on(2)))[-1] == ("active", on(1), "event")
    assert short(life(on(0, 0), on(0, 23.9), end=on(2)))[-1] == ("new", on(0), "event")


def test_new_becomes_active_by_time():
    assert short(life(on(0, 9), on(0, 10), end=on(8))) == [
        ("new", on(0, 9), "event"),
        ("active", on(7, 9), "time"),
    ]


def test_an_act_on_the_deadline_itself_comes_first():
    # The deadline on(7, 9) is not strictly before the act, and the act is on a later day.
    assert short(life(on(0, 9), on(7, 9), end=on(7, 10)))[-1] == ("active", on(7, 9), "event")


def test_an_act_after_the_deadline_settles_it_first():
    assert short(life(on(0, 9), on(7, 9) + 1, end=on(7, 10))) == [
        ("new", on(0, 9), "event"),
        ("active", on(7, 9), "time"),
    ]


def test_absence_makes_dormant_then_churned_dated_at_the_deadlines():
    assert life(on(0), end=on(365)) == [
        Step(1, "none", "new", on(0), "event"),
        Step(2, "new", "active", on(7), "time"),
        Step(3, "active", "dormant", on(14), "time"),
        Step(4, "dormant", "churned", on(30), "time"),
    ]


@pytest.mark.parametrize(("end", "stage"), [(on(14), "active"), (on(14) + 1, "dormant")])
def test_the_end_of_time_must_have_passed_the_deadline(end, stage):
    assert life(on(0), end=end)[-1].to == stage


def test_acts_put_the_deadline_off():
    assert short(life(on(0), on(10), on(20), end=on(34))) == [
        ("new", on(0), "event"),
        ("active", on(7), "time"),
    ]


def test_the_earlier_deadline_goes_first_so_a_new_user_may_lapse_before_he_is_active():
    rules = Rules(new_days=7, dormant_days=3, churned_days=0)
    assert short(life(on(0), rules=rules)) == [("new", on(0), "event"), ("dormant", on(3), "time")]


def test_on_a_tie_active_goes_first():
    rules = Rules(new_days=5, dormant_days=5, churned_days=0)
    assert short(life(on(0), rules=rules)) == [
        ("new", on(0), "event"),
        ("active", on(5), "time"),
        ("dormant", on(5), "time"),
    ]


def test_new_days_run_from_the_first_act_and_dormant_days_from_the_last():
    rules = Rules(new_days=2, dormant_days=2, churned_days=0)
    assert short(life(on(0, 1), on(0, 5), rules=rules)) == [
        ("new", on(0, 1), "event"),
        ("active", on(2, 1), "time"),
        ("dormant", on(2, 5), "time"),
    ]


def test_back_from_dormant_is_returning_until_the_second_active_day():
    steps = life(on(0), on(20, 12), on(20, 13), on(21), end=on(22))
    assert [(step.from_, step.to, step.at) for step in steps[2:]] == [
        ("active", "dormant", on(14)),
        ("dormant", "returning", on(20, 12)),
        ("returning", "active", on(21)),
    ]


def test_back_from_churned_is_returning_too():
    steps = life(on(0), on(40), end=on(41))
    assert [(step.seq, step.from_, step.to, step.cause) for step in steps[3:]] == [
        (4, "dormant", "churned", "time"),
        (5, "churned", "returning", "event"),
    ]


def test_returning_never_becomes_active_by_time_but_lapses():
    assert short(life(on(0), on(20), end=on(40)))[3:] == [
        ("returning", on(20), "event"),
        ("dormant", on(34), "time"),
    ]


def test_an_act_on_the_day_of_the_dormant_deadline_counts_as_present():
    assert [step.to for step in life(on(0), on(14), end=on(15))] == ["new", "active"]


def test_an_older_act_changes_nothing():
    assert life(on(5), on(3), on(4, 23), end=on(6)) == life(on(5), end=on(6))


def test_the_same_act_twice_is_once():
    assert life(on(0), on(0), on(1), on(1), end=on(3)) == life(on(0), on(1), end=on(3))


def test_thresholds_of_zero_never_fall_due():
    assert [step.to for step in life(on(0), rules=Rules(0, 0, 0))] == ["new"]
    assert [step.to for step in life(on(0), rules=Rules(0, 14, 0))] == ["new", "dormant"]


def test_parts_of_a_day():
    assert short(life(on(0), rules=Rules(0, 0.5, 0)))[-1] == ("dormant", on(0, 12), "time")


def test_users_do_not_touch_each_other():
    acts = [("a", on(0)), ("b", on(1)), ("a", on(1)), ("b", on(1, 1))]
    found = transitions(acts, RULES, on(2))
    assert [step.to for step in found["a"]] == ["new", "active"]
    assert [step.to for step in found["b"]] == ["new"]
