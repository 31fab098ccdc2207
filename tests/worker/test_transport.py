"""When a partition counts as read to its end, and record batches taken whole."""

import asyncio
from collections import Counter
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.types import TP

from streams.wire.block import Block, Record
from streams.worker.batch import Batch, Fetched, PartitionRecords, records, whole
from streams.worker.chunk import Chunk
from streams.worker.transport import MOST_UNDER_WAY, ChunkConsumer, ChunkThread, End

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
    consumer = SimpleNamespace(_thread=reading, _read_offset={CLICKS: 5})
    ChunkConsumer.restart_reading(consumer)
    assert not consumer._read_offset, "Faust would drop what it is to see again"
    assert reading.read_to_end(CLICKS) is None
    reading.ends = {CLICKS: End(5, 5, 1)}
    assert reading.read_to_end(CLICKS) == 1
    reading.fetched[CLICKS] += 1
    ChunkConsumer.arrived(consumer, Chunk("clicks", 0, [], 6))
    assert reading.read_to_end(CLICKS) == 1


def test_a_partition_with_enough_under_way_is_not_asked_for_more():
    orders, asked = TP("orders", 0), []

    class Fetcher:
        _closed = False
        _subscriptions = SimpleNamespace(fetch_context=nullcontext)

        async def fetched_records(self, partitions, **options):
            asked.append((partitions, options["timeout"]))
            return {}

    reading = thread()
    reading.consumer = SimpleNamespace(flow_active=True)
    reading._sought, reading._sought_at, reading._handed = None, 0, {}
    consumer = SimpleNamespace(
        _fetcher=Fetcher(), _closed=False, _subscription=SimpleNamespace(subscription=None), assignment=set
    )

    def fetch():
        return asyncio.run(reading._fetch_records(consumer, {CLICKS, orders}, timeout=5.0))

    assert fetch() == {}
    assert asked.pop() == ({CLICKS, orders}, 5.0)
    reading.fetched[CLICKS] = MOST_UNDER_WAY
    fetch()
    [(partitions, timeout)] = asked
    assert partitions == {orders}
    assert timeout < 1, "clicks would wait as long as orders have nothing"
    reading.fetched[orders] = MOST_UNDER_WAY
    asked.clear()
    assert fetch() == {}
    assert not asked, "asked for no partition, aiokafka hands over all"
    reading.arrived[CLICKS] = 1
    fetch()
    assert asked[0][0] == {CLICKS}


def test_each_chunk_says_which_one_it_follows_and_the_first_after_a_seek_none():
    class Fetcher:
        _closed = False
        _subscriptions = SimpleNamespace(fetch_context=nullcontext)

        async def fetched_records(self, *_, **__):
            return {CLICKS: [Batch(0, Block.of(Record(offset, 0, b"k", b"v") for offset in brought.pop(0)))]}

    reading, brought = thread(), [[5, 6], [7], [9], [7, 8]]
    reading.consumer = SimpleNamespace(flow_active=True)
    reading._sought, reading._sought_at, reading._handed = None, 0, {}
    consumer = SimpleNamespace(
        _fetcher=Fetcher(), _closed=False, _subscription=SimpleNamespace(subscription=None), assignment=set
    )

    def follows():
        return asyncio.run(reading._fetch_records(consumer, {CLICKS}, timeout=5.0))[CLICKS].follows

    def fetch():
        reading.arrived = Counter(reading.fetched)
        return follows()

    assert [fetch() for _ in range(3)] == [None, 7, 8]
    reading._handed = {}  # as a seek does
    assert fetch() is None


def test_nothing_is_sought_before_each_partition_is_taken_over():
    reading, sought, assignment = thread(), [], object()
    topics = SimpleNamespace(clicks="clicks", orders="orders")
    reading.app = SimpleNamespace(settings=SimpleNamespace(topics=topics), partitions={})
    reading._sought = None

    async def fetch_committed_offsets(tps):
        return {tp: SimpleNamespace(offset=7) for tp in tps}

    consumer = SimpleNamespace(
        assignment=lambda: {CLICKS},
        seek=lambda *to: sought.append(to),
        _coordinator=SimpleNamespace(fetch_committed_offsets=fetch_committed_offsets),
        _subscription=SimpleNamespace(subscription=SimpleNamespace(assignment=assignment)),
    )
    reading._ensure_consumer = lambda: consumer
    assert asyncio.run(reading._seek_to_committed()) == {}
    assert reading._sought is None
    assert not sought
    reading.app.partitions[0] = "taken over"
    assert asyncio.run(reading._seek_to_committed()) == {CLICKS: 7}
    assert reading._sought is assignment
    assert sought == [(CLICKS, 7)]


@pytest.mark.parametrize("is_current", [True, False])
def test_what_comes_while_the_flow_is_stopped_is_kept_for_the_assignment_of_which_it_is(is_current):
    consumer = SimpleNamespace(
        flow_active=False, should_stop=False, can_resume_flow="the flow may go on",
        _thread=SimpleNamespace(is_current=lambda: is_current), _to_message=lambda _, found: found,
    )  # fmt: skip

    async def wait_next_records(_timeout):
        return {CLICKS: ["a chunk"]}, None

    async def wait(event):
        assert event == "the flow may go on"
        consumer.flow_active = True

    consumer._wait_next_records, consumer.wait = wait_next_records, wait

    async def play():
        return [one async for one in ChunkConsumer.getmany(consumer, 1.0)]

    assert asyncio.run(play()) == ([(CLICKS, ["a chunk"])] if is_current else [])


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
        CLICKS, Fetched(bytes(data)), [], first_offset, key_deserializer, None, False, READ_COMMITTED
    )
    return list(found), found.next_fetch_offset


@pytest.mark.parametrize("first_offset", [0, 1])  # a broker answers from the batch that holds the offset
def test_whole_batches_hold_the_records_that_aiokafka_would_give_one_by_one(first_offset):
    parts = [b"a", b"b"], [b"c", b"d", b"e"]
    batches, position = fetched(first_offset, whole, *parts)
    plain, same_position = fetched(first_offset, None, *parts)
    assert [(r.offset, r.key, r.value) for r in records(batches)] == [(r.offset, r.key, r.value) for r in plain]
    assert position == same_position == 5
