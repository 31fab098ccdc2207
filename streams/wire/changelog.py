r"""The changelog: a user's row, his orders and his profile as one value; and what a shard knows besides users.

    user:   b"AW", layout, number of orders · the row's bytes, whose `purchases` is 1 or 0 · if it is 1, what he bought
            by week · that many orders of 32 bytes · the profile's JSON
    other:  key b"\0" and its name; JSON

A key that begins with a null byte is therefore no user's. A row of an older layout is brought up to the present one as
it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from streams.core.compiled import compiled
from streams.core.row import LAYOUT, ORDER, PURCHASES, ROW
from streams.wire import layout
from streams.wire.block import Pairs, read_only, spans_until

MAGIC = b"AW"
HEAD_SIZE, ROW_SIZE, ORDER_SIZE, PURCHASES_SIZE = 4, ROW.itemsize, ORDER.itemsize, PURCHASES.itemsize
ORDERS_AT, PURCHASES_AT = (int(ROW.fields[name][1]) for name in ("first_order", "purchases"))  # type: ignore[index] # it has fields
SIZES = ROW_SIZE, ORDER_SIZE, PURCHASES_SIZE, ORDERS_AT, PURCHASES_AT
"""The sizes, and where a row says where its orders and its purchases are.

An argument of what is compiled: its cache would not notice that a layout declared elsewhere has grown.
"""
NOTHING_BEFORE = np.empty(0, np.uint8)
ASIDE = b"\0"
"""Begins the key of everything that is no user."""


class UnknownLayout(ValueError):
    """A changelog value that this version cannot read."""


class Decoded(NamedTuple):
    """Values read: ROW[n], the number of orders of each (i4[n]), all their orders (ORDER[m]), (place, profile).

    `purchases` (PURCHASES[b]) are those of the rows whose own `purchases` is 1.
    """

    rows: np.ndarray
    counts: np.ndarray
    orders: np.ndarray
    purchases: np.ndarray
    profiles: list[tuple[int, bytes]]


def encode_rows(
    rows: np.ndarray, who: np.ndarray, purchases: np.ndarray, counts: np.ndarray, orders: np.ndarray,
    profiles: Sequence[bytes | None] = (), before: np.ndarray = NOTHING_BEFORE,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the changelog values of some rows of a shard, written straight from where they lie.

    Args:
        rows: ROW[users].
        who: i8[n], the rows to write.
        purchases: PURCHASES[m], of all rows.
        counts: i4[n], their numbers of orders.
        orders: ORDER[m], all their orders.
        profiles: what is kept of each one's profile; empty where nobody has one.
        before: u1[k], bytes to put before the values.

    Returns:
        One run of bytes (u1[size]), and the span of each value in it (i8[n, 2]).
    """
    lengths = np.zeros(len(who), np.int64)
    lengths[: len(profiles)] = [len(profile or b"") for profile in profiles]
    told = np.frombuffer(b"".join(profile or b"" for profile in profiles), np.uint8)
    places = rows["purchases"][who]
    sizes = HEAD_SIZE + ROW_SIZE + (places > 0) * PURCHASES_SIZE + counts.astype(np.int64) * ORDER_SIZE + lengths
    ends = len(before) + np.cumsum(sizes)
    spans = spans_until(ends, len(before))
    block = np.empty(int(ends[-1]) if len(ends) else len(before), np.uint8)
    block[: len(before)] = before
    held_bytes = _bytes(rows), who, _bytes(purchases), places, _bytes(orders), counts, told, lengths
    _pack(*held_bytes, SIZES, LAYOUT, block, len(before))
    return block, spans


