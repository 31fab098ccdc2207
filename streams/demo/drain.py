"""Whether all that was played has gone through: folded, decided, delivered, committed and seen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from streams.ops import NotReady
from streams.ops.admin import connect
from streams.push.trigger import trigger_topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.demo.player import Player
    from streams.demo.subscriber import Subscriber
    from streams.demo.tally import Tally
    from streams.settings import Settings

    Offsets = Mapping[tuple[str, int], int]

QUIET_SECONDS = 0.5
"""Nothing more is expected if nothing came for this long."""


class Drain:
    """Compares what the worker has committed with what was played, and with what the worker made of it."""

    def __init__(
        self,
        settings: Settings,
        player: Player,
        subscriber: Subscriber,
        tally: Tally,
        *,
        committed: Callable[[Settings], Offsets] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._player = settings, player
        self._subscriber, self._tally = subscriber, tally
        self._committed, self._clock = committed or read_committed, clock

    async def done(self) -> bool:
        """Tell whether everything has gone through, as far as the broker says."""
        if self._tally.waiting or self._clock() - self._subscriber.heard < QUIET_SECONDS:
            return False
        try:
            reached = await asyncio.to_thread(self._committed, self._settings)
        except NotReady:
            return False
        return all(reached.get(place, 0) >= end for place, end in self._expected().items())

    def _expected(self) -> dict[tuple[str, int], int]:
        """Return the ends of the inputs, and of the outputs that the worker reads again to push."""
        topics, push = self._settings.topics, self._settings.push
        again = (*trigger_topics(self._settings), topics.push_decisions) if push.channels else ()
        outputs = {place: end for place, end in self._subscriber.ends.items() if place[0] in again}
        return self._player.ends | outputs


def read_committed(settings: Settings) -> Offsets:
    """Return the group's committed offsets by topic and partition.

    Raises:
        NotReady: the broker does not answer or refuses.

    """
    with connect(settings.kafka) as admin:
        groups = admin.list_group_offsets(settings.group)
    return {tuple(place): mark.offset for place, mark in groups[settings.group].items()}
