"""The schedule stands, whatever the broker does; and every event is written once, in order."""

import asyncio
import time
from collections import Counter, defaultdict

from aiokafka.record.memory_records import MemoryRecords
from kafka import TopicPartition

from streams.ops.bench import produce as room
from streams.ops.bench.produce import Outlet, keep_pace, lanes_of, settle
from streams.ops.job import Message

PLACES = [TopicPartition("clicks", 0), TopicPartition("orders", 0)]
LONG_AGO = 1000.0
RATE = 1_000_000


class Broker:
    """A broker that acknowledges nothing until it is told to, or everything at once."""

    def __init__(self):
        self.answers = False
        self.values = defaultdict(list)
        self.on_the_way = Counter()
        self.got_some = asyncio.Event()
        self._waiting = []

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


def outlets_of(broker, written, start, rate=RATE):
    return [Outlet(broker, lane, start, rate) for lane in lanes_of(written)]


def test_a_broker_that_does_not_answer_holds_no_event_up_and_gets_them_all_in_the_end():
    async def run(broker, written):
        outlets = outlets_of(broker, written, start := time.monotonic())
        await keep_pace(outlets, RATE, start)
        broker.answer()
        await settle(outlets)
        return outlets

    broker, written = Broker(), messages(20_000)
    outlets = asyncio.run(run(broker, written))
    assert broker.values == sorted_by_place(written)
    assert min(min(outlet.acknowledged) for outlet in outlets) > 0


def test_a_producer_that_begins_late_says_so_and_writes_everything():
    async def run(broker, written):
        outlets = outlets_of(broker, written, start := time.monotonic() - LONG_AGO)
        late = await keep_pace(outlets, RATE, start)
        await settle(outlets)
        return late, outlets

    broker, written = Broker(), messages(100)
    broker.answers = True
    [late], outlets = asyncio.run(run(broker, written))
    assert late >= LONG_AGO
    assert all(min(outlet.acknowledged) >= LONG_AGO - 100 / RATE for outlet in outlets)
    assert broker.values == sorted_by_place(written)


def test_what_does_not_fit_into_a_batch_goes_with_the_next(monkeypatch):
    monkeypatch.setattr(room, "BATCH_BYTES", 1000)

    async def run(broker, written):
        outlets = outlets_of(broker, written, time.monotonic())
        await settle(outlets)
        return outlets

    broker, written = Broker(), messages(1000)
    broker.answers = True
    outlets = asyncio.run(run(broker, written))
    assert broker.values == sorted_by_place(written)
    assert all(len(outlet.acknowledged) > 10 for outlet in outlets)


def test_nothing_is_written_before_it_is_due():
    async def run(broker, written):
        outlets = outlets_of(broker, written, start := time.monotonic(), 1 / LONG_AGO)
        pace = asyncio.create_task(keep_pace(outlets, 1 / LONG_AGO, start))
        await broker.got_some.wait()
        pace.cancel()
        await asyncio.gather(pace, return_exceptions=True)

    broker = Broker()
    asyncio.run(run(broker, messages(10)))
    assert broker.values == {PLACES[0]: [b"000000"]}
