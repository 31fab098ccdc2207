"""Population cuts: what is a high R, F or M where `value.thresholds` is the mean or the median of all buyers.

Each worker sketches the shards that it holds, a slice at a time, and writes the sketches to `control`; the worker that
watches the input merges those of all partitions, takes the cuts from them, and writes them there as a version of the
rules with the time from which it holds. So the cuts stand still between two freezings, every worker has the same, and
who moves by new ones moves by `threshold`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from streams import rulebook
from streams.core import sketch
from streams.core.row import DAY
from streams.core.sketch import SLICE, Summary
from streams.rulebook import refreeze_ms
from streams.settings import Settings
from streams.wire.control import Cuts, RuleVersion
from streams.worker.control import Control, Writer

if TYPE_CHECKING:
    from streams.worker.partition import Partition

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0
PREFIX = "sketch-"


async def sketch_regularly(settings: Settings, control: Control, partitions: Mapping[int, Partition]) -> None:
    """Write a sketch of each partition that is held whenever its last one has become too old; never ends."""
    period = refreeze_ms(settings)
    while period:
        try:
            for number, partition in list(partitions.items()):
                told = control.view.cuts.get(f"{PREFIX}{number}")
                now = partition.time_now()
                if now and (told is None or now >= told.document["at"] + period):
                    summary = await summarize(partition, now // DAY)
                    await _write(settings, Cuts(f"{PREFIX}{number}", {"at": now, **sketch.to_plain(summary)}))
        except (KafkaError, OSError) as error:
            log.warning("the sketches of the population cannot be written yet: %r", error)
        await asyncio.sleep(LOOK_SECONDS)


async def summarize(partition: Partition, day: int) -> Summary:
    """Return the sketch of a partition's buyers as of a day, letting others work between its slices."""
    shard, parts = partition.shard, []
    weeks = shard.book.table["look_back_weeks"].tolist()
    for start in range(0, len(shard.index), SLICE):
        rows = shard.rows[start : min(start + SLICE, len(shard.index))]
        as_of = max(day, int(rows["day"].max(initial=0)))
        parts.append(sketch.summarize(rows, shard.purchases, as_of, weeks, shard.book.kinds))
        await asyncio.sleep(0)
    return sketch.merge(parts)


def new_cuts(settings: Settings, control: Control, hold_from: Callable[[], int]) -> list[RuleVersion]:
    """Return the rules with the cuts of all partitions' newest sketches, if these are newer than the last cuts."""
    period, known = refreeze_ms(settings), control.view.rules
    sketches = [control.view.cuts.get(f"{PREFIX}{number}") for number in range(settings.partitions)]
    if not period or not known or None in sketches:
        return []
    documents: list[Mapping[str, Any]] = [cuts.document for cuts in sketches if cuts is not None]
    newest = known[-1].document
    taken_at = newest.get("cuts_at", 0)
    if min(document["at"] for document in documents) < taken_at + period and "cuts" in newest:
        return []
    whole = sketch.merge([sketch.of_plain({k: v for k, v in d.items() if k != "at"}) for d in documents])
    cuts = rulebook.population_cuts(settings, whole)
    if not cuts:
        return []
    version = str(1 + max(int(rules.version) for rules in known))
    log.info("the population's cuts are frozen anew, as version %s of the rules: %s", version, cuts)
    document = {**newest, "cuts": cuts, "cuts_at": max(document["at"] for document in documents)}
    return [RuleVersion(version, max(hold_from(), known[-1].from_ + 1), document)]


async def _write(settings: Settings, record: Cuts) -> None:
    writer = await Writer.open(settings)
    try:
        await writer.write([record])
    finally:
        await writer.close()
