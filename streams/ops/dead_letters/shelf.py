"""The shelf: the topic of dead letters read through, with the markers of those that were replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from aiokafka.structs import ConsumerRecord

from streams.ops.dead_letters.letter import Letter, Place, read
from streams.ops.scan import scan
from streams.settings import Settings

REPLAYED = "awaken-replayed"


class Found(NamedTuple):
    """The letters that were chosen, in order of death, and the places of all that were ever replayed."""

    letters: list[Letter]
    replayed: set[Place]


async def find(settings: Settings, choice: Callable[[Letter], bool], *, whole: bool = True) -> Found:
    """Read the dead letters; without `whole` their values are left out, of which there may be many and long ones.

    Raises:
        NotReady: Kafka does not answer.
    """
    letters: list[Letter] = []
    replayed: set[Place] = set()

    def take(record: ConsumerRecord) -> None:
        marker = dict(record.headers).get(REPLAYED)
        if marker is not None:
            replayed.add(Place.parse(marker.decode()))
        elif choice(letter := read(record)):
            letters.append(letter if whole else replace(letter, value=None))

    await scan(settings.kafka, settings.topics.dead_letters, take)
    return Found(sorted(letters, key=lambda one: (one.dead_at, one.place)), replayed)
