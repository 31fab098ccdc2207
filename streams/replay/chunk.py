"""A chunk of a file: its events as columns, whose they are, and what of it cannot be read.

What is JSON already, or made JSON because columns alone cannot tell whether it is good, goes the worker's way, by
`decode`: so a record is refused here as it would be there, and in the same words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streams.core.row import EVENT
from streams.wire.block import Block
from streams.wire.decode import Names, decode

Payloads = dict[int, bytes | None]
"""What is handed on whole (see `decode`), by line."""


class Terms(NamedTuple):
    """By what records are read: see `decode`."""

    latest_at: int
    minor_units: int
    names: Names | None


class Bad(NamedTuple):
    """A record that cannot be read: where it stands, why, and as it was found."""

    line: int
    reason: str
    detail: str
    value: bytes


class Chunk(NamedTuple):
    """Some records of a file.

    Attributes:
        events: EVENT[n]; rows are not set, and offsets are lines.
        data: u1[size], in which `users` (i8[n, 2]) are the spans of the users' ids.
        payloads: what is handed on whole.
        bad: what cannot be read.
    """

    events: np.ndarray
    data: np.ndarray
    users: np.ndarray
    payloads: Payloads
    bad: list[Bad]


NONE = Chunk(np.empty(0, EVENT), np.empty(0, np.uint8), np.empty((0, 2), np.int64), {}, [])


def of_block(source: int, block: Block, terms: Terms) -> Chunk:
    """Return records of one source that are JSON and have no keys, their offsets being lines."""
    decoded = decode(source, block, terms.latest_at, terms.minor_units, terms.names, keyed=False)
    payloads = {line: payload for (_, line), payload in decoded.payloads.items()}
    bad = [Bad(b.record.offset, b.reason, b.detail, b.record.value or b"") for b in decoded.bad]
    return Chunk(decoded.events, decoded.data, decoded.keys, payloads, bad)


def joined(one: Chunk, other: Chunk) -> Chunk:
    """Return two chunks of the same part of a file as one, in the order of the lines."""
    events = np.concatenate([one.events, other.events])
    users = np.concatenate([one.users, np.where(other.users < 0, other.users, other.users + len(one.data))])
    order = np.argsort(events["offset"], kind="stable")
    data = np.concatenate([one.data, other.data])
    return Chunk(events[order], data, users[order], one.payloads | other.payloads, one.bad + other.bad)
