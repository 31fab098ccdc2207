"""How long one partition holds a worker's loop: `python -m tests.bench.stalls [USERS]`.

A partition comes to so many users (1,250,000, unless it is said: an eighth of ten million) with every dimension on.
Then each thing that a worker does to it is done once, and printed, as one line of JSON, is the longest time for which
it holds the loop at a stretch: milliseconds of CPU, so that what else the machine does counts little. What waits for
nothing but its turn is stepped by hand. Nothing is asserted here.
"""

import asyncio
import gc
import json
import sys
import time
from types import SimpleNamespace

import msgspec
import numpy as np
import orjson

from streams import metrics
from streams.birthday import Birthdays
from streams.core import period, sketch
from streams.core.row import CLICK_KINDS, CLICKS, DAY, EVENT, NEVER, PROFILES
from streams.core.sketch import SLICE
from streams.ops import job
from streams.population import population
from streams.rulebook import build
from streams.settings import Settings
from streams.shard import Shard
from streams.threshold import Value
from streams.worker import census, serve
from streams.worker.batch import written
from streams.worker.partition import FOLDED_AT_ONCE, Partition
from tests.bench.fold import CHUNK
from tests.bench.users import Pauses, people

EVER = 1 << 62
MASS = 100_000
RESTORED = 14_000
"""Rows of one fetch of the changelog, of 8 MB."""


class Ledger:
    """A ledger that makes batches of what it is told, and lets them go."""

    pending_bytes = changelog_position = 0

    def record(self, topic, records, partition=None):  # noqa: ARG002
        self.pending_bytes += len(records.data)

    def position(self, topic, offset):
        pass

    async def commit(self, changelog):
        self.pending_bytes = 0
        for pairs in changelog:
            for _ in written(pairs, 900_000, transactional=True):
                await asyncio.sleep(0)
        return True


class Stalls:
    """The longest stretch of each thing that is done, in milliseconds of CPU."""

    def __init__(self):
        self.found = {}

    def __call__(self, name, work, *arguments):
        """Do something at a stretch."""
        started = time.thread_time()
        result = work(*arguments)
        self._note(name, started)
        return result

    def steps(self, name, coroutine):
        """Do something that waits for nothing but its turn; each of its steps is a stretch."""
        while True:
            started = time.thread_time()
            try:
                coroutine.send(None)
            except StopIteration:
                return
            finally:
                self._note(name, started)

    def _note(self, name, started):
        self.found[name] = max(self.found.get(name, 0.0), round((time.thread_time() - started) * 1000, 1))


def held(shard):
    """A partition of this shard, whose topics are all read to their ends."""
    reader = SimpleNamespace(read_to_end=lambda topic, number: EVER)  # noqa: ARG005
    settings = msgspec.structs.replace(Settings(), clock="event", lateness_seconds=0, partitioner="any")
    return Partition(0, settings, shard, Ledger(), reader)


class Scene:
    """A partition at work, told of things to come."""

    def __init__(self, shard):
        self.shard, self.partition = shard, held(shard)
        self.rng, self.offset = np.random.default_rng(3), 1 << 40

    def events(self, who, at, source=CLICKS):
        """Let events of some users wait for their turn."""
        events = np.zeros(len(who), EVENT)
        events["row"], events["at"], events["source"], events["act"] = who, at, source, source == CLICKS
        events["kind"] = CLICK_KINDS.index("view") if source == CLICKS else 0
        events["offset"] = self.offset + np.arange(len(who))
        self.offset += len(who)
        self.partition.merge.add(source, events)
        return events["offset"].tolist()

    def wide(self, count):
        return self.rng.choice(len(self.shard.index), count, replace=False)

    async def pass_time(self, until):
        """Let somebody act at `until`, and time pass to it, with the commits that become due."""
        self.events(np.zeros(1, np.int64), until)
        await self.partition.fold_due()
        while self.shard.is_behind:
            await self.partition.pass_time()
            await self.partition.commit()

    async def whole(self, payload, count):
        """Tell of users by what is handed on whole."""
        for number in self.events(self.wide(count), self.shard.newest, PROFILES):
            self.partition._payloads[PROFILES, number] = payload
        await self.partition.fold_due()


