"""No record can stop a partition: whatever bytes come, each is decoded or bad with a reason, and nothing is raised."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.row import CLICKS, FEEDBACK, ORDERS, PROFILES, SOURCES
from streams.wire.block import Block, Record
from streams.wire.decode import decode
from streams.wire.partitioner import settle

AT = 1_700_000_000_000
LATEST = AT + 3_600_000
REASONS = {
    "not-json",
    "wrong-type",
    "missing-field",
    "bad-value",
    "absurd-time",
    "key-mismatch",
    "empty-key",
    "reserved-key",
    "wrong-partition",
}
MEGABYTE = 1 << 20
GOOD = {
    CLICKS: {"user": "u1", "at": AT, "kind": "view"},
    ORDERS: {"user": "u1", "at": AT, "order": "o1", "amount": 1},
    PROFILES: {"user": "u1", "at": AT, "contacts": {"email": "a@b.c"}},
    FEEDBACK: {"user": "u1", "at": AT, "decision": "d1", "kind": "opened"},
}
assert len(GOOD) == len(SOURCES)
HUGE = [
    "1e999",
    "-1e999",
    "9" * 400,
    "-" + "9" * 400,
    "1e-999",
    "0." + "0" * 400 + "1",
    str(1 << 63),
    str(-(1 << 63) - 1),
]
ODD = [
    *HUGE,
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "null",
        "true",
        '""',
        '"\\u0000"',
        '"\\ud800"',
        '"\\udfff\\ud800"',
        "[]",
        "{}",
        "-0",
        "01",
    ),
    *(
        '"2023-11-14T22:13:20Z"',
        '"9999-12-31T23:59:59.999999-23:59"',
        '"0001-01-01T00:00:00+23:59"',
        '"2016-12-31T23:59:60Z"',
    ),
    *("[" * 100_000, '{"a":' * 100_000, "[" * 900 + "]" * 900),
]
SHORT = [odd for odd in ODD if len(odd) < 5000]  # hypothesis prints what it draws
FIELDS = (
    "user",
    "at",
    "kind",
    "order",
    "amount",
    "status",
    "lines",
    "contacts",
    "consent",
    "attributes",
    "side",
    "new",
)
keys = st.one_of(st.none(), st.just(b"u1"), st.binary(max_size=20))
sources = st.sampled_from(sorted(GOOD))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.sampled_from(("u1", "view", "paid", AT)),
)
trees = st.recursive(
    scalars,
    lambda t: st.one_of(st.lists(t, max_size=4), st.dictionaries(st.text(max_size=5), t, max_size=4)),
    max_leaves=10,
)


@st.composite
def nearly_good(draw):
    """A good event with some of its fields changed, dropped, doubled, or replaced by odd JSON."""
    source = draw(sources)
    parts = [(name, json.dumps(value)) for name, value in GOOD[source].items()]
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=3)):
        odd = draw(st.one_of(st.sampled_from(SHORT), trees.map(json.dumps)))
        parts = draw(
            st.sampled_from(([*parts, (name, odd)], [(name, odd), *parts], [p for p in parts if p[0] != name]))
        )
    text = "{" + ",".join(f'"{name}":{value}' for name, value in parts) + "}"
    return source, draw(keys), text.encode("utf-8", "surrogatepass")


@st.composite
def records(draw):
    """A source and records of it: bytes, JSON of any kind, and what is nearly good."""
    any_source = draw(sources)
    values = st.one_of(
        st.none(), st.binary(max_size=200), trees.map(lambda t: json.dumps(t).encode("utf-8", "surrogatepass"))
    )
    drawn = [(draw(keys), draw(values)) for _ in range(draw(st.integers(0, 5)))]
    drawn += [(key, value) for source, key, value in draw(st.lists(nearly_good(), max_size=5)) if source == any_source]
    return any_source, draw(st.permutations(drawn))


def record(offset, key, value, timestamp=AT):
    return Record(offset, timestamp, key, value)


def assert_sorted_out(source, found):
    """Each record is an event or bad, with a reason; what is an event can be interned, folded and kept."""
    block = Block.of(found)
    decoded = settle(decode(source, block, LATEST, 2), block, 0, 3)
    assert all(bad.reason in REASONS and bad.detail for bad in decoded.bad)
    offsets = Counter(decoded.events["offset"].tolist()) + Counter(bad.record.offset for bad in decoded.bad)
    assert offsets == Counter(r.offset for r in found)
    assert len(decoded.keys) == len(decoded.events)
    assert all(decoded.key(k) for k in range(len(decoded.keys)))
    return decoded


@given(records())
@settings(max_examples=300)
def test_any_chunk_is_sorted_out(drawn):
    source, pairs = drawn
    assert_sorted_out(source, [record(offset, key, value) for offset, (key, value) in enumerate(pairs)])


@pytest.mark.parametrize("source", sorted(GOOD))
def test_odd_json_in_any_field_is_sorted_out_amid_good_records(source):
    good = json.dumps(GOOD[source]).encode()
    found = [record(0, b"u1", good)]
    for name in FIELDS:
        for odd in ODD:
            text = good.decode()[:-1] + f',"{name}":{odd}}}'
            found.append(record(len(found), b"u1", text.encode("utf-8", "surrogatepass")))
    found.append(record(len(found), b"u1", good))
    decoded = assert_sorted_out(source, found)
    folded = {
        *decoded.events["offset"].tolist(),
        *(b.record.offset for b in decoded.bad if b.reason == "wrong-partition"),
    }
    assert {0, len(found) - 1} <= folded


@pytest.mark.parametrize("source", sorted(GOOD))
@pytest.mark.parametrize(
    "value",
    [
        b"\x00" * MEGABYTE,
        b"{" * MEGABYTE,
        b'"' + b"a" * MEGABYTE,
        b"\xff" * MEGABYTE,
        b"1" * MEGABYTE,
        b'{"user":"' + b"u" * MEGABYTE + b'"}',
        b'{"user":"u1","at":1700000000000,"kind":"view","page":"' + b"p" * MEGABYTE + b'"}',
        b"[" * MEGABYTE + b"]" * MEGABYTE,
        b'{"a":' * (MEGABYTE // 5) + b"1" + b"}" * (MEGABYTE // 5),
    ],
    ids=["nulls", "braces", "string", "no text", "digits", "user", "page", "lists", "objects"],
)
def test_a_megabyte_of_anything_is_sorted_out(source, value):
    assert_sorted_out(source, [record(0, b"u1", value), record(1, value, b"{}"), record(2, b"u1", None)])


@pytest.mark.parametrize("timestamp", [-1, 0, -(1 << 63), (1 << 63) - 1])
def test_a_tombstone_with_a_timestamp_of_any_kind_is_sorted_out(timestamp):
    assert_sorted_out(PROFILES, [record(0, b"u1", None, timestamp)])
