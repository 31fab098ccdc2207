"""From the time at which an event was due to the time at which its transition could be seen.

The job's events carry times of the job's own, so each transition tells which event caused it (its user and time), and
the schedule tells when that one was due. A producer that is late makes the figures worse, never better.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.ops.bench.produce import TICK_SECONDS, Produced
from streams.ops.bench.subscribe import Seen
from streams.ops.job import START, Stream

TIME_BITS = 33  # the job's days in ms
LATE_MS = 4 * TICK_SECONDS * 1000
ACKNOWLEDGED_MS = 50.0
HELD_UP_MS = 10.0
BUSY = 0.9
PERCENTILES = ("p50", "p95", "p99", "max")


def latencies(stream: Stream, rate: float, start: float, found: Seen, warm_up: float) -> np.ndarray:
    """Return the latencies (f8[n], s) of the transitions whose events were due after the first `warm_up` seconds.

    Raises:
        ValueError: a transition was seen that no event can have caused.
    """
    events, asked = _keys(stream.user, stream.at), _keys(found.user, found.at)
    order = np.argsort(events, kind="stable")  # of two at the same time, the one that was due first
    place = np.minimum(np.searchsorted(events[order], asked), len(events) - 1)
    cause = order[place]
    if not np.array_equal(events[cause], asked):
        raise ValueError("transitions were seen that no event can have caused")
    counted = cause >= warm_up * rate
    due: np.ndarray = start + cause[counted] / rate
    latencies: np.ndarray = found.seen[counted] - due
    return latencies


def percentiles(seconds: np.ndarray) -> dict[str, float]:
    """Return p50, p95, p99 and the greatest, in ms; of values that lie between two, the greater."""
    if not len(seconds):
        return dict.fromkeys(PERCENTILES, 0.0)
    values = np.percentile(seconds, (50, 95, 99, 100), method="higher") * 1000
    return dict(zip(PERCENTILES, values.round(1).tolist(), strict=True))


def instruments(produced: Produced, found: Seen) -> dict[str, Any]:
    """Return how producer and subscriber did, in ms and shares of a core."""
    return {
        "producer": {
            "late_ms": percentiles(produced.late),
            "acknowledged_ms": percentiles(produced.acknowledged),
            "core": round(produced.core, 2),
        },
        "subscriber": {"held_up_ms": percentiles(found.pauses), "core": round(found.core, 2)},
    }


def doubts(measured: dict[str, Any]) -> list[str]:
    """Return why the latencies are not the engine's alone, as far as its `instruments` tell."""
    producer, subscriber = measured["producer"], measured["subscriber"]
    looks = (
        ("producer", "late", producer["late_ms"], producer["core"], LATE_MS),
        ("broker", "acknowledged", producer["acknowledged_ms"], None, ACKNOWLEDGED_MS),
        ("subscriber", "held up", subscriber["held_up_ms"], subscriber["core"], HELD_UP_MS),
    )
    return [
        f"the {who} could not keep up: {what} p99 {times['p99']:g} ms, at most {times['max']:g} ms"
        + ("" if core is None else f", {core:.0%} of a core")
        + "; the latencies are not the engine's alone"
        for who, what, times, core, most in looks
        if times["p99"] > most or (core or 0.0) > BUSY
    ]


def _keys(user: np.ndarray, at: np.ndarray) -> np.ndarray:
    keys: np.ndarray = (user << TIME_BITS) + (at - START)
    return keys
