"""The best hour: four hours in a row, everybody's where little is known of him, and when they come next."""

import pytest

from streams.push.rhythm import DAY_MS, HOUR_MS, WIDTH, best_hour, next_window

NOBODY = (0,) * 24
EVERYBODY = tuple(10 if hour in (12, 13) else 1 for hour in range(24))
MIDNIGHT = 19_675 * DAY_MS


def acts(**hours):
    return tuple(hours.get(f"h{hour}", 0) for hour in range(24))


def test_of_whom_much_is_known_his_own_hours_count():
    assert best_hour(acts(h20=30, h23=40), EVERYBODY) == 20


def test_of_whom_little_is_known_everybodys_hours_count():
    assert best_hour(acts(h3=2), EVERYBODY) == best_hour(NOBODY, EVERYBODY) == 10


def test_where_nothing_is_known_of_anybody_there_is_no_best_hour():
    assert best_hour(NOBODY, NOBODY) is None


def test_a_window_may_span_midnight():
    assert best_hour(acts(h23=5, h0=5, h1=5), NOBODY) == 22


@pytest.mark.parametrize(("hour", "begins"), [(20, 20), (22, 22), (2, 26), (8, 32), (6, 6 + 24)])
def test_a_push_waits_for_the_window_and_goes_at_once_within_it(hour, begins):
    at = MIDNIGHT + 12 * HOUR_MS + 34
    assert next_window(at, hour) == MIDNIGHT + begins * HOUR_MS
    for within in range(WIDTH):
        then = MIDNIGHT + ((hour + within) % 24) * HOUR_MS + 34
        assert next_window(then, hour) == then
