"""What very many users need of one worker: `python -m tests.bench.users [USERS [SHARDS]]`.

Shards come to so many users in all (10,000,000 of one shard, unless it is said) in the order of event time, with every
dimension on: of the events of each chunk one half are of new users, the others of known ones. Printed are how long a
step of each kind takes at most, in CPU, so that what else the machine does counts little; what a sweep costs by which
nobody is due, of all shards together; what it costs to go through a shard's users; and what a user weighs. The process
has imported, compiled and put together all that a worker has, Faust and its web pages too; it connects to nothing.
Nothing is asserted here.
"""

import gc
import itertools
import sys
import time
from pathlib import Path

import numpy as np

from streams.column import Column
from streams.core.row import DAY, NEVER, PURCHASES
from streams.index import HASHES
from streams.ops import doctor, job  # noqa: F401 (a worker asks the doctor first)
from streams.rulebook import build
from streams.settings import Settings
from streams.shard import Shard
from streams.worker import run
from streams.worker.warm import warm
from tests.bench.fold import CHUNK, told

DAYS = 60
COMMIT = 15
"""Chunks between two commits: what a worker folds within half a second."""
SWEEPS = 41
DIGITS = 9


class Pauses:
    """The CPU seconds of each step, by kind."""

    def __init__(self):
        self.kinds = {}

    def __call__(self, kind, work, *arguments):
        started = time.thread_time()
        result = work(*arguments)
        self.kinds.setdefault(kind, []).append(time.thread_time() - started)
        return result

    def table(self):
        print(f"{'ms of CPU':26}{'calls':>9}{'median':>9}{'99 %':>9}{'most':>9}")
        for kind, taken in self.kinds.items():
            median, most_of_them, most = np.quantile(taken, [0.5, 0.99, 1.0]) * 1000
            print(f"{kind:26}{len(taken):9,}{median:9.3f}{most_of_them:9.3f}{most:9.3f}")


def keys(users):
    """The keys of users (i8[n]), as bytes and spans."""
    data = np.full((len(users), DIGITS + 1), ord("u"), np.uint8)
    for place in range(DIGITS):
        data[:, DIGITS - place] = ord("0") + users // 10**place % 10
    ends = np.arange(1, len(users) + 1) * (DIGITS + 1)
    return data.ravel(), np.stack([ends - DIGITS - 1, ends], axis=1)


def chunks(users, seed):
    """Yield the keys and events of a shard's chunks."""
    rng, count = np.random.default_rng(seed), 2 * users // CHUNK
    for n in range(count):
        new = np.arange(n * CHUNK // 2, (n + 1) * CHUNK // 2)
        user = rng.permutation(np.concatenate([new, rng.integers(0, new[-1] + 1, CHUNK - len(new))]))
        at = job.START + np.sort(rng.uniform(n, n + 1, CHUNK) * DAYS * DAY / count).astype(np.int64)
        bought, amount = rng.random(CHUNK) < job.ORDERS, np.round(rng.gamma(2, 20, CHUNK), 2)
        events = told(job.Stream(user, at, bought, amount, rng.integers(0, 5000, CHUNK)), seed=n)
        events["offset"] += n * CHUNK
        yield *keys(user), events


def people(pauses, users, shards):
    """Return shards that have come to so many users in all."""
    held = [Shard(build(Settings())) for _ in range(shards)]
    turns = zip(*(chunks(users // shards, seed) for seed in range(shards)), strict=True)
    for n, (shard, (data, spans, events)) in enumerate(
        zip(itertools.cycle(held), itertools.chain.from_iterable(turns))
    ):
        events["row"] = pauses("intern", shard.intern_spans, data, spans)
        pauses("fold", shard.fold, events, {})
        pauses("advance", shard.advance, shard.newest)
        if n // shards % COMMIT == COMMIT - 1:
            pauses("take_changed", shard.take_changed)
    return held


def resident(figure="VmRSS"):
    """The process's memory in bytes (Linux), now or at most (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{figure}:")[1].split()[0]) * 1024


def worker():
    """All that a worker has before its partitions."""
    settings = Settings()
    warm(build(settings))
    return run.build(settings)


def weigh(shards, users, before):
    """Print what a user weighs, in bytes."""
    held = {name: sum(getattr(s, name)[: len(s.index)].nbytes for s in shards) for name in ("rows", "due", "changed")}
    held["orders"] = sum(int(s.heads[0]) * s.pool.itemsize for s in shards)
    buyers = sum(int(s.heads[2]) - 1 for s in shards)
    held["purchases"] = buyers * PURCHASES.itemsize
    held["keys"] = sum(len(s.index.blob) for s in shards)
    held["index but keys"] = sum(s.index.nbytes for s in shards) - held["keys"]
    held["resident, all told"] = resident() - before
    for name, size in held.items():
        print(f"{name:26}{size / users:9.1f} bytes a user{size / 1e9:9.3f} GB")
    everybody = held["resident, all told"] + (users - buyers) * PURCHASES.itemsize
    print(f"{'… had all users bought':26}{everybody / users:9.1f} bytes a user, {buyers / users:.1%} have")
    for name, size in {"before any user": before, "now": resident(), "at most": resident("VmHWM")}.items():
        print(f"the process {name:36}{size / 1e9:9.3f} GB")


def main():
    users, shards = (int(w) for w in (sys.argv[1:] + ["10000000", "1"][len(sys.argv) - 1 :])[:2])
    _app = worker()
    people(Pauses(), 20 * CHUNK, 1)  # compiles the rest, or loads it
    gc.collect()
    gc.freeze()
    gc.disable()
    before, pauses = resident(), Pauses()
    grow = Column.grow
    Column.grow = lambda column, least: pauses("… grow, within the others", grow, column, least)
    held = people(pauses, users, shards)
    for _ in range(SWEEPS):
        pauses("sweep, nobody due", lambda: [shard.advance(shard.watermark) for shard in held])
    for shard in held:
        pauses("between, a thousandth", shard.index.between, 0, HASHES // 1000)
        pauses("between, everybody", shard.index.between, 0, HASHES)
        pauses("trust, a new stop", shard.trust, NEVER, np.array([[job.START, job.START + 1]]))
        pauses("adopt, new rules", shard.adopt, shard.newest, shard.book)
    print(f"{users:,} users of {shards} shards, {2 * users:,} events in chunks of {CHUNK:,}\n")
    pauses.table()
    print()
    weigh(held, users, before)


if __name__ == "__main__":
    main()
