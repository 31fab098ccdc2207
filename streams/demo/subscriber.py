"""The subscriber: reads what the worker writes, as a marketing system would, and notes it in the tally."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.wire.message import read_decision, read_outcome, read_transition

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.demo.tally import Tally
    from streams.settings import Topics

POLL_MS = 100
FETCH_MS = 50
"""How long a fetch may wait; the embedded broker looks for new records only after half of it."""


class Subscriber:
    """Reads the output topics from their start, committed messages only.

    `ends` holds, by topic and partition, the offset after the last message read; `heard` is when that was.
    """

    def __init__(
        self, bootstrap: str, topics: Topics, tally: Tally, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tally, self._clock = tally, clock
        self._take: dict[str, Callable[[bytes, float], None]] = {
            topics.lifecycle_transitions: lambda value, now: tally.transition(read_transition(value), now),
            topics.push_decisions: lambda value, _: tally.decision(read_decision(value)),
            topics.push_outcomes: lambda value, _: tally.outcome(read_outcome(value)),
            topics.dead_letters: lambda *_: tally.dead_letter(),
        }
        self._consumer = AIOKafkaConsumer(
            *self._take,
            bootstrap_servers=bootstrap,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=FETCH_MS,
        )
        self.ends: dict[tuple[str, int], int] = {}
        self.heard = clock()

    async def start(self) -> None:
        """Connect to the broker."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            for place, messages in (await self._consumer.getmany(timeout_ms=POLL_MS)).items():
                self._note(place, messages)

    def _note(self, place: TopicPartition, messages: list[Any]) -> None:
        self.heard = self._clock()
        for message in messages:
            self._take[place.topic](message.value, self.heard)
        self.ends[place.topic, place.partition] = messages[-1].offset + 1
