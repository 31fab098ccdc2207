"""What the fold costs, on one core, and what a user weighs: `python -m tests.bench.fold [EVENTS [USERS]]`.

The bench job's clicks and orders, with kinds, categories, sources and coupons sprinkled in, are folded in chunks, time
passing after each; once with the activity class alone and once with every dimension on. Medians over repeats, all in
one run. Then 1,000,000 users of five events each, in a process of their own: bytes a user. Last the first call of a
process, with the compiler's cache and without. Nothing is asserted here: it is read, on a quiet machine.
"""

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from streams.core.row import CLICK_KINDS, CLICKS, DAY, EVENT, ORDER, ORDERS, PURCHASES, ROW
from streams.core.rules import activity_only
from streams.ops import job
from streams.rulebook import build
from streams.settings import Settings
from streams.shard import Shard

REPEATS = 5
CHUNK = 10_000
CATEGORIES, ORIGINS = 50, 8
COUPONS = 0.1  # of the orders
WEIGHED_USERS, WEIGHED_EVENTS = 1_000_000, 5
SHARES = {
    "view": 70, "visit": 8, "search": 6, "cart": 4, "favorite": 2, "like": 2, "checkin": 2, "share": 1, "comment": 1,
    "review": 1, "publish": 1, "feedback": 0.5, "refer": 0.5, "complaint": 0.2, "resolved": 0.2, "redeem": 0.2,
    "register": 0.4,
}  # fmt: skip
"""Clicks by kind, in hundredths."""


def rulebooks():
    return {
        "the activity class alone": activity_only(dormant_ms=job.LAPSE_DAYS * DAY),
        "every dimension on": build(Settings()),
    }


def told(stream, seed=11):
    """The job's events as the shard takes them (EVENT[n]), the rest of what events carry sprinkled in."""
    rng, n = np.random.default_rng(seed), len(stream.at)
    events = np.zeros(n, EVENT)
    events["row"], events["at"], events["act"] = stream.user, stream.at, 1
    events["source"] = np.where(stream.order, ORDERS, CLICKS)
    for source in (CLICKS, ORDERS):
        mine = events["source"] == source
        events["offset"][mine] = np.arange(np.count_nonzero(mine))
    shares = np.array([SHARES[kind] for kind in CLICK_KINDS])
    events["kind"] = np.where(stream.order, 0, rng.choice(len(CLICK_KINDS), n, p=shares / shares.sum()))
    events["amount"] = np.where(stream.order, stream.amount * 100, 0)
    events["hash"] = np.where(stream.order, rng.integers(1, 1 << 62, n), 0)
    events["coupon"] = stream.order & (rng.random(n) < COUPONS)
    events["category"] = stream.item % CATEGORIES + 1
    visits = events["kind"] == CLICK_KINDS.index("visit")
    events["origin"] = np.where(visits & ~stream.order, rng.integers(1, ORIGINS, n), 0)
    return events


def run(book, events, users):
    """Fold all events in chunks; return the shard, seconds of folding, seconds of time passing, moves."""
    shard = Shard(book)
    shard.intern([b"u%07d" % user for user in range(users)])
    folding, passing, moves = 0.0, 0.0, 0
    for start in range(0, len(events), CHUNK):
        chunk = events[start : start + CHUNK]
        started = time.perf_counter()
        moves += len(shard.fold(chunk, {}))
        folded = time.perf_counter()
        moves += len(shard.advance(shard.newest))
        folding, passing = folding + folded - started, passing + time.perf_counter() - folded
    return shard, folding, passing, moves


def speed(events, users):
    stream = told(job.generate(events, users))
    for name, book in rulebooks().items():
        run(book, stream[:CHUNK], users)  # compiles, or loads what was compiled
        gc.collect()
        runs = [run(book, stream, users) for _ in range(REPEATS)]
        folding, passing = (statistics.median(r[place] for r in runs) for place in (1, 2))
        n, moves = len(stream), runs[0][3]
        print(
            f"{name:26} fold {n / folding:12,.0f} events/s {folding / n * 1e6:7.3f} µs   advance"
            f" {passing / n * 1e6:7.3f} µs an event   both {n / (folding + passing):12,.0f} events/s   {moves:,} moves"
        )


def peopled(book, count):
    """Return a shard of so many users, of some events each."""
    shard, rng = Shard(book), np.random.default_rng(5)
    for turn in range(WEIGHED_EVENTS):
        for first in range(0, count, CHUNK):
            users, day = np.arange(first, first + CHUNK), job.START + turn * 7 * DAY
            bought, amount = rng.random(CHUNK) < job.ORDERS, np.round(rng.gamma(2, 20, CHUNK), 2)
            at, item = day + rng.integers(0, DAY, CHUNK), rng.integers(0, 5000, CHUNK)
            events = told(job.Stream(users, at, bought, amount, item), seed=first + turn)
            events["row"] = shard.intern([b"u%07d" % user for user in users.tolist()])
            events["offset"] += (turn * count + first) * 2
            shard.fold(events, {})
    return shard


def weigh():
    """Print what a shard of many users holds, in bytes a user, as JSON; run in a process of its own."""
    book = build(Settings())
    run(book, told(job.generate(1000, 100)), 100)
    before = resident()
    shard = peopled(book, WEIGHED_USERS)
    gc.collect()
    held = {"rows": shard.rows, "due": shard.due, "changed": shard.changed, "orders": shard.pool, "index": shard.index}
    held["purchases"] = shard.purchases
    bought = int(shard.heads[0]) * ORDER.itemsize + int(shard.heads[2]) * PURCHASES.itemsize
    used = WEIGHED_USERS * (ROW.itemsize + 9) + bought + shard.index.nbytes
    found = {name: column.nbytes / WEIGHED_USERS for name, column in held.items()}
    found |= {"orders_a_user": int(shard.heads[0]) / WEIGHED_USERS, "used": used / WEIGHED_USERS}
    print(json.dumps(found | {"resident": (resident() - before) / WEIGHED_USERS}))


def resident():
    """The process's memory in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def start():
    """Print the seconds of a process's first fold of everything."""
    events = told(job.generate(100, 10))
    started = time.perf_counter()
    run(build(Settings()), events, 10)
    print(time.perf_counter() - started)


def apart(what, **environment):
    """Return what another process of this file prints."""
    command = [sys.executable, "-m", "tests.bench.fold", what]
    ended = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


def main():
    words = sys.argv[1:]
    if words in (["weigh"], ["start"]):
        {"weigh": weigh, "start": start}[words[0]]()
        return
    events, users = (int(w) for w in (words + ["1000000", "100000"][len(words) :])[:2])
    print(f"{events:,} events of {users:,} users in chunks of {CHUNK:,}; median of {REPEATS}\n")
    speed(events, users)
    weight = apart("weigh")
    print(f"\n{WEIGHED_USERS:,} users of {WEIGHED_EVENTS} events, every dimension on; bytes a user\n")
    for name, figure in weight.items():
        print(f"{name:14}{figure:10.1f}")
    with tempfile.TemporaryDirectory() as empty:
        cold = apart("start", NUMBA_CACHE_DIR=empty)
    print(f"\nfirst fold of a process: {apart('start'):.1f} s, without the compiler's cache {cold:.1f} s")


if __name__ == "__main__":
    main()
