"""The purse's laws: both stores are one, nothing is exceeded by crowds and crashes, an answer belongs to its id."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.push.account import EVER, MOST, Account
from streams.push.gate import KEPT_MS
from streams.push.purse import Balance, Purse, RedisStore, Reservation
from streams.push.purse_memory import MemoryStore
from streams.settings import DAY

AT = 1_700_000_000_000
HOUR = DAY // 24

# Two budgets by the month, one with limits a user, an offer with a stock of its own for ever: four hash slots.
places = st.sampled_from([
    ("budgets.spring", "2023-11", ""), ("budgets.spring", "2023-11", "u1"), ("budgets.spring", "2023-11", "}{ \0"),
    ("budgets.spring", "2023-12", ""), ("offers.draw", "ever", ""), ("offers.draw", "ever", "umbrella"),
    ("budgets.{x}", "2023-11", ""),
])  # fmt: skip
charges = st.dictionaries(
    places, st.tuples(st.integers(0, 5) | st.just(MOST), st.sampled_from([0, 3, 10, MOST])), max_size=4
).map(lambda found: tuple((Account(p, t, limit, of), amount) for (p, t, of), (amount, limit) in found.items()))
idents = st.sampled_from(["d1", "d2", "d3", "d 4", "{d5}\n", "d\0"])
# Times crowd around the end of holds and of memory: that is where stores could differ.
times = st.builds(
    lambda base, step: AT + base + step, st.sampled_from([0, HOUR, KEPT_MS, KEPT_MS + HOUR, -AT]), st.integers(-1, 1)
).map(lambda at: max(0, at))
reservations = st.builds(Reservation, idents, charges, times)
asks = st.lists(reservations, max_size=4)
accounts = charges.map(lambda found: [account for account, _ in found])
histories = st.lists(
    st.tuples(st.sampled_from(["reserve", "commit", "settle", "release"]), asks, times)
    | st.tuples(st.sampled_from(["balances", "forget"]), accounts),
    max_size=30,
)


async def play(purse, history):
    return [await getattr(purse, name)(*arguments) for name, *arguments in history]


@settings(max_examples=500)
@given(histories, st.sampled_from([1, 2, 100]))
def test_redis_and_memory_are_one_purse(live, history, swept):
    run, redis = live
    run(redis.flushdb())
    real, twin = Purse(RedisStore(redis, swept=swept)), Purse(MemoryStore(swept))
    assert run(play(real, history)) == run(play(twin, history))


@settings(max_examples=200)
@given(st.lists(st.tuples(reservations, st.sampled_from(["reserve", "commit"])), max_size=20), st.integers(0, 2))
def test_an_answer_belongs_to_its_id(live, history, more):
    """Asked again with whatever else in between, as long as nothing is over: the same, and nothing is counted twice."""
    run, redis = live
    run(redis.flushdb())
    purse = Purse(RedisStore(redis))
    first = {}
    for ask, verb in history:
        lasting = first.get(ask.id, (replace(ask, expires_at=AT + DAY), verb, None))
        [answer] = run(getattr(purse, lasting[1])([lasting[0]], AT))
        first.setdefault(ask.id, (lasting[0], verb, answer))
        assert answer == first[ask.id][2]
    named = [account for ask, _, _ in first.values() for account, _ in ask.charges]
    stands = run(purse.balances(named))
    for _ in range(more):
        for ask, verb, answer in first.values():
            assert run(getattr(purse, verb)([ask], AT)) == [answer]
    assert run(purse.balances(named)) == stands


class Killed(BaseException):
    """The process died."""


class Dying(RedisStore):
    """Dies now and then, before or after a round trip, or in the middle of one: some of its steps are taken."""

    def __init__(self, redis, chance, dice):
        super().__init__(redis)
        self.chance, self.dice = chance, dice

    async def run(self, steps):
        if self.dice.random() >= self.chance:
            return await super().run(steps)
        await super().run(steps[: self.dice.randint(0, len(steps))])
        raise Killed


async def insist(redis, chance, dice, verb, ask, now):
    """Ask until an answer arrives, each time as a process that knows nothing of the one before."""
    while True:
        try:
            return await getattr(Purse(Dying(redis, chance, dice)), verb)([ask], now)
        except Killed:
            await asyncio.sleep(0)


async def live_through(redis, chance, seed, ask, paid, clock):
    """One decision's life: reserved, perhaps given up, perhaps late, sent only if the commit says so."""
    dice = random.Random(seed)
    [held] = await insist(redis, chance, dice, "reserve", ask, clock[0])
    if held.granted and dice.random() < 0.2:
        await insist(redis, chance, dice, "release", ask, clock[0])
        return
    clock[0] += dice.randint(0, 2) * HOUR
    [granted] = await insist(redis, chance, dice, "commit", ask, clock[0]) if held.granted else [held]
    if held.granted and not granted.granted:
        await insist(redis, chance, dice, "release", ask, clock[0])  # it is cancelled, as nothing has gone out
    if granted.granted and dice.random() < 0.5:
        ask = replace(ask, charges=tuple((a, dice.randint(0, amount)) for a, amount in ask.charges))
        await insist(redis, chance, dice, "settle", ask, clock[0])
    if granted.granted:
        paid.append(ask)


async def watch(purse, accounts, busy):
    """Look, while others are at work, whether more is held and spent of an account than there is."""
    while not busy.done():
        for account, balance in zip(accounts, await purse.balances(accounts), strict=True):
            assert balance.spent + balance.held <= account.limit


# Few of everything, so that most are refused by one account or the other, at once or when they come too late.
LIMITS = {
    ("budgets.spring", "2023-11", ""): 12, ("budgets.spring", "2023-11", "u1"): 4, ("offers.draw", EVER, ""): 9,
    ("offers.draw", EVER, "umbrella"): 3, ("offers.draw", "2023-11-14", ""): 5,
}  # fmt: skip
scarce = st.dictionaries(st.sampled_from(sorted(LIMITS)), st.integers(1, 3), min_size=1).map(
    lambda found: tuple((Account(*place[:2], LIMITS[place], place[2]), amount) for place, amount in found.items())
)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(scarce, st.integers(0, 3)), min_size=10, max_size=40),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.integers(0, 1 << 32),
)
def test_many_clients_that_die_and_ask_again_exceed_nothing(live, decisions, chance, seed):
    """Two clients a decision, all at once; nothing is exceeded at any time, and what was paid is what the sums say."""
    run, redis = live
    accounts = [Account(*place[:2], limit, place[2]) for place, limit in LIMITS.items()]
    batch = [Reservation(f"d{n}", found, AT + hours * HOUR) for n, (found, hours) in enumerate(decisions)]

    async def through():
        await redis.flushdb()
        paid, clock, purse = [], [AT], Purse(RedisStore(redis))
        lives = [live_through(redis, chance, seed + n, ask, paid, clock) for n, ask in enumerate(batch)]
        twice = [insist(redis, chance, random.Random(n), "reserve", ask, AT) for n, ask in enumerate(batch)]
        busy = asyncio.gather(*lives, *twice)
        await asyncio.gather(busy, watch(purse, accounts, busy))
        # By now all holds are over: any step sweeps them.
        await purse.release([Reservation("nobody", tuple((account, 0) for account in accounts), 0)], AT + 9 * DAY)
        return paid, await purse.balances(accounts)

    paid, stands = run(through())
    spent = Counter()
    for ask in paid:
        for account, amount in ask.charges:
            spent[account] += amount
    assert dict(zip(accounts, stands, strict=True)) == {account: Balance(spent[account]) for account in accounts}
