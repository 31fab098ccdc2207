"""A dead letter: the record whole, with where it stood and what was wrong with it, as its headers (`awaken-*`) say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka.structs import ConsumerRecord

from streams.ops import NotReady

OURS = "awaken-"


class Place(NamedTuple):
    """Where a letter stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read a place as `str` writes it.

        Raises:
            NotReady: it is none.
        """
        found = re.fullmatch(r"(.+)-(\d+)@(\d+)", text)
        if found is None:
            raise NotReady(f"{text!r} is no place", "write it as `awaken dead-letters list` does: dead-letters-3@17")
        return cls(found[1], int(found[2]), int(found[3]))


@dataclass
class Letter:
    """A dead letter; `timestamp` is the record's own, `dead_at` when it was put here, both int ms UTC.

    It is a `Record` as the decoder takes them, `offset` being where it stood.
    """

    place: Place
    topic: str
    partition: int
    offset: int
    timestamp: int
    dead_at: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Choice:
    """Which letters; what is not said does not matter. `since` by `dead_at`, int ms UTC."""

    places: frozenset[Place] = frozenset()
    reason: str = ""
    topic: str = ""
    since: int = 0

    def __call__(self, letter: Letter) -> bool:
        """Say whether a letter is meant."""
        return (
            (not self.places or letter.place in self.places)
            and self.reason in ("", letter.reason)
            and self.topic in ("", letter.topic)
            and letter.dead_at >= self.since
        )


def read(record: ConsumerRecord) -> Letter:
    """Return a record of the dead letters as what it once was."""
    said = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers if name.startswith(OURS)}
    return Letter(
        place=Place(record.topic, record.partition, record.offset),
        topic=said.get("awaken-topic", ""),
        partition=int(said.get("awaken-partition", "-1")),
        offset=int(said.get("awaken-offset", "-1")),
        timestamp=int(said.get("awaken-timestamp", str(record.timestamp))),
        dead_at=record.timestamp,
        reason=said.get("awaken-reason", ""),
        detail=said.get("awaken-detail", ""),
        key=record.key,
        value=record.value,
        headers=tuple((name, value) for name, value in record.headers if not name.startswith(OURS)),
    )
