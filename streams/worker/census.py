"""The census: users by value of every dimension and by source, counted as they move, told every second."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from streams import metrics
from streams.population import population

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.shard import Shard
    from streams.worker.app import Awaken

CENSUS_SECONDS = 1.0
LARGEST = 10


def add_census(app: Awaken) -> None:
    """Have the app take a census of its partitions by its timer."""

    @app.timer(interval=CENSUS_SECONDS)
    async def census() -> None:
        shards = [partition.shard for partition in app.partitions.values()]
        if shards:
            count_values(shards)
            count_sources(shards)


def count_values(shards: Sequence[Shard]) -> None:
    """Tell how many users have each value of each dimension that is kept."""
    for dimension, users in population(shards).items():
        for value, count in users.items():
            metrics.USERS.labels(dimension, value).set(count)


def count_sources(shards: Sequence[Shard]) -> None:
    """Tell from where users came, and how much hangs on a single source."""
    users: Counter[str] = Counter()
    for shard in shards:
        for code in shard.sources.nonzero()[0].tolist():
            if code:
                users[shard.origins.name(code) or "other"] += int(shard.sources[code])
    total = users.total()
    if not total:
        return
    metrics.SOURCE_USERS.clear()
    for name, count in users.most_common(LARGEST):
        metrics.SOURCE_USERS.labels(name).set(count)
    metrics.SOURCE_SHARE.set(max(users.values()) / total)
    metrics.SOURCE_CONCENTRATION.set(sum((count / total) ** 2 for count in users.values()))
