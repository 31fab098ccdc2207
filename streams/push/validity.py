"""When an offer holds, by its user's own clock: days end when his do, on the days of summer time too.

`at`, `now` and what is returned are int ms UTC; an end is the first moment at which it no longer holds.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from .quiet import HOUR_MS, clock_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from streams.offer import Offer

NEXT_DAY = timedelta(days=1)


def until(offer: Offer, at: int, zone: ZoneInfo) -> int | None:
    """Return when an offer ends that is given at `at`: the earliest of its ends, None where it has none.

    The day on which it is given, or from which it holds, does not count among `valid_days`.
    """
    if offer.opens:
        opening = opening_of(offer, at, zone)
        return opening[1] if opening else at
    begins = max(at, _day_ms(offer.valid_from, zone)) if offer.valid_from else at
    ends = []
    if offer.valid_days:
        ends.append(_day_ms(_date(begins, zone) + (offer.valid_days + 1) * NEXT_DAY, zone))
    if offer.valid_hours:
        ends.append(begins + round(offer.valid_hours * HOUR_MS))
    if offer.valid_until:
        ends.append(_day_ms(offer.valid_until + NEXT_DAY, zone))
    return min(ends, default=None)


def obstacle(offer: Offer, now: int, zone: ZoneInfo) -> str:
    """Return why an offer can be given no more, empty where it can; one that is yet to begin can."""
    end = until(offer, now, zone)
    return "" if end is None or end > now else "the offer has ended"


def open_at(offer: Offer, now: int, zone: ZoneInfo) -> bool:
    """Say whether a flash sale or daily special is open."""
    opening = opening_of(offer, now, zone)
    return opening is not None and opening[0] <= now


def opening_of(offer: Offer, at: int, zone: ZoneInfo) -> tuple[int, int] | None:
    """Return the opening of a sale in which `at` lies, or the next one; None where there is none any more."""
    length = round(offer.lasts_hours * HOUR_MS)
    for day in _days(offer, _date(at, zone)):
        begin = _ms(datetime.combine(day, clock_time(offer.opens), zone))
        if begin + length > at:
            return begin, begin + length
    return None


def _days(offer: Offer, today: date) -> Iterator[date]:
    """Yield the days, in order, on which a sale may open that is not over `today`."""
    if offer.kind == "flash_sale" and offer.valid_from:
        yield offer.valid_from
        return
    yesterday = today - NEXT_DAY  # it may be open over midnight
    first = max(yesterday, offer.valid_from or yesterday)
    for day in (first, first + NEXT_DAY, first + 2 * NEXT_DAY):
        if not offer.valid_until or day <= offer.valid_until:
            yield day


def _date(at: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at / 1000, zone).date()


def _day_ms(day: date, zone: ZoneInfo) -> int:
    """Return when a day begins; where clocks skip its midnight, when they do."""
    return _ms(datetime.combine(day, time(), zone))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
