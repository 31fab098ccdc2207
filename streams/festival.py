"""Festivals as the settings declare them: by a date, by the lunar calendar, or by a weekday of a month."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import asdict

from streams.lunar import is_lunar

CALENDAR = "calendar"
"""Stands in a playbook's `on` in place of a dimension: `calendar.birthday`, or the name of a festival."""
BIRTHDAY = "birthday"
NAME = re.compile(r"[a-z0-9_]{1,40}")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NTH = re.compile(rf"([1-4]|last) ({'|'.join(WEEKDAYS)}) (1[0-2]|[1-9])")
DATE = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})")
LEAP_YEAR = 2000
LUNAR_MONTH_DAYS = 30


class Festival(Struct, frozen=True):
    """A day that everybody keeps; one of its settings says which."""

    date: Annotated[str, Meta(examples=["12-25", "2027-05-20"], description="MM-DD in every year, or one day")] = ""
    lunar: Annotated[str, Meta(examples=["08-15"], description="MM-DD of the Chinese lunar calendar")] = ""
    nth: Annotated[
        str, Meta(examples=["2 sunday 5", "last monday 8"], description="which of a weekday in which month")
    ] = ""


SHIPPED = {
    "new_year": Festival(date="01-01"),
    "lunar_new_years_eve": Festival(lunar="12-30"),
    "spring_festival": Festival(lunar="01-01"),
    "lantern": Festival(lunar="01-15"),
    "valentines": Festival(date="02-14"),
    "womens_day": Festival(date="03-08"),
    "mothers_day": Festival(nth="2 sunday 5"),
    "childrens_day": Festival(date="06-01"),
    "dragon_boat": Festival(lunar="05-05"),
    "fathers_day": Festival(nth="3 sunday 6"),
    "qixi": Festival(lunar="07-07"),
    "mid_autumn": Festival(lunar="08-15"),
    "double_ninth": Festival(lunar="09-09"),
    "national_day": Festival(date="10-01"),
    "singles_day": Festival(date="11-11"),
    "christmas": Festival(date="12-25"),
}
EXAMPLE = "[festivals]\n" + "\n".join(
    f'{name} = {{ {key} = "{text}" }}'
    for name, festival in SHIPPED.items()
    for key, text in asdict(festival).items()
    if text
)


def check(name: str, festival: Festival) -> None:
    """Refuse a festival without a day, or with more than one way to find it.

    Raises:
        ValueError: its text names the key, the value and what is allowed.
    """
    place = f"festivals.{name}"
    if not NAME.fullmatch(name) or name == BIRTHDAY:
        raise ValueError(f"{place}: a festival's name is 1 to 40 of a-z, 0-9 and _, but not {BIRTHDAY}")
    said = {key: text for key in ("date", "lunar", "nth") if (text := getattr(festival, key))}
    if len(said) != 1:
        raise ValueError(f"{place}: has {' and '.join(said) or 'no day'}: set one of date, lunar and nth, none beside")
    if festival.date and not _is_date(festival.date):
        raise ValueError(f"{place}.date = {festival.date!r}: must be MM-DD or YYYY-MM-DD, a day that there is")
    if festival.lunar and not _is_lunar_date(festival.lunar):
        raise ValueError(f"{place}.lunar = {festival.lunar!r}: must be MM-DD, up to 12-30")
    if festival.nth and not NTH.fullmatch(festival.nth):
        allowed = f"1 to 4 or last, {' or '.join(WEEKDAYS)}, and a month 1 to 12"
        raise ValueError(f"{place}.nth = {festival.nth!r}: must be {allowed}, such as 2 sunday 5")


def falls_on(festival: Festival, day: date) -> bool:
    """Say whether a festival is kept on this day; its settings are sound."""
    if festival.lunar:
        return is_lunar(day, *month_day(festival.lunar))
    if festival.nth:
        return day == _nth_in(festival.nth, day.year)
    one_year = festival.date.rpartition("-")[0].rpartition("-")[0]
    return one_year in {"", f"{day.year:04}"} and is_yearly(day, *month_day(festival.date))


def days_in(festival: Festival, year: int) -> tuple[date, ...]:
    """Return the days of a year on which a festival is kept.

    Of one late in the lunar year there are none in some years and two in others; else there is one.
    """
    first = date(year, 1, 1)
    days = (first + timedelta(days=n) for n in range(365 + calendar.isleap(year)))
    return tuple(day for day in days if falls_on(festival, day))


def is_yearly(day: date, month: int, of_month: int) -> bool:
    """Say whether a day of the year is kept on this day; 29 February is on the 28th where there is none."""
    if (day.month, day.day) == (month, of_month):
        return True
    return (month, of_month) == (2, 29) and (day.month, day.day) == (2, 28) and not calendar.isleap(day.year)


def month_day(text: str) -> tuple[int, int]:
    """Return the month and the day of a date that ends with them."""
    return int(text[-5:-3]), int(text[-2:])


def _nth_in(nth: str, year: int) -> date:
    which, weekday, month = nth.split()
    first, length = calendar.monthrange(year, int(month))
    day = 1 + (WEEKDAYS.index(weekday) - first) % 7
    day += (length - day) // 7 * 7 if which == "last" else (int(which) - 1) * 7
    return date(year, int(month), day)


def _is_date(text: str) -> bool:
    found = DATE.fullmatch(text)
    try:
        return found is not None and bool(date(int(found[1] or LEAP_YEAR), int(found[2]), int(found[3])))
    except ValueError:
        return False


def _is_lunar_date(text: str) -> bool:
    found = DATE.fullmatch(text)
    if found is None or found[1]:
        return False
    month, day = month_day(text)
    return 1 <= month <= 12 and 1 <= day <= LUNAR_MONTH_DAYS  # noqa: PLR2004 (months of a year)
