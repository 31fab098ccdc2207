"""The Chinese lunar calendar: which of its days a day is."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

from borax.calendars.lunardate import MAX_SOLAR_DATE, MIN_SOLAR_DATE, LCalendars, LunarDate


class LunarDay(NamedTuple):
    """A day of the lunar calendar. `leap`: of a leap month, which has its number twice; `last`: of its month."""

    month: int
    day: int
    leap: bool
    last: bool


@lru_cache(maxsize=1024)
def lunar_day(day: date) -> LunarDay | None:
    """Return the lunar day of a day; None before 1900-01-31 and after 2101-01-28, for which there is no table."""
    if not MIN_SOLAR_DATE <= day <= MAX_SOLAR_DATE:
        return None
    found = LunarDate.from_solar(day)
    length = LCalendars.ndays(found.year, found.month, found.leap)
    return LunarDay(found.month, found.day, bool(found.leap), found.day == length)


def is_lunar(day: date, month: int, of_month: int) -> bool:
    """Say whether a lunar day of the year is kept on this day.

    It is kept in the ordinary month, not in the leap one that may follow it; the 30th of a month that has 29 days is
    kept on the 29th, as New Year's Eve is.
    """
    found = lunar_day(day)
    if found is None or found.leap or found.month != month:
        return False
    return found.day == of_month or (found.last and of_month > found.day)
