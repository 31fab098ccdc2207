"""Batches that we read are what aiokafka reads, record by record; batches that we write, aiokafka reads."""

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.wire.block import Pairs
from streams.worker.batch import HEAD, Fetched, PartitionRecords, records, whole, written

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
TP = TopicPartition("t", 0)
some = st.none() | st.binary(max_size=300)
headers = st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), some), max_size=3)
rows = st.lists(st.tuples(some, some, headers, st.integers(0, 1 << 42)), min_size=1, max_size=8)


def built(rows, codec=0, base=0, **state):
    """The batch that aiokafka makes of (key, value, headers, timestamp)."""
    state = {"is_transactional": 0, "producer_id": -1, "producer_epoch": -1, "base_sequence": -1} | state
    builder = DefaultRecordBatchBuilder(2, codec, batch_size=1 << 20, **state)
    for n, (key, value, added, at) in enumerate(rows):
        builder.append(n, timestamp=at, key=key, value=value, headers=added)
    data = bytearray(builder.build())
    data[0:8] = base.to_bytes(8, "big")
    return bytes(data)


def fetch(data, first=0, aborted=(), *, check=True):
    """The records of a fetch as we read them, and where reading goes on."""
    made = PartitionRecords(TP, Fetched(data), list(aborted), first, whole, None, check, READ_COMMITTED)
    batches = list(made)
    return list(records(batches)) if batches else [], made.next_fetch_offset


def plainly(data, first=0):
    made = PartitionRecords(TP, Fetched(data), [], first, None, None, True, READ_COMMITTED)
    return [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in made], made.next_fetch_offset


@given(st.lists(rows, min_size=1, max_size=3), st.sampled_from(sorted(CODECS)), st.integers(0, 9))
def test_what_is_read_is_what_aiokafka_reads(batches, codec, first):
    data, base = b"", 0
    for some_rows in batches:
        data += built(some_rows, CODECS[codec], base)
        base += len(some_rows)
    first = min(first, len(batches[0]) - 1)  # a broker answers from the batch that holds the offset
    found, reached = fetch(data, first)
    assert ([tuple(r) for r in found], reached) == plainly(data, first)


@given(rows, st.integers(200, 2000), st.booleans())
def test_what_is_written_aiokafka_reads(rows, most, transactional):
    pairs = Pairs.of((key, value, added) for key, value, added, _ in rows)
    found = []
    for batch in written(pairs, most, transactional=transactional):
        batch._set_producer_state(7, 1, 5)
        data = bytes(batch._build())
        assert len(data) == batch.size()
        assert len(data) <= most or batch.record_count() == 1
        read = DefaultRecordBatch(data)
        assert read.validate_crc()
        assert (read.producer_id, read.producer_epoch, read.base_sequence) == (7, 1, 5)
        assert read.is_transactional == transactional
        assert not read.is_control_batch
        some = list(read)
        assert read.next_offset == read.base_offset + len(some) == batch.record_count()
        assert {r.timestamp for r in some} == {read.max_timestamp}
        found += [(r.key, r.value, r.headers) for r in some]
    assert found == [(key, value, added) for key, value, added, _ in rows]


def test_a_producer_that_tries_again_sends_the_same():
    [batch] = written(Pairs.of([(b"k", b"v")]), 1000, transactional=False)
    assert batch._build() is batch._build()
    assert batch.closed()


def test_what_was_aborted_is_left_out():
    rows = [(b"k", b"v", [], 1)]
    data = built(rows, is_transactional=1, producer_id=5) + built(rows, 0, 1, is_transactional=1, producer_id=6)
    found, reached = fetch(data, aborted=[(5, 0)])
    assert ([r.offset for r in found], reached) == ([1], 2)


def test_the_last_batch_of_a_fetch_may_be_cut_off():
    one, other = built([(b"k", b"v", [], 1)]), built([(b"k", b"w", [], 1)], base=1)
    for cut in range(len(other)):
        assert len(fetch(one + other[:cut])[0]) == 1


def test_batches_of_old_formats_are_read_too():
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    for n in range(3):
        builder.append(n, timestamp=n, key=b"k", value=b"%d" % n)
    found, reached = fetch(bytes(builder.build()), 1)
    assert ([(r.offset, r.value) for r in found], reached) == ([(1, b"1"), (2, b"2")], 3)


def test_time_may_be_the_brokers():
    data = bytearray(built([(b"k", b"v", [], 5), (b"k", b"w", [], 9)]))
    data[HEAD.size - 39] |= 8  # the attributes' lower byte
    assert [r.timestamp for r in fetch(bytes(data), check=False)[0]] == [9, 9]


@given(st.data(), rows)
def test_a_damaged_batch_is_refused_or_read_and_never_reaches_beyond_its_bytes(draw, rows):
    data = bytearray(built(rows))
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(HEAD.size, len(data) - 1))] = draw.draw(st.integers(0, 255))
    if bytes(data) != built(rows):
        with pytest.raises(CorruptRecordException):
            fetch(bytes(data))
    try:
        found, _ = fetch(bytes(data), check=False)
    except CorruptRecordException:
        return
    assert len(found) == len(rows)
    assert sum(len(r.key or b"") + len(r.value or b"") for r in found) <= len(data)
