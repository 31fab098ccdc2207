"""A block is its records, as columns and one by one."""

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
    assert Block.of(block).data.tobytes() == block.data.tobytes()


@given(st.lists(st.tuples(some, some), max_size=9))
def test_pairs_are_keys_and_values(pairs):
    assert list(Pairs.of(pairs).each()) == pairs
