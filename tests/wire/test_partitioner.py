"""A key's home is Java's; what stands elsewhere is bad, and what belongs is left alone."""

import orjson
import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from streams.core.row import CLICKS, PROFILES
from streams.wire.block import Block, Record
from streams.wire.decode import decode
from streams.wire.partitioner import WRONG_PARTITION, home, homes, settle

AT = 1_700_000_000_000
PARTITIONS = 4


@pytest.mark.parametrize(
    ("key", "hashed"),
    [  # of Kafka's own UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_javas(key, hashed):
    assert home(key, 0x7FFFFFFF) == (hashed & 0x7FFFFFFF) % 0x7FFFFFFF


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 1000))
def test_homes_are_those_of_the_client_in_python(keys, partitions):
    block = Block.of(Record(0, 0, key, None) for key in keys)
    assert homes(block.data, block.keys, partitions).tolist() == [
        (murmur2(key) & 0x7FFFFFFF) % partitions for key in keys
    ]


def click(offset, user):
    value = orjson.dumps({"user": user, "at": AT, "kind": "view"})
    return Record(offset, AT, user.encode(), value)


def of(partition, count, start=0):
    """Users who belong in a partition."""
    found = (f"u{n}" for n in range(start, 10_000))
    return [user for user in found if home(user.encode(), PARTITIONS) == partition][:count]


def test_what_stands_elsewhere_is_bad_and_its_neighbours_go_on():
    mine, theirs = of(1, 3), of(2, 2)
    users = [mine[0], theirs[0], mine[1], theirs[1], theirs[0], mine[2]]
    records = [click(offset, user) for offset, user in enumerate(users)]
    records.insert(3, Record(90, AT, b"u", b"{"))
    found = settle(decode(CLICKS, records, AT, 2), Block.of(records), 1, PARTITIONS)
    assert [found.key(k) for k in range(len(found.keys))] == [user.encode() for user in mine]
    assert found.events["offset"].tolist() == [0, 2, 5]
    assert [(b.record.offset, b.reason) for b in found.bad] == [
        (1, WRONG_PARTITION), (3, WRONG_PARTITION), (4, WRONG_PARTITION), (90, "not-json"),
    ]  # fmt: skip
    assert "stands in partition 1, its key belongs in 2" in found.bad[0].detail


def test_a_tombstone_that_stands_elsewhere_erases_nobody():
    [mine], [theirs] = of(1, 1), of(3, 1)
    records = [Record(n, AT, user.encode(), None) for n, user in enumerate((theirs, mine))]
    found = settle(decode(PROFILES, records, AT, 2), Block.of(records), 1, PARTITIONS)
    assert found.payloads == {(PROFILES, 1): None}
    assert [b.record.offset for b in found.bad] == [0]


def test_where_all_belong_nothing_changes():
    records = [click(offset, user) for offset, user in enumerate(of(1, 2))]
    decoded = decode(CLICKS, records, AT, 2)
    assert settle(decoded, Block.of(records), 1, PARTITIONS) is decoded
    empty = decode(CLICKS, [], AT, 2)
    assert settle(empty, Block.of([]), 1, PARTITIONS) is empty
