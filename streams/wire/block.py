"""Blocks: records as columns, their bytes in one run, so that what is done with each of them is compiled.

A *span* is where something begins and ends in such a run: a row of i8[n, 2]; it begins at -1 where there is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

NOTHING = -1
"""Where a span begins that stands for null."""
Header = tuple[str, bytes | None]


class Record(NamedTuple):
    """One record, as Kafka holds it; `timestamp` in int ms UTC."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()


class Pairs(NamedTuple):
    """Keys and values: `data` u1[size] holds their bytes; `keys` and `values` are their spans (i8[n, 2])."""

    data: np.ndarray
    keys: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes | None, bytes | None]]) -> Pairs:
        """Return keys and values that come one by one as a block's."""
        parts = [part for pair in pairs for part in pair]
        ends = np.fromiter(accumulate(len(part or b"") for part in parts), np.int64, len(parts))
        spans = np.stack([np.concatenate([[0], ends])[: len(parts)].astype(np.int64), ends], axis=1)
        spans[[k for k, part in enumerate(parts) if part is None]] = NOTHING
        data = np.frombuffer(b"".join(part or b"" for part in parts), np.uint8)
        return cls(data, np.ascontiguousarray(spans[::2]), np.ascontiguousarray(spans[1::2]))

    def each(self) -> Iterator[tuple[bytes | None, bytes | None]]:
        """Yield (key, value) of each."""
        yield from zip(cut(self.data, self.keys), cut(self.data, self.values), strict=True)


def cut(data: np.ndarray, spans: np.ndarray) -> list[bytes | None]:
    """Return the bytes at spans (i8[n, 2]) of `data`, None for null."""
    there = spans[spans[:, 0] >= 0]
    first, last = (int(there.min()), int(there.max())) if len(there) else (0, 0)
    joined = data[first:last].tobytes()
    return [None if a < 0 else joined[a - first : b - first] for a, b in spans.tolist()]


class Block(Sequence[Record]):
    """Records of one partition, offsets ascending: columns for what is compiled, a sequence of records for the rest.

    Attributes:
        data: u1[size], the bytes of all keys and values.
        offsets, timestamps: i8[n]; timestamps in int ms UTC.
        keys, values: i8[n, 2], their spans in `data`.
        headers: those of the records that have any, by place.
    """

    __slots__ = ("data", "headers", "keys", "offsets", "timestamps", "values")

    def __init__(
        self, offsets: np.ndarray, timestamps: np.ndarray, pairs: Pairs, headers: dict[int, tuple[Header, ...]]
    ) -> None:
        self.offsets, self.timestamps, self.headers = offsets, timestamps, headers
        self.data, self.keys, self.values = pairs

    @classmethod
    def of(cls, records: Iterable[Any]) -> Block:
        """Return records that come one by one (`Record`, or what has its attributes) as a block."""
        records = list(records)
        return cls(
            np.array([r.offset for r in records], np.int64),
            np.array([r.timestamp for r in records], np.int64),
            Pairs.of((r.key, r.value) for r in records),
            {k: tuple(r.headers) for k, r in enumerate(records) if r.headers},
        )

    @property
    def pairs(self) -> Pairs:
        """Return the keys and values."""
        return Pairs(self.data, self.keys, self.values)

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, place: Any) -> Any:
        """Return one record, or a block of those that a slice chooses; its data are shared."""
        if isinstance(place, slice):
            chosen = range(len(self))[place] if self.headers else ()
            headers = {k: self.headers[n] for k, n in enumerate(chosen) if n in self.headers}
            pairs = Pairs(self.data, self.keys[place], self.values[place])
            return Block(self.offsets[place], self.timestamps[place], pairs, headers)
        place = range(len(self))[place]
        key, value = self._bytes(self.keys[place]), self._bytes(self.values[place])
        return Record(int(self.offsets[place]), int(self.timestamps[place]), key, value, self.headers.get(place, ()))

    def _bytes(self, span: np.ndarray) -> bytes | None:
        return None if span[0] < 0 else self.data[span[0] : span[1]].tobytes()
