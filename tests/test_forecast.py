"""A forecast is what the shard itself does later, when nothing happens; and it leaves no trace."""

import numpy as np
import pytest

from streams import rulebook
from streams.core.row import CAUSES, CLICKS, DAY, EVENT, NEVER, ORDERS
from streams.forecast import forecast
from streams.portrait import portrait
from streams.settings import Settings
from streams.shard import Shard

T0 = 1_700_438_400_000  # 2023-11-20, a Monday, 00:00 UTC
CHECKIN = 12
NO_STOPS = np.empty((0, 2), np.int64)


@pytest.fixture
def shard():
    """Two users who checked in for five days and bought once, the second a week later."""
    shard = Shard(rulebook.build(Settings()))
    events = np.zeros(12, EVENT)
    events["row"] = np.repeat(shard.intern([b"u1", b"u2"]), 6)
    events["at"] = T0 + np.tile(np.arange(6), 2) * DAY + np.repeat([0, 7 * DAY], 6)
    events["source"][[5, 11]] = ORDERS
    events["kind"] = np.where(events["source"] == CLICKS, CHECKIN, 0)
    events["act"], events["amount"], events["hash"] = 1, np.where(events["source"] == ORDERS, 12_345, 0), 7
    for source in (CLICKS, ORDERS):
        events["offset"][events["source"] == source] = np.arange((events["source"] == source).sum())
    shard.fold(events, {})
    return shard


def moves_of(shard, moves, key):
    row, book = shard.index.find(key), shard.book
    return [
        {
            "at": int(m["at"]),
            "dimension": book.dimensions[m["dimension"]],
            "from": book.values[m["dimension"]][m["from"]],
            "to": book.values[m["dimension"]][m["to"]],
            "cause": CAUSES[m["cause"]],
        }
        for m in moves
        if m["row"] == row
    ]


@pytest.mark.parametrize("key", [b"u1", b"u2"])
def test_it_is_what_happens(shard, key):
    now = T0 + 13 * DAY
    shard.advance(now)
    told = forecast(shard, key, now)
    happens = moves_of(shard, shard.advance(now + 400 * DAY), key)
    assert told == happens
    assert {"dormant", "churned"} <= {move["to"] for move in told}
    assert forecast(shard, key, now + 400 * DAY) == []


def test_the_row_is_not_touched(shard):
    before = portrait(shard, b"u1"), shard.rows.copy(), shard.due.copy(), shard.population.copy()
    forecast(shard, b"u1", T0)
    after = portrait(shard, b"u1"), shard.rows, shard.due, shard.population
    assert before[0] == after[0]
    assert all(np.array_equal(a, b) for a, b in zip(before[1:], after[1:], strict=True))


def test_absence_that_stands_still_makes_nobody_dormant(shard):
    lasting = np.array([[T0 + 14 * DAY, NEVER]], np.int64)
    told = {move["to"] for move in forecast(shard, b"u1", T0 + 15 * DAY, lasting)}
    assert "dormant" not in told
    past = np.array([[T0 + 6 * DAY, T0 + 8 * DAY]], np.int64)
    later, usual = (
        next(m["at"] for m in forecast(shard, b"u1", T0 + 9 * DAY, stops) if m["to"] == "dormant")
        for stops in (past, NO_STOPS)
    )
    assert later - usual == 2 * DAY


def test_what_is_overdue_comes_first(shard):
    told = forecast(shard, b"u1", T0 + 100 * DAY)
    assert told[0]["at"] < T0 + 100 * DAY
    assert [m["at"] for m in told] == sorted(m["at"] for m in told)


def test_of_nobody_nothing_is_foretold(shard):
    assert forecast(shard, b"nobody", T0) == []
