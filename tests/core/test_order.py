"""A user's orders: found again by their ids, forgotten when they are old or too many, their places used again."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.core import order
from streams.core.order import KEPT_DAYS, KEPT_ORDERS, MOST_ORDERS
from streams.core.row import DAY, EVENT, ORDERS
from streams.core.rules import activity_only
from tests.core.life import T0, Life


def hashes(life):
    return life.shard.orders(0)["hash"].tolist()


def test_the_newest_told_stands_first():
    life = Life(activity_only())
    for ident in (3, 1, 2):
        life.buy(T0, 100 * ident, hash=ident)
    assert hashes(life) == [2, 1, 3]
    place = order.find(life.shard._state(), life.row, 1)
    assert life.shard.pool["amount"][place - 1] == 100
    assert order.find(life.shard._state(), life.row, 9) == 0


def test_orders_of_half_a_year_are_remembered_and_of_older_ones_the_newest_few():
    life = Life(activity_only())
    for ident in range(1, 8):
        life.buy(T0 + ident, 100, hash=ident)
    life.buy(T0 + KEPT_DAYS * DAY, 100, hash=8)
    assert len(hashes(life)) == 8  # all lie within the time
    life.buy(T0 + (KEPT_DAYS + 1) * DAY, 100, hash=9)
    assert hashes(life) == [9, 8, 7, 6]
    assert len(hashes(life)) == KEPT_ORDERS


def test_a_forgotten_order_is_past_refunding():
    life = Life(activity_only())
    for ident in range(1, 8):
        life.buy(T0 + ident, 100, hash=ident)
    life.buy(T0 + (KEPT_DAYS + 1) * DAY, 100, hash=8)
    life.refund(T0 + (KEPT_DAYS + 2) * DAY, 1)
    assert (life.row["orders"], life.row["spend"]) == (8, 800)


def test_no_more_are_remembered_than_a_byte_can_count():
    life = Life(activity_only())
    for ident in range(1, MOST_ORDERS + 20):
        life.buy(T0, 1, hash=ident)
    assert hashes(life) == list(range(MOST_ORDERS + 19, 19, -1))
    assert life.row["orders"] == MOST_ORDERS + 19
    assert life.shard.heads[0] <= MOST_ORDERS + 1


def test_places_that_were_freed_are_used_again():
    life = Life(activity_only())
    for ident in range(1, 40):
        life.buy(T0 + ident * 30 * DAY, 100, hash=ident)
    assert life.shard.heads[0] < 10
    assert hashes(life)[:2] == [39, 38]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(0, 400)), max_size=60))
def test_the_lists_of_several_users_never_mix(told):
    life = Life(activity_only())
    keys, known, offsets = [b"a", b"b", b"c", b"d"], [{}, {}, {}, {}], itertools.count()
    for who, ident, day in sorted(told, key=lambda t: t[2]):
        place = np.zeros(1, EVENT)
        place["at"], place["source"], place["hash"], place["amount"] = T0 + day * DAY, ORDERS, ident, 100
        place["offset"], place["row"] = next(offsets), life.shard.intern([keys[who]])
        life.shard.fold(place, {})
        known[who].setdefault(ident, day)
        # By the definition: those of the time, and the newest few.
        kept = sorted(known[who], key=lambda i: -known[who][i])
        held = set(life.shard.orders(life.shard.index.find(keys[who]))["hash"].tolist())
        assert {i for i in kept if known[who][i] >= day - KEPT_DAYS} <= held <= set(kept)
        for old in set(kept) - held:
            del known[who][old]
    total = sum(map(len, known))
    assert sum(len(life.shard.orders(i)) for i in range(len(life.shard.index))) == total
