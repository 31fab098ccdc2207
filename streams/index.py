"""The index of one partition: user key → row number, and back, in some thirty bytes a user besides the key.

A hash table with open addressing, compiled: a chunk's keys go in as one run of bytes and come out as row numbers. The
keys themselves lie one after the other in the order of their rows.

The table is in the order of the hashes: a key's home is the slot that the upper bits of its hash name, and it lies
there or in the first free slot after it. So a table doubles where it is, without a pause: what lay at slot s now
belongs at 2 s or 2 s + 1. From the top downwards a few slots spread with every key that comes; those below `waiting`
still lie by one bit less. All bits that a home takes stand in the slot, so a key need not be looked at to move it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from streams.column import Column
from streams.core.compiled import compiled
from streams.core.hash import hash64
from streams.wire.block import read_only, spans_until

FIRST_BITS = 11
FIRST_ROWS = 1024
FULL = 0.7
"""The share of slots in use at which the table doubles."""
SPREAD = 16
"""Slots that spread with every key: enough that few keys come before all have spread, and the rest gets no fuller."""
TOGETHER = 64
"""Keys that are looked up together."""
LOW = 0xFFFFFFFF
HASHES = 1 << 32
"""How many hashes there are, as `between` counts them."""
MAX_KEY_BYTES = (1 << 32) - 1
"""Of all keys together: where a key ends is told in four bytes."""


class Table(NamedTuple):
    """What the compiled functions work on.

    Attributes:
        slots: u8[2 << bits], upper half of the hash, row number plus 1; 0 if free. The homes are the first half; into
            the other one run those that find no room before it.
        bits: how many of a hash's bits name its home.
        waiting: of the slots that were there before the table last doubled, those below it have not spread yet.
        ends: u4[users], where each row's key ends in `blob` (u1[size]).
    """

    slots: np.ndarray
    bits: int
    waiting: int
    ends: np.ndarray
    blob: np.ndarray


class IndexFull(OverflowError):
    """The keys of one partition take more bytes than an index has room for."""


class Index:
    """User keys by row number, and row numbers by key; rows count from 0 in the order in which keys first came."""

    def __init__(self) -> None:
        self._slots = Column(np.uint64, 2 << FIRST_BITS)
        self._bits, self._waiting, self._count = FIRST_BITS, 0, 0
        self._ends = Column(np.uint32, FIRST_ROWS)
        self._blob = Column(np.uint8, FIRST_ROWS * 16)

    def __len__(self) -> int:
        return self._count

    @property
    def blob(self) -> np.ndarray:
        """Return the keys' bytes (u1[size]); do not keep it, for it is another one after more keys have come."""
        return self._blob.array[: self._used]

    @property
    def ends(self) -> np.ndarray:
        """Return where each row's key ends in `blob` (u4[users]); do not keep it either."""
        return self._ends.array[: self._count]

    @property
    def nbytes(self) -> int:
        """Return the memory that is in use, in bytes."""
        return (self._slots.array.nbytes >> 1) + self.ends.nbytes + self._used

    def intern(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the row numbers (i4[n]) of keys, giving new ones the next rows."""
        return self.intern_spans(*_in_one_run(keys))

    def intern_spans(self, data: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """Return the row numbers (i4[n]) of keys that are spans (i8[n, 2], none of them null) of `data` (u1[size])."""
        self._make_room(len(spans), int((spans[:, 1] - spans[:, 0]).sum()))
        who = np.empty(len(spans), np.int32)
        self._count = _intern(read_only(data), read_only(spans), self._table, self._count, who)
        return who

    def find(self, key: bytes) -> int | None:
        """Return the row number of a key, None if it is unknown."""
        row = int(_find(np.frombuffer(key, np.uint8), self._table))
        return None if row < 0 else row

    def find_many(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the row numbers (i8[n]) of keys, -1 of those that are unknown."""
        who = np.empty(len(keys), np.int64)
        _find_many(*_in_one_run(keys), self._table, who)
        return who

    def key(self, row: int) -> bytes:
        """Return the key of a row."""
        start = int(self._ends.array[row - 1]) if row else 0
        return self._blob.array[start : int(self._ends.array[row])].tobytes()

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the keys of rows (i8[n]) in one run of bytes (u1[size]), and the span of each in it (i8[n, 2])."""
        ends = np.empty(len(rows), np.int64)
        joined = np.empty(int(_total(rows, self._ends.array)), np.uint8)
        _gather(rows, self._ends.array, self._blob.array, joined, ends)
        return joined, spans_until(ends)

    def keys(self, rows: np.ndarray) -> list[bytes]:
        """Return the keys of rows (i8[n])."""
        joined, spans = self.gather(rows)
        block = joined.tobytes()
        return [block[a:b] for a, b in spans.tolist()]

    def between(self, low: int, high: int) -> np.ndarray:
        """Return the rows (i8[n]) of the keys whose hashes lie from `low` up to below `high`, of `HASHES` in all.

        So keys can be gone through in parts that are the same wherever and however often they were interned.
        """
        rows = np.empty(len(self) + 1, np.int64)
        return rows[: _between(self._table, np.uint64(max(low << 32, 1)), np.uint64((high << 32) - 1), rows)]

    @property
    def _table(self) -> Table:
        return Table(self._slots.array, self._bits, self._waiting, self._ends.array, self._blob.array)

    @property
    def _used(self) -> int:
        """Return how many bytes the keys take."""
        return int(self._ends.array[self._count - 1]) if self._count else 0

    def _make_room(self, keys: int, size: int) -> None:
        """Make sure that so many new keys of so many bytes in all fit.

        Raises:
            IndexFull: they might not.
        """
        count, used = self._count + keys, self._used + size
        if used > MAX_KEY_BYTES:
            raise IndexFull(
                f"{count:,} keys of a partition may take {used:,} bytes, and there is room for {MAX_KEY_BYTES:,}: "
                "shorter keys or more partitions are needed"
            )
        if count > len(self._ends.array):
            self._ends.grow(count)
        if used >= len(self._blob.array):  # one byte more: an empty key begins where the others end
            self._blob.grow(used + 1)
        while count > FULL * (1 << self._bits):
            self._spread(self._waiting)
            self._slots.grow(4 << self._bits)
            self._waiting, self._bits = 1 << self._bits, self._bits + 1
        self._spread(min(SPREAD * keys, self._waiting))

    def _spread(self, slots: int) -> None:
        """Let so many of the slots that wait spread."""
        if slots:
            self._waiting -= slots
            _spread(self._table, self._waiting + slots)


def _in_one_run(keys: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Return keys as one run of bytes (u1[size]), and their spans (i8[n, 2])."""
    ends = np.cumsum(np.fromiter(map(len, keys), np.int64, len(keys)))
    return np.frombuffer(b"".join(keys), np.uint8), spans_until(ends)


@compiled
def _home(h, table):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the slot where a hash belongs."""
    slot = h >> np.uint64(64 - table.bits)
    before = slot >> np.uint64(1)
    return before if before < np.uint64(table.waiting) else slot


@njit(cache=True)
def _spread(table, until):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Lay out anew what lies in the slots from `waiting` up to `until`, and in the run that goes on behind them."""
    first, last = table.waiting, until
    while table.slots[last]:
        last += 1
    moved = table.slots[first:last].copy()
    table.slots[first:last] = 0
    for held in moved:
        if held:
            slot = _home(held, table)
            while table.slots[slot]:
                slot += np.uint64(1)
            table.slots[slot] = held


@compiled
def _start(ends, row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return where a row's key begins."""
    return np.int64(ends[row - 1]) if row else np.int64(0)


@compiled
def _same(data, start, end, table, row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Say whether the key of a row is data[start:end]."""
    first = _start(table.ends, row)
    same = np.int64(table.ends[row]) - first == end - start
    k = 0
    while same and start + k < end:
        same = table.blob[first + k] == data[start + k]
        k += 1
    return same


@compiled
def _row(table, slot):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the row number that a slot holds, -1 if it is free."""
    return np.int64(table.slots[slot] & np.uint64(LOW)) - 1


@compiled
def _place(data, start, end, h, table):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the slot that holds a key, or the free one where it goes."""
    slot = _home(h, table)
    while table.slots[slot]:
        if (table.slots[slot] ^ h) <= np.uint64(LOW) and _same(data, start, end, table, _row(table, slot)):
            break
        slot += np.uint64(1)
    return slot


@njit(cache=True)
def _intern(data, spans, table, count, who):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write the rows of keys into `who`, of which new ones follow after `count`; return how many there are then."""
    hashes, rows, heads = np.empty(TOGETHER, np.uint64), np.empty(TOGETHER, np.int64), np.empty(TOGETHER, np.uint8)
    for first in range(0, spans.shape[0], TOGETHER):
        some = spans[first : first + TOGETHER]
        _guess(data, some, table, hashes, rows, heads)
        for k in range(some.shape[0]):
            start, end = some[k]
            row = rows[k]
            if row < 0 or not _same(data, start, end, table, row):
                slot = _place(data, start, end, hashes[k], table)
                if table.slots[slot] == 0:
                    count = _append(data, start, end, table, count)
                    table.slots[slot] = (hashes[k] & ~np.uint64(LOW)) | np.uint64(count)
                row = _row(table, slot)
            who[first + k] = row
    return count


@compiled
def _guess(data, spans, table, hashes, rows, heads):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Hash keys, and write the row of each that has the same upper half of the hash, -1 if there is none.

    A loop that does little else waits for many places of memory at once, and not for one after another: so the homes
    are read before they are looked at, and the first byte of each row's key into `heads` before keys are compared.
    """
    for k in range(spans.shape[0]):
        hashes[k] = hash64(data, spans[k, 0], spans[k, 1])
    for k in range(spans.shape[0]):
        rows[k] = _row(table, _home(hashes[k], table))
    for k in range(spans.shape[0]):
        slot = _home(hashes[k], table)
        while table.slots[slot] and (table.slots[slot] ^ hashes[k]) > np.uint64(LOW):
            slot += np.uint64(1)
        rows[k] = _row(table, slot)
    for k in range(spans.shape[0]):
        heads[k] = table.blob[table.ends[max(rows[k] - 1, 0)]]


@njit(cache=True)
def _append(data, start, end, table, count):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write a new key behind the others; return how many there are then."""
    first = _start(table.ends, count)
    table.blob[first : first + end - start] = data[start:end]
    table.ends[count] = first + end - start
    return count + 1


@compiled
def _find(key, table):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    return _row(table, _place(key, 0, key.size, hash64(key, 0, key.size), table))


@compiled
def _find_many(data, spans, table, who):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    for k in range(spans.shape[0]):
        start, end = spans[k]
        who[k] = _row(table, _place(data, start, end, hash64(data, start, end), table))


@compiled
def _between(table, first, last, rows):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Collect the rows of the slots from `first` (above 0, as free ones are) to `last`: return how many.

    Each is written, and counts if it belongs there: a processor that had to guess would take several times as long.
    """
    n, slot, end = 0, _home(first, table), _home(last, table)
    while slot <= end or table.slots[slot]:
        rows[n] = _row(table, slot)
        n += table.slots[slot] - first <= last - first
        slot += np.uint64(1)
    return n


@compiled
def _total(rows, ends):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    total = np.int64(0)
    for row in rows:
        total += np.int64(ends[row]) - _start(ends, row)
    return total


@compiled
def _gather(rows, ends, blob, joined, stops):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    at = np.int64(0)
    for k in range(rows.size):
        row = rows[k]
        first = _start(ends, row)
        size = np.int64(ends[row]) - first
        for b in range(size):
            joined[at + b] = blob[first + b]
        at += size
        stops[k] = at
