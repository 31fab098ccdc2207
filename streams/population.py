"""The population: users by value of every dimension that is kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.shard import Shard


def population(shards: Sequence[Shard]) -> dict[str, dict[str, int]]:
    """Return how many users have each value of each dimension that is kept; `none` is not counted."""
    if not shards:
        return {}
    book = shards[0].book
    counts = np.sum([shard.population for shard in shards], axis=0)
    return {
        dimension: {value: int(counts[place][k]) for k, value in enumerate(values[1:], 1)}
        for place, (dimension, values) in enumerate(zip(book.dimensions, book.values, strict=True))
        if book.table["on"][:, place].any()
    }
