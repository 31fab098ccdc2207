"""Having everything compiled, or loaded from the compiler's cache, before it is needed."""

from __future__ import annotations

import numpy as np

from streams.core.hash import hash_texts
from streams.core.row import CLICKS, MOVE
from streams.core.rules import Rulebook
from streams.core.window import count_bits
from streams.dictionary import FIRST_SLOTS, Codes
from streams.index import FIRST_ROWS
from streams.people import People
from streams.shard import Shard
from streams.wire.block import Block, Pairs, Record
from streams.wire.decode import Names, decode
from streams.wire.partitioner import home, settle
from streams.wire.transition import Encoder

NOW = 1_700_006_400_000


def warm(book: Rulebook) -> Pairs:
    """Let an event go all its way through a shard that nobody keeps; return what changed by it."""
    shard = Shard(book)
    shard.intern([b"nobody"] * FIRST_ROWS * 2)  # so often that the index makes room and grows
    many = Codes({f"{k}": k for k in range(FIRST_SLOTS)})  # so many that their table grows
    names = Names(shard.categories, shard.origins, many)
    click = Record(0, NOW, b"nobody", b'{"user":"nobody","at":%d,"kind":"view","category":"nothing"}' % NOW)
    decoded = settle(decode(CLICKS, [click], NOW, 2, names), Block.of([click]), 0, 1)
    decoded.events["row"] = shard.intern_spans(decoded.data, decoded.keys)
    shard.fold(decoded.events, {})
    shard.advance(1)
    move = np.zeros(1, MOVE)
    move["rules"] = book.number
    encoder = Encoder("nobody")
    encoder.know(book)
    encoder.encode(move, shard.index)
    changed = shard.take_changed()
    again = Shard(book)
    again.restore(changed)
    again.settle()
    shard.index.between(0, 1)
    shard.index.find(b"nobody")
    People(shard, [b"nobody"]).streak(0, 1)
    count_bits(1, 28)
    home(b"nobody", 1)
    hash_texts(["nothing"])
    return changed
