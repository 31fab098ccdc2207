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
HEAD_SIZE = 4
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
    sizes = HEAD_SIZE + ROW.itemsize + counts.astype(np.int64) * ORDER.itemsize
    ends = np.cumsum(sizes)
    block = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    _pack(_bytes(rows), counts, _bytes(orders), LAYOUT, block)
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
    heads = {v[:3] for v in values}
    if heads <= {MAGIC + bytes([LAYOUT])}:
        return _decode(values)
    if strange := heads - {MAGIC + bytes([known]) for known in (LAYOUT, *layout.OLDER)}:
        known = ", ".join(map(str, (*layout.OLDER, LAYOUT)))
        raise UnknownLayout(f"changelog values begin {sorted(strange)}: this version reads the layouts {known}")
    return _decode([_present(v) for v in values])


def _present(value: bytes) -> bytes:
    """Return a value in the present layout."""
    bring: Callable[[bytes], bytes] | None = layout.OLDER.get(value[2])
    return value if bring is None else bring(value)


def _decode(values: Sequence[bytes]) -> Decoded:
    n = len(values)
    joined = np.frombuffer(b"".join(values), np.uint8)
    sizes = np.fromiter(map(len, values), np.int64, n)
    starts = np.cumsum(sizes) - sizes
    if n and sizes.min() < HEAD_SIZE + ROW.itemsize:
        raise UnknownLayout(f"a changelog value of {sizes.min()} bytes is too short")
    counts = joined[starts + 3].astype(np.int32)
    known = HEAD_SIZE + ROW.itemsize + counts * ORDER.itemsize
    rows, orders = np.empty(n, ROW), np.empty(int(counts.sum()), ORDER)
    _unpack(joined, starts, counts, _bytes(rows), _bytes(orders))
    profiles = [(k, values[k][int(known[k]) :]) for k in np.flatnonzero(sizes > known).tolist()]
    return Decoded(rows, counts, orders, profiles)


def _bytes(records: np.ndarray) -> np.ndarray:
    """Return records as bytes, u1[n, size]."""
    return records.view(np.uint8).reshape(len(records), records.dtype.itemsize)


@njit(cache=True)
def _pack(rows, counts, orders, version, block):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    at = order = 0
    for k in range(rows.shape[0]):
        block[at], block[at + 1], block[at + 2], block[at + 3] = 65, 87, version, counts[k]
        at += 4
        for b in range(rows.shape[1]):
            block[at + b] = rows[k, b]
        at += rows.shape[1]
        for _ in range(counts[k]):
            for b in range(orders.shape[1]):
                block[at + b] = orders[order, b]
            at += orders.shape[1]
            order += 1


@njit(cache=True)
def _unpack(joined, starts, counts, rows, orders):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    order = 0
    for k in range(rows.shape[0]):
        at = starts[k] + 4
        for b in range(rows.shape[1]):
            rows[k, b] = joined[at + b]
        at += rows.shape[1]
        for _ in range(counts[k]):
            for b in range(orders.shape[1]):
                orders[order, b] = joined[at + b]
            at += orders.shape[1]
            order += 1
