"""Whole numbers as Kafka's records hold them: zigzag varints, seven bits a byte, the lowest first."""

from __future__ import annotations

import numpy as np

from streams.core.compiled import compiled


@compiled
def read_varint(data, at, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the zigzag varint at `data[at]`, and the place after it; beyond `end` where it is cut off."""
    read, shift = np.uint64(0), np.uint64(0)
    while at < end and shift < np.uint64(70):
        byte = np.uint64(data[at])
        at += 1
        read |= (byte & np.uint64(127)) << shift
        if byte < np.uint64(128):
            return np.int64(read >> np.uint64(1)) ^ -np.int64(read & np.uint64(1)), at
        shift += np.uint64(7)
    return np.int64(0), end + 1


@compiled
def varint_size(number):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the number of bytes of a number."""
    size, rest = 1, (number << 1) ^ (number >> 63)
    while rest > 127:  # noqa: PLR2004
        rest >>= 7
        size += 1
    return size


@compiled
def write_varint(out, at, number):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Write a zigzag varint to `out[at]`; return the place after it."""
    rest = (number << 1) ^ (number >> 63)
    while rest > 127:  # noqa: PLR2004
        out[at] = (rest & 127) | 128
        rest >>= 7
        at += 1
    out[at] = rest
    return at + 1
