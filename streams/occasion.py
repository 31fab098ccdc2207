"""Occasions: where in the world a day begins, and for which playbooks it is the day.

A day begins at midnight on its user's clock, so each day begins some thirty times over; a moment is when it does for
one or several time zones. Where clocks are put forward at midnight, it begins with the first instant that it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.birthday import codes_on
from streams.festival import BIRTHDAY, CALENDAR, Festival, falls_on
from streams.playbook import Playbook

ON = f"{CALENDAR}."


class Moment(NamedTuple):
    """An instant (int ms UTC) at which days begin, and in which time zones (by their codes) each of them does."""

    at: int
    days: dict[date, list[int]]


class Occasion(NamedTuple):
    """What begins at a moment for one playbook: those who live in `zones` (codes) are asked.

    `day` is the birthday's or the festival's own, which is the playbook's lead days ahead; `born` are the codes of the
    birthdays that are kept then, None for a festival, which is everybody's.
    """

    playbook: str
    day: date
    zones: list[int]
    born: list[int] | None


def moments(zones: Mapping[int, ZoneInfo], after: int, until: int) -> list[Moment]:
    """Return the moments after `after` up to `until` (int ms UTC), in order of time."""
    begun: dict[int, dict[date, list[int]]] = {}
    for code, zone in zones.items():
        day = datetime.fromtimestamp(after / 1000, zone).date() + timedelta(days=1)
        while (at := begins(day, zone)) <= until:
            begun.setdefault(at, {}).setdefault(day, []).append(code)
            day += timedelta(days=1)
    return [Moment(at, begun[at]) for at in sorted(begun)]


def begins(day: date, zone: ZoneInfo) -> int:
    """Return when a day begins in a time zone, int ms UTC."""
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)


def waits_for_day(playbook: Playbook) -> bool:
    """Say whether a playbook waits for a day, and not for a transition."""
    return playbook.on.startswith(ON)


def occasions(moment: Moment, playbooks: Mapping[str, Playbook], festivals: Mapping[str, Festival]) -> list[Occasion]:
    """Return what begins at a moment; the playbooks all wait for a day."""
    found = []
    for today, zones in moment.days.items():
        for name, playbook in playbooks.items():
            day, waited = today + timedelta(days=playbook.lead_days), playbook.on.removeprefix(ON)
            if waited == BIRTHDAY:
                found.append(Occasion(name, day, zones, codes_on(day)))
            elif falls_on(festivals[waited], day):
                found.append(Occasion(name, day, zones, None))
    return found
