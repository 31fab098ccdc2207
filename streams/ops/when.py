"""Times as an operator writes them."""

from __future__ import annotations

from datetime import datetime

from streams.ops import NotReady


def instant_of(text: str) -> int | None:
    """Return a time given as RFC 3339, with its zone, as int ms UTC; None where it is no such time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else round(moment.timestamp() * 1000)


def parse(text: str, option: str) -> int:
    """Return the time that an option gives as RFC 3339, int ms UTC.

    Raises:
        NotReady: it is no time, or has no zone.
    """
    at = instant_of(text)
    if at is None:
        raise NotReady(f"{option} {text}: is not a time with its zone", "write it like 2026-11-22T08:30:00Z")
    return at
