"""A chunk: what one fetch brought of one partition, as one value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streams.wire.block import Block


class Chunk(NamedTuple):
    """Records of one topic partition, in offset order, and where reading goes on after them.

    `heard_at`: when the broker handed them over, or a little later, int ms UTC by this machine's clock. `follows`: the
    `next_offset` of the chunk that was fetched before it; None for the first after reading was begun anew.
    """

    topic: str
    partition: int
    records: Block
    next_offset: int
    heard_at: int = 0
    follows: int | None = None

    @classmethod
    def joined(cls, chunks: Sequence[Chunk]) -> Chunk:
        """Return chunks that follow upon one another as one."""
        first, last = chunks[0], chunks[-1]
        records = first.records if first is last else Block.joined([chunk.records for chunk in chunks])
        return last._replace(records=records, follows=first.follows)

    def parts(self, most: int) -> Iterator[Chunk]:
        """Yield the chunk in parts of at most so many records; the last one's reading goes on after the chunk."""
        if len(self.records) <= most:
            yield self
            return
        for start in range(0, len(self.records), most):
            some = self.records[start : start + most]
            last = start + most >= len(self.records)
            next_offset = self.next_offset if last else int(some.offsets[-1]) + 1
            yield self._replace(records=some, next_offset=next_offset)
