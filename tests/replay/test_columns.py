"""Columns judge as `decode` does: the same rows as JSON come to the same events and the same reasons."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from streams.core.row import CLICKS, EVENT, ORDERS
from streams.dictionary import Codes, Dictionary
from streams.replay import columns
from streams.replay.chunk import Terms, of_block
from streams.replay.columns import Mistyped, Rows
from streams.wire.block import Block, Record
from streams.wire.decode import EARLIEST_AT, Names
from tests.laws.history import T0

LATEST = T0 + 1000
USERS = st.sampled_from(["u1", "u2", "", "\0u", "用户", "x" * 512, "x" * 513, "用" * 512, "用" * 513, None])
TIMES = st.sampled_from([T0, T0 + 1000, T0 + 1001, EARLIEST_AT, EARLIEST_AT - 1, 0, -1, 1 << 61, None])
WORDS = st.sampled_from(["food", "toys", "", "用", None])
SIDES = st.sampled_from(["rider", "nobody", None])
CLICK_CELLS = {
    "user": USERS, "at": TIMES, "kind": st.sampled_from(["view", "redeem", "buy", "", None]), "category": WORDS,
    "source": WORDS, "side": SIDES, "points": st.sampled_from([0, 5, 1_000_000_000, 1_000_000_001, -1, None]),
}  # fmt: skip
ORDER_CELLS = {
    "user": USERS, "at": TIMES, "order": st.sampled_from(["o1", "o2", "", "订单", None]),
    "amount": st.sampled_from([0.0, 12.34, 0.005, 0.015, 21_474_836.47, 21_474_836.48, 1e9, 1.1e9, -0.01, None]),
    "status": st.sampled_from(["paid", "refunded", "cancelled", "lost", None]), "coupon": WORDS, "category": WORDS,
    "source": WORDS, "side": SIDES,
}  # fmt: skip


def terms():
    return Terms(LATEST, 2, Names(Dictionary(), Dictionary(), Codes({"user": 1, "rider": 2})))


def rows_of(found, types=None, *, texts=False):
    names = list(found[0])
    arrays = [pa.array([row[name] for row in found], (types or {}).get(name)) for name in names]
    return Rows(np.arange(1, len(found) + 1), pa.RecordBatch.from_arrays(arrays, names=names), texts)


def as_json(source, found, chosen):
    names = list(found[0])  # of two faults the first is told
    values = [orjson.dumps({name: row[name] for name in names if row[name] is not None}) for row in found]
    return of_block(source, Block.of(Record(k, 0, None, value) for k, value in enumerate(values, 1)), chosen)


def names_of(chosen, events):
    categories, origins, _ = chosen.names
    return [(categories.name(event["category"]), origins.name(event["origin"])) for event in events]


def same(one, terms_of_one, other, terms_of_other):
    unnamed = [name for name in EVENT.names if name not in ("category", "origin")]
    assert one.events[unnamed].tolist() == other.events[unnamed].tolist()
    assert names_of(terms_of_one, one.events) == names_of(terms_of_other, other.events)
    assert keys(one) == keys(other)
    assert sorted((b.line, b.reason, b.detail) for b in one.bad) == sorted(
        (b.line, b.reason, b.detail) for b in other.bad
    )


def keys(chunk):
    return [chunk.data[start:end].tobytes() for start, end in chunk.users.tolist()]


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize(("source", "cells"), [(CLICKS, CLICK_CELLS), (ORDERS, ORDER_CELLS)])
@tried(max_examples=60, deadline=None)
@given(data=st.data())
def test_columns_judge_as_decode_does(coded, source, cells, data):
    found = data.draw(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=12))
    types = {name: pa.string() for name in cells} | {
        "at": pa.int64(), "points": pa.int64(), "amount": pa.float64(),
        **dict.fromkeys(columns.CODED, pa.dictionary(pa.int8(), pa.string()) if coded else pa.large_string()),
    }  # fmt: skip
    ours, theirs = terms(), terms()
    same(columns.chunk(source, rows_of(found, types), ours), ours, as_json(source, found, theirs), theirs)


def click(**more):
    return {"user": "u1", "at": T0, "kind": "view"} | more


def order(**more):
    return {"user": "u1", "at": T0, "order": "o1", "amount": 1.5} | more


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        (pa.timestamp("s"), T0 // 1000),
        (pa.timestamp("ms", "UTC"), T0),
        (pa.timestamp("us", "Asia/Shanghai"), T0 * 1000 + 499),
        (pa.timestamp("ns"), T0 * 1_000_000 - 499_999),
        (pa.date32(), T0 // 86_400_000),
        (pa.float64(), float(T0)),
        (pa.string(), datetime.fromtimestamp(T0 / 1000, UTC).isoformat()),
        (pa.string(), str(T0)),
    ],
)
def test_times_may_be_of_many_types(kind, at):
    found = columns.chunk(CLICKS, rows_of([click(at=at)] * 3, {"at": kind}, texts=True), terms())
    assert found.events["at"].tolist() == [T0] * 3


def test_a_time_of_text_without_its_zone_is_bad_and_the_others_are_not():
    found = columns.chunk(CLICKS, rows_of([click(at="2023-11-15T00:00:00"), click(at="2023-11-15T00:00:00Z")]), terms())
    assert [b.line for b in found.bad] == [1]
    assert found.events["offset"].tolist() == [2]


def test_ids_may_be_numbers():
    found = columns.chunk(ORDERS, rows_of([order(user=7, order=11), order(user=12, order=11)]), terms())
    assert keys(found) == [b"7", b"12"]
    assert (
        found.events["hash"].tolist()
        == columns.chunk(ORDERS, rows_of([order(order="11")] * 2), terms()).events["hash"].tolist()
    )
    mixed = columns.chunk(ORDERS, rows_of([order(user=7, order=11), order(user=12, order=11, amount=-1.0)]), terms())
    assert [b.reason for b in mixed.bad] == ["bad-value"]


def test_amounts_may_be_decimals_or_whole():
    for amount, kind in ((Decimal("12.34"), pa.decimal128(9, 2)), (12, pa.int32())):
        found = columns.chunk(ORDERS, rows_of([order(amount=amount)], {"amount": kind}), terms())
        assert found.events["amount"].tolist() == [round(float(amount) * 100)]
        bad = columns.chunk(ORDERS, rows_of([order(amount=-amount)], {"amount": kind}), terms())
        assert [b.reason for b in bad.bad] == ["bad-value"]


def test_a_coupon_may_be_a_truth():
    found = columns.chunk(ORDERS, rows_of([order(coupon=True), order(coupon=False), order(coupon=None)]), terms())
    assert found.events["coupon"].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("source", "row", "said"),
    [
        (CLICKS, click(user=1.5), "an id or a word is of double"),
        (ORDERS, order(coupon=0.0), "coupon is of double"),
        (ORDERS, order(amount=True), "amount is of bool"),
        (CLICKS, click(at=True), "at is of bool"),
    ],
)
def test_a_type_that_cannot_be_is_named(source, row, said):
    with pytest.raises(Mistyped, match=said):
        columns.chunk(source, rows_of([row]), terms())


def test_bytes_that_are_no_text_are_bad():
    found = columns.chunk(CLICKS, rows_of([click(user=b"\xff\xfe"), click(user=b"u2")]), terms())
    assert [(b.line, b.reason) for b in found.bad] == [(1, "not-text")]
    assert keys(found) == [b"u2"]


def test_only_names_of_good_rows_get_codes():
    chosen = terms()
    columns.chunk(CLICKS, rows_of([click(category="bad", user=""), click(category="good")]), chosen)
    assert list(chosen.names.categories) == [None, "good"]
