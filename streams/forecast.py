"""A forecast: what will become of a user by time alone, if he does nothing; told by the very fold that will do it.

His row is taken into a shard of its own, and the shard's time from deadline to deadline. The user's real row is not
touched.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.core.row import CAUSES, DAY, NEVER
from streams.shard import Shard
from streams.wire.block import Pairs
from streams.wire.changelog import encode_rows

HORIZON = 400 * DAY
MOST = 40
NO_STOPS = np.empty((0, 2), np.int64)


def forecast(shard: Shard, key: bytes, now: int, stops: np.ndarray = NO_STOPS) -> list[dict[str, Any]]:
    """Return the moves that time alone will make of a user, from what is overdue up to a year after `now` (int ms UTC).

    Each has `at` (int ms UTC), `dimension`, `from`, `to` and `cause`; there are at most 40. `stops` (i8[k, 2]) are the
    spans in which the absence clock stood still.
    """
    number = shard.number(key)
    if number is None:
        return []
    lone = _alone(shard, key, number, stops)
    found = [_named(shard, move) for move in lone.advance(0).tolist()]
    while (due := int(lone.due[0])) < now + HORIZON and len(found) < MOST:
        found += [_named(shard, move) for move in lone.advance(due + 1).tolist()]
        if lone.due[0] <= due:
            break  # a deadline that stands still would stand there for ever
    return found[:MOST]


def _alone(shard: Shard, key: bytes, number: int, stops: np.ndarray) -> Shard:
    """Return a shard under the same rules that holds this user and no other."""
    orders = shard.orders(number)
    value, _ = encode_rows(shard.rows, np.array([number]), shard.purchases, np.array([len(orders)], np.int32), orders)
    lone = Shard(shard.book)
    lone.trust(NEVER, stops)
    lone.restore(Pairs.of([(key, value.tobytes())]))
    lone.settle()
    return lone


def _named(shard: Shard, move: tuple[Any, ...]) -> dict[str, Any]:
    at, _, _, _, dimension, before, to, cause, *_ = move
    values = shard.book.values[dimension]
    return {
        "at": at,
        "dimension": shard.book.dimensions[dimension],
        "from": values[before],
        "to": values[to],
        "cause": CAUSES[cause],
    }
