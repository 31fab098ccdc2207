"""Rows ⇄ changelog values: a four-byte head (magic, layout, spare), the row's bytes, then the profile's JSON."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.core.row import LAYOUT, ROW

HEAD = np.void(b"AW" + bytes([LAYOUT, 0]))
ENTRY = np.dtype([("head", "V4"), ("row", ROW)])


class UnknownLayout(ValueError):
    """A changelog value that this version cannot read."""


def encode_rows(rows: np.ndarray, profiles: Sequence[bytes | None]) -> list[bytes]:
    """Return the changelog values of rows (ROW[n]) and their profiles."""
    entries = np.empty(len(rows), ENTRY)
    entries["head"] = HEAD
    entries["row"] = rows
    block, size = entries.tobytes(), ENTRY.itemsize
    values = [block[k : k + size] for k in range(0, len(block), size)]
    if any(profiles):
        return [v if p is None else v + p for v, p in zip(values, profiles, strict=True)]
    return values


def decode_rows(values: Sequence[bytes]) -> tuple[np.ndarray, list[tuple[int, bytes]]]:
    """Return the rows (ROW[n]) of changelog values, and (position, profile) where there is one.

    Raises:
        UnknownLayout: a value is none of ours, or of another version.
    """
    size = ENTRY.itemsize
    profiles = [(k, v[size:]) for k, v in enumerate(values) if len(v) > size]
    joined = b"".join([v[:size] for v in values] if profiles else values)
    strange = {bytes(v[:4]) for v in values} - {HEAD.tobytes()}
    if strange or len(joined) != size * len(values):
        raise UnknownLayout(f"changelog values begin {sorted(strange)}: this version reads {HEAD.tobytes()!r} alone")
    return np.frombuffer(joined, ENTRY)["row"], profiles
