"""Rows ⇄ changelog values: a four-byte head (magic, layout, flags), the row's bytes, then the profile's JSON."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.core.row import LAYOUT, ROW

MAGIC = b"AW"
HEAD = MAGIC + bytes([LAYOUT, 0])
ENTRY = np.dtype([("head", "S4"), ("row", ROW)])


class UnknownLayout(ValueError):
    """A changelog value that this version cannot read."""


def encode_rows(rows: np.ndarray, profiles: Sequence[bytes | None]) -> list[bytes]:
    """Return the changelog values of rows (ROW[n]) and their profiles."""
    block, size = rows.tobytes(), ROW.itemsize
    values = [HEAD + block[k : k + size] for k in range(0, len(block), size)]
    if any(profiles):
        return [v if p is None else v + p for v, p in zip(values, profiles, strict=True)]
    return values


def decode_rows(values: Sequence[bytes]) -> tuple[np.ndarray, list[tuple[int, bytes]]]:
    """Return the rows (ROW[n]) of changelog values, and (position, profile) where there is one.

    Raises:
        UnknownLayout: a value is none of ours, or of a newer version.
    """
    size = ENTRY.itemsize
    profiles = [(k, v[size:]) for k, v in enumerate(values) if len(v) > size]
    joined = b"".join([v[:size] for v in values] if profiles else values)
    heads = {v[:4] for v in values}
    if heads - {HEAD} or len(joined) != size * len(values):
        raise UnknownLayout(f"changelog heads {sorted(heads - {HEAD})}: this version reads {HEAD!r} alone")
    return np.frombuffer(joined, ENTRY)["row"], profiles
