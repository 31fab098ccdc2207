"""The breaker's laws: both breakers are one, an answer belongs to its id, no hour lets more go than is allowed."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.push.breaker import HOUR, KEPT_HOURS, USUAL_HOURS, Ask, RedisBreaker
from streams.push.breaker_memory import MemoryBreaker
from streams.settings import Push

AT = 1_700_000_000_000 // HOUR * HOUR

playbooks = st.sampled_from(["win_back", "}{"])
decisions = st.integers(0, 30).map("d {}".format)
# Hours crowd around the edges of the week that is usual and of what is remembered.
hours = st.builds(
    lambda base, step: AT + (base + step) * HOUR,
    st.sampled_from([0, 1, USUAL_HOURS, KEPT_HOURS, -KEPT_HOURS, 2 * KEPT_HOURS]),
    st.integers(-1, 1),
)
asks = st.builds(Ask, playbooks, decisions, hours, st.booleans() | st.just(False))
batches = st.lists(st.lists(asks, max_size=20), max_size=12)
pushes = st.builds(Push, breaker_least=st.integers(0, 3), breaker_times=st.sampled_from([1.0, 1.5, 2.0]))


async def play(breaker, history):
    told = []
    for batch in history:
        told.append(await breaker.allow(batch))
        told.append(await breaker.tripped(["win_back", "}{", "other"], max((a.at for a in batch), default=AT)))
    return told


@settings(max_examples=400)
@given(batches, pushes)
def test_redis_and_memory_are_one_breaker(live, history, push):
    run, redis = live
    run(redis.flushdb())
    assert run(play(RedisBreaker(redis, push), history)) == run(play(MemoryBreaker(push), history))


@settings(max_examples=100)
@given(st.lists(st.tuples(decisions, hours), max_size=60), st.integers(1, 3), st.integers(2, 4))
def test_many_who_ask_at_once_and_again_get_one_answer_and_no_hour_lets_more_go(live, found, least, clients):
    """Against the plain rule, each in turn being the one of them that the server heard first."""
    run, redis = live
    push = Push(breaker_least=least, breaker_times=1)
    batch = [Ask("win_back", ident, at) for ident, at in dict.fromkeys(found)]

    async def ask():
        await redis.flushdb()
        return await asyncio.gather(*(RedisBreaker(redis, push).allow(batch) for _ in range(clients)))

    first, *others = run(ask())
    assert all(other == first for other in others)
    gone = Counter(one.at // HOUR for one, may in zip(batch, first, strict=True) if may)
    asked = Counter(one.at // HOUR for one in batch)
    assert gone == {hour: min(count, least) for hour, count in asked.items()}
