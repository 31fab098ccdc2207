"""Birthdays: read from profiles as people write them, and kept on the right day of every year."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.birthday import ANYWHERE, Birthdays, code_of, codes_on
from streams.wire.event import Profile


@pytest.mark.parametrize("said", ["1990-05-01", "05-01", "1990-05-01T00:00:00Z"])
def test_a_birthday_is_written_with_its_year_or_without(said):
    assert code_of(said) in codes_on(date(2026, 5, 1))
    assert code_of(said) not in codes_on(date(2026, 5, 2))


@pytest.mark.parametrize("said", [None, "", "May 1st", "1990-13-01", "02-30", "1990/05/01", 19900501, True])
def test_what_is_no_date_is_nobodys_birthday(said):
    assert code_of(said) == 0


@pytest.mark.parametrize("said", ["12-31", "02-31"])
def test_a_lunar_month_has_thirty_days_at_most(said):
    assert code_of(said, lunar=True) == 0


def test_who_was_born_on_29_february_has_his_birthday_every_year():
    born = code_of("2000-02-29")
    kept = [day for day in days(2023, 2029) if born in codes_on(day)]
    assert [day.day for day in kept] == [28, 29, 28, 28, 28, 29]
    assert {day.month for day in kept} == {2}


def test_a_lunar_birthday_moves_with_the_moon_and_is_kept_once_where_its_month_comes_twice():
    born = code_of("1990-06-15", lunar=True)
    assert [day for day in days(2024, 2027) if born in codes_on(day)] == [
        date(2024, 7, 20), date(2025, 7, 9), date(2026, 7, 28),
    ]  # fmt: skip


def days(start, end):
    first = date(start, 1, 1)
    return (first + timedelta(days=n) for n in range((date(end, 1, 1) - first).days))


@given(st.dates(date(1901, 1, 1), date(1999, 12, 31)), st.integers(2000, 2090))
def test_every_birthday_is_kept_once_a_year(born, year):
    assert sum(code_of(born.isoformat()) in codes_on(day) for day in days(year, year + 1)) == 1


def profile(birthday=None, zone=None, **attributes):
    return Profile("u", 0, attributes={"birthday": birthday, **attributes}, time_zone=zone)


def test_the_newest_profile_counts_and_an_erased_one_no_more():
    known = Birthdays("birthday", "lunar")
    known.note(5000, profile("05-01", "Asia/Shanghai"))
    known.note(7, profile("05-01", "Mars/Olympus"))
    known.note(8, profile("05-01", lunar=True))
    everybody, may_day = np.arange(6000), codes_on(date(2026, 5, 1))

    def born(*zones):
        found = known.choose(everybody, list(zones), may_day).tolist()
        assert known.count(list(zones), may_day) == len(found)
        return found

    zone = known.zones["Asia/Shanghai"]
    assert known.zones.keys() == {"", "Asia/Shanghai"}
    assert (born(zone), born(ANYWHERE)) == ([5000], [7])
    assert known.choose(everybody, [ANYWHERE], None).tolist() == [7, 8]
    known.note(7, profile("06-01"))
    known.note(5000, None)
    assert born(zone, ANYWHERE) == []
    assert known.count([zone], None) == 0
    assert known.choose(np.array([10**6]), [zone], None).tolist() == []
