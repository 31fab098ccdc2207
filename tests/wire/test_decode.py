"""Bytes become columns; what cannot be read is set aside with a reason, and its neighbours go on."""

import orjson
import pytest

from streams.core.row import CLICK_KINDS, CLICKS, FEEDBACK, ORDERS, PROFILES
from streams.dictionary import Codes, Dictionary
from streams.wire.block import Record
from streams.wire.decode import Names, decode

AT = 1_700_000_000_000
LATEST = AT + 3_600_000
CLICK = {"user": "u1", "at": AT, "kind": "view"}
HEARD = {"user": "u1", "at": AT, "decision": "d1", "kind": "opened"}
ORDER = {"user": "u1", "at": AT, "order": "o1", "amount": 12.34}


def record(offset, value, key=b"u1"):
    value = value if isinstance(value, bytes) or value is None else orjson.dumps(value)
    return Record(offset, AT, key, value)


def read(source, *records):
    return decode(source, records, LATEST, 2)


def test_clicks_become_columns():
    found = read(CLICKS, record(7, CLICK), record(8, CLICK | {"user": "u2", "at": AT + 1}, b"u2"))
    assert [found.key(0), found.key(1)] == [b"u1", b"u2"]
    assert found.events["at"].tolist() == [AT, AT + 1]
    assert found.events["offset"].tolist() == [7, 8]
    assert found.events["act"].tolist() == [1, 1]
    assert not found.bad


def test_amounts_are_minor_units_and_only_a_paid_order_is_an_act():
    found = read(ORDERS, record(0, ORDER), record(1, ORDER | {"status": "refunded"}))
    assert found.events["amount"].tolist() == [1234, 1234]
    assert found.events["kind"].tolist() == [0, 1]
    assert found.events["act"].tolist() == [1, 0]


def test_names_become_codes_and_orders_are_told_apart_by_their_ids():
    names = Names(Dictionary(), Dictionary(), Codes({"rider": 2}))
    clicks = [
        record(0, CLICK | {"category": "shoes", "source": "ads", "side": "rider", "kind": "search"}),
        record(1, CLICK | {"category": "shoes", "kind": "redeem", "points": 50}),
    ]
    found = decode(CLICKS, clicks, LATEST, 2, names).events
    assert found["category"].tolist() == [1, 1]
    assert found["origin"].tolist() == [1, 0]
    assert found["side"].tolist() == [2, 0]
    assert found["amount"].tolist() == [0, 50]
    assert [CLICK_KINDS[k] for k in found["kind"]] == ["search", "redeem"]
    orders = [
        record(k, ORDER | {"order": o, "coupon": c}) for k, (o, c) in enumerate([("a", None), ("b", "x"), ("a", "x")])
    ]
    found = decode(ORDERS, orders, LATEST, 2, names).events
    assert found["coupon"].tolist() == [0, 1, 1]
    assert found["hash"][0] == found["hash"][2] != found["hash"][1]


def test_times_may_be_text_with_a_zone():
    found = read(CLICKS, record(0, CLICK | {"at": "2023-11-14T23:13:20+01:00"}), record(1, CLICK))
    assert found.events["at"].tolist() == [AT, AT]
    assert not found.bad


def test_fields_that_we_do_not_know_are_no_error():
    assert not read(CLICKS, record(0, CLICK | {"colour": "red", "deep": {"er": [1]}})).bad


