"""Birthdays: when a partition's users have theirs, and where they live, as columns by row number.

A birthday is a code: month x 32 + day, and `LUNAR` more where it is of the lunar calendar; 0 for none.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from zoneinfo import available_timezones

import numpy as np

from streams.column import Column
from streams.festival import LEAP_YEAR, is_yearly
from streams.lunar import is_lunar
from streams.wire.event import Profile

FIRST_CAPACITY = 1024
LUNAR = 512
MOST_CODES = 1024
"""More than there are of birthdays, and of time zones."""
SAID = re.compile(r"(?:\d{4}-)?(\d{2})-(\d{2})(?:[T ].*)?")
NOWHERE, ANYWHERE = 0, 1
"""Codes of time zones: of who has no profile, and of whose profile names none that there is."""
all_zones = lru_cache(maxsize=1)(available_timezones)


class Birthdays:
    """Users' birthdays and time zones, as their newest profiles tell them.

    Attributes:
        zones: the code of each time zone in which somebody lives, by its name; "" is anywhere.
        read: up to this row all profiles are known; from it on only those that came since.
    """

    def __init__(self, attribute: str, lunar_attribute: str) -> None:
        """Read them from these attributes: the date, and whether it is of the lunar calendar."""
        self.zones: dict[str, int] = {"": ANYWHERE}
        self.read = 0
        self._attribute, self._lunar_attribute = attribute, lunar_attribute
        self._days, self._where = Column(np.uint16, FIRST_CAPACITY), Column(np.uint16, FIRST_CAPACITY)

    def note(self, row: int, profile: Profile | None) -> None:
        """Note a user's newest profile, None where he has none any more."""
        if row >= len(self._days.array):
            self._days.grow(row + 1)
            self._where.grow(row + 1)
        if profile is None:
            self._days.array[row], self._where.array[row] = 0, NOWHERE
            return
        said = profile.attributes
        self._days.array[row] = code_of(said.get(self._attribute), lunar=said.get(self._lunar_attribute) is True)
        zone = profile.time_zone if profile.time_zone in all_zones() else ""
        self._where.array[row] = self.zones.setdefault(zone or "", len(self.zones) + ANYWHERE)

    def count(self, zones: list[int], born: list[int] | None) -> int:
        """Return how many users live in one of the zones, and were born on one of the days where they are said."""
        return int(np.count_nonzero(_chosen(self._where.array, self._days.array, zones, born)))

    def choose(self, rows: np.ndarray, zones: list[int], born: list[int] | None) -> np.ndarray:
        """Return those of the rows (i8[n]) who do."""
        rows = rows[rows < len(self._where.array)]
        found: np.ndarray = rows[_chosen(self._where.array[rows], self._days.array[rows], zones, born)]
        return found


def code_of(said: object, *, lunar: bool = False) -> int:
    """Return the code of a birthday that is written YYYY-MM-DD or MM-DD; 0 where it is not."""
    found = SAID.fullmatch(said) if isinstance(said, str) else None
    if found is None:
        return 0
    month, day = int(found[1]), int(found[2])
    return _code(month, day) + (LUNAR if lunar else 0) if _is_day(month, day, lunar=lunar) else 0


def codes_on(day: date) -> list[int]:
    """Return the codes of the birthdays that are kept on this day."""
    near = [(month, of_month) for month in range(1, 13) for of_month in range(1, 32)]
    yearly = [_code(*there) for there in near if is_yearly(day, *there)]
    return yearly + [_code(*there) + LUNAR for there in near if is_lunar(day, *there)]


def _chosen(where: np.ndarray, days: np.ndarray, zones: list[int], born: list[int] | None) -> np.ndarray:
    found = _among(where, zones)
    return found if born is None else found & _among(days, born)


def _among(codes: np.ndarray, chosen: list[int]) -> np.ndarray:
    """Say of each code (u2[n]) whether it is one of the chosen, several times as fast as numpy does of any number."""
    table = np.zeros(MOST_CODES, np.bool_)
    table[chosen] = True
    found: np.ndarray = table[codes]
    return found


def _code(month: int, day: int) -> int:
    return month * 32 + day


def _is_day(month: int, day: int, *, lunar: bool) -> bool:
    if lunar:
        return 1 <= month <= 12 and 1 <= day <= 30  # noqa: PLR2004 (of a lunar year)
    try:
        return bool(date(LEAP_YEAR, month, day))
    except ValueError:
        return False
