"""The schedule stands, whatever the broker does; and every event is written once, in order."""

import asyncio
import time
from collections import Counter, defaultdict

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from kafka import TopicPartition

from streams.ops.bench.produce import Outlets, keep_pace
from streams.ops.job import Message

PLACES = [TopicPartition("clicks", 0), TopicPartition("orders", 0)]
LONG_AGO = 1000.0
RATE = 1_000_000


class Broker:
    """A broker that acknowledges nothing until it is told to, or everything at once."""

    def __init__(self, batch_bytes=1 << 20):
        self.batch_bytes, self.answers = batch_bytes, False
        self.values = defaultdict(list)
        self.on_the_way = Counter()
        self.got_some = asyncio.Event()
        self._waiting = []

    def create_batch(self):
        return BatchBuilder(self.batch_bytes, 0)

    async def send_batch(self, batch, topic, *, partition):
        place = TopicPartition(topic, partition)
        self.on_the_way[place] += 1
        assert self.on_the_way[place] == 1, "one batch of a partition at a time"
        memory = MemoryRecords(bytes(batch._build()))
        self.values[place] += [record.value for record in memory.next_batch()]
        self.got_some.set()
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((place, done))
        if self.answers:
            self.answer()
        return done

    def answer(self):
        self.answers = True
        for place, done in self._waiting:
            self.on_the_way[place] -= 1
            done.set_result(None)
        self._waiting.clear()


def messages(count):
    return [Message(PLACES[n % 2], n, b"u", b"%06d" % n) for n in range(count)]


def sorted_by_place(written):
    return {place: [m.value for m in written if m.place == place] for place in PLACES}


def test_a_broker_that_does_not_answer_holds_no_event_up_and_gets_them_all_in_the_end():
    async def run(broker, written):
        outlets = Outlets(broker)
        await keep_pace(outlets, written, RATE, time.monotonic())
        broker.answer()
        await outlets.settle()
        return outlets

    broker, written = Broker(), messages(20_000)
    outlets = asyncio.run(run(broker, written))
    assert broker.values == sorted_by_place(written)
    assert min(outlets.acknowledged) > 0


def test_a_producer_that_begins_late_says_so_and_writes_everything():
    async def run(broker, written):
        outlets = Outlets(broker)
        late = await keep_pace(outlets, written, RATE, time.monotonic() - LONG_AGO)
        await outlets.settle()
        return late

    broker, written = Broker(), messages(100)
    broker.answers = True
    [late] = asyncio.run(run(broker, written))
    assert late >= LONG_AGO
    assert broker.values == sorted_by_place(written)


def test_a_full_batch_goes_before_the_next_is_begun():
    async def run(broker, written):
        outlets = Outlets(broker)
        for message in written:
            await outlets.append(message, time.monotonic())
        await outlets.settle()

    broker, written = Broker(batch_bytes=1000), messages(1000)
    broker.answers = True
    asyncio.run(run(broker, written))
    assert broker.values == sorted_by_place(written)


def test_nothing_is_written_before_it_is_due():
    async def run(broker, written):
        outlets = Outlets(broker)
        pace = asyncio.create_task(keep_pace(outlets, written, 1 / LONG_AGO, time.monotonic()))
        await broker.got_some.wait()
        pace.cancel()
        await asyncio.gather(pace, return_exceptions=True)

    broker = Broker()
    asyncio.run(run(broker, messages(10)))
    assert broker.values == {PLACES[0]: [b"000000"]}
