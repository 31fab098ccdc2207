"""When a partition counts as read to its end, and record batches taken whole."""

from collections import Counter
from types import SimpleNamespace

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP

from streams.worker.batch import PartitionRecords, records, whole
from streams.worker.chunk import Chunk
from streams.worker.transport import ChunkConsumer, ChunkThread, End

CLICKS = TP("clicks", 0)


def thread(position=5, stable=5, heard_at=99):
    made = ChunkThread.__new__(ChunkThread)
    made.fetched, made.arrived, made.ends = Counter(), Counter(), {CLICKS: End(position, stable, heard_at)}
    return made


def test_a_partition_is_at_its_end_when_all_was_read_and_has_arrived():
    reading = thread()
    assert reading.read_to_end(CLICKS) == 99
    reading.fetched[CLICKS] += 1
    assert reading.read_to_end(CLICKS) is None
    reading.arrived[CLICKS] += 1
    assert reading.read_to_end(CLICKS) == 99


def test_a_partition_with_more_to_read_is_not_at_its_end():
    assert thread(position=4).read_to_end(CLICKS) is None
    assert thread(position=4).lag(CLICKS) == 1


def test_of_a_partition_that_was_never_fetched_nothing_is_known():
    reading = thread()
    assert reading.read_to_end(TP("orders", 0)) is None
    assert reading.lag(TP("orders", 0)) is None


def test_after_a_rebalance_nothing_is_under_way_and_no_end_is_known():
    reading = thread()
    reading.fetched[CLICKS] = 3
    consumer = SimpleNamespace(_thread=reading)
    ChunkConsumer.restart_reading(consumer)
    assert reading.read_to_end(CLICKS) is None
    reading.ends = {CLICKS: End(5, 5, 1)}
    assert reading.read_to_end(CLICKS) == 1
    reading.fetched[CLICKS] += 1
    ChunkConsumer.arrived(consumer, Chunk("clicks", 0, [], 6))
    assert reading.read_to_end(CLICKS) == 1


def fetched(first_offset, key_deserializer, *batches):
    """What aiokafka makes of a fetch of these batches, each a list of values."""
    data, offset = bytearray(), 0
    for values in batches:
        builder = BatchBuilder(1 << 20, 0)
        for value in values:
            builder.append(timestamp=1, key=b"k", value=value)
        built = bytearray(builder._build())
        built[0:8] = offset.to_bytes(8, "big")
        data += built
        offset += len(values)
    found = PartitionRecords(
        CLICKS, MemoryRecords(bytes(data)), [], first_offset, key_deserializer, None, False, READ_COMMITTED
    )
    return list(found), found.next_fetch_offset


@pytest.mark.parametrize("first_offset", [0, 1])  # a broker answers from the batch that holds the offset
def test_whole_batches_hold_the_records_that_aiokafka_would_give_one_by_one(first_offset):
    parts = [b"a", b"b"], [b"c", b"d", b"e"]
    batches, position = fetched(first_offset, whole, *parts)
    plain, same_position = fetched(first_offset, None, *parts)
    assert [(r.offset, r.key, r.value) for r in records(batches)] == [(r.offset, r.key, r.value) for r in plain]
    assert position == same_position == 5
