"""Python's cyclic garbage collector, at our own times.

Left to itself it runs after every few hundred new objects, and a chunk makes tens of thousands of tuples and strings
that are all gone again by reference counting: a third of the worker's CPU went into looking for cycles where there
are none. So it is off. Every `YOUNG_SECONDS` the objects made since are looked through (cheap: almost all of them are
gone), every `OLD_SECONDS` those that survived that. What is there when the partitions have been opened (modules,
shards) is frozen: never looked through again.
"""

from __future__ import annotations

import gc
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.worker.app import Awaken

YOUNG_SECONDS = 10
OLD_SECONDS = 600


def take_over(app: Awaken) -> None:
    """Switch the automatic collection off, and collect by the app's timer."""
    gc.disable()
    rounds = itertools.count(1)

    @app.timer(interval=YOUNG_SECONDS)
    async def collect() -> None:
        gc.collect(1 if next(rounds) % (OLD_SECONDS // YOUNG_SECONDS) == 0 else 0)


def freeze() -> None:
    """Take what is there now out of all later collections."""
    gc.collect()
    gc.freeze()
