"""The merge: a partition's topics brought together in event-time order before the fold.

Topics are read at different speeds. On a backlog the rarer one would run days ahead of the other and users would
lapse who were active all along. So an event waits here until no other topic can still bring an earlier one: every
other topic has been read beyond its time, or to its end.

A topic's own order (its offsets) is kept even where its times go back: an event's place is its *reach*, the
greatest time of its topic so far. Equal reaches go by topic, in the order of `SOURCES`, then by offset; so the
result does not depend on how the records were cut into chunks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.core.row import EVENT, SOURCES
from streams.wire.decode import is_whole

BEFORE_ALL = -(1 << 62)
BYTES = np.dtype((np.void, EVENT.itemsize))
MOST_WHOLE = 200
"""Profiles and the like that are taken at once, where not all is: each costs as much as fifty other events."""


class Merge:
    """Events of one partition that wait for their turn, by source; a replay has a source for each of its files."""

    def __init__(self, sources: int = len(SOURCES)) -> None:
        self._events: list[list[np.ndarray]] = [[] for _ in range(sources)]
        self._reaches: list[list[np.ndarray]] = [[] for _ in range(sources)]
        self._reach = [BEFORE_ALL] * sources

    def add(self, source: int, events: np.ndarray) -> None:
        """Let events (EVENT[n], offsets ascending) of one source wait."""
        if not len(events):
            return
        reach = np.maximum.accumulate(np.maximum(events["at"], self._reach[source]))
        self._reach[source] = int(reach[-1])
        self._events[source].append(events)
        self._reaches[source].append(reach)

    def begin(self, source: int, at: int) -> None:
        """Take it that a source brings nothing before `at` (int ms UTC)."""
        self._reach[source] = max(self._reach[source], at)

    def reach(self, source: int) -> int:
        """Return how far a source was read: the greatest time of its events so far, int ms UTC."""
        return self._reach[source]

    def first_offset(self, source: int) -> int | None:
        """Return the offset of the first event of the source that waits; None where none does."""
        return int(self._events[source][0]["offset"][0]) if self._events[source] else None

    def waiting(self, source: int) -> int:
        """Return how many events of the source wait."""
        return sum(map(len, self._events[source]))

    def take(self, at_end: Sequence[bool], most: int | None = None) -> np.ndarray:
        """Return the events (EVENT[n]) whose turn has come, in order.

        `at_end` says of each source whether it was read to its end: then it holds nobody up. Of more than `most` events
        only so many are taken, or fewer, of which `MOST_WHOLE` are handed on whole.
        """
        sources = [source for source, waiting in enumerate(self._events) if waiting]
        reaches = [_joined(self._reaches[source]) for source in sources]
        cuts = [self._turn(source, reach, at_end) for source, reach in zip(sources, reaches, strict=True)]
        if most is not None and sum(cuts) > most:
            due = np.concatenate([reach[:cut] for reach, cut in zip(reaches, cuts, strict=True)])
            last = np.partition(due, most - 1)[most - 1]
            cuts = [int(np.searchsorted(reach[:cut], last, "right")) for reach, cut in zip(reaches, cuts, strict=True)]
        if most is not None:
            cuts = self._light(sources, reaches, cuts, most)
        if not any(cuts):
            return np.empty(0, EVENT)
        events = [self._cut(*which) for which in zip(sources, reaches, cuts, strict=True)]
        if len(events) == 1:
            return events[0]
        order = np.argsort(np.concatenate([r[:cut] for r, cut in zip(reaches, cuts, strict=True)]), kind="stable")
        return _events_joined(events).take(order)

    def _light(self, sources: list[int], reaches: list[np.ndarray], cuts: list[int], most: int) -> list[int]:
        """Return how many of each source's events to take so that they are not too many, whole ones above all."""
        for source in sources:
            self._events[source] = [_events_joined(self._events[source])]
        due = [is_whole(self._events[source][0][:cut]) for source, cut in zip(sources, cuts, strict=True)]
        heavy = sum(map(np.count_nonzero, due)) > MOST_WHOLE
        if sum(cuts) <= most and not heavy:
            return cuts
        order = np.argsort(np.concatenate([r[:cut] for r, cut in zip(reaches, cuts, strict=True)]), kind="stable")
        if heavy:
            most = min(most, int(np.flatnonzero(np.concatenate(due)[order])[MOST_WHOLE - 1]) + 1)
        whose = np.repeat(np.arange(len(cuts)), cuts)[order[:most]]
        return [int(np.count_nonzero(whose == place)) for place in range(len(cuts))]

    def _turn(self, source: int, reach: np.ndarray, at_end: Sequence[bool]) -> int:
        """Return how many of a source's events lie before the least reach of the others."""
        cut = len(reach)
        for other in range(len(self._events)):
            if other != source and not at_end[other]:
                side = "right" if source < other else "left"
                cut = min(cut, int(np.searchsorted(reach, self._reach[other], side=side)))  # type: ignore[call-overload]
        return cut

    def _cut(self, source: int, reach: np.ndarray, cut: int) -> np.ndarray:
        """Take so many events of a source, and let the others wait."""
        events = _events_joined(self._events[source])
        self._events[source] = [events[cut:]] if cut < len(events) else []
        self._reaches[source] = [reach[cut:]] if cut < len(reach) else []
        return events[:cut]


def _events_joined(parts: list[np.ndarray]) -> np.ndarray:
    """Return events (EVENT[n]) as one array; as plain bytes, for numpy copies fields one by one otherwise."""
    return _joined([part.view(BYTES) for part in parts]).view(EVENT)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
