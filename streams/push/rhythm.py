"""A user's best hour: the four hours of the day in which he is here most, and when they come next.

Four hours in a row by his own acts, by hour of the day in UTC, beside which everybody's count as much as 20 acts of his
own (LIFECYCLE §4: on Complete Journey the hit rate rises from 36.7 to 44.2 %).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOURS, WIDTH = 24, 4
PSEUDO_COUNTS = 20
HOUR_MS = 3_600_000
DAY_MS = HOURS * HOUR_MS


def best_hour(own: Sequence[int], everybody: Sequence[int]) -> int | None:
    """Return the hour (UTC) at which a user's best window begins, None where nothing is known of anybody.

    `own` and `everybody` are acts by hour, 24 numbers each. Of equal windows it is the earliest.
    """
    total = sum(everybody)
    share = PSEUDO_COUNTS / total if total else 0
    weights = [mine + share * others for mine, others in zip(own, everybody, strict=True)]
    if not any(weights):
        return None
    weights += weights[: WIDTH - 1]
    return max(range(HOURS), key=lambda hour: (sum(weights[hour : hour + WIDTH]), -hour))


def next_window(at: int, hour: int) -> int:
    """Return when (int ms UTC) a push goes out that waits for the window from `hour` on: at once within it."""
    begun = (at // HOUR_MS - hour) % HOURS
    return at if begun < WIDTH else (at // HOUR_MS - begun + HOURS) * HOUR_MS
