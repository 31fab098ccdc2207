"""How fast users are read back from the changelog: `python -m tests.bench.recovery [USERS]`.

Users of five events each, with every dimension on, are committed to the changelog of one partition on a real Kafka, and
read back by the code with which a worker recovers, pinned to one core, the broker on the other. Medians over repeats,
all in one run; beside the whole, what the fetch alone and the rows alone take. Nothing is asserted here but that the
same users came back.
"""

import asyncio
import os
import statistics
import sys
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.ops import topics
from streams.ops.kafka import RealKafka
from streams.rulebook import build
from streams.settings import Settings
from streams.shard import Shard
from streams.worker import garbage
from streams.worker.batch import records, whole
from streams.worker.ledger import TransactionalLedger
from streams.worker.recovery import read_to_end, recover
from tests.bench.fold import CHUNK, peopled

REPEATS = 5


async def write(settings, tp, shard):
    """Commit all users, some in each transaction, as a worker does."""
    ledger = await TransactionalLedger.open(settings, tp.partition, tp.topic)
    rows = shard.take_changed()
    for first in range(0, len(rows), CHUNK):
        ledger.position(settings.topics.clicks, first)
        await ledger.commit([rows[first : first + CHUNK]])
    await ledger.close()
    return rows


async def fetch(settings, tp):
    """Read the changelog to its end, and do nothing with it."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, isolation_level="read_committed", auto_offset_reset="earliest",
        fetch_max_wait_ms=20, max_partition_fetch_bytes=8 << 20, key_deserializer=whole,
    )  # fmt: skip
    await consumer.start()
    consumer.assign([tp])
    count = 0
    while not await read_to_end(consumer, tp):
        for found in (await consumer.getmany(tp, timeout_ms=200)).values():
            count += len(records(found))
    await consumer.stop()
    return count


async def whole_way(settings, tp, book, expected):
    """Read the users back as a worker does."""
    shard = Shard(book)
    await recover(shard, settings.kafka, tp, 0, lambda: None)
    assert len(shard.index) == len(expected.index)
    assert shard.rows["seq"][: len(shard.index)].sum() == expected.rows["seq"][: len(expected.index)].sum()


async def rows_alone(rows, book):
    """Put the rows in place that stand in memory."""
    shard = Shard(book)
    for first in range(0, len(rows), CHUNK):
        shard.restore(rows[first : first + CHUNK])
    shard.settle()


def timed(work):
    """Return the seconds, and the CPU seconds, that a coroutine takes."""
    began, used = time.perf_counter(), time.process_time()
    asyncio.run(work)
    return time.perf_counter() - began, time.process_time() - used


def main():
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    book = build(Settings())
    with RealKafka(cpu=1) as kafka:
        os.sched_setaffinity(0, {0})
        settings = Settings(kafka=kafka.bootstrap, partitions=1)
        topics.create(settings)
        tp = TopicPartition(topics.changelog(settings), 0)
        shard = peopled(book, users)
        rows = asyncio.run(write(settings, tp, shard))
        size = len(rows.data)
        print(f"{len(rows):,} rows of {size / len(rows):.0f} bytes; median of {REPEATS}, one core\n")
        ways = {
            "recovery": lambda: whole_way(settings, tp, book, shard),
            "the fetch alone": lambda: fetch(settings, tp),
            "the rows alone": lambda: rows_alone(rows, book),
        }
        garbage.freeze()
        runs = [{name: timed(way()) for name, way in ways.items()} for _ in range(REPEATS)]
    for name in ways:
        seconds, cpu = (statistics.median(run[name][place] for run in runs) for place in (0, 1))
        print(f"{name:18}{len(rows) / seconds:12,.0f} rows/s{cpu / len(rows) * 1e6:9.2f} µs of CPU a row")


if __name__ == "__main__":
    main()
