from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis, RedisCluster

from streams.push.breaker import HOUR, KEPT_HOURS, Ask, RedisBreaker, Trip, approved, refused
from streams.push.breaker_memory import MemoryBreaker
from streams.settings import Push, Settings
from streams.wire.control import Approval

AT = 1_700_000_000_000 // HOUR * HOUR
PUSH = Push(breaker_least=10, breaker_times=3)


def asks(count, *, hours=0, first=0, playbook="win_back", approved=False):
    at = AT + hours * HOUR
    return [Ask(playbook, f"{playbook} {hours} {n}", at + n, approved) for n in range(first, first + count)]


@pytest.fixture(params=["redis", "memory"])
def breaker(request):
    """Return a function that calls a method of a new breaker, in Redis or in memory."""
    if request.param == "memory":
        twin = MemoryBreaker(PUSH)
        yield lambda name, *arguments: asyncio.run(getattr(twin, name)(*arguments))
        return
    with asyncio.Runner() as runner:
        redis = Redis.from_url(request.getfixturevalue("url"))
        real = RedisBreaker(redis, PUSH)
        yield lambda name, *arguments: runner.run(getattr(real, name)(*arguments))
        runner.run(redis.aclose())


def let(breaker, batch):
    return sum(breaker("allow", batch))


def test_what_is_beyond_the_least_is_stopped_where_nothing_is_usual_yet(breaker):
    assert breaker("allow", asks(12)) == [True] * 10 + [False] * 2
    assert let(breaker, asks(12, playbook="another")) == 10


def test_asked_again_the_answer_is_the_same_and_counts_nothing_twice(breaker):
    first = breaker("allow", asks(12))
    assert breaker("allow", asks(12)) == first
    assert breaker("tripped", ["win_back"], AT) == [Trip("win_back", AT, 12, 10)]


def test_so_many_times_the_busiest_hour_of_a_week_may_go(breaker):
    assert let(breaker, asks(10)) == 10
    assert let(breaker, asks(5, hours=1)) == 5
    assert let(breaker, asks(100, hours=2)) == 30
    assert let(breaker, asks(100, hours=168)) == 30
    assert let(breaker, asks(100, hours=169)) == 15


def test_an_hour_that_was_stopped_is_not_usual_so_that_a_fault_does_not_allow_itself_more(breaker):
    for hour in range(4):
        assert let(breaker, asks(100, hours=hour)) == 10


def test_what_is_approved_goes_and_its_hour_is_usual_from_then_on(breaker):
    assert let(breaker, asks(100)) == 10
    assert let(breaker, asks(100, approved=True)) == 100
    assert let(breaker, asks(100)) == 100
    assert breaker("tripped", ["win_back"], AT) == []
    assert let(breaker, asks(500, hours=1)) == 300


def test_the_stopped_hours_of_a_week_can_be_read(breaker):
    for hour in (0, 2):
        breaker("allow", asks(15, hours=hour))
    both = [Trip("win_back", AT, 15, 10), Trip("win_back", AT + 2 * HOUR, 15, 10)]
    assert breaker("tripped", ["other", "win_back"], AT + 2 * HOUR) == both
    assert breaker("tripped", ["win_back"], AT + 168 * HOUR) == both[1:]
    assert breaker("tripped", ["win_back"], AT + HOUR) == both[:1]


def test_with_no_least_there_is_no_breaker(url):
    async def run(breaker):
        return await breaker.allow(asks(100))

    off = Push(breaker_least=0)
    assert asyncio.run(run(MemoryBreaker(off))) == asyncio.run(run(RedisBreaker(Redis.from_url(url), off)))
    assert all(asyncio.run(run(MemoryBreaker(off))))


def test_what_lies_far_back_is_forgotten(url):
    async def run():
        async with Redis.from_url(url) as redis:
            breaker = RedisBreaker.open(Settings(group="shop", push=PUSH), redis)
            for hour in range(0, 1000, 10):
                await breaker.allow(asks(12, hours=hour))
            lives = [await redis.pttl(name) for name in await redis.keys("shop:{win_back}:*")]
            return await redis.hlen("shop:{win_back}:let"), await redis.hlen("shop:{win_back}:stops"), lives

    *kept, lives = asyncio.run(run())
    assert kept == [KEPT_HOURS // 10 + 1] * 2
    assert all(0 < life <= KEPT_HOURS * HOUR for life in lives)


def test_in_a_cluster_all_keys_of_a_playbook_are_in_one_slot(cluster):
    async def run():
        async with RedisCluster.from_url(cluster) as redis:
            breaker = RedisBreaker(redis, PUSH)
            batch = [*asks(12), *asks(12, playbook="other"), *asks(3, approved=True)]
            return await breaker.allow(batch), await breaker.tripped(["win_back", "other"], AT)

    told, trips = asyncio.run(run())
    assert told == ([True] * 10 + [False] * 2) * 2 + [True] * 3
    assert trips == [Trip("other", AT, 12, 10)]


def test_an_approval_holds_for_its_playbook_and_its_time():
    said = [Approval("win_back", AT, AT + HOUR)]
    assert [approved(said, "win_back", at) for at in (AT - 1, AT, AT + HOUR - 1, AT + HOUR)] == [
        False, True, True, False
    ]  # fmt: skip
    assert not approved(said, "another", AT)
    assert not refused(said, "win_back", AT)


def test_a_refusal_holds_for_what_was_stopped_before_it():
    said = [Approval("win_back", AT, AT, granted=False)]
    assert [refused(said, "win_back", at) for at in (AT - HOUR, AT, AT + 1)] == [True, True, False]
    assert not refused(said, "another", AT - HOUR)
    assert not approved(said, "win_back", AT)
