"""Moves → transitions: each of the fold's moves becomes a CloudEvent, keyed by user."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.core.activity import CHURNED, CLASSES, DORMANT, NONE, RETURNING, Rules
from streams.core.row import CAUSES, DAY, NEVER, TIME_CAUSE
from streams.wire.message import envelope

DIMENSION = "activity"
TYPES = tuple(f"awaken.{DIMENSION}.{name}" for name in CLASSES)


def version(rules: Rules) -> str:
    """Return the name of a set of thresholds, as `activity-7-14-30` (days)."""
    return "activity-" + "-".join("none" if ms >= NEVER else f"{ms / DAY:g}" for ms in rules)


def encode_moves(
    moves: np.ndarray, keys: Sequence[bytes], rules: Rules, source: str, historic_before: int
) -> list[tuple[bytes, bytes]]:
    """Return (key, CloudEvent bytes) for each of the moves (MOVE[n]).

    Moves dated before `historic_before` (int ms UTC) are marked historic.
    """
    name = version(rules)
    days = {DORMANT: rules.dormant_ms / DAY, CHURNED: rules.churned_ms / DAY}
    written = []
    for at, last_at, row, seq, before, to, cause in moves.tolist():
        key = keys[row]
        user = key.decode()
        data = {
            "dimension": DIMENSION,
            "from": CLASSES[before],
            "to": CLASSES[to],
            "cause": CAUSES[cause],
            "seq": seq,
            "at": at,
            "rules": name,
            "historic": at < historic_before,
            "evidence": {} if before == NONE else _evidence(at, last_at, to, cause, days, rules),
        }
        written.append((key, envelope(f"{user}-{seq}-{at}", TYPES[to], user, at, source, data)))
    return written


def _evidence(
    at: int, last_at: int, to: int, cause: int, days: dict[int, float], rules: Rules
) -> dict[str, int | float]:
    """Return the figures that made the move so; times are int ms UTC."""
    evidence: dict[str, int | float] = {"last_at": last_at}
    if cause == TIME_CAUSE:
        evidence["threshold_days"] = days.get(to, rules.new_ms / DAY)
    if to == RETURNING:
        evidence["absent_days"] = round((at - last_at) / DAY, 2)
    return evidence
