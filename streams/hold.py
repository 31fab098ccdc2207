"""Pushes that wait for their time, beside the users for whom they are meant, and in the same changelog.

So they come and go with the transactions of their partition: a push is held exactly when its decision was read, and let
go exactly when its outcome is written, whoever is killed, and whether Redis is there or not.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import msgspec

from streams.wire.message import Decision

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Decision).decode


class Hold:
    """Held decisions by id, the first that is due first. What changed since the last `take` it keeps in mind."""

    def __init__(self) -> None:
        self._decisions: dict[str, Decision] = {}
        self._due: list[tuple[int, str]] = []
        self._changed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._decisions)

    def add(self, decision: Decision) -> None:
        """Hold a decision until its time (`until`)."""
        self._put(decision)
        self._changed[decision.id] = None

    def remove(self, ident: str) -> None:
        """Let a decision go."""
        if self._decisions.pop(ident, None) is not None:
            self._changed[ident] = None

    def forget(self, user: str) -> None:
        """Let all of a user's decisions go."""
        for ident in [d.id for d in self._decisions.values() if d.user == user]:
            self.remove(ident)

    def due(self, now: int, most: int) -> list[Decision]:
        """Return at most so many decisions whose time has come (int ms UTC), the first first. They stay held."""
        found: dict[str, Decision] = {}
        while self._due and self._due[0][0] <= now and len(found) < most:
            until, ident = heapq.heappop(self._due)
            decision = self._decisions.get(ident)
            if decision is not None and decision.until == until:
                found[ident] = decision
        for decision in found.values():
            self._await(decision)
        return list(found.values())

    def take(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield each decision that was added (its JSON) or let go (None) since the last time, by id."""
        for ident in self._changed:
            decision = self._decisions.get(ident)
            yield ident, None if decision is None else _encode(decision)
        self._changed.clear()

    def restore(self, ident: str, value: bytes | None) -> None:
        """Put back what `take` said."""
        if value is None:
            self._decisions.pop(ident, None)
        else:
            self._put(_decode(value))

    def _put(self, decision: Decision) -> None:
        self._decisions[decision.id] = decision
        self._await(decision)

    def _await(self, decision: Decision) -> None:
        heapq.heappush(self._due, (decision.until or 0, decision.id))
