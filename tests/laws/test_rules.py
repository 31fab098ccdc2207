"""New rules: everybody is judged anew by them, once; what moves, moves by threshold, and not before they hold."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams import rulebook
from streams.core.row import THRESHOLD_CAUSE
from streams.shard import Plan, Shard
from tests.laws.history import (
    BOOK,
    CLICK_DEEDS,
    FEEDBACK_DEEDS,
    HOUR,
    LAST_HOUR,
    ORDER_DEEDS,
    REFUND_DEEDS,
    SETTINGS,
    T0,
    TILL_DEEDS,
    Reader,
    histories,
)

DEEDS = CLICK_DEEDS + TILL_DEEDS + 2 * ORDER_DEEDS + REFUND_DEEDS + FEEDBACK_DEEDS
REMEMBERED = ("activity", "stage", "attention", "coupon", "mood")
"""Dimensions in which it matters what a user was before: their law is below, or they have a hysteresis."""
ABSENT = {"dormant", "churned"}


def changed(**sections):
    settings = SETTINGS
    for name, fields in sections.items():
        settings = msgspec.structs.replace(
            settings, **{name: msgspec.structs.replace(getattr(settings, name), **fields)}
        )
    return settings


NEW = (
    changed(value={"recent_days": 3, "frequency_orders": 1, "monetary_amount": 60, "old_days": 40}),
    changed(activity={"dormant_days": 3, "churned_days": 60}, rung={"habit_days": 1}, stage={"growth_days": 1}),
    changed(
        activity={"dormant_days": 40, "churned_days": 90},
        growth={"early_access_days": 1, "renewal_days": 1, "level_warn_days": 180},
    ),
    changed(
        bands={
            "order_value": {"cheap": 0, "under_50": 10, "200_and_over": 90},
            "order_frequency": {"no_order": 0, "one_order": 1, "two_to_five": 2, "six_or_more": 3},
            "points": {"any": 1},
        },
        social={"leader_score": 1, "quiet_days": 2, "tired_score": 1, "exhausted_score": 2},
    ),
)
BOOKS = [rulebook.build(settings, BOOK, number) for number, settings in enumerate(NEW, 2)]
some_history = histories(DEEDS, 40)
after_hours = st.integers(1, 24 * 40)


def follow(shard):
    """Let the shard come to everybody, however many it takes at once; return its moves."""
    return np.concatenate([shard.advance(shard.watermark + 1) for _ in range(3)])


def words(shard, key):
    """A user's value in each dimension, by name."""
    row = shard.rows[shard.index.find(key)]
    places = zip(shard.book.dimensions, shard.book.values, row["values"].tolist(), strict=False)
    return {name: values[place] for name, values, place in places}


def agree(shard, history, book, now):
    """Compare every value of those who have come with that of a shard that has known no other rules."""
    fresh = Reader(history, book).run(until=now).shard
    for key, row in fresh.users():
        found, due = words(shard, key), words(fresh, key)
        if due["activity"] == "none":
            continue
        assert {n: v for n, v in found.items() if n not in REMEMBERED} == {
            n: v for n, v in due.items() if n not in REMEMBERED
        }
        rule = book.table[row["kind"]]
        absence = now - int(row["last_at"])
        absent = "churned" if absence > rule["churned_ms"] else "dormant" if absence > rule["dormant_ms"] else ""
        assert (found["activity"] if found["activity"] in ABSENT else "") == absent
        stages = {"dormancy": "dormant", "churn": "churned"}
        assert stages.get(found["stage"], "") == absent
        if not absent:
            assert found["stage"] == due["stage"] or due["activity"] in ABSENT


@given(some_history, st.sampled_from(BOOKS), after_hours)
def test_after_following_every_value_is_a_fresh_judgement(history, book, hours):
    shard = Reader(history).run(until=T0 + (LAST_HOUR + hours) * HOUR).shard
    since = shard.watermark
    shard.adopt(since, book)
    moves = follow(shard)
    assert np.all(moves["at"] >= since)
    assert np.all(moves["cause"] == THRESHOLD_CAUSE)
    assert np.all(moves["rules"] == book.number)
    agree(shard, history, book, shard.watermark)
    assert not len(follow(shard))
    shard.adopt(since, book)
    assert not len(follow(shard))


@given(some_history, st.sampled_from(BOOKS), st.integers(0, LAST_HOUR), after_hours)
def test_planned_rules_hold_from_their_time_on_wherever_it_lies(history, book, since_hour, hours):
    since, now = T0 + since_hour * HOUR, T0 + (LAST_HOUR + hours) * HOUR
    reader = Reader(history, shard=Shard(BOOK))
    reader.shard.plan([Plan(0, BOOK), Plan(since, book)])
    reader.run(until=now)
    reader.note(follow(reader.shard))
    agree(reader.shard, history, book, reader.shard.watermark)
    for moves in reader.told.values():
        for move in moves:
            under_new = move["rules"] == book.number
            assert move["at"] >= since if move["cause"] == THRESHOLD_CAUSE else True
            assert under_new or move["at"] <= max(since, now)
        assert [int(m["seq"]) for m in moves] == list(range(1, len(moves) + 1))


@given(some_history, st.sampled_from(BOOKS), after_hours)
def test_rows_read_back_under_an_older_version_are_judged(history, book, hours):
    old = Reader(history).run(until=T0 + (LAST_HOUR + hours) * HOUR).shard
    since = old.watermark
    shard = Shard(BOOK)
    shard.restore(old.take_changed())
    shard.settle()
    shard.plan([Plan(0, BOOK), Plan(since, book)])
    moves = np.concatenate([shard.advance(since), follow(shard)])
    assert np.all(moves["at"] >= since)
    agree(shard, history, book, shard.watermark)
    old.adopt(since, book)
    expected = follow(old)
    assert len(moves) == len(expected)
    assert not len(follow(shard))
