"""Latency from an event's production to the transition it caused: from event time to wall clock and back."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from random import Random

MAX_SLICES = 20_000
RECENT = 1000
SAMPLE = 10_000


class Timeline:
    """When each stretch of event time was played, by a monotonic clock (s); the newest 20,000 stretches."""

    def __init__(self) -> None:
        self._until: list[int] = []
        self._now: list[float] = []

    def add(self, until: int, now: float) -> None:
        """Note that all up to event time `until` (ms), since the note before, was produced at `now`."""
        if self._until and until <= self._until[-1]:
            return
        self._until.append(until)
        self._now.append(now)
        if len(self._until) > MAX_SLICES:
            half = MAX_SLICES // 2
            del self._until[:half], self._now[:half]

    def produced(self, at: int) -> float | None:
        """Return when the event of time `at` (ms) was produced; None where that is not known any more."""
        place = bisect_left(self._until, at)
        if place == len(self._until) or (place == 0 and at < self._until[0]):
            return None
        return self._now[place]


class Latency:
    """Latencies in ms: the newest thousand, and a fair sample of all (reservoir of 10,000, Vitter's R)."""

    def __init__(self) -> None:
        self.count = 0
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._sample: list[float] = []
        self._random = Random(0)  # noqa: S311 (a sample, no secret)

    def add(self, milliseconds: float) -> None:
        """Take one latency."""
        self.count += 1
        self._recent.append(milliseconds)
        if len(self._sample) < SAMPLE:
            self._sample.append(milliseconds)
        elif (place := self._random.randrange(self.count)) < SAMPLE:
            self._sample[place] = milliseconds

    def recent(self, share: float) -> float | None:
        """Return a quantile (0 to 1) of the newest latencies; None before the first."""
        return quantile(list(self._recent), share)

    def overall(self, share: float) -> float | None:
        """Return a quantile (0 to 1) of all latencies; None before the first."""
        return quantile(self._sample, share)


def quantile(values: list[float], share: float) -> float | None:
    """Return the nearest-rank quantile: the least value that at least `share` of the values do not exceed."""
    if not values:
        return None
    rank = -(-len(values) * share // 1)  # the ceiling
    return sorted(values)[max(int(rank) - 1, 0)]
