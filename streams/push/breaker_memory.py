"""The breaker's twin in memory, for replay and tests. A law holds the two together: tests/laws/test_breaker.py."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from .breaker import HOUR, KEPT_HOURS, Ask, Trip, allowed, trips

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.settings import Push


class _Book:
    """What is kept of one playbook: decisions by hour, and how many they are in the hours that are remembered."""

    def __init__(self) -> None:
        self.let: dict[int, int] = {}
        self.stops: dict[int, int] = {}
        self.gone: defaultdict[int, set[str]] = defaultdict(set)
        self.stopped: defaultdict[int, set[str]] = defaultdict(set)

    def allow(self, ask: Ask, push: Push) -> bool:
        hour, ident = ask.at // HOUR, ask.decision
        if ask.approved:
            self.stopped[hour].discard(ident)
            self.stops.pop(hour, None)
        elif ident in self.stopped[hour]:
            return False
        if ident in self.gone[hour]:
            return True
        if ask.approved or len(self.gone[hour]) < allowed(self.let, self.stops, hour, push):
            _count(self.let, self.gone, hour, ident)
            return True
        _count(self.stops, self.stopped, hour, ident)
        return False


class MemoryBreaker:
    """The breaker in one process. Which decisions went it never forgets, since it has no clock."""

    def __init__(self, push: Push) -> None:
        self.push = push
        self._books: defaultdict[str, _Book] = defaultdict(_Book)

    async def allow(self, asks: Sequence[Ask]) -> list[bool]:
        """Return of each ask, in order, whether it is let go; without a breaker each is."""
        if not self.push.breaker_least:
            return [True] * len(asks)
        return [self._books[ask.playbook].allow(ask, self.push) for ask in asks]

    async def tripped(self, playbooks: Iterable[str], now: int) -> list[Trip]:
        """Return the hours in which playbooks were stopped."""
        books = [(name, self._books[name]) for name in playbooks]
        return [trip for name, book in books for trip in trips(name, book.let, book.stops, now)]


def _count(counts: dict[int, int], decisions: defaultdict[int, set[str]], hour: int, ident: str) -> None:
    """Put a decision among its hour's, and forget how many went in hours that lie too far behind the newest."""
    decisions[hour].add(ident)
    counts[hour] = len(decisions[hour])
    for old in [h for h in counts if h < max(counts) - KEPT_HOURS]:
        del counts[old]
