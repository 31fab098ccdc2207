"""Transitions in a person's words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.wire.message import Transition

CAUSES = {"event": "act", "time": "time", "threshold": "rules", "correction": "late event"}


def tell(move: Transition) -> str:
    """Return what happened and on what evidence, such as `14 days without a sign; last seen 28 Feb`."""
    evidence = dict(move.evidence)
    last, days = evidence.pop("last_at", None), evidence.pop("threshold_days", None)
    absent = evidence.pop("absent_days", None)
    rest = "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in evidence.items() if value is not None)
    seen = f"last seen {date(int(last))}" if last is not None else ""
    return "; ".join(filter(None, (_clause(move, days, absent), seen, rest)))


def _clause(move: Transition, days: object, absent: object) -> str:
    if move.cause == "correction":
        return f"a late event disproves {move.from_}"
    count = f"{days:g} days" if isinstance(days, int | float) else "long"
    back = f"back after {absent:.0f} days" if isinstance(absent, int | float) else "back"
    clauses = {
        ("new", "event"): "seen for the first time",
        ("active", "event"): "came again on another day",
        ("active", "time"): f"with us for {count}",
        ("dormant", "time"): f"{count} without a sign",
        ("churned", "time"): f"{count} without a sign",
        ("returning", "event"): back,
    }
    return clauses.get((move.to, move.cause), f"{move.dimension}: {move.from_} to {move.to}")


def date(at: int) -> str:
    """Return int ms UTC as `28 Feb`."""
    return f"{_time(at):%d %b}"


def moment(at: int) -> str:
    """Return int ms UTC as `28 Feb 16:20`."""
    return f"{_time(at):%d %b %H:%M}"


def day(at: int) -> str:
    """Return int ms UTC as `Tue 28 Feb 2017 16:20`."""
    return f"{_time(at):%a %d %b %Y %H:%M}"


def _time(at: int) -> datetime:
    return datetime.fromtimestamp(at // 1000, UTC)
