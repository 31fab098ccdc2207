import asyncio
from collections import defaultdict
from itertools import count, pairwise

import pytest
from aiokafka.partitioner import DefaultPartitioner

from streams.demo.history import Event
from streams.demo.player import MAX_BEHIND_SECONDS, SLICE_SECONDS, Player
from streams.demo.tally import Tally

NAMES = {"clicks": "c", "orders": "o", "profiles": "p"}
HOUR = 3_600_000


class Clock:
    """Time that passes only by sleeping, and by what `costs` is told that sending takes."""

    def __init__(self):
        self.now = 100.0
        self.slept = 0

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept += 1
        self.now += seconds
        await asyncio.sleep(0)


class Written:
    """What the broker answers."""

    def __init__(self, topic, partition, offset):
        self.topic, self.partition, self.offset = topic, partition, offset


class Batch:
    def __init__(self, room):
        self.records, self.room = [], room

    def append(self, *, timestamp, key, value):  # noqa: ARG002 - as aiokafka calls it
        if len(self.records) == self.room:
            return None
        self.records.append((key, value))
        return object()

    def record_count(self):
        return len(self.records)


class Producer:
    """Keeps what it is sent, with the time; a batch has room for `room` records, sending takes `costs` seconds."""

    def __init__(self, clock, room=1000, costs=0.0):
        self.clock, self.room, self.costs = clock, room, costs
        self.logs = defaultdict(list)

    def create_batch(self):
        return Batch(self.room)

    async def send_batch(self, batch, topic, *, partition):
        self.clock.now += self.costs
        log = self.logs[topic, partition]
        written = asyncio.get_running_loop().create_future()
        written.set_result(Written(topic, partition, len(log)))
        log += [(key, value, self.clock.now) for key, value in batch.records]
        return written

    def sent(self):
        """Everything sent, in order of the number that is its value: [(number, when)]."""
        return sorted((int(value), when) for log in self.logs.values() for _, value, when in log)


def events(number, apart=HOUR, topic="clicks"):
    return [Event(topic, b"u%d" % (n % 50), b"%d" % n, n * apart) for n in range(number)]


def play(history, *, speed, partitions=4, stop_after=None, **options):
    """Play the history; returns (player, producer, tally, clock, seconds it took)."""
    clock = Clock()
    producer = Producer(clock, **options)
    tally = Tally(clock.now)

    async def run():
        stop = asyncio.Event()

        async def sleep(seconds):
            await clock.sleep(seconds)
            if stop_after is not None and clock.now >= 100.0 + stop_after:
                stop.set()

        player = Player(
            iter(history),
            producer,
            tally,
            speed=speed,
            names=NAMES,
            partitions=partitions,
            clock=clock,
            sleep=sleep,
        )
        await player.play(stop)
        return player

    player = asyncio.run(run())
    return player, producer, tally, clock, clock.now - 100.0


def test_each_event_is_sent_when_its_time_has_come():
    _, producer, *_ = play(events(500), speed=100 * HOUR)  # an event every 10 ms
    for number, when in producer.sent():
        assert 0 <= when - 100.0 - number / 100 <= SLICE_SECONDS + 1e-6


def test_all_is_sent_in_order_within_each_partition():
    _, producer, tally, *_ = play(events(3000), speed=1000 * HOUR)
    assert [number for number, _ in producer.sent()] == list(range(3000))
    for log in producer.logs.values():
        assert all(int(a[1]) < int(b[1]) for a, b in pairwise(log))
    assert tally.sent == 3000


@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_a_key_goes_where_kafkas_own_partitioner_puts_it(partitions):
    _, producer, *_ = play(events(200), speed=1000 * HOUR, partitions=partitions)
    numbers = list(range(partitions))
    assert {partition for _, partition in producer.logs} == set(numbers)
    for (_, partition), log in producer.logs.items():
        for key, *_ in log:
            assert DefaultPartitioner()(key, numbers, numbers) == partition


def test_topics_have_the_names_they_are_given():
    mixed = [Event(topic, b"u", b"1", 0) for topic in NAMES]
    _, producer, tally, *_ = play(mixed, speed=HOUR)
    assert {topic for topic, _ in producer.logs} == {"c", "o", "p"}
    assert {topic: rate.total for topic, rate in tally.events.items()} == dict.fromkeys(NAMES, 1)


def test_a_full_batch_makes_room_for_the_next():
    history = [Event("clicks", b"u", b"%d" % n, 0) for n in range(25)]
    player, producer, *_ = play(history, speed=HOUR, room=10)
    (place,) = producer.logs
    assert [int(value) for _, value, _ in producer.logs[place]] == list(range(25))
    assert player.ends == {place: 25}


def test_falling_behind_makes_it_slower_not_jerky():
    """Each send takes 0.2 s, so slices are late; no slice may hold more than MAX_BEHIND's worth of event time."""
    speed = 1000 * HOUR
    _, producer, _, _, seconds = play(events(400), speed=speed, costs=0.2)
    at_once = defaultdict(set)
    for number, when in producer.sent():
        at_once[when].add(number)
    most = MAX_BEHIND_SECONDS * speed / HOUR
    assert all(max(numbers) - min(numbers) <= most for numbers in at_once.values())
    assert seconds > 400 / 1000 * 2


def test_a_stall_is_not_caught_up():
    clock = Clock()
    producer, tally = Producer(clock), Tally(clock.now)
    stalls = count()

    async def sleep(seconds):
        await clock.sleep(5.0 if next(stalls) == 10 else seconds)

    player = Player(
        iter(events(300)), producer, tally, speed=100 * HOUR, names=NAMES, partitions=4, clock=clock, sleep=sleep
    )
    asyncio.run(player.play(asyncio.Event()))
    times = [when for _, when in producer.sent()]
    assert max(times) - min(times) == pytest.approx(3 + 5, abs=0.2)
    assert max(sum(1 for t in times if t == when) for when in times) <= MAX_BEHIND_SECONDS * 100 + 1


def test_it_stops_when_it_is_asked():
    _, _, tally, _, seconds = play(events(10_000), speed=100 * HOUR, stop_after=2.0)
    assert seconds == pytest.approx(2.0, abs=2 * SLICE_SECONDS)
    assert 195 <= tally.sent <= 201


def test_an_endless_history_is_read_as_it_is_played():
    taken = count()
    endless = (Event("clicks", b"u", b"1", next(taken) * HOUR) for _ in count())
    play(endless, speed=100 * HOUR, stop_after=1.0)
    assert next(taken) < 110


def test_an_empty_history_ends_at_once():
    player, _, tally, clock, _ = play([], speed=HOUR)
    assert (tally.sent, clock.slept, player.ends) == (0, 0, {})


def test_the_tally_knows_when_what_was_produced():
    _, producer, tally, *_ = play(events(300), speed=100 * HOUR)
    for number, when in producer.sent():
        assert tally.timeline.produced(number * HOUR) == pytest.approx(when, abs=1e-6)