@pytest.mark.parametrize(
    ("reason", "source", "value", "key"),
    [
        ("not-json", CLICKS, b"nonsense", b"u1"),
        ("not-json", CLICKS, b"", b"u1"),
        ("not-json", CLICKS, None, b"u1"),
        ("not-json", CLICKS, b'{"user":"\xff\xfe","at":1}', b"u1"),
        ("wrong-type", CLICKS, CLICK | {"at": 1.5}, b"u1"),
        ("wrong-type", CLICKS, CLICK | {"kind": 3}, b"u1"),
        ("wrong-type", CLICKS, b"[]", b"u1"),
        ("wrong-type", ORDERS, ORDER | {"amount": "12.34"}, b"u1"),
        ("missing-field", CLICKS, {"user": "u1", "kind": "view"}, b"u1"),
        ("missing-field", ORDERS, {"user": "u1", "at": AT, "order": "o1"}, b"u1"),
        ("bad-value", CLICKS, CLICK | {"kind": "teleport"}, b"u1"),
        ("bad-value", ORDERS, ORDER | {"amount": -1}, b"u1"),
        ("bad-value", ORDERS, ORDER | {"amount": 30_000_000}, b"u1"),
        ("bad-value", CLICKS, CLICK | {"at": "2023-11-14T23:13:20"}, b"u1"),
        ("absurd-time", CLICKS, CLICK | {"at": AT // 1000}, b"u1"),
        ("absurd-time", CLICKS, CLICK | {"at": LATEST + 1}, b"u1"),
        ("absurd-time", CLICKS, CLICK | {"at": -(1 << 63)}, b"u1"),
        ("key-mismatch", CLICKS, CLICK, b"u2"),
        ("key-mismatch", CLICKS, CLICK, b"\xff"),
        ("empty-key", CLICKS, CLICK, b""),
        ("empty-key", CLICKS, CLICK, None),
        ("empty-key", PROFILES, None, None),
        ("reserved-key", CLICKS, CLICK | {"user": "\0u1"}, b"\0u1"),
        ("bad-value", FEEDBACK, {"user": "u1", "at": AT, "decision": "d", "kind": "heard"}, b"u1"),
        ("bad-value", FEEDBACK, HEARD | {"channel": "email/offer"}, b"u1"),
        ("bad-value", FEEDBACK, HEARD | {"about": "everything"}, b"u1"),
    ],
)
def test_a_bad_record_is_set_aside_whole_and_its_neighbours_go_on(reason, source, value, key):
    good = {ORDERS: ORDER, FEEDBACK: HEARD}.get(source, CLICK)
    bad = record(1, value, key)
    found = read(source, record(0, good), bad, record(2, good))
    assert [(b.record, b.reason) for b in found.bad] == [(bad, reason)]
    assert found.bad[0].detail
    assert found.events["offset"].tolist() == [0, 2]


def test_a_time_beyond_64_bits_is_bad_too():
    found = read(CLICKS, record(0, b'{"user":"u1","kind":"view","at":99999999999999999999999}'), record(1, CLICK))
    assert [b.reason for b in found.bad] == ["bad-value"]
    assert len(found.events) == 1


def test_keys_that_only_look_alike_when_joined_are_told_apart():
    found = read(
        CLICKS,
        record(0, CLICK | {"user": "a\nb"}, b"a"),
        record(1, CLICK | {"user": "c"}, b"b\nc"),
    )
    assert [b.reason for b in found.bad] == ["key-mismatch"] * 2


def test_a_null_profile_is_a_tombstone_dated_by_its_record():
    found = read(PROFILES, record(4, None))
    assert found.events["at"].tolist() == [AT]
    assert found.payloads == {(PROFILES, 4): None}
    assert found.events["act"].tolist() == [0]


def test_what_a_user_says_back_is_handed_on_whole_and_nothing_else_of_the_feedback():
    kinds = ("delivered", "unsubscribed", "opened", "subscribed", "bounced", "complained", "clicked")
    records = [record(offset, HEARD | {"kind": kind}) for offset, kind in enumerate(kinds)]
    found = read(FEEDBACK, *records, record(9, HEARD | {"kind": "eaten"}))
    assert found.payloads == {(FEEDBACK, k): records[k].value for k in (1, 3, 4, 5)}
    assert [b.record.offset for b in found.bad] == [9]


def test_an_empty_chunk_is_nothing():
    found = read(CLICKS)
    assert len(found.events) == len(found.keys) == len(found.bad) == 0
