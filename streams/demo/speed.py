"""The speed of playback: event time per real second, as people write it."""

from __future__ import annotations

import re

from streams.ops import NotReady

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
NAMES = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
FORM = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)(?:\s*(?:/|per|a)\s*(?:s|sec|second))?", re.IGNORECASE)
FASTEST = 52 * UNITS["w"]


class SpeedError(NotReady):
    """A speed that cannot be read; its text says how to write one."""


def parse_speed(text: str) -> float:
    """Return the speed in ms of event time per real second: `1d`, `6h`, `90m`, `3600s`, `3600`, `2 days/s`.

    Raises:
        SpeedError: it is not a duration, or not above 0 and at most 52w.

    """
    found = FORM.fullmatch(text.strip())
    unit = _unit(found[2].lower()) if found else None
    if found is None or unit is None:
        raise SpeedError(f"speed {text!r}: write event time per real second, such as 1d, 6h, 90m or 3600s")
    seconds = float(found[1]) * UNITS[unit]
    if not 0 < seconds <= FASTEST:
        raise SpeedError(f"speed {text!r}: must be above 0 and at most 52w (52 weeks per second)")
    return seconds * 1000


def describe_speed(speed: float) -> str:
    """Return a speed (ms per second) in words, such as `6 hours per second`."""
    unit = next((u for u in reversed(UNITS) if speed >= UNITS[u] * 1000), "s")
    count = round(speed / UNITS[unit] / 1000, 2)
    return f"{count:g} {NAMES[unit]}{'' if count == 1 else 's'} per second"


def _unit(text: str) -> str | None:
    """Return the letter of a unit written as letter, abbreviation or word; no unit means seconds."""
    if not text:
        return "s"
    words = {form: u for u, name in NAMES.items() for form in (u, name, f"{name}s")}
    return (words | {"sec": "s", "min": "m", "mins": "m", "hr": "h", "hrs": "h"}).get(text)
