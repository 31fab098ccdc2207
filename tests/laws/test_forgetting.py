"""A Redis that has forgotten its last moments lets no more go beyond a limit than had gone in them.

So it is with `appendfsync everysec` when its machine fails. What the twins in memory do, Redis does: other laws say so.
"""

import asyncio
from collections import Counter
from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.push.gate import Ask, Limit
from streams.push.memory import MemoryGate
from streams.push.purse import Purse, Reservation
from streams.push.purse_memory import MemoryStore
from streams.settings import DAY
from tests.laws.test_purse import scarce

AT = 1_700_000_000_000
WINDOW = 7 * DAY
moments = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted)
"""Of what happens from the first on nothing is kept, once it is the second."""


@settings(max_examples=300)
@given(
    st.lists(scarce, min_size=10, max_size=20),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["reserve", "commit"])), max_size=40),
    moments,
)
def test_no_more_is_spent_beyond_a_limit_than_was_spent_in_what_a_purse_forgot(costs, steps, span):
    batch = [Reservation(f"d{number}", charges, AT + DAY) for number, charges in enumerate(costs)]
    purse, gone, spent, forgotten = Purse(MemoryStore()), set(), Counter(), Counter()
    for moment, (number, verb) in enumerate(steps):
        if moment == span[0]:
            kept = deepcopy(purse)
        if moment == span[1]:
            purse = kept
        if number in gone:
            continue  # its outcome stands in Kafka: nobody asks for it again
        [answer] = asyncio.run(getattr(purse, verb)([batch[number]], AT))
        if verb == "commit" and answer.granted:
            gone.add(number)
            for account, amount in batch[number].charges:
                spent[account] += amount
                forgotten[account] += amount if span[0] <= moment < span[1] else 0
    assert all(amount <= account.limit + forgotten[account] for account, amount in spent.items())


@settings(max_examples=300)
@given(st.lists(st.integers(0, 20), max_size=40), st.integers(0, 3), moments)
def test_no_more_is_sent_beyond_a_cap_than_was_admitted_in_what_a_gate_forgot(days, most, span):
    gate, sent = MemoryGate(), []
    for moment, day in enumerate(days):
        if moment == span[0]:
            kept = deepcopy(gate)
        if moment == span[1]:
            gate = kept
        ask = Ask(f"d{moment}", "u", AT + day * DAY, (Limit("capped", "*", WINDOW, most),))
        [answer] = asyncio.run(gate.admit([ask]))
        if answer.verdict == "admitted" and not span[0] <= moment < span[1]:
            sent.append(ask.at)
    assert all(sum(start <= at < start + WINDOW for at in sent) <= most for start in sent)
