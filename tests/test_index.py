"""The index: keys get their rows in the order in which they come, keep them, and are found again."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import index as room
from streams.index import FIRST_SLOTS, HASHES, Index

keys = st.lists(st.binary(max_size=12), max_size=80)


@given(st.lists(keys, max_size=6))
def test_it_is_a_dictionary_that_counts_from_nought(chunks):
    index, known = Index(), {}
    for chunk in chunks:
        due = [known.setdefault(key, len(known)) for key in chunk]
        assert index.intern(chunk).tolist() == due
    assert len(index) == len(known)
    assert [index.key(row) for row in range(len(known))] == list(known)
    assert {key: index.find(key) for key in known} == known
    assert index.find(b"a key of more than twelve") is None
    assert index.find_many([b"a key of more than twelve", *known]).tolist() == [-1, *known.values()]
    rows = np.array(sorted(known.values(), reverse=True), np.int64)
    assert index.keys(rows) == list(known)[::-1]


def test_it_grows_and_keeps_what_it_has():
    index, count = Index(), FIRST_SLOTS * 5
    names = [b"user-%d" % k for k in range(count)]
    for start in range(0, count, 700):
        index.intern(names[start : start + 700])
    assert index.intern(names).tolist() == list(range(count))
    assert [index.find(name) for name in names[::97]] == list(range(0, count, 97))
    assert index.find(b"user-x") is None
    assert index.nbytes < count * 100


def test_keys_of_a_thousand_bytes_find_their_room():
    index = Index()
    long = [bytes([65 + k]) * 1000 for k in range(60)]
    assert index.intern(long).tolist() == list(range(60))
    assert index.keys(np.arange(60)) == long


@pytest.fixture
def every_hash_is_the_same(monkeypatch):
    """The index as plain Python, with a hash under which all keys collide."""
    monkeypatch.setattr(room, "hash64", lambda *_: np.uint64(0xABCDEF0000000001))
    for name in ("_same", "_place", "_intern", "_find", "_rehash"):
        monkeypatch.setattr(room, name, getattr(room, name).py_func)


@pytest.mark.usefixtures("every_hash_is_the_same")
def test_keys_whose_hashes_collide_are_told_apart():
    index = Index()
    names = [b"a", b"", b"aa", b"ab", b"b", b"a"]
    assert index.intern(names).tolist() == [0, 1, 2, 3, 4, 0]
    assert [index.find(name) for name in (b"ab", b"aa", b"", b"zz")] == [3, 2, 1, None]
    index._make_room(FIRST_SLOTS * 2, 0)  # the table is laid out anew
    assert [index.find(name) for name in (b"ab", b"aa", b"", b"zz")] == [3, 2, 1, None]


def test_an_empty_one_knows_nobody():
    assert Index().find(b"u1") is None
    assert Index().keys(np.empty(0, np.int64)) == []
    assert len(Index().intern([])) == 0


def test_keys_can_be_gone_through_in_parts_that_are_the_same_in_whichever_order_they_came():
    keys = [b"user-%d" % n for n in range(5000)]
    index, other = Index(), Index()
    index.intern(keys)
    other.intern(keys[::-1])
    cuts = [0, 1 << 20, HASHES // 3, HASHES // 2, HASHES]
    parts = [set(index.keys(index.between(low, high))) for low, high in pairwise(cuts)]
    assert parts == [set(other.keys(other.between(low, high))) for low, high in pairwise(cuts)]
    assert sorted(key for part in parts for key in part) == sorted(keys)
    assert len(parts[-1]) == pytest.approx(2500, rel=0.1)
    assert not len(Index().between(0, HASHES))
