r"""The changelog: a user's row, his orders and his profile as one value; and what a shard knows besides users.

    user:   b"AW", layout, number of orders · the row's bytes · that many orders of 32 bytes · the profile's JSON
    other:  key b"\0" and its name; JSON

A key that begins with a null byte is therefore no user's. A row of an older layout is brought up to the present one as
it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from streams.core.row import LAYOUT, ORDER, ROW
from streams.wire import layout

MAGIC = b"AW"
HEAD_SIZE, ROW_SIZE, ORDER_SIZE = 4, ROW.itemsize, ORDER.itemsize
SIZES = ROW_SIZE, ORDER_SIZE
"""An argument of what is compiled: its cache would not notice that a layout declared elsewhere has grown."""
ASIDE = b"\0"
"""Begins the key of everything that is no user."""


class UnknownLayout(ValueError):
    """A changelog value that this version cannot read."""


class Decoded(NamedTuple):
    """Values read: ROW[n], the number of orders of each (i4[n]), all their orders (ORDER[m]), (place, profile)."""

    rows: np.ndarray
    counts: np.ndarray
    orders: np.ndarray
    profiles: list[tuple[int, bytes]]


def encode_rows(
    rows: np.ndarray, counts: np.ndarray, orders: np.ndarray, profiles: Sequence[bytes | None]
) -> list[bytes]:
    """Return the changelog values of rows (ROW[n]), each with its number of orders and its profile."""
    sizes = HEAD_SIZE + ROW_SIZE + counts.astype(np.int64) * ORDER_SIZE
    ends = np.cumsum(sizes)
    block = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    _pack(_bytes(rows), counts, _bytes(orders), SIZES, LAYOUT, block)
    joined, stops = block.tobytes(), ends.tolist()
    values = [joined[a:b] for a, b in zip([0, *stops], stops, strict=False)]
    if any(profiles):
        return [v if p is None else v + p for v, p in zip(values, profiles, strict=True)]
    return values


def decode_rows(values: Sequence[bytes]) -> Decoded:
    """Return what changelog values of users hold.

    Raises:
        UnknownLayout: a value is none of ours, or of a version that is newer than this one.
    """
    joined, sizes = _joined(values)
    if _strange(joined, sizes, LAYOUT):
        heads = {v[:3] for v in values}
        if strange := heads - {MAGIC + bytes([known]) for known in (LAYOUT, *layout.OLDER)}:
            known = ", ".join(map(str, (*layout.OLDER, LAYOUT)))
            raise UnknownLayout(f"changelog values begin {sorted(strange)}: this version reads the layouts {known}")
        values = [_present(v) for v in values]
        joined, sizes = _joined(values)
    return _decode(values, joined, sizes)


def _present(value: bytes) -> bytes:
    """Return a value in the present layout."""
    bring: Callable[[bytes], bytes] | None = layout.OLDER.get(value[2])
    return value if bring is None else bring(value)


def _joined(values: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Return values as one run of bytes (u1[size]), and the size of each (i8[n])."""
    return np.frombuffer(b"".join(values), np.uint8), np.fromiter(map(len, values), np.int64, len(values))


def _decode(values: Sequence[bytes], joined: np.ndarray, sizes: np.ndarray) -> Decoded:
    n, starts = len(values), np.cumsum(sizes) - sizes
    if n and sizes.min() < HEAD_SIZE + ROW_SIZE:
        raise UnknownLayout(f"a changelog value of {sizes.min()} bytes is too short")
    counts = joined[starts + 3].astype(np.int32)
    known = HEAD_SIZE + ROW_SIZE + counts * ORDER_SIZE
    rows, orders = np.empty(n, ROW), np.empty(int(counts.sum()), ORDER)
    _unpack(joined, starts, counts, SIZES, _bytes(rows), _bytes(orders))
    profiles = [(k, values[k][int(known[k]) :]) for k in np.flatnonzero(sizes > known).tolist()]
    return Decoded(rows, counts, orders, profiles)


def _bytes(records: np.ndarray) -> np.ndarray:
    """Return records as bytes, u1[n * size]."""
    return records.view(np.uint8)


@njit(cache=True)
def _copy(source, at, target, to, size):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Copy bytes; return the places after them.

    Places are unsigned: signed ones might count from the end, and the compiler would copy byte by byte, ten times
    slower.
    """
    for b in range(size):
        target[to + b] = source[at + b]
    return at + size, to + size


@njit(cache=True)
def _pack(rows, counts, orders, sizes, version, block):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write each row with its orders, both as bytes one after the other, into `block`."""
    row = order = at = np.uint64(0)
    row_size, order_size = np.uint64(sizes[0]), np.uint64(sizes[1])
    for k in range(counts.size):
        block[at], block[at + np.uint64(1)] = 65, 87
        block[at + np.uint64(2)], block[at + np.uint64(3)] = version, counts[k]
        row, at = _copy(rows, row, block, at + np.uint64(HEAD_SIZE), row_size)
        order, at = _copy(orders, order, block, at, np.uint64(counts[k]) * order_size)


@njit(cache=True)
def _unpack(joined, starts, counts, sizes, rows, orders):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Read each row with its orders back, both as bytes one after the other."""
    row = order = np.uint64(0)
    row_size, order_size = np.uint64(sizes[0]), np.uint64(sizes[1])
    for k in range(counts.size):
        at, row = _copy(joined, np.uint64(starts[k] + HEAD_SIZE), rows, row, row_size)
        _, order = _copy(joined, at, orders, order, np.uint64(counts[k]) * order_size)


@njit(cache=True)
def _strange(joined, sizes, version):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Say whether any value is not one of ours, of this version."""
    at = 0
    for k in range(sizes.size):
        if sizes[k] < HEAD_SIZE or joined[at] != 65 or joined[at + 1] != 87 or joined[at + 2] != version:  # noqa: PLR2004
            return True
        at += sizes[k]
    return False
