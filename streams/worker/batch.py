"""Record batches read whole: half of what fetching costs, saved.

aiokafka reads a fetch record by record: a generator of Python makes a ConsumerRecord of eleven fields from each
record that its compiled parser has read. A consumer whose `key_deserializer` is `whole` gets, in place of the
records of a batch, one `Batch`: the compiled parser's own records (offset, timestamp, key, value, headers) in a
list. Everything around that (aborted transactions, control batches, positions) stays aiokafka's.

This is the one place where we reach into aiokafka's fetcher; other consumers of the process are untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher

from streams.wire.block import Record


class Batch(NamedTuple):
    """The records of one record batch; `offset` is the last that the batch stands for."""

    offset: int
    records: list[Record]


def whole(key: bytes) -> bytes:
    """Mark a consumer, as its `key_deserializer`, as one that takes batches whole. It is never called."""
    return key


def records(batches: Iterable[Batch]) -> list[Record]:
    """Return the records of batches, in order."""
    return list(chain.from_iterable(batch.records for batch in batches))


class WholeBatch:
    """A record batch of aiokafka's that yields itself as one `Batch`."""

    def __init__(self, batch: Any, first_offset: int) -> None:
        self._batch = batch
        self._first_offset = first_offset

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Batch]:
        found = list(self._batch)
        if self._batch.base_offset < self._first_offset:
            found = [r for r in found if r.offset >= self._first_offset]
        if found:
            yield Batch(self._batch.next_offset - 1, found)


class WholeBatches:
    """The batches of a fetch, from `first_offset` on; control batches stay as they are."""

    def __init__(self, batches: Any, first_offset: int) -> None:
        self._batches = batches
        self._first_offset = first_offset
        self.has_next = batches.has_next

    def next_batch(self) -> Any:
        """Return the next batch."""
        batch = self._batches.next_batch()
        return batch if batch.is_control_batch else WholeBatch(batch, self._first_offset)


class PartitionRecords(fetcher.PartitionRecords):
    """A fetch's records, whole batches for the consumers that asked for them."""

    def __init__(
        self, tp: Any, batches: Any, aborted: Any, fetch_offset: int, key_deserializer: Any, *rest: Any
    ) -> None:
        self._whole = key_deserializer is whole
        if self._whole:
            batches = WholeBatches(batches, fetch_offset)
        super().__init__(tp, batches, aborted, fetch_offset, key_deserializer, *rest)

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self._whole else super()._consumer_record(tp, record)


fetcher.PartitionRecords = PartitionRecords