def decode_rows(data: np.ndarray, values: np.ndarray) -> Decoded:
    """Return what changelog values of users hold, whose spans (i8[n, 2]) in `data` (u1[size]) are given.

    Raises:
        UnknownLayout: a value is none of ours, or of a version that is newer than this one.
    """
    data, values = read_only(data), read_only(values)
    if _strange(data, values, LAYOUT):
        present = [_present(data[a:b].tobytes()) for a, b in values.tolist()]
        made = Pairs.of((None, value) for value in present)
        data, values = read_only(made.data), read_only(made.values)
    sizes = values[:, 1] - values[:, 0]
    n, starts = len(values), values[:, 0].copy()
    if n and sizes.min() < HEAD_SIZE + ROW_SIZE:
        raise UnknownLayout(f"a changelog value of {sizes.min()} bytes is too short")
    counts = data[starts + 3].astype(np.int32)
    bought = data[starts + HEAD_SIZE + PURCHASES_AT]
    known = HEAD_SIZE + ROW_SIZE + bought.astype(np.int64) * PURCHASES_SIZE + counts * ORDER_SIZE
    if n and (sizes < known).any():
        raise UnknownLayout(f"a changelog value of {sizes.min()} bytes lacks orders")
    rows, orders = np.empty(n, ROW), np.empty(int(counts.sum()), ORDER)
    purchases = np.empty(np.count_nonzero(bought), PURCHASES)
    _unpack(data, starts, bought, counts, SIZES, _bytes(rows), _bytes(purchases), _bytes(orders))
    told = np.flatnonzero(sizes > known).tolist()
    profiles = [(k, data[values[k, 0] + known[k] : values[k, 1]].tobytes()) for k in told]
    return Decoded(rows, counts, orders, purchases, profiles)


def _present(value: bytes) -> bytes:
    """Return a value in the present layout."""
    if value[:3] == MAGIC + bytes([LAYOUT]):
        return value
    older = value.startswith(MAGIC) and len(value) >= HEAD_SIZE
    bring: Callable[[bytes], bytes] | None = layout.OLDER.get(value[2]) if older else None
    if bring is None:
        known = ", ".join(map(str, (*layout.OLDER, LAYOUT)))
        raise UnknownLayout(f"a changelog value begins {value[:3]!r}: this version reads the layouts {known}")
    return _present(bring(value))


def _bytes(records: np.ndarray) -> np.ndarray:
    """Return records as bytes, u1[n * size]."""
    return records.view(np.uint8)


@compiled
def _copy(source, at, target, to, size):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Copy bytes; return the places after them.

    Places are unsigned: signed ones might count from the end, and the compiler would copy byte by byte, ten times
    slower.
    """
    for b in range(size):
        target[to + b] = source[at + b]
    return at + size, to + size


@compiled
def _pack(rows, who, purchases, places, orders, counts, told, lengths, sizes, version, block, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write the rows `who`, each with its purchases, orders and profile, as bytes one after the other to `block[at]`.

    Where purchases (`places`, 0 for none) and orders lie in memory is nobody's business.
    """
    order, profile, at = np.uint64(0), np.uint64(0), np.uint64(at)
    row_size, order_size, bought_size = np.uint64(sizes[0]), np.uint64(sizes[1]), np.uint64(sizes[2])
    orders_at, purchases_at = np.uint64(sizes[3]), np.uint64(sizes[4])
    for k in range(counts.size):
        block[at], block[at + np.uint64(1)] = 65, 87
        block[at + np.uint64(2)], block[at + np.uint64(3)] = version, counts[k]
        first = at + np.uint64(HEAD_SIZE)
        _, at = _copy(rows, np.uint64(who[k]) * row_size, block, first, row_size)
        for b in range(4):
            block[first + orders_at + np.uint64(b)] = block[first + purchases_at + np.uint64(b)] = 0
        if places[k]:
            block[first + purchases_at] = 1
            _, at = _copy(purchases, np.uint64(places[k]) * bought_size, block, at, bought_size)
        order, at = _copy(orders, order, block, at, np.uint64(counts[k]) * order_size)
        profile, at = _copy(told, profile, block, at, np.uint64(lengths[k]))


@compiled
def _unpack(joined, starts, bought, counts, sizes, rows, purchases, orders):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Read each row with its purchases and orders back, all as bytes one after the other."""
    row = order = purchase = np.uint64(0)
    row_size, order_size, bought_size = np.uint64(sizes[0]), np.uint64(sizes[1]), np.uint64(sizes[2])
    for k in range(counts.size):
        at, row = _copy(joined, np.uint64(starts[k] + HEAD_SIZE), rows, row, row_size)
        if bought[k]:
            at, purchase = _copy(joined, at, purchases, purchase, bought_size)
        _, order = _copy(joined, at, orders, order, np.uint64(counts[k]) * order_size)


@compiled
def _strange(data, values, version):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Say whether any value is not one of ours, of this version."""
    for k in range(len(values)):
        at = values[k, 0]
        if values[k, 1] - at < HEAD_SIZE or data[at] != 65 or data[at + 1] != 87 or data[at + 2] != version:  # noqa: PLR2004
            return True
    return False
