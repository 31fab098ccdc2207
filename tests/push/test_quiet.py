"""Quiet hours: in whose time, over midnight, over the days on which clocks change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.push.quiet import HOUR_MS, clock_time, quiet_until, zone_of

NIGHT = time(22), time(8)
LUNCH = time(12), time(13, 30)
ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")


def ms(text, zone="UTC", fold=0):
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-03-10T21:59:59", None),
        ("2026-03-10T22:00", "2026-03-11T08:00"),
        ("2026-03-10T23:30", "2026-03-11T08:00"),
        ("2026-03-11T00:00", "2026-03-11T08:00"),
        ("2026-03-11T07:59:59", "2026-03-11T08:00"),
        ("2026-03-11T08:00", None),
    ],
)
def test_a_night_ends_in_the_morning_of_his_own_zone(at, end):
    for zone in ("UTC", "Asia/Shanghai"):
        found = quiet_until(ms(at, zone), ZoneInfo(zone), *NIGHT)
        assert found == (None if end is None else ms(end, zone))


def test_what_is_night_to_one_is_day_to_another():
    at = ms("2026-03-10T23:00")
    assert quiet_until(at, ZoneInfo("UTC"), *NIGHT) == ms("2026-03-11T08:00")
    assert quiet_until(at, ZoneInfo("Asia/Tokyo"), *NIGHT) is None  # it is eight in the morning


def test_quiet_hours_may_lie_within_a_day():
    zone = ZoneInfo("UTC")
    assert quiet_until(ms("2026-03-10T12:00"), zone, *LUNCH) == ms("2026-03-10T13:30")
    assert quiet_until(ms("2026-03-10T13:30"), zone, *LUNCH) is None


def test_a_night_in_which_clocks_are_put_forward_is_an_hour_shorter_and_one_in_which_they_are_put_back_longer():
    berlin = ZoneInfo("Europe/Berlin")
    for evening, hours in (("2026-03-28T22:00", 9), ("2026-10-24T22:00", 11), ("2026-06-01T22:00", 10)):
        at = ms(evening, "Europe/Berlin")
        assert quiet_until(at, berlin, *NIGHT) == at + hours * HOUR_MS


def test_an_end_that_the_clock_leaves_out_is_when_it_has_gone_by_and_one_that_comes_twice_ends_the_quiet_it_lies_in():
    berlin = ZoneInfo("Europe/Berlin")
    start, end = time(22), time(2, 30)
    # On 29 March it is 03:00 when it would be 02:00: 02:30 is never told.
    assert quiet_until(ms("2026-03-28T23:00", "Europe/Berlin"), berlin, start, end) == ms("2026-03-29T01:30")
    # On 25 October it is 02:30 twice, at 00:30 and at 01:30 UTC.
    assert quiet_until(ms("2026-10-25T00:10"), berlin, start, end) == ms("2026-10-25T00:30")
    assert quiet_until(ms("2026-10-25T01:10"), berlin, start, end) == ms("2026-10-25T01:30")


clocks = st.times().map(lambda t: t.replace(second=0, microsecond=0))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001 (UTC is given beside)
    lambda t: round(t.replace(tzinfo=UTC).timestamp() * 1000)
)


@given(moments, st.sampled_from(ZONES), clocks, clocks)
def test_whoever_waits_waits_less_than_a_day_and_ends_at_the_clocks_end(at, name, start, end):
    if start == end:
        return
    zone = ZoneInfo(name)
    until = quiet_until(at, zone, start, end)
    clock = datetime.fromtimestamp(at / 1000, zone).time()
    assert (until is not None) == (start <= clock < end if start < end else clock >= start or clock < end)
    if until is not None:
        assert at < until <= at + 25 * HOUR_MS
        told = datetime.fromtimestamp(until / 1000, zone)
        shift = timedelta(hours=1)  # of an end that the clock leaves out
        assert end in (told.time(), (told - shift).time(), (told - shift / 2).time())


def test_zones_are_iana_names_and_what_is_none_is_told():
    assert zone_of("Asia/Shanghai") == ZoneInfo("Asia/Shanghai")
    for name in (None, "", "Mars/Olympus", "../etc/passwd", "Asia/", "x\0y"):
        assert zone_of(name) is None
    assert clock_time("08:30") == time(8, 30)
