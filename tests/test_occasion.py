"""Occasions: days begin when they do on each user's own clock, once each, whatever the clocks do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.birthday import code_of
from streams.festival import SHIPPED
from streams.occasion import begins, moments, occasions, waits_for_day
from streams.playbook import Playbook

DAY = 86_400_000
ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Kiritimati")
ODD = ("America/Sao_Paulo", "Asia/Beirut", "Africa/Cairo", "America/Havana", "Pacific/Apia", "Australia/Lord_Howe")


def ms(*when):
    return round(datetime(*when, tzinfo=UTC).timestamp() * 1000)


def test_a_day_begins_at_midnight_where_one_lives():
    assert begins(date(2026, 9, 25), ZoneInfo("Asia/Shanghai")) == ms(2026, 9, 24, 16)
    assert begins(date(2026, 9, 25), ZoneInfo("America/New_York")) == ms(2026, 9, 25, 4)
    assert begins(date(2026, 12, 25), ZoneInfo("America/New_York")) == ms(2026, 12, 25, 5)


def test_a_day_without_a_midnight_begins_with_its_first_instant():
    """In Beirut clocks went from 00:00 to 01:00."""
    at = begins(date(2021, 3, 28), ZoneInfo("Asia/Beirut"))
    assert datetime.fromtimestamp(at / 1000, ZoneInfo("Asia/Beirut")).strftime("%d %H:%M") == "28 01:00"
    before = datetime.fromtimestamp(at / 1000 - 1, ZoneInfo("Asia/Beirut"))
    assert before.date() == date(2021, 3, 27)


def test_a_day_that_a_country_skipped_is_kept_with_the_one_after_it():
    """Samoa had no 30 December 2011; whoever was born on one has his birthday all the same."""
    [moment] = moments({3: ZoneInfo("Pacific/Apia")}, ms(2011, 12, 30, 0), ms(2011, 12, 31, 0))
    assert moment.days == {date(2011, 12, 30): [3], date(2011, 12, 31): [3]}


def test_zones_whose_day_begins_at_once_share_a_moment():
    zones = {1: ZoneInfo("Asia/Shanghai"), 2: ZoneInfo("Asia/Singapore"), 3: ZoneInfo("UTC")}
    found = moments(zones, ms(2026, 9, 24, 12), ms(2026, 9, 25, 12))
    assert [(m.at, m.days) for m in found] == [
        (ms(2026, 9, 24, 16), {date(2026, 9, 25): [1, 2]}),
        (ms(2026, 9, 25), {date(2026, 9, 25): [3]}),
    ]


@pytest.mark.parametrize("name", ZONES + ODD)
def test_every_day_begins_once_however_the_time_is_cut(name):
    """Over years with every change of the clocks, looked at in steps that do not fit."""
    zone, start, end, step = {1: ZoneInfo(name)}, ms(2010, 1, 1), ms(2013, 1, 1), 7 * 3_600_000 + 1
    cuts = [*range(start, end, step), end]
    found = [day for a, b in pairwise(cuts) for m in moments(zone, a, b) for day in m.days]
    assert found == [found[0] + timedelta(days=n) for n in range(len(found))]
    assert found == [day for m in moments(zone, start, end) for day in m.days]


@given(st.integers(ms(2000, 1, 1), ms(2090, 1, 1)), st.sampled_from(ZONES + ODD))
def test_a_moment_belongs_to_the_span_that_it_ends(after, name):
    zone = {1: ZoneInfo(name)}
    for moment in moments(zone, after, after + 3 * DAY):
        assert moment in moments(zone, moment.at - 1, moment.at)
        assert moment not in moments(zone, moment.at, moment.at + DAY)


def test_a_playbook_is_asked_so_many_days_ahead():
    playbooks = {
        "wish": Playbook(on="calendar.birthday", lead_days=1),
        "moon": Playbook(on="calendar.mid_autumn", lead_days=3),
    }
    [moment] = moments({1: ZoneInfo("UTC")}, ms(2026, 9, 21), ms(2026, 9, 22))
    wish, moon = occasions(moment, playbooks, SHIPPED)
    assert (wish.day, moon.day, moon.born) == (date(2026, 9, 23), date(2026, 9, 25), None)
    assert wish.born is not None
    assert code_of("09-23") in wish.born
    [moment] = moments({1: ZoneInfo("UTC")}, ms(2026, 9, 22), ms(2026, 9, 23))
    assert [o.playbook for o in occasions(moment, playbooks, SHIPPED)] == ["wish"]


def test_only_playbooks_of_the_calendar_wait_for_a_day():
    assert waits_for_day(Playbook(on="calendar.birthday"))
    assert not waits_for_day(Playbook())
