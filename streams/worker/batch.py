"""Record batches read and written whole, as columns: most of what fetching and producing cost, saved.

aiokafka reads a fetch record by record: a generator of Python makes a ConsumerRecord of eleven fields from each. A
consumer whose `key_deserializer` is `whole` gets, in place of the records of a batch, one `Batch`, which holds them as
a `Block`. Everything around that (aborted transactions, control batches, positions) stays aiokafka's.

To a producer a `Written` is what its own builder of batches is, except that its records are all there at once; it
sends them by our `ProduceRequest`.

This is the one place where we reach into aiokafka; other consumers of the process are untouched.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import google_crc32c
import numpy as np
from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.producer import sender
from aiokafka.record.memory_records import MemoryRecords

from streams.wire.block import Block, Pairs
from streams.wire.records import fitting, join, split
from streams.worker.request import ProduceRequest

HEAD = struct.Struct(">qiibIhiqqqhii")
"""Offset of the first record, length of the rest, leader's epoch, format, CRC, attributes, difference of the last
offset, first and greatest timestamp, the producer's id, epoch and sequence, number of records."""
LENGTH, FORMAT, CRC, ATTRIBUTES = 8, 16, 17, 21
"""Where these stand; the length counts what comes after it, the CRC covers what comes after it."""
CODEC, APPEND_TIME, TRANSACTIONAL, CONTROL = 7, 8, 16, 32
"""Bits of the attributes."""
DECODERS: dict[int, Callable[[bytes], bytes]] = {
    1: codec.gzip_decode, 2: codec.snappy_decode, 3: codec.lz4_decode, 4: codec.zstd_decode,
}  # fmt: skip


class Batch(NamedTuple):
    """The records of one record batch; `offset` is the last that the batch stands for."""

    offset: int
    records: Block


def whole(key: bytes) -> bytes:
    """Mark a consumer, as its `key_deserializer`, as one that takes batches whole. It is never called."""
    return key


def records(batches: Iterable[Batch]) -> Block:
    """Return the records of batches, in order."""
    return Block.joined([batch.records for batch in batches])


class WholeBatch:
    """A record batch of format 2 that yields itself as one `Batch`, of its records from `first_offset` on."""

    is_control_batch = False

    def __init__(self, data: bytes, first_offset: int) -> None:
        self._data = data
        self._first_offset = first_offset
        (
            self.base_offset, _, _, _, self._crc, self._attributes, last, self._timestamp, self._append_time,
            self.producer_id, _, _, self._count,
        ) = HEAD.unpack_from(data)  # fmt: skip
        self.next_offset = self.base_offset + last + 1
        self.is_transactional = bool(self._attributes & TRANSACTIONAL)

    def validate_crc(self) -> bool:
        """Say whether the batch is as it was sent."""
        return bool(google_crc32c.value(self._data[ATTRIBUTES:]) == self._crc)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batch, unless nothing of it is wanted.

        Raises:
            CorruptRecordException: its records are not what its head says.
        """
        kind = self._attributes & CODEC
        held = DECODERS[kind](self._data[HEAD.size :]) if kind else self._data[HEAD.size :]
        data, n = np.frombuffer(held, np.uint8), self._count
        offsets, timestamps = np.empty(n, np.int64), np.empty(n, np.int64)
        spans = [np.empty((n, 2), np.int64) for _ in range(3)]
        append_time = self._append_time if self._attributes & APPEND_TIME else -1
        if not split(data, 0, self.base_offset, self._timestamp, append_time, offsets, timestamps, *spans):
            raise CorruptRecordException(f"the batch at offset {self.base_offset} is damaged")
        block = Block(offsets, timestamps, Pairs(data, *spans))
        if self.base_offset < self._first_offset:
            block = block[int(np.searchsorted(block.offsets, self._first_offset)) :]
        if len(block):
            yield Batch(self.next_offset - 1, block)


class OldBatch:
    """A record batch of formats 0 and 1, which hold their records otherwise: aiokafka reads them."""

    def __init__(self, batch: Any, first_offset: int) -> None:
        self._batch = batch
        self._first_offset = first_offset

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Batch]:
        if found := [record for record in self._batch if record.offset >= self._first_offset]:
            yield Batch(found[-1].offset, Block.of(found))


class Fetched:
    """What one fetch brought of a partition, as aiokafka's own reader of it and as bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._records = MemoryRecords(data)
        self.has_next, self.next_batch = self._records.has_next, self._records.next_batch
        self.size_in_bytes = self._records.size_in_bytes