def measure(users):
    stalls = Stalls()
    [shard] = people(Pauses(), users, 1)
    scene = Scene(shard)
    partition = scene.partition
    stalls.steps("commit of all users", partition.commit())
    stalls("sweep, nobody due", shard.advance, shard.watermark)
    for _ in range(5):
        scene.events(scene.wide(65_536), shard.newest + 1)
        stalls.steps("fold, events wide spread", partition.fold_due())
        stalls.steps("commit, as much as makes it due", partition.commit())
    for day in range(1, 4):
        stalls.steps("a day begins", scene.pass_time((shard.newest // DAY + 1) * DAY + day))
    scene.events(scene.wide(MASS), shard.newest + 1)
    stalls.steps("fold, events wide spread", partition.fold_due())
    stalls.steps("mass deadline", scene.pass_time(shard.newest + 14 * DAY + 2))
    stalls("trust, a new stop", shard.trust, NEVER, np.array([[job.START, job.START + 1]]))
    stalls.steps("trust, what follows", scene.pass_time(shard.newest + 1))
    stricter = build(msgspec.structs.replace(Settings(), value=Value(frequency_orders=1)), shard.book, 2)
    stalls("adopt, thresholds", shard.adopt, shard.newest, stricter)
    stalls.steps("adopt, what follows", scene.pass_time(shard.newest + 1))
    bands = msgspec.structs.replace(Settings().bands, points={"none_yet": 0, "any": 1, "many": 60})
    words = build(msgspec.structs.replace(Settings(), bands=bands), shard.book, 3)
    scene.events(scene.wide(65_536), shard.newest + 1)
    stalls.steps("fold, events wide spread", partition.fold_due())
    stalls("adopt, other words", shard.adopt, shard.newest, words)
    stalls.steps("adopt, what follows", scene.pass_time(shard.newest + 1))
    said = {"user": "u", "at": shard.newest, "attributes": {"birthday": "1990-01-02"}, "contacts": {"email": "a@b.c"}}
    stalls.steps("profiles", scene.whole(orjson.dumps(said), 8192))
    stalls.steps("erasures", scene.whole(None, 4096))
    asked(stalls, shard)
    read_back(stalls, shard)
    return stalls.found


def asked(stalls, shard):
    """What pages, metrics and pushes ask of all users."""
    stalls("population", population, [shard])
    stalls("census", lambda: (census.count_values([shard]), census.count_sources([shard])))
    stalls("growth accounting", lambda: period.merge([shard.periods] * 8))
    rows, weeks = shard.rows[:SLICE], shard.book.table["look_back_weeks"].tolist()
    stalls("sketch, one slice", sketch.summarize, rows, shard.newest // DAY, weeks, shard.book.kinds)
    born = Birthdays("birthday", "lunar")
    for row in range(0, len(shard.index), 100):
        born.note(row, None)
    stalls("birthdays, one moment", born.count, [1, 2], list(range(40, 60)))
    stalls("users by their hashes", shard.index.between, 0, 1 << 20)
    stalls("tags, some", lambda: serve.tagged(shard, np.arange(serve.AT_ONCE)))
    stalls("was anything read", lambda: bool(shard.rows["applied"][: len(shard.index), 3].any()))


def read_back(stalls, shard):
    """Recovery, a fetch at a time."""
    other = Shard(shard.book)
    for first in range(0, len(shard.index), RESTORED):
        pairs = shard.written(np.arange(first, min(first + RESTORED, len(shard.index))))
        stalls("restore, one fetch", other.restore, pairs)
    settling = other.settling()
    while stalls("settle", next, settling, None) is not None:
        pass


def main():
    users = int((sys.argv[1:] or ["1250000"])[0])
    metrics.FIRST_EVENT.set(1)
    measure(20 * CHUNK)  # compiles, or loads what was compiled
    gc.collect()
    gc.freeze()
    gc.disable()
    print(json.dumps({"users": users, "at_once": FOLDED_AT_ONCE, "longest_ms": measure(users)}))


if __name__ == "__main__":
    asyncio.set_event_loop(None)
    main()
