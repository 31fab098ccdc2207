"""The summary of a run: what `--report` writes and what the terminal says at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from streams.demo.speed import describe_speed
from streams.demo.tally import CLASSES, Tally
from streams.wire.message import instant


def summarise(tally: Tally, now: float, speed: float) -> dict[str, Any]:
    """Return the summary as JSON types; `now` is the tally's clock, `speed` in ms of event time per second."""
    latency = tally.latency
    return {
        "events": {topic: rate.total for topic, rate in tally.events.items()},
        "transitions": dict(sorted(tally.transitions.items())),
        "decisions": dict(sorted(tally.decisions.items())),
        "delivered": tally.delivered,
        "latency_ms": {"p50": latency.overall(0.5), "p99": latency.overall(0.99), "count": latency.count},
        "dead_letters": tally.dead_letters,
        "deliveries": {f"{channel}/{outcome}": n for (channel, outcome), n in sorted(tally.outcomes.items())},
        "users": {name: tally.users[name] for name in CLASSES},
        "seconds": round(now - tally.began, 3),
        "speed": describe_speed(speed),
        "first_event": None if tally.first_at is None else instant(tally.first_at),
        "last_event": None if tally.at is None else instant(tally.at),
    }


def write(summary: dict[str, Any], file: Path) -> None:
    """Write the summary into a file as JSON."""
    file.write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2) + b"\n")
