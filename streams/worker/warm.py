"""Having everything compiled, or loaded from the compiler's cache, before the group waits for this worker.

The first start on a machine compiles for half a minute or so; in the midst of a group it would lose its session.
"""

from __future__ import annotations

import logging
import time

from streams.core.hash import hash_texts
from streams.core.row import CLICKS
from streams.core.rules import Rulebook
from streams.dictionary import FIRST_SLOTS, Codes
from streams.shard import Shard
from streams.wire.block import Block, Record
from streams.wire.decode import Names, decode
from streams.wire.partitioner import settle

log = logging.getLogger(__name__)
LONG_SECONDS = 2.0
NOW = 1_700_000_000_000


def warm(book: Rulebook) -> None:
    """Fold one event into a shard that nobody keeps."""
    started = time.monotonic()
    shard = Shard(book)
    many = Codes({f"{k}": k for k in range(FIRST_SLOTS)})  # so many that their table grows
    names = Names(shard.categories, shard.origins, many)
    click = Record(0, NOW, b"nobody", b'{"user":"nobody","at":%d,"kind":"view","category":"nothing"}' % NOW)
    decoded = settle(decode(CLICKS, [click], NOW, 2, names), Block.of([click]), 0, 1)
    decoded.events["row"] = shard.intern_spans(decoded.data, decoded.keys)
    shard.fold(decoded.events, {})
    shard.advance(1)
    Shard(book).restore(*shard.take_changed())
    shard.index.between(0, 1)
    hash_texts(["nothing"])
    if (took := time.monotonic() - started) > LONG_SECONDS:
        log.info("compiled in %.0f s; the next start on this machine finds it in the cache", took)
