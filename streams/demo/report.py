"""The summary of a run: what `--report` writes and what the terminal says at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from streams.demo.speed import describe_speed
from streams.demo.tally import CLASSES, Tally
from streams.push.reason import brief
from streams.wire.message import instant

if TYPE_CHECKING:
    from pathlib import Path


def summarise(tally: Tally, seconds: float, speed: float, *, drained: bool) -> dict[str, Any]:
    """Return the summary as JSON types.

    `seconds` is how long events were played, `speed` in ms of event time per second; `drained` tells whether
    everything that follows from them was waited for.
    """
    latency = tally.latency
    return {
        "events": {topic: rate.total for topic, rate in tally.events.items()},
        "transitions": dict(sorted(tally.transitions.items())),
        "decisions": dict(sorted(tally.decisions.items())),
        "delivered": tally.delivered,
        "latency_ms": {"p50": latency.overall(0.5), "p99": latency.overall(0.99), "count": latency.count},
        "dead_letters": tally.dead_letters,
        "deliveries": {f"{channel}/{outcome}": n for (channel, outcome), n in sorted(tally.outcomes.items())},
        "webhook_received": tally.received,
        "users": {name: tally.users[name] for name in CLASSES},
        "seconds": round(seconds, 3),
        "drained": drained,
        "speed": describe_speed(speed),
        "first_event": None if tally.first_at is None else instant(tally.first_at),
        "last_event": None if tally.at is None else instant(tally.at),
    }


def write(summary: dict[str, Any], file: Path) -> None:
    """Write the summary into a file as JSON."""
    file.write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2) + b"\n")


def tell(summary: dict[str, Any]) -> str:
    """Return the summary in a few plain lines."""
    latency, seconds, decisions = summary["latency_ms"], summary["seconds"], summary["decisions"]
    played, moves = sum(summary["events"].values()), summary["transitions"]
    came = {to: sum(n for move, n in moves.items() if move.endswith(f">{to}")) for to in CLASSES}
    pace, span = played / max(seconds, 1e-9), f"{summary['first_event']} to {summary['last_event']}"
    lines = [
        f"played {played:,} events in {seconds:,.0f} s ({pace:,.0f}/s), {span}",
        f"{sum(moves.values()):,} transitions: {listed(came)}",
        f"{sum(decisions.values()):,} pushes decided: {listed({brief(c): n for c, n in decisions.items()})}",
        f"{summary['delivered']:,} deliveries, {summary['dead_letters']:,} dead letters",
    ]
    if latency["count"]:
        lines.append(f"event to transition: p50 {latency['p50']:,.0f} ms, p99 {latency['p99']:,.0f} ms")
    if not summary["drained"]:
        lines.append("stopped before the worker had finished with all of it")
    return "\n".join(lines)


def listed(counts: dict[str, int]) -> str:
    """Return counts as `3 new, 1,200 active`."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
