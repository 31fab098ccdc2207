"""Transitions in a person's words."""

from __future__ import annotations

from datetime import UTC, datetime

from streams.wire.message import Transition

CAUSES = {"event": "act", "time": "time", "threshold": "rules", "correction": "late event"}
REASONS = {
    "sent": "sent",
    "no_consent": "no consent",
    "not_contactable": "no contact",
    "historic": "too old to act on",
    "already_sent": "sent before",
    "capped": "over the cap",
}


def tell(move: Transition) -> str:
    """Return what happened and on what evidence, such as `14 days without a sign; last seen 28 Feb`."""
    evidence = dict(move.evidence)
    last, days = evidence.pop("last_at", None), evidence.pop("threshold_days", None)
    absent = evidence.pop("absent_days", None)
    rest = "; ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in evidence.items() if value is not None
    )
    seen = f"last seen {date(int(last))}" if last is not None else ""
    return "; ".join(filter(None, (_clause(move, days, absent), seen, rest)))


def _clause(move: Transition, days: object, absent: object) -> str:
    count = f"{days:g} days" if isinstance(days, int | float) else "long"
    if move.cause == "correction":
        return f"a late event disproves {move.from_}"
    match move.to:
        case "new":
            return "seen for the first time"
        case "active" if move.cause == "time":
            return f"with us for {count}"
        case "active":
            return "came again on another day"
        case "dormant" | "churned":
            return f"{count} without a sign"
        case "returning" if isinstance(absent, int | float):
            return f"back after {absent:.0f} days"
    return f"{move.dimension}: {move.from_} to {move.to}"


def reason(code: str) -> str:
    """Return a decision's reason code in words."""
    return REASONS.get(code, code.replace("_", " "))


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
