"""Quiet hours: the time of day in which nobody is disturbed, in the user's own time zone.

A window may begin in the evening and end in the morning. Its end is a time on the user's clock, so that on the days on
which clocks are put forward or back a push waits an hour less or more.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000


@lru_cache(maxsize=1024)
def zone_of(name: str | None) -> ZoneInfo | None:
    """Return the IANA time zone of this name, None where there is none such."""
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, LookupError):  # ZoneInfoNotFoundError is a KeyError
        return None


def quiet_until(at: int, zone: ZoneInfo, start: time, end: time) -> int | None:
    """Return when the quiet hours end in which `at` lies (int ms UTC); None where it lies in none.

    `start` belongs to them, `end` does not.
    """
    local = datetime.fromtimestamp(at / 1000, zone)
    clock = local.time()
    within = start <= clock < end if start < end else clock >= start or clock < end
    if not within:
        return None
    day = local.date() + timedelta(days=clock >= end)
    finish = datetime.combine(day, end, zone)
    if _ms(finish) <= at:  # the clock was put back: the end comes once more
        finish = finish.replace(fold=1)
    return _ms(finish)


def clock_time(text: str) -> time:
    """Return a time of day written as HH:MM."""
    return time.fromisoformat(text)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
