"""The gate's laws: both gates are one, no window holds more than the cap, a verdict belongs to its id."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.push.gate import EPISODE, KEPT_MS, Admission, Ask, Limit, RedisGate, Way
from streams.push.memory import MemoryGate
from streams.settings import DAY
from streams.wire.message import Outcome

AT = 1_700_000_000_000
WINDOW = 7 * DAY


def capped(decision, user, at, most, window):
    return Ask(decision, user, at, (Limit("capped", "*", window, most),))


users = st.sampled_from(["u1", "}{", "a b"])
decisions = st.sampled_from(["d1", "d2", "d3", "d 4", "d%5\n", "{d6}", "* d1"])
channels = st.sampled_from(["inbox", "webhook"])
windows = st.sampled_from([1, DAY, WINDOW, 365 * DAY])
# Times crowd around each other, the window's edge and the edge of memory: that is where gates could differ.
times = st.builds(
    lambda base, step: max(0, AT + base + step),
    st.sampled_from([0, DAY, WINDOW, 2 * WINDOW, KEPT_MS, KEPT_MS + WINDOW, 2 * KEPT_MS + WINDOW, 400 * DAY, -AT]),
    st.integers(-2, 2),
)
bounds = st.sampled_from([1, 2, 100])
tags = st.sampled_from(["*", "group:a", "playbook:b", "channel:inbox"])
limits = st.builds(
    Limit,
    st.sampled_from(["capped", "exclusive"]),
    tags,
    windows,
    st.integers(0, 3),
    st.sampled_from(["", "group:a", EPISODE]),
)
ways = st.builds(Way, channels, st.booleans(), st.sampled_from([0, DAY, WINDOW]), st.integers(0, 2))
asks = st.builds(
    Ask,
    decisions,
    users,
    times,
    st.lists(limits, max_size=3).map(tuple),
    st.lists(tags, unique=True, max_size=3).map(tuple),
    st.lists(ways, max_size=2, unique_by=lambda way: way.channel).map(tuple),
    st.sampled_from(["", "episode:1", "episode:2"]),
)
outcomes = st.builds(
    Outcome,
    decision=decisions,
    user=users,
    at=times,
    channel=channels,
    outcome=st.sampled_from(["delivered", "failed", "uncertain"]),
    attempts=st.integers(0, 9),
    detail=st.text(max_size=5),
)
steps = st.one_of(
    st.tuples(st.just("admit"), st.lists(asks, min_size=1, max_size=5)),
    st.tuples(st.just("claim"), decisions, users, channels),
    st.tuples(st.just("look"), decisions, users, channels),
    st.tuples(st.just("complete"), outcomes),
    st.tuples(st.just("finish"), decisions, users, st.lists(channels, unique=True)),
    st.tuples(
        st.just("release"), st.lists(st.tuples(decisions, users), max_size=3), st.sampled_from(["capped", "budget"])
    ),
    st.tuples(st.just("forget"), users),
)
# One user, one window, many decisions: here the gate forgets, and what is claimed may be forgotten under way.
moments = st.builds(
    lambda periods, step: AT + periods * (KEPT_MS + WINDOW) + step,
    st.integers(0, 3),
    st.sampled_from([0, 1, WINDOW - 1, WINDOW, WINDOW + 1]),
)
idents = st.integers(0, 9).map("d {}".format)
crowded = st.one_of(
    st.builds(lambda ident, at: ("admit", [capped(ident, "u1", at, 2, WINDOW)]), idents, moments),
    st.tuples(st.sampled_from(["claim", "look"]), idents, st.just("u1"), st.just("inbox")),
    st.tuples(st.just("finish"), idents, st.just("u1"), st.just(["inbox"])),
)


async def play(gate, history):
    return [await getattr(gate, name)(*arguments) for name, *arguments in history]


@settings(max_examples=600)
@given(st.lists(steps, max_size=40) | st.lists(crowded, min_size=10, max_size=40), bounds)
def test_redis_and_memory_are_one_gate(live, history, bound):
    run, redis = live
    run(redis.flushdb())
    real, twin = RedisGate(redis, max_decisions=bound), MemoryGate(max_decisions=bound)
    assert run(play(real, history)) == run(play(twin, history))


@settings(max_examples=300)
@given(st.lists(st.tuples(users, times), max_size=30), st.integers(0, 3), windows, bounds)
def test_no_order_of_asking_puts_more_than_the_cap_into_any_window(live, candidates, cap, window, bound):
    run, redis = live
    run(redis.flushdb())
    batch = [capped(f"d{index}", user, at, cap, window) for index, (user, at) in enumerate(candidates)]
    verdicts = run(RedisGate(redis, max_decisions=bound).admit(batch))
    sent = defaultdict(list)
    for ask, verdict in zip(batch, verdicts, strict=True):
        if verdict.verdict == "admitted":
            sent[ask.user].append(ask.at)
    for moments in sent.values():
        assert all(sum(start <= at < start + window for at in moments) <= cap for start in moments)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3)), max_size=30), st.integers(1, 3), st.data())
def test_in_order_the_cap_is_the_plain_rule_and_repetition_changes_nothing(live, history, cap, data):
    """Against an oracle of three lines, with batches cut anywhere and crashes that repeat them."""
    run, redis = live
    run(redis.flushdb())
    batch = [
        capped(f"d{index}", "u1", AT + day * DAY + jitter, cap, WINDOW)
        for index, (day, jitter) in enumerate(sorted(history))
    ]
    sent: list[int] = []
    expected = []
    for ask in batch:
        free = sum(ask.at - at < WINDOW for at in sent) < cap
        expected.append("admitted" if free else "capped")
        sent += [ask.at] * free
    gate, got = RedisGate(redis), []
    while len(got) < len(batch):
        size = data.draw(st.integers(1, len(batch) - len(got)))
        chunk = batch[len(got) : len(got) + size]
        for _ in range(data.draw(st.integers(0, 2))):
            run(gate.admit(chunk))
        got += run(gate.admit(chunk))
    assert [answer.verdict for answer in got] == expected


@settings(max_examples=300)
@given(st.lists(asks, min_size=1, max_size=25), bounds)
def test_an_id_once_decided_is_never_admitted_anew(live, history, bound):
    """Forgotten or not, whatever was asked in between, whatever the cap has become: no push on a replay."""
    run, redis = live
    run(redis.flushdb())
    gate = RedisGate(redis, max_decisions=bound)
    first = {(ask.user, ask.decision): ask for ask in reversed(history)}
    once = run(gate.admit(list(first.values())))
    for ask, before in zip(first.values(), once, strict=True):
        generous = tuple(limit._replace(most=9) for limit in ask.limits)
        (again,) = run(gate.admit([replace(ask, limits=generous)]))
        assert again in (before, Admission("already_sent"))
