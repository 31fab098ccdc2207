"""The index of one partition: user key → row number, and back, in some thirty bytes a user besides the key.

A hash table with open addressing, compiled: a chunk's keys go in as one run of bytes and come out as row numbers. The
keys themselves lie one after the other in the order of their rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from streams.core.hash import hash64

FIRST_SLOTS = 2048
FULL = 0.7
"""The share of slots in use at which the table doubles."""
LOW = 0xFFFFFFFF
HASHES = 1 << 32
"""How many hashes there are, as `between` counts them."""


class Index:
    """User keys by row number, and row numbers by key; rows count from 0 in the order in which keys first came."""

    def __init__(self) -> None:
        self._slots = np.zeros(FIRST_SLOTS, np.uint64)  # upper half of the hash, row number plus 1
        self._ends = np.zeros(FIRST_SLOTS, np.int64)
        self._blob = np.zeros(FIRST_SLOTS * 16, np.uint8)
        self._size = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return int(self._size[0])

    @property
    def nbytes(self) -> int:
        """Return the memory that is held, in bytes."""
        return sum(a.nbytes for a in (self._slots, self._ends, self._blob))

    def intern(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the row numbers (i4[n]) of keys, giving new ones the next rows."""
        n = len(keys)
        lengths = np.fromiter(map(len, keys), np.int64, n)
        joined = np.frombuffer(b"".join(keys), np.uint8)
        self._make_room(n, len(joined))
        who = np.empty(n, np.int32)
        _intern(joined, lengths, self._slots, self._ends, self._blob, self._size, who)
        return who

    def find(self, key: bytes) -> int | None:
        """Return the row number of a key, None if it is unknown."""
        row = int(_find(np.frombuffer(key, np.uint8), self._slots, self._ends, self._blob))
        return None if row < 0 else row

    def find_many(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the row numbers (i8[n]) of keys, -1 of those that are unknown."""
        lengths = np.fromiter(map(len, keys), np.int64, len(keys))
        who = np.empty(len(keys), np.int64)
        _find_many(np.frombuffer(b"".join(keys), np.uint8), lengths, self._slots, self._ends, self._blob, who)
        return who

    def key(self, row: int) -> bytes:
        """Return the key of a row."""
        start = int(self._ends[row - 1]) if row else 0
        return self._blob[start : int(self._ends[row])].tobytes()

    def keys(self, rows: np.ndarray) -> list[bytes]:
        """Return the keys of rows (i8[n])."""
        ends = np.empty(len(rows), np.int64)
        joined = np.empty(int(_total(rows, self._ends)), np.uint8)
        _gather(rows, self._ends, self._blob, joined, ends)
        block, starts = joined.tobytes(), [0, *ends[:-1].tolist()]
        return [block[a:b] for a, b in zip(starts, ends.tolist(), strict=False)]

    def between(self, low: int, high: int) -> np.ndarray:
        """Return the rows (i8[n]) of the keys whose hashes lie from `low` up to below `high`, of `HASHES` in all.

        So keys can be gone through in parts that are the same wherever and however often they were interned.
        """
        rows = np.empty(len(self), np.int64)
        return rows[: _between(self._slots, np.uint64(max(low << 32, 1)), np.uint64((high << 32) - 1), rows)]

    def _make_room(self, keys: int, size: int) -> None:
        """Make sure that so many new keys of so many bytes in all fit."""
        n = len(self)
        used = int(self._ends[n - 1]) if n else 0
        if n + keys > len(self._ends):
            self._ends = _grown(self._ends, n + keys)
        if used + size > len(self._blob):
            self._blob = _grown(self._blob, used + size)
        slots = len(self._slots)
        while n + keys > slots * FULL:
            slots *= 2
        if slots > len(self._slots):
            self._slots = np.zeros(slots, np.uint64)
            _rehash(self._slots, self._ends, self._blob, n)


def _grown(column: np.ndarray, least: int) -> np.ndarray:
    grown = np.zeros(max(least, len(column) * 3 // 2), column.dtype)
    grown[: len(column)] = column
    return grown


@njit(cache=True)
def _same(data, start, end, ends, blob, row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Say whether the key of a row is data[start:end]."""
    first = ends[row - 1] if row else 0
    same = ends[row] - first == end - start
    k = 0
    while same and start + k < end:
        same = blob[first + k] == data[start + k]
        k += 1
    return same


@njit(cache=True)
def _place(data, start, end, h, slots, ends, blob):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the slot that holds a key, or the empty one where it belongs."""
    mask = np.uint64(slots.size - 1)
    high = h & ~np.uint64(LOW)
    slot = h & mask
    while slots[slot]:
        if slots[slot] & ~np.uint64(LOW) == high:
            row = np.int64(slots[slot] & np.uint64(LOW)) - 1
            if _same(data, start, end, ends, blob, row):
                break
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True)
def _intern(joined, lengths, slots, ends, blob, size, who):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    start = 0
    for k in range(lengths.size):
        end = start + lengths[k]
        h = hash64(joined, start, end)
        slot = _place(joined, start, end, h, slots, ends, blob)
        if slots[slot] == 0:
            row = size[0]
            first = ends[row - 1] if row else 0
            blob[first : first + end - start] = joined[start:end]
            ends[row] = first + end - start
            slots[slot] = (h & ~np.uint64(LOW)) | np.uint64(row + 1)
            size[0] = row + 1
        who[k] = np.int64(slots[slot] & np.uint64(LOW)) - 1
        start = end


@njit(cache=True)
def _find(key, slots, ends, blob):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    slot = _place(key, 0, key.size, hash64(key, 0, key.size), slots, ends, blob)
    return np.int64(slots[slot] & np.uint64(LOW)) - 1


@njit(cache=True)
def _find_many(joined, lengths, slots, ends, blob, who):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    start = 0
    for k in range(lengths.size):
        end = start + lengths[k]
        slot = _place(joined, start, end, hash64(joined, start, end), slots, ends, blob)
        who[k] = np.int64(slots[slot] & np.uint64(LOW)) - 1
        start = end


@njit(cache=True)
def _between(slots, first, last, rows):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Collect the rows of the slots from `first` (above 0, as empty ones are) to `last`.

    One comparison each, that is nearly always false: a processor that had to guess would take ten times as long.
    """
    n = 0
    for slot in slots:
        if slot - first <= last - first:
            rows[n] = np.int64(slot & np.uint64(LOW)) - 1
            n += 1
    return n


@njit(cache=True)
def _rehash(slots, ends, blob, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    mask, start = np.uint64(slots.size - 1), np.int64(0)
    for row in range(n):
        h = hash64(blob, start, ends[row])
        slot = h & mask
        while slots[slot]:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = (h & ~np.uint64(LOW)) | np.uint64(row + 1)
        start = ends[row]


@njit(cache=True)
def _total(rows, ends):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    total = np.int64(0)
    for row in rows:
        total += ends[row] - (ends[row - 1] if row else 0)
    return total


@njit(cache=True)
def _gather(rows, ends, blob, joined, stops):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    at = np.int64(0)
    for k in range(rows.size):
        row = rows[k]
        first = ends[row - 1] if row else 0
        size = ends[row] - first
        for b in range(size):
            joined[at + b] = blob[first + b]
        at += size
        stops[k] = at
