"""Blocks: records as columns, their bytes in one run, so that what is done with each of them is compiled.

A *span* is where something begins and ends in such a run: a row of i8[n, 2]; it begins at -1 where there is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from streams.wire.varint import read_varint, write_varint

NOTHING = -1
"""Where a span begins that stands for null."""
Header = tuple[str, bytes | None]
Keyed = tuple[bytes | None, bytes | None] | tuple[bytes | None, bytes | None, Sequence[Header]]
"""A record to write: key, value, and headers if it has any."""


class Record(NamedTuple):
    """One record, as Kafka holds it; `timestamp` in int ms UTC."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()


class Pairs:
    """Keys and values: `data` u1[size] holds their bytes; `keys` and `values` are their spans (i8[n, 2]).

    `headers` (i8[n, 2]) are the spans of the headers, as Kafka's records hold them.
    """

    __slots__ = ("data", "headers", "keys", "values")

    def __init__(
        self, data: np.ndarray, keys: np.ndarray, values: np.ndarray, headers: np.ndarray | None = None
    ) -> None:
        self.data, self.keys, self.values = data, keys, values
        self.headers = np.full_like(keys, NOTHING) if headers is None else headers

    @classmethod
    def of(cls, records: Iterable[Keyed]) -> Pairs:
        """Return records that come one by one as columns."""
        records = list(records)
        parts = [r[0] for r in records] + [r[1] for r in records]
        parts += [_written(r[2]) if len(r) > 2 and r[2] else None for r in records]  # noqa: PLR2004
        sizes = np.array([NOTHING if part is None else len(part) for part in parts], np.int64)
        spans = spans_until(np.maximum(sizes, 0).cumsum())
        spans[sizes == NOTHING] = NOTHING
        data = np.frombuffer(bytearray().join([part for part in parts if part]), np.uint8)
        return cls(data, *spans.reshape(3, len(records), 2))

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        """Return parts that follow upon one another as one."""
        if len(parts) == 1:
            return parts[0]
        starts = list(accumulate((len(part.data) for part in parts), initial=0))[:-1]
        keys, values, headers = (
            np.concatenate([spans + start * (spans >= 0) for spans, start in zip(column, starts, strict=True)])
            for column in ([getattr(part, name) for part in parts] for name in ("keys", "values", "headers"))
        )
        return cls(np.concatenate([part.data for part in parts]), keys, values, headers)

    @property
    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return all of it as what is compiled takes it."""
        return self.data, self.keys, self.values, self.headers

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, part: slice) -> Pairs:
        """Return a part of them; its bytes are shared."""
        keys, values, headers = (np.ascontiguousarray(c[part]) for c in (self.keys, self.values, self.headers))
        return Pairs(self.data, keys, values, headers)

    def each(self) -> Iterator[tuple[bytes | None, bytes | None]]:
        """Yield (key, value) of each."""
        yield from zip(cut(self.data, self.keys), cut(self.data, self.values), strict=True)


def spans_until(ends: np.ndarray, first: int = 0) -> np.ndarray:
    """Return the spans (i8[n, 2]) of what lies one after the other from `first` on, by where each ends (i8[n])."""
    return np.stack([ends - np.diff(ends, prepend=first), ends], axis=1)


def read_only(array: np.ndarray) -> np.ndarray:
    """Return an array as one that is only read: so the compiler sees one type of it, wherever it comes from."""
    array = np.ascontiguousarray(array).view()
    array.flags.writeable = False
    return array


def cut(data: np.ndarray, spans: np.ndarray) -> list[bytes | None]:
    """Return the bytes at spans (i8[n, 2]) of `data`, None for null."""
    there = spans[spans[:, 0] >= 0]
    first, last = (int(there.min()), int(there.max())) if len(there) else (0, 0)
    joined = data[first:last].tobytes()
    return [None if a < 0 else joined[a - first : b - first] for a, b in spans.tolist()]


class Block(Sequence[Record]):
    """Records of one partition, offsets ascending: columns for what is compiled, a sequence of records for the rest.

    Attributes:
        data: u1[size], the bytes of all records.
        offsets, timestamps: i8[n]; timestamps in int ms UTC.
        keys, values: i8[n, 2], their spans in `data`.
        headers: i8[n, 2], the spans of the headers as Kafka holds them.
    """

    __slots__ = ("data", "headers", "keys", "offsets", "timestamps", "values")

    def __init__(self, offsets: np.ndarray, timestamps: np.ndarray, pairs: Pairs) -> None:
        self.offsets, self.timestamps = offsets, timestamps
        self.data, self.keys, self.values, self.headers = pairs.columns

    @classmethod
    def of(cls, records: Iterable[Any]) -> Block:
        """Return records that come one by one (`Record`, or what has its attributes) as a block."""
        records = list(records)
        return cls(
            np.fromiter((r.offset for r in records), np.int64, len(records)),
            np.fromiter((r.timestamp for r in records), np.int64, len(records)),
            Pairs.of((r.key, r.value, r.headers) for r in records),
        )

    @classmethod
    def joined(cls, blocks: Sequence[Block]) -> Block:
        """Return blocks that follow upon one another as one."""
        return cls(
            np.concatenate([block.offsets for block in blocks]),
            np.concatenate([block.timestamps for block in blocks]),
            Pairs.joined([block.pairs for block in blocks]),
        )

    @property
    def pairs(self) -> Pairs:
        """Return the keys, values and headers."""
        return Pairs(self.data, self.keys, self.values, self.headers)

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, place: Any) -> Any:
        """Return one record, or a block of those that a slice chooses; its bytes are shared."""
        if isinstance(place, slice):
            offsets, timestamps = (np.ascontiguousarray(c[place]) for c in (self.offsets, self.timestamps))
            return Block(offsets, timestamps, self.pairs[place])
        key, value, held = (self._bytes(spans[place]) for spans in (self.keys, self.values, self.headers))
        return Record(int(self.offsets[place]), int(self.timestamps[place]), key, value, _read(held))

    def __iter__(self) -> Iterator[Record]:
        """Yield each record; all are cut out at once."""
        spans = (cut(self.data, spans) for spans in (self.keys, self.values, self.headers))
        for offset, at, key, value, held in zip(self.offsets.tolist(), self.timestamps.tolist(), *spans, strict=True):
            yield Record(offset, at, key, value, _read(held))

    def _bytes(self, span: np.ndarray) -> bytes | None:
        return None if span[0] < 0 else self.data[span[0] : span[1]].tobytes()


def _written(headers: Iterable[Header]) -> bytes:
    """Return headers as Kafka's records hold them."""
    written = [(name.encode(), value) for name, value in headers]
    out = bytearray(5 + sum(10 + len(name) + len(value or b"") for name, value in written))
    room, at = np.frombuffer(out, np.uint8), write_varint(np.frombuffer(out, np.uint8), 0, len(written))
    for part in (part for header in written for part in header):
        at = write_varint(room, at, NOTHING if part is None else len(part))
        out[at : at + len(part or b"")] = part or b""
        at += len(part or b"")
    return bytes(out[:at])


def _read(data: bytes | None) -> tuple[Header, ...]:
    """Return headers that are held as Kafka's records hold them."""
    if data is None:
        return ()
    held, parts = np.frombuffer(data, np.uint8), []
    count, at = read_varint(held, 0, len(data))
    for _ in range(2 * count):
        size, at = read_varint(held, at, len(data))
        parts.append(None if size < 0 else data[at : at + size])
        at += max(size, 0)
    return tuple(
        ((name or b"").decode(errors="replace"), value) for name, value in zip(*[iter(parts)] * 2, strict=True)
    )