class WholeBatches:
    """The batches of a fetch, from `first_offset` on; control batches stay as they are."""

    def __init__(self, data: bytes, first_offset: int) -> None:
        self._data = data
        self._first_offset = first_offset
        self._at = 0

    def has_next(self) -> bool:
        """Say whether there is another batch; the last one of a fetch may be cut off."""
        return self._at + ATTRIBUTES <= len(self._data) and self._end() <= len(self._data)

    def next_batch(self) -> Any:
        """Return the next batch."""
        end = self._end()
        data, self._at = self._data[self._at : end], end
        if data[FORMAT] < 2:  # noqa: PLR2004
            return OldBatch(MemoryRecords(data).next_batch(), self._first_offset)
        if data[ATTRIBUTES + 1] & CONTROL:
            return MemoryRecords(data).next_batch()
        return WholeBatch(data, self._first_offset)

    def _end(self) -> int:
        length: int = struct.unpack_from(">i", self._data, self._at + LENGTH)[0]
        return self._at + LENGTH + 4 + length


class Written:
    """The record batch of some records, for a producer to send."""

    def __init__(self, pairs: Pairs, first: int, last: int, size: int, *, transactional: bool) -> None:
        self._count = last - first
        self._state = -1, -1, -1
        self._attributes = TRANSACTIONAL if transactional else 0
        self._data = bytearray(HEAD.size + size)
        self._end = int(join(*pairs.columns, first, last, np.frombuffer(self._data, np.uint8), HEAD.size))
        del self._data[self._end :]
        self._timestamp = time.time_ns() // 1_000_000
        self._built = False

    def close(self) -> None:
        """Do nothing: nothing can be added."""

    def closed(self) -> bool:
        """Say that nothing can be added."""
        return True

    def record_count(self) -> int:
        """Return the number of records."""
        return self._count

    def size(self) -> int:
        """Return the size of the batch, in bytes."""
        return self._end

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._state = producer_id, producer_epoch, base_sequence

    def _build(self) -> bytearray:
        """Return the batch, made once: a producer that tries again sends the same."""
        if not self._built:
            self._built = True
            self._write_head(crc=0)
            self._write_head(crc=google_crc32c.value(np.frombuffer(self._data, np.uint8)[ATTRIBUTES:]))
        return self._data

    def _write_head(self, crc: int) -> None:
        rest, at = self._end - LENGTH - 4, self._timestamp
        HEAD.pack_into(
            self._data, 0, 0, rest, -1, 2, crc, self._attributes, self._count - 1, at, at, *self._state, self._count
        )


def written(pairs: Pairs, most: int, *, transactional: bool) -> Iterator[Written]:
    """Yield batches of all the records, of at most so many bytes each but for a record that is larger."""
    first = 0
    while first < len(pairs):
        last, size = map(int, fitting(pairs.keys, pairs.values, pairs.headers, first, most - HEAD.size))
        yield Written(pairs, first, last, size, transactional=transactional)
        first = last


class PartitionRecords(fetcher.PartitionRecords):
    """A fetch's records, whole batches for the consumers that asked for them."""

    def __init__(
        self, tp: Any, batches: Any, aborted: Any, fetch_offset: int, key_deserializer: Any, *rest: Any
    ) -> None:
        self._whole = key_deserializer is whole
        if self._whole:
            batches = WholeBatches(batches.data, fetch_offset)
        super().__init__(tp, batches, aborted, fetch_offset, key_deserializer, *rest)

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self._whole else super()._consumer_record(tp, record)


fetcher.PartitionRecords = PartitionRecords
fetcher.MemoryRecords = Fetched
sender.ProduceRequest = ProduceRequest
