"""Names as small codes: the categories and sources that events name, as the rows hold them (u2).

Beside each dictionary stands a hash table of the same names as bytes, so that compiled code finds the code of a name
where it stands in a record.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streams.core.compiled import compiled
from streams.core.hash import hash64

OTHER = 65_535
"""The code of every name that comes when all others are given."""
FIRST_SLOTS, FIRST_BYTES = 16, 256
FULL = 0.5
"""The share of slots in use at which the table doubles."""


class Table(NamedTuple):
    """Names as bytes, hashed with open addressing.

    Attributes:
        hashes: u8[slots], 0 where a slot is empty.
        codes: i8[slots].
        spans: i8[slots, 2], where the name stands in `blob`.
        blob: u1[size].
    """

    hashes: np.ndarray
    codes: np.ndarray
    spans: np.ndarray
    blob: np.ndarray

    @classmethod
    def of(cls, slots: int, size: int) -> Table:
        """Return an empty table of so many slots, a power of two, for names of so many bytes in all."""
        spans = np.zeros((slots, 2), np.int64)
        return cls(np.zeros(slots, np.uint64), np.zeros(slots, np.int64), spans, np.zeros(size, np.uint8))


class Codes(dict[str | None, int]):
    """Name → code; None is 0. `table` holds the same for compiled code; an unknown name is None's code."""

    def __init__(self, codes: dict[str, int] | None = None) -> None:
        super().__init__({None: 0})
        self.table = Table.of(FIRST_SLOTS, FIRST_BYTES)
        self._size = 0
        for name, code in (codes or {}).items():
            self[name] = code

    def __missing__(self, name: str) -> int:
        return 0

    def __setitem__(self, name: str | None, code: int) -> None:
        super().__setitem__(name, code)
        if name is not None:
            encoded = np.frombuffer(name.encode(), np.uint8)
            self._make_room(len(encoded))
            self._size = int(_put(self.table, encoded, code, self._size))

    def _make_room(self, size: int) -> None:
        """Make sure that one more name of so many bytes fits."""
        table = self.table
        if self._size + size > len(table.blob):
            blob = np.zeros(2 * (self._size + size), np.uint8)
            blob[: self._size] = table.blob[: self._size]
            self.table = table = table._replace(blob=blob)
        if len(self) > len(table.hashes) * FULL:
            self.table = Table.of(2 * len(table.hashes), 0)._replace(blob=table.blob)
            _rehash(table, self.table)


class Dictionary(Codes):
    """Name → code, from 1; None is 0. An unknown name gets the next code, and stands in `added` until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str | None] = [None]
        self.added: list[str] = []

    def __missing__(self, name: str) -> int:
        if len(self.names) == OTHER:
            return OTHER
        self.added.append(name)
        return self.put(name, len(self.names))

    def put(self, name: str, code: int) -> int:
        """Give a name its code, as read back from the changelog."""
        self.names += [None] * (code + 1 - len(self.names))
        self.names[code] = name
        self[name] = code
        return code

    def name(self, code: int) -> str | None:
        """Return the name of a code, None for 0 and for what was past counting."""
        return self.names[code] if code < len(self.names) else None


@compiled
def find(table, data, start, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the code of the name data[start:end], -1 if it has none; places are unsigned."""
    slot = _slot(table, hash64(data, start, end) | np.uint64(1), data, start, end)
    return table.codes[slot] if table.hashes[slot] else -1


@compiled
def _slot(table, h, data, start, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the slot of a name with this hash, or the empty one where it belongs."""
    mask = np.uint64(table.hashes.size - 1)
    slot = (h >> np.uint64(1)) & mask
    while table.hashes[slot]:
        if table.hashes[slot] == h and _same(table, slot, data, start, end):
            break
        slot = (slot + np.uint64(1)) & mask
    return slot


@compiled
def _same(table, slot, data, start, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Say whether the name in a slot is data[start:end]."""
    first = np.uint64(table.spans[slot, 0])
    if np.uint64(table.spans[slot, 1]) - first != end - start:
        return False
    for k in range(end - start):  # noqa: SIM110 (compiled)
        if table.blob[first + k] != data[start + k]:
            return False
    return True


@compiled
def _put(table, name, code, size):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Put a name with its code; return how many bytes all names have after it."""
    end = np.uint64(name.size)
    h = hash64(name, np.uint64(0), end) | np.uint64(1)
    slot = _slot(table, h, name, np.uint64(0), end)
    table.codes[slot] = code
    if table.hashes[slot] == 0:
        table.hashes[slot] = h
        table.spans[slot, 0], table.spans[slot, 1] = size, size + name.size
        for k in range(name.size):
            table.blob[size + k] = name[k]
        size += name.size
    return size


@compiled
def _rehash(old, new):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Put what stands in one table into another of the same names' bytes."""
    mask = np.uint64(new.hashes.size - 1)
    for k in range(old.hashes.size):
        h = old.hashes[k]
        if h:
            slot = (h >> np.uint64(1)) & mask
            while new.hashes[slot]:
                slot = (slot + np.uint64(1)) & mask
            new.hashes[slot], new.codes[slot] = h, old.codes[k]
            new.spans[slot, 0], new.spans[slot, 1] = old.spans[k, 0], old.spans[k, 1]
