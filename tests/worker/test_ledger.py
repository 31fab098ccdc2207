"""The ledgers' promises that need no broker: order, and that nothing is written after a failure."""

import asyncio

import pytest
from aiokafka.errors import ProducerFenced
from aiokafka.structs import RecordMetadata, TopicPartition

from streams.wire.block import Pairs
from streams.worker import ledger as room
from streams.worker.ledger import Broken, Fenced, PlainLedger, TransactionalLedger


class Producer:
    """A producer that writes down what is asked of it, and fails at a step when told to."""

    def __init__(self, fail_at="", error=None):
        self.steps, self.fail_at, self.error = [], fail_at, error
        self.places, self._txn_manager = [], self

    def maybe_add_partition_to_txn(self, place):
        self.places.append(place)

    async def _step(self, name):
        self.steps.append(name)
        if name == self.fail_at:
            raise self.error

    async def begin_transaction(self):
        await self._step("begin")

    async def send_batch(self, batch, topic, *, partition):
        await self._step(f"{topic}{partition or ''} x{batch.record_count()}")
        done = asyncio.get_running_loop().create_future()
        done.set_result(RecordMetadata(topic, partition, TopicPartition(topic, partition), 7, 0, 0, 0))
        return done

    async def send_offsets_to_transaction(self, positions, group):
        assert group == "g"
        await self._step("positions " + ",".join(f"{tp.topic}={o}" for tp, o in positions.items()))

    async def commit_transaction(self):
        await self._step("commit")


def exactly_once(producer):
    return TransactionalLedger(producer, "g", 0, "changelog")


def within(steps):
    """The steps of a transaction between its begin and its commit, which come side by side, sorted."""
    begin, *between, commit = steps
    assert (begin, commit) == ("begin", "commit")
    return sorted(between)


def fill(ledger):
    ledger.record("transitions", [(b"k", b"v"), (b"k", b"w")])
    ledger.position("clicks", 5)


def test_a_commit_is_one_transaction():
    producer = Producer()
    ledger = exactly_once(producer)
    fill(ledger)
    assert asyncio.run(ledger.commit([Pairs.of([(b"u", b"row")])]))
    assert within(producer.steps) == ["changelog x1", "positions clicks=5", "transitions x2"]
    assert [place.topic for place in producer.places] == ["changelog", "transitions"]
    assert ledger.changelog_position == 7


def test_what_belongs_to_another_partition_goes_there_in_the_same_transaction():
    producer = Producer()
    ledger = exactly_once(producer)
    fill(ledger)
    ledger.record("transitions", [(b"other", b"x")], 5)
    assert ledger.pending_bytes == len(b"kvkwotherx")
    asyncio.run(ledger.commit([]))
    assert within(producer.steps) == ["positions clicks=5", "transitions x2", "transitions5 x1"]


def test_what_changed_is_written_even_where_nothing_followed_from_it():
    producer = Producer()
    assert asyncio.run(exactly_once(producer).commit([Pairs.of([(b"u", b"row")])]))
    assert producer.steps == ["begin", "changelog x1", "commit"]


def test_nothing_to_write_is_no_transaction():
    producer = Producer()
    assert not asyncio.run(exactly_once(producer).commit([]))
    assert producer.steps == []


@pytest.mark.parametrize("step", ["begin", "transitions x2", "positions clicks=5", "commit"])
def test_after_a_failed_commit_nothing_is_ever_written(step):
    """Later positions without the records that failed would lose those records."""
    producer = Producer(step, OSError("broker gone"))
    ledger = exactly_once(producer)
    fill(ledger)
    with pytest.raises(OSError, match="broker gone"):
        asyncio.run(ledger.commit([]))
    steps = len(producer.steps)
    producer.fail_at = ""
    fill(ledger)
    with pytest.raises(Broken, match="broker gone"):
        asyncio.run(ledger.commit([]))
    assert len(producer.steps) == steps


def test_a_ledger_that_was_taken_over_stays_fenced():
    producer = Producer("commit", ProducerFenced("taken"))
    ledger = exactly_once(producer)
    for _ in range(2):
        fill(ledger)
        with pytest.raises(Fenced):
            asyncio.run(ledger.commit([]))
    assert producer.steps.count("begin") == 1


def test_positions_that_fail_do_not_wait_for_records_that_hang():
    """Nor is a transaction committed of which a part has failed."""

    class Hanging(Producer):
        async def send_batch(self, batch, topic, *, partition):
            await super().send_batch(batch, topic, partition=partition)
            return asyncio.get_running_loop().create_future()

    producer = Hanging("positions clicks=5", ProducerFenced("taken"))
    ledger = exactly_once(producer)
    fill(ledger)
    with pytest.raises(Fenced):
        asyncio.run(asyncio.wait_for(ledger.commit([]), 10))
    assert "commit" not in producer.steps


def test_without_transactions_outputs_come_before_rows_and_rows_before_positions():
    producer = Producer()

    async def commit_positions(positions):
        producer.steps.append(f"positions {len(positions)}")

    ledger = PlainLedger(producer, 0, "changelog", commit_positions)
    fill(ledger)
    asyncio.run(ledger.commit([Pairs.of([(b"u", b"row")])]))
    assert producer.steps == ["transitions x2", "changelog x1", "positions 1"]


def test_records_are_cut_into_batches_and_a_huge_one_has_its_own(monkeypatch):
    monkeypatch.setattr(room, "BATCH_BYTES", 1100)
    producer = Producer()
    ledger = exactly_once(producer)
    ledger.record("transitions", [*[(b"k", bytes(300))] * 4, (b"k", bytes(3000)), (b"k", b"v")])
    asyncio.run(ledger.commit([]))
    assert producer.steps[1:-1] == ["transitions x3", "transitions x1", "transitions x1", "transitions x1"]
