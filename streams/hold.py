"""What waits for its time, beside the users for whom it is meant, and in the same changelog: pushes, and next steps.

So it comes and goes with the transactions of its partition: a push is held exactly when its decision was read, and let
go exactly when its outcome is written, whoever is killed, and whether Redis is there or not.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

from streams.wire.message import Decision

_encode = msgspec.json.Encoder().encode


def named(playbook: str, step: int, key: str) -> str:
    """Return the id of the decision on a playbook's step; `key` makes it unique among those of one step."""
    return f"{playbook}:{key}" if step == 1 else f"{playbook}/{step}:{key}"


class NextStep(Struct, frozen=True):
    """A playbook's message to a user, about which nothing is decided before its time (`until`, int ms UTC).

    `key` is that of the decisions' ids, `since` when he came to where the playbook found him, `transition` by which.
    """

    key: str
    user: str
    playbook: str
    step: int
    transition: str
    since: int
    until: int

    @property
    def id(self) -> str:
        """The decision's id."""
        return named(self.playbook, self.step, self.key)


class Waiting(Protocol):
    """What can be held."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def user(self) -> str:
        """For whom it is meant."""

    @property
    def until(self) -> int | None:
        """When its time has come, int ms UTC."""


T = TypeVar("T", bound=Waiting)


class Hold(Generic[T]):
    """What waits, by id, the first that is due first. What changed since the last `take` it keeps in mind."""

    def __init__(self, decode: Callable[[bytes], T]) -> None:
        self._decode = decode
        self._waiting: dict[str, T] = {}
        self._of_user: dict[str, set[str]] = {}
        self._due: list[tuple[int, str]] = []
        self._changed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[T]:
        return iter(self._waiting.values())

    def add(self, waiting: T) -> None:
        """Hold something until its time (`until`)."""
        ident = waiting.id
        self._put(ident, waiting)
        self._changed[ident] = None

    def remove(self, ident: str) -> None:
        """Let it go."""
        if self._drop(ident):
            self._changed[ident] = None

    def forget(self, user: str) -> None:
        """Let all go that waits for a user."""
        for ident in list(self._of_user.get(user, ())):
            self.remove(ident)

    def due(self, now: int, most: int) -> list[T]:
        """Return at most so many whose time has come (int ms UTC), the first first. They stay held."""
        found: dict[str, T] = {}
        while self._due and self._due[0][0] <= now and len(found) < most:
            until, ident = heapq.heappop(self._due)
            waiting = self._waiting.get(ident)
            if waiting is not None and waiting.until == until:
                found[ident] = waiting
        for ident, waiting in found.items():
            self._await(ident, waiting)
        return list(found.values())

    def take(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield what was added (its JSON) or let go (None) since the last time, by id."""
        for ident in self._changed:
            waiting = self._waiting.get(ident)
            yield ident, None if waiting is None else _encode(waiting)
        self._changed.clear()

    def restore(self, ident: str, value: bytes | None) -> None:
        """Put back what `take` said."""
        if value is None:
            self._drop(ident)
        else:
            self._put(ident, self._decode(value))

    def _put(self, ident: str, waiting: T) -> None:
        self._drop(ident)
        self._waiting[ident] = waiting
        self._of_user.setdefault(waiting.user, set()).add(ident)
        self._await(ident, waiting)

    def _drop(self, ident: str) -> bool:
        waiting = self._waiting.pop(ident, None)
        if waiting is None:
            return False
        idents = self._of_user[waiting.user]
        idents.discard(ident)
        if not idents:
            del self._of_user[waiting.user]
        return True

    def _await(self, ident: str, waiting: T) -> None:
        heapq.heappush(self._due, (waiting.until or 0, ident))


def held_pushes() -> Hold[Decision]:
    """Return an empty hold of pushes."""
    return Hold(msgspec.json.Decoder(Decision).decode)


def next_steps() -> Hold[NextStep]:
    """Return an empty hold of playbooks' next steps."""
    return Hold(msgspec.json.Decoder(NextStep).decode)
