"""Festivals: on the days that calendars print, by whichever rule they are declared."""

from datetime import date, timedelta

import pytest

from streams import settings
from streams.festival import SHIPPED, Festival, days_in, falls_on
from streams.settings import SettingsError

# As the Hong Kong Observatory publishes them.
PUBLISHED = {
    "spring_festival": "0125 0212 0201 0122 0210 0129 0217 0206 0126 0213 0203",
    "lunar_new_years_eve": "0124 0211 0131 0121 0209 0128 0216 0205 0125 0212 0202",
    "lantern": "0208 0226 0215 0205 0224 0212 0303 0220 0209 0227 0217",
    "dragon_boat": "0625 0614 0603 0622 0610 0531 0619 0609 0528 0616 0605",
    "mid_autumn": "1001 0921 0910 0929 0917 1006 0925 0915 1003 0922 0912",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_lunar_festivals_fall_where_the_published_calendars_have_them(name):
    for year, printed in enumerate(PUBLISHED[name].split(), 2020):
        assert [f"{day:%m%d}" for day in days_in(SHIPPED[name], year)] == [printed], year


def test_a_leap_month_has_no_festival_of_its_own():
    """2025 has the sixth month twice, 2033 the eleventh, of which tables of old have it otherwise."""
    assert days_in(Festival(lunar="06-01"), 2025) == (date(2025, 6, 25),)
    assert days_in(Festival(lunar="11-01"), 2033) == (date(2033, 11, 22),)
    assert days_in(SHIPPED["mid_autumn"], 2033) == (date(2033, 9, 8),)


def test_new_moons_near_midnight_are_those_of_the_official_calendar():
    assert days_in(Festival(lunar="08-01"), 1978) == (date(1978, 9, 3),)


def test_a_festival_late_in_the_lunar_year_may_come_twice_in_a_year_or_not_at_all():
    laba = Festival(lunar="12-08")
    assert days_in(laba, 2022) == (date(2022, 1, 10), date(2022, 12, 30))
    assert days_in(laba, 2023) == ()


def test_the_thirtieth_of_a_month_of_twenty_nine_days_is_its_last():
    for year in range(1951, 2100):
        [eve], [day] = days_in(SHIPPED["lunar_new_years_eve"], year), days_in(SHIPPED["spring_festival"], year)
        assert day - eve == timedelta(days=1)


@pytest.mark.parametrize(
    ("festival", "year", "day"),
    [
        (SHIPPED["mothers_day"], 2026, date(2026, 5, 10)),
        (SHIPPED["mothers_day"], 2022, date(2022, 5, 8)),
        (SHIPPED["fathers_day"], 2025, date(2025, 6, 15)),
        (Festival(nth="4 thursday 11"), 2024, date(2024, 11, 28)),
        (Festival(nth="last monday 5"), 2027, date(2027, 5, 31)),
        (Festival(nth="last monday 2"), 2026, date(2026, 2, 23)),
        (SHIPPED["singles_day"], 2026, date(2026, 11, 11)),
        (Festival(date="02-29"), 2028, date(2028, 2, 29)),
        (Festival(date="02-29"), 2027, date(2027, 2, 28)),
        (Festival(date="2027-05-20"), 2027, date(2027, 5, 20)),
    ],
)
def test_each_rule_has_its_one_day(festival, year, day):
    assert days_in(festival, year) == (day,)


def test_a_date_with_its_year_is_kept_once():
    once = Festival(date="2027-05-20")
    assert days_in(once, 2026) == days_in(once, 2028) == ()


def test_beyond_the_tables_no_lunar_day_is_kept_and_nothing_breaks():
    assert not falls_on(SHIPPED["spring_festival"], date(2149, 1, 29))


def read(tmp_path, text):
    file = tmp_path / "awaken.toml"
    file.write_text(text)
    return settings.load(file, {})


def test_festivals_of_ones_own_stand_beside_those_that_are_there(tmp_path):
    found = read(
        tmp_path,
        '[festivals.anniversary]\ndate = "06-18"\n[playbooks.thanks]\non = "calendar.anniversary"\nlead_days = 2\n'
        '[playbooks.wish]\non = "calendar.birthday"\n[playbooks.moon]\non = "calendar.mid_autumn"\n',
    )
    assert found.festivals == SHIPPED | {"anniversary": Festival(date="06-18")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[festivals.mine]\n", "festivals.mine: has no day: set one of date, lunar and nth"),
        ('[festivals.christmas]\nlunar = "01-01"\n', "festivals.christmas: has date and lunar"),
        ('[festivals.mine]\ndate = "02-30"\n', "festivals.mine.date = '02-30': must be MM-DD or YYYY-MM-DD"),
        ('[festivals.mine]\ndate = "2027-02-29"\n', "festivals.mine.date = '2027-02-29'"),
        ('[festivals.mine]\nlunar = "13-01"\n', "festivals.mine.lunar = '13-01': must be MM-DD, up to 12-30"),
        ('[festivals.mine]\nlunar = "2027-01-01"\n', "festivals.mine.lunar = '2027-01-01'"),
        ('[festivals.mine]\nnth = "5 sunday 5"\n', "festivals.mine.nth = '5 sunday 5': must be 1 to 4 or last"),
        ('[festivals.birthday]\ndate = "01-01"\n', "but not birthday"),
        ('[festivals.My]\ndate = "01-01"\n', "festivals.My: a festival's name is 1 to 40 of a-z, 0-9 and _"),
        ('[playbooks.p]\non = "calendar.easter"\n', "playbooks.p.on = 'calendar.easter': calendar has no such value"),
        ('[playbooks.p]\nwhen = { calendar = "christmas" }\n', "there is no dimension calendar"),
    ],
)
def test_what_can_never_come_is_refused_by_name(tmp_path, text, said):
    with pytest.raises(SettingsError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
