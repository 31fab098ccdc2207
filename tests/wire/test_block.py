"""A block is its records, as columns and one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.wire.block import Block, Pairs, Record

some = st.none() | st.binary(max_size=8)
headers = st.lists(st.tuples(st.text(max_size=4), some), max_size=2).map(tuple)
records = st.lists(st.builds(Record, st.integers(0, 1 << 40), st.integers(0, 1 << 41), some, some, headers), max_size=9)


@given(records, st.slices(9))
def test_it_is_a_sequence_of_its_records(found, part):
    block = Block.of(found)
    assert list(block) == found
    assert list(block[part]) == found[part]


@given(st.lists(records, min_size=1, max_size=3))
def test_blocks_are_joined(blocks):
    assert list(Block.joined([Block.of(some) for some in blocks])) == [record for some in blocks for record in some]


@given(st.lists(st.tuples(some, some), max_size=9))
def test_pairs_are_keys_and_values(pairs):
    assert list(Pairs.of(pairs).each()) == pairs


@given(st.lists(st.tuples(some, some), max_size=3), st.lists(st.tuples(some, some, headers), max_size=3))
def test_pairs_are_joined_whether_they_have_headers_or_not(plain, headed):
    data, keys, values, _ = Pairs.of(plain).columns
    whole = Pairs.joined([Pairs(data, keys, values), Pairs.of(headed)])
    block = Block(np.arange(len(whole)), np.arange(len(whole)), whole)
    assert [(r.key, r.value, r.headers) for r in block] == [*((*pair, ()) for pair in plain), *headed]
