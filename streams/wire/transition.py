"""Moves → transitions: each of the fold's moves becomes a CloudEvent, keyed by user.

This is on the hot path, so the JSON is written by a template rather than from a dictionary (a third of the time);
that the two are the same, `Envelope[Transition]` and this, is a test's word.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson

from streams.core.activity import ACTIVE, CHURNED, CLASSES, DORMANT, NONE, RETURNING, Rules
from streams.core.row import CAUSES, DAY, NEVER, TIME_CAUSE

DIMENSION = "activity"


def version(rules: Rules) -> str:
    """Return the name of a set of thresholds, as `activity-7-14-30` (days)."""
    return "activity-" + "-".join("none" if ms >= NEVER else f"{ms / DAY:g}" for ms in rules)


def encode_moves(
    moves: np.ndarray, keys: Sequence[bytes], rules: Rules, source: str, historic_before: int
) -> list[tuple[bytes, bytes]]:
    """Return (key, CloudEvent bytes) for each of the moves (MOVE[n]).

    Moves dated before `historic_before` (int ms UTC) are marked historic.
    """
    times = np.datetime_as_string(moves["at"].astype("datetime64[ms]"), timezone="UTC").tolist()
    days = {ACTIVE: rules.new_ms / DAY, DORMANT: rules.dormant_ms / DAY, CHURNED: rules.churned_ms / DAY}
    name = version(rules)
    written = []
    for time, (at, last_at, row, seq, before, to, cause) in zip(times, moves.tolist(), strict=True):
        key = keys[row]
        user = quoted(key.decode())
        historic = "true" if at < historic_before else "false"
        evidence = "" if before == NONE else f'"last_at":{last_at}'
        if cause == TIME_CAUSE:
            evidence += f',"threshold_days":{days[to]:g}'
        elif to == RETURNING:
            evidence += f',"absent_days":{(at - last_at) / DAY:.2f}'
        event = (
            f'{{"specversion":"1.0","id":"{user}-{seq}-{at}","source":"{source}",'
            f'"type":"awaken.activity.{CLASSES[to]}","subject":"{user}","time":"{time}",'
            f'"datacontenttype":"application/json","data":{{"dimension":"activity","from":"{CLASSES[before]}",'
            f'"to":"{CLASSES[to]}","cause":"{CAUSES[cause]}","seq":{seq},"at":{at},"rules":"{name}",'
            f'"historic":{historic},"evidence":{{{evidence}}}}}}}'
        )
        written.append((key, event.encode()))
    return written


def quoted(text: str) -> str:
    """Return the text as it stands between the quotes of a JSON string."""
    return text if text.isalnum() else orjson.dumps(text).decode()[1:-1]
