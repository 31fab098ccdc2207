"""A chunk: what one fetch brought of one partition, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streams.wire.block import Record


class Chunk(NamedTuple):
    """Records of one topic partition, in offset order, and where reading goes on after them.

    `heard_at`: when the broker handed them over, or a little later, int ms UTC by this machine's clock. `follows`: the
    `next_offset` of the chunk that was fetched before it; None for the first after reading was begun anew.
    """

    topic: str
    partition: int
    records: Sequence[Record]
    next_offset: int
    heard_at: int = 0
    follows: int | None = None
