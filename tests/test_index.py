"""The index: keys get their rows in the order in which they come, keep them, and are found again."""

from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import index as room
from streams.core.hash import hash_texts
from streams.index import FULL, HASHES, SPREAD, Index, IndexFull
from streams.wire.block import Pairs

keys = st.lists(st.binary(max_size=12), max_size=80)
numbers = st.lists(st.integers(0, 400), max_size=60)
COMPILED = (
    "_append", "_find", "_find_many", "_guess", "_home", "_intern", "_place", "_row", "_same", "_spread",
    "_start",
)  # fmt: skip


def check(index, known):
    assert len(index) == len(known)
    assert [index.key(row) for row in range(len(known))] == list(known)
    assert {key: index.find(key) for key in known} == known
    assert index.find(b"a key of more than twelve") is None
    assert index.find_many([b"a key of more than twelve", *known]).tolist() == [-1, *known.values()]
    rows = np.array(sorted(known.values(), reverse=True), np.int64)
    assert index.keys(rows) == list(known)[::-1]
    assert bytes(index.blob) == b"".join(known)
    assert index.ends.tolist() == list(accumulate(map(len, known)))


@given(st.lists(keys, max_size=6))
def test_it_is_a_dictionary_that_counts_from_nought(chunks):
    index, known = Index(), {}
    for chunk in chunks:
        due = [known.setdefault(key, len(known)) for key in chunk]
        assert index.intern(chunk).tolist() == due
    check(index, known)


@given(st.lists(numbers, max_size=12), st.integers(1, 4), st.integers(1, SPREAD))
def test_it_is_one_at_every_moment_of_its_growth(chunks, bits, spread):
    known = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "FIRST_BITS", bits)
        patch.setattr(room, "SPREAD", spread)
        index = Index()
        for chunk in chunks:
            names = [b"%d" % number for number in chunk]
            due = [known.setdefault(name, len(known)) for name in names]
            assert index.intern(names).tolist() == due
            check(index, known)
            cuts = [0, HASHES // 5, HASHES // 3, HASHES // 2, HASHES]
            for low, high in pairwise(cuts):
                hashes = hash_texts([name.decode() for name in known]) >> np.uint64(32)
                due = np.flatnonzero((low <= hashes) & (hashes < high)).tolist()
                assert sorted(index.between(low, high).tolist()) == due


def test_it_grows_and_keeps_what_it_has():
    index, count = Index(), 10_000
    names = [b"user-%d" % k for k in range(count)]
    for start in range(0, count, 700):
        index.intern(names[start : start + 700])
    assert index.nbytes - len(index.blob) < count * (4 + 8 / (FULL / 2))
    assert index.intern(names).tolist() == list(range(count))
    assert [index.find(name) for name in names[::97]] == list(range(0, count, 97))
    assert index.find(b"user-x") is None


def test_however_many_it_has_few_slots_spread_with_a_chunk(monkeypatch):
    spread, compiled, chunk = [], room._spread, 50

    def watched(table, until):
        spread.append(until - table.waiting)
        compiled(table, until)

    monkeypatch.setattr(room, "_spread", watched)
    index = Index()
    for start in range(0, 100_000, chunk):
        index.intern([b"%d" % number for number in range(start, start + chunk)])
    assert max(spread) == SPREAD * chunk
    assert index._waiting == 0
    assert sum(spread) > 100_000


def test_keys_can_be_spans_of_one_run_of_bytes():
    pairs = Pairs.of([(b"u1", b"one"), (b"", b"none"), (b"u22", None), (b"u1", b"again")])
    index, other = Index(), Index()
    assert index.intern_spans(pairs.data, pairs.keys).tolist() == [0, 1, 2, 0]
    assert other.intern_spans(pairs.data.copy(), pairs.keys[::-1]).tolist() == [0, 1, 2, 0]
    assert index.keys(np.arange(3)) == [b"u1", b"", b"u22"]
    assert other.keys(np.arange(3)) == [b"u1", b"u22", b""]


def test_an_empty_key_finds_its_room_where_the_memory_ends():
    index = Index()
    assert index.intern([b"x" * len(index._blob.array), b""]).tolist() == [0, 1]
    assert len(index._blob.array) > len(index.blob)  # its first byte is looked at, though it has none
    assert index.intern([b"", b"x"]).tolist() == [1, 2]


def test_keys_of_a_thousand_bytes_find_their_room():
    index = Index()
    long = [bytes([65 + k]) * 1000 for k in range(60)]
    assert index.intern(long).tolist() == list(range(60))
    assert index.keys(np.arange(60)) == long


def test_more_bytes_than_it_can_tell_the_ends_of_are_refused(monkeypatch):
    monkeypatch.setattr(room, "MAX_KEY_BYTES", 6)
    index = Index()
    index.intern([b"abc", b"def"])
    with pytest.raises(IndexFull, match="3 keys of a partition may take 7 bytes, and there is room for 6"):
        index.intern([b"g"])
    assert index.keys(np.arange(2)) == [b"abc", b"def"]


@pytest.fixture(params=[0xABCDEF0000000001, 0xFFFFFFFFFFFFFFFF, 0])
def every_hash_is_the_same(monkeypatch, request):
    """The index as plain Python, small at first, with a hash under which all keys collide."""
    monkeypatch.setattr(room, "hash64", lambda *_: np.uint64(request.param))
    monkeypatch.setattr(room, "FIRST_BITS", 2)
    monkeypatch.setattr(room, "SPREAD", 1)
    for name in COMPILED:
        monkeypatch.setattr(room, name, getattr(room, name).py_func)


@pytest.mark.usefixtures("every_hash_is_the_same")
def test_keys_whose_hashes_collide_are_told_apart():
    index = Index()
    names = [b"a", b"", b"aa", b"ab", b"b", b"a"]
    assert index.intern(names).tolist() == [0, 1, 2, 3, 4, 0]
    assert [index.find(name) for name in (b"ab", b"aa", b"", b"zz")] == [3, 2, 1, None]
    for number in range(60):  # the table is laid out anew several times
        assert index.intern([b"u%d" % number]).tolist() == [number + 5]
        assert [index.find(name) for name in (b"ab", b"aa", b"", b"zz")] == [3, 2, 1, None]


def test_an_empty_one_knows_nobody():
    assert Index().find(b"u1") is None
    assert Index().keys(np.empty(0, np.int64)) == []
    assert len(Index().intern([])) == 0
    assert not len(Index().blob)
    assert not len(Index().ends)


def test_keys_can_be_gone_through_in_parts_that_are_the_same_in_whichever_order_they_came():
    keys = [b"user-%d" % n for n in range(5000)]
    index, other = Index(), Index()
    index.intern(keys)
    other.intern(keys[::-1])
    for _ in range(3):  # however often
        other.intern(keys)
    cuts = [0, 1 << 20, HASHES // 3, HASHES // 2, HASHES]
    parts = [set(index.keys(index.between(low, high))) for low, high in pairwise(cuts)]
    assert parts == [set(other.keys(other.between(low, high))) for low, high in pairwise(cuts)]
    assert sorted(key for part in parts for key in part) == sorted(keys)
    assert len(parts[-1]) == pytest.approx(2500, rel=0.1)
    assert not len(Index().between(0, HASHES))
