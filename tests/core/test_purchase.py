"""What users bought by week: a place for who has bought, and none for who never did."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.row import CLICKS, DAY, EVENT, ORDER, ORDERS, PURCHASES, WEEKS
from streams.core.rules import activity_only
from streams.shard import Shard
from streams.wire.block import Pairs
from tests.core.life import T0, Life

BOOK = activity_only()
EMPTY = bytes(PURCHASES.itemsize)


def value(life):
    """What the changelog is told of a life's user."""
    life.shard.changed[0] = 1
    [(_, told)] = [(key, told) for key, told in life.shard.take_changed().each() if key == b"u1"]
    return told


def lived(buys, weeks=0):
    life = Life(BOOK)
    life.act(T0)
    for n in range(buys):
        life.buy(T0 + n, 1000 + n, coupon=1)
    if weeks:
        life.act(T0 + weeks * 7 * DAY)
    return life


def test_who_has_not_bought_has_no_place_and_nothing_stands_at_that_of_all():
    life = lived(buys=0, weeks=40)
    assert life.row["purchases"] == 0
    assert life.shard.heads[2] == 1
    assert life.weekly.tobytes() == EMPTY


def test_a_place_stays_his_who_was_given_it_whatever_becomes_of_what_stands_in_it():
    life = lived(buys=2)
    life.refund(T0 + 5, 1)
    life.refund(T0 + 5, 2)
    assert life.weekly.tobytes() == EMPTY
    life.buy(T0 + 6, 70, hash=9)
    life.shard.erase(0)
    assert life.weekly.tobytes() == EMPTY
    life.buy(T0 + 7, 80, hash=10)
    assert life.weekly["spend"].sum() == 80
    assert (life.row["purchases"], life.shard.heads[2]) == (1, 2)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40))
def test_nobody_has_what_another_bought(deeds):
    shard, spent = Shard(BOOK), {}
    for n, (user, buys) in enumerate(deeds):
        event = np.zeros(1, EVENT)
        event["at"], event["offset"], event["act"], event["hash"] = T0, n, 1, n + 1
        event["source"], event["amount"] = ORDERS if buys else CLICKS, 100 + n
        event["row"] = shard.intern([b"u%d" % user])
        shard.fold(event, {})
        spent[user] = spent.get(user, 0) + (100 + n if buys else 0)
    assert {user: int(shard.weekly(shard.index.find(b"u%d" % user))["spend"].sum()) for user in spent} == spent
    assert shard.heads[2] == 1 + sum(map(bool, spent.values()))


def test_the_changelog_is_told_what_he_bought_who_has_a_place():
    assert len(value(lived(1))) - len(value(lived(0))) == PURCHASES.itemsize + ORDER.itemsize
    assert len(value(lived(1, weeks=WEEKS + 1))) == len(value(lived(1)))


@pytest.mark.parametrize(("before", "after"), list(itertools.product([0, 2], [0, 1, 3])))
def test_what_is_read_back_stands_in_place_of_what_was_there(before, after):
    shard, due = Shard(BOOK), lived(after)
    for told in (value(lived(before)), value(due)):
        shard.restore(Pairs.of([(b"u0", value(lived(1))), (b"u1", told)]))
    assert shard.weekly(1).tobytes() == due.weekly.tobytes()
    assert shard.weekly(0).tobytes() == lived(1).weekly.tobytes()
    assert shard.heads[2] == 2 + bool(before or after)
