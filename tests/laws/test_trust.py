"""How far absence is decided: not beyond what is vouched for, nor by time in which the absence clock stood still."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.core.activity import CHURNED, DORMANT
from streams.core.row import DAY, NEVER, TIME_CAUSE
from streams.shard import Shard
from tests.laws.history import (
    BOOK,
    CLICK_DEEDS,
    HOUR,
    LAST_HOUR,
    ORDER_DEEDS,
    REFUND_DEEDS,
    T0,
    Reader,
    histories,
    named,
    wide_cuts,
)

END = T0 + (LAST_HOUR + 24 * 60) * HOUR
NO_STOPS = np.zeros((0, 2), np.int64)
OTHERS = (
    "customer", "rfm", "order_value", "order_frequency", "coupon", "spender", "basket", "busy", "keen", "saver",
    "level", "level_outlook", "points", "streak", "early_access", "influence", "contribution",
)  # fmt: skip
"""Dimensions in which absence has no say."""
some_history = histories(CLICK_DEEDS + 2 * ORDER_DEEDS + REFUND_DEEDS, 40)


@st.composite
def spans(draw):
    """Up to three spans, ascending, of which no two touch."""
    ends = sorted(draw(st.sets(st.integers(0, LAST_HOUR + 24 * 50), max_size=6)))
    return np.array([T0 + hour * HOUR for hour in ends[: len(ends) // 2 * 2]], np.int64).reshape(-1, 2)


def trusting(vouched, stops):
    shard = Shard(BOOK)
    shard.trust(vouched, stops)
    return shard


def running(since, until, stops):
    """How long the absence clock ran between two times."""
    return until - since - sum(max(min(until, end) - max(since, start), 0) for start, end in stops.tolist())


def lapses(reader):
    """Yield (user, move) for each lapse that time made."""
    for user, moves in reader.told.items():
        for move in moves:
            if move["dimension"] == 0 and move["to"] in (DORMANT, CHURNED) and move["cause"] == TIME_CAUSE:
                yield user, move


def lapses_by_user(reader):
    found = {}
    for user, move in lapses(reader):
        found.setdefault(user, []).append((int(move["at"]), int(move["to"]), move["figures"].tolist()))
    return found


def of_others(reader):
    """All moves of the dimensions in which absence has no say."""
    moves = {user: [named(reader.shard, move) for move in found] for user, found in reader.told.items()}
    return {user: [[m for m in found if m[0] == name] for name in OTHERS] for user, found in moves.items()}


@given(some_history, wide_cuts, spans())
def test_a_stop_puts_off_every_lapse_by_its_overlap(history, cut, stops):
    reader = Reader(history, shard=trusting(NEVER, stops)).run(cut, sweep=True, until=END)
    for _, move in lapses(reader):
        last_at, _, threshold, _ = move["figures"].tolist()
        assert running(int(last_at), int(move["at"]), stops) == round(threshold * DAY)
    for _, row in reader.shard.users():
        rule = BOOK.table[row["kind"]]
        gone = running(int(row["last_at"]), END, stops)
        expected = CHURNED if gone > rule["churned_ms"] else DORMANT if gone > rule["dormant_ms"] else None
        if row["values"][0]:
            assert (int(row["values"][0]) if row["values"][0] in (DORMANT, CHURNED) else None) == expected
    assert of_others(reader) == of_others(Reader(history).run(until=END))


@given(some_history, st.integers(1, 24 * 20), st.integers(1, 24 * 20))
def test_a_stop_that_is_told_when_it_begins_is_as_one_that_was_always_known(history, hour, length):
    start = T0 + (LAST_HOUR + hour) * HOUR
    stops = np.array([[start, start + length * HOUR]], np.int64)
    known = Reader(history, shard=trusting(NEVER, stops)).run(until=END)
    reader = Reader(history).run(until=start)
    reader.shard.trust(start, np.array([[start, NEVER]], np.int64))
    reader.pass_time(int(stops[0, 1]))
    reader.shard.trust(NEVER, stops)
    reader.pass_time(END)
    for user, moves in lapses_by_user(known).items():
        assert lapses_by_user(reader)[user] == moves
    assert of_others(reader) == of_others(known)


@given(some_history, wide_cuts, st.integers(0, LAST_HOUR + 24 * 40))
def test_nobody_lapses_beyond_what_is_vouched_for(history, cut, hour):
    vouched = T0 + hour * HOUR
    reader = Reader(history, shard=trusting(vouched, NO_STOPS)).run(cut, sweep=True, until=END)
    assert all(move["at"] < vouched for _, move in lapses(reader))
    reader.shard.trust(NEVER, NO_STOPS)
    reader.pass_time(END)
    plain = Reader(history).run(until=END)
    # The others' falls may have waited with the sweep, but they are dated right.
    assert of_others(reader) == of_others(plain)
    absent = {user: row["values"][0] in (DORMANT, CHURNED) for user, row in plain.shard.users()}
    assert {user: row["values"][0] in (DORMANT, CHURNED) for user, row in reader.shard.users()} == absent


@given(some_history, wide_cuts, st.integers(0, LAST_HOUR + 24 * 40))
def test_with_an_open_stop_nobody_lapses_and_all_else_goes_on(history, cut, hour):
    start = T0 + hour * HOUR
    open_stop = np.array([[start, NEVER]], np.int64)
    reader = Reader(history, shard=trusting(NEVER, open_stop)).run(cut, sweep=True, until=END)
    assert all(move["at"] <= start for _, move in lapses(reader))
    assert of_others(reader) == of_others(Reader(history).run(until=END))
