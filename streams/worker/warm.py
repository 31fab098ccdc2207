"""Having everything compiled, or loaded from the compiler's cache, before the group waits for this worker.

The first start on a machine compiles for half a minute or so; in the midst of a group it would lose its session.
"""

from __future__ import annotations

import logging
import time

import numpy as np

from streams.core.hash import hash_texts
from streams.core.row import EVENT
from streams.core.rules import Rulebook
from streams.core.window import count_bits
from streams.people import People
from streams.shard import Shard
from streams.wire.partitioner import home

log = logging.getLogger(__name__)
LONG_SECONDS = 2.0


def warm(book: Rulebook) -> None:
    """Fold one event into a shard that nobody keeps."""
    started = time.monotonic()
    shard = Shard(book)
    event = np.zeros(1, EVENT)
    event["row"] = shard.intern([b"nobody"])
    shard.fold(event, {})
    shard.advance(1)
    Shard(book).restore(*shard.take_changed())
    shard.index.between(0, 1)
    People(shard, [b"nobody"]).streak(0, 1)
    count_bits(1, 28)
    home(b"nobody", 1)
    hash_texts(["nothing"])
    if (took := time.monotonic() - started) > LONG_SECONDS:
        log.info("compiled in %.0f s; the next start on this machine finds it in the cache", took)
