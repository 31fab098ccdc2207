"""The loop's longest pause: for so long nothing else had its turn, be it a commit, a delivery or a page.

Counted from the worker's first event on: what it does before, compiling and reading users back, keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from streams import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.worker.app import Awaken

LOOK_SECONDS = 0.01


def add_pauses(app: Awaken) -> None:
    """Have the app tell its loop's longest pause."""
    longest = Longest()

    def note(pause: float) -> None:
        if metrics.FIRST_EVENT._value.get() and longest.note(pause):  # noqa: SLF001 (a gauge has no public getter)
            metrics.LONGEST_PAUSE.set(longest.seconds)

    @app.task
    async def watch() -> None:
        await watch_pauses(note)


class Longest:
    """The longest of the pauses that were noted, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def note(self, pause: float) -> bool:
        """Note a pause; say whether it is the longest so far."""
        longer = pause > self.seconds
        self.seconds = max(self.seconds, pause)
        return longer


async def watch_pauses(note: Callable[[float], object]) -> None:
    """Tell `note` by how many seconds the loop lets us wait too long, at every look."""
    while True:
        asked = time.monotonic()
        await asyncio.sleep(LOOK_SECONDS)
        note(time.monotonic() - asked - LOOK_SECONDS)
